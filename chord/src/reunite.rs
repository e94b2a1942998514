//! Reunion: rings that a partition separated find each other again.
//!
//! After Shafaat, Ghodsi and Haridi, "Handling network partitions and mergers in structured
//! overlay networks" (P2P 2007), in its simplest form. A node remembers neighbours that it took
//! for dead. Now and then it pings one; when one answers, the node looks up, through it, who
//! follows itself in that one's ring. If that is somebody else than its own successor, two rings
//! meet: it stabilises from that node as it would from a predecessor of its successor, and
//! notifies it. From there ordinary stabilisation threads the two rings into one: the old
//! successors are appendages that find their places as joining nodes do.
//!
//! Outside the theorem: while two rings exist there is not "exactly one ring".

use crate::Period;
use crate::message::{ChordMessage, ChordTimer};
use crate::node::{Chord, Phase};
use crate::step::Purpose;
use overlay::lookup::Located;
use overlay::{Contact, Cx, Duration, Id, LookupPurpose, RouterEvent, Time};

/// Contacts remembered as lost; the oldest is forgotten first. Our choice: two successor lists.
/// One that answers is enough to find a whole ring.
pub const MAX_LOST: usize = 16;
/// How long a lost contact is remembered, unless the node is cut off. Our choice: an hour of
/// outage is worth a ping now and then; a longer one needs an operator anyway.
pub const LOST_FOR: Duration = Duration::from_secs(3_600);
/// When a contact was just lost: a restarted process, or a short outage, is back soon.
const FIRST_PING: Period = Period::new(Duration::from_secs(2), Duration::from_secs(4));
/// Time between two pings, to one lost contact each.
pub const PING_PERIOD: Period = Period::new(Duration::from_secs(10), Duration::from_secs(30));

/// One remembered contact.
#[derive(Debug)]
struct Known {
    contact: Contact,
    since: Time,
    /// Taken for dead; else it is remembered as a way back.
    dead: bool,
}

/// The lost contacts, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    contacts: Vec<Known>,
    turn: usize,
    epoch: u64,
    armed: bool,
    /// The ping that is out.
    pinged: Option<(u64, Contact)>,
    /// How often a node that is cut off has tried since it was heard last, and whether a contact
    /// answered that it is up and in no ring.
    pub(crate) tries: usize,
    pub(crate) restarted: bool,
    /// The lookup that is out, and through whom.
    asked: Option<(u64, Contact)>,
}

impl Lost {
    pub(crate) fn forget(&mut self, id: Id) {
        self.contacts.retain(|known| known.contact.id != id);
    }

    pub(crate) fn is_dead(&self, id: Id) -> bool {
        self.contacts
            .iter()
            .any(|known| known.contact.id == id && known.dead)
    }

    /// Remembers one more contact while there is room.
    pub(crate) fn add_if_room(&mut self, contact: Contact, now: Time) {
        let is_known = self
            .contacts
            .iter()
            .any(|known| known.contact.id == contact.id);
        if !is_known && self.contacts.len() < MAX_LOST {
            self.contacts.push(Known {
                contact,
                since: now,
                dead: false,
            });
        }
    }

    /// The next contact in turn.
    pub(crate) fn next(&mut self) -> Option<Contact> {
        self.turn = self.turn.wrapping_add(1);
        let at = self.turn.checked_rem(self.contacts.len())?;
        self.contacts.get(at).map(|known| known.contact)
    }

    /// Whether all contacts were tried, none of them is in a ring, and some have restarted.
    pub(crate) fn all_restarted(&self) -> bool {
        self.restarted && self.tries > self.contacts.len()
    }

    /// The timer that is meant.
    pub(crate) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Makes the timers armed so far stale.
    pub(crate) const fn arm_now(&mut self) {
        self.epoch += 1;
        self.armed = true;
    }
}

impl Chord {
    /// Remembers a contact taken for dead; says whether it was not remembered already.
    pub(crate) fn remember_lost(&mut self, cx: &mut Cx<'_, Self>, contact: Contact) -> bool {
        let entry = Known {
            contact,
            since: cx.now,
            dead: true,
        };
        let known = self
            .lost
            .contacts
            .iter_mut()
            .find(|known| known.contact.id == contact.id);
        if let Some(known) = known {
            let was_dead = known.dead;
            *known = entry;
            return !was_dead;
        }
        if self.lost.contacts.len() >= MAX_LOST {
            self.lost.contacts.remove(0);
        }
        self.lost.contacts.push(entry);
        if !self.lost.armed {
            let delay = FIRST_PING.draw(cx.rng);
            self.arm_reunite(cx, delay);
        }
        true
    }

    pub(crate) fn arm_reunite(&mut self, cx: &mut Cx<'_, Self>, delay: Duration) {
        if self.config.maintain {
            self.lost.arm_now();
            cx.arm(
                cx.now + delay,
                ChordTimer::Reunite {
                    epoch: self.lost.epoch,
                },
            );
        }
    }

    /// It is time to try a lost contact.
    pub(crate) fn on_reunite(&mut self, cx: &mut Cx<'_, Self>, epoch: u64) {
        if epoch != self.lost.epoch {
            return;
        }
        self.lost.armed = false;
        match self.phase {
            Phase::CutOff { .. } => return self.try_to_rejoin(cx),
            Phase::Member => {}
            _ => return,
        }
        let (now, ring) = (cx.now, &self.ring);
        self.lost.contacts.retain(|Known { contact, since, .. }| {
            now.since(*since) < LOST_FOR && !ring.successors().iter().any(|c| c.id == contact.id)
        });
        let Some(contact) = self.lost.next() else {
            return;
        };
        let token = self.token();
        self.lost.pinged = Some((token, contact));
        cx.send(contact, ChordMessage::Ping { token });
        let delay = PING_PERIOD.draw(cx.rng);
        self.arm_reunite(cx, delay);
    }

    /// A lost contact is back, and a member: who follows us in its ring?
    pub(crate) fn lost_answered(&mut self, cx: &mut Cx<'_, Self>, from: Contact, token: u64) {
        let pinged = self
            .lost
            .pinged
            .take_if(|(ping, to)| *ping == token && to.id == from.id);
        if pinged.is_none() || !matches!(self.phase, Phase::Member) {
            return;
        }
        let token = self.token();
        self.lost.asked = Some((token, from));
        let key = self.me.id.wrapping_add(Id::from_u64(1));
        let via = Some(from);
        cx.emit(RouterEvent::Lookup {
            token,
            key,
            via,
            purpose: LookupPurpose::Tables,
        });
    }

    /// Takes the answer of a reunion's lookup; says whether it was one.
    pub(crate) fn reunite_looked(
        &mut self,
        cx: &mut Cx<'_, Self>,
        token: u64,
        found: Option<&Located>,
    ) -> bool {
        let Some((_, via)) = self.lost.asked.take_if(|(asked, _)| *asked == token) else {
            return false;
        };
        let (Some(found), Phase::Member) = (found, &self.phase) else {
            return true;
        };
        let owner = found.owner;
        self.lost.forget(via.id);
        if owner.id == self.me.id || self.ring.first().is_some_and(|first| first.id == owner.id) {
            // The same ring: it has come back by itself.
            return true;
        }
        // Others of that ring may be worth trying at once.
        self.arm_reunite(cx, Duration::from_secs(1));
        if self.ring.may_adopt(owner.id) && self.step.is_none() {
            self.start_step(cx, owner, Purpose::Predecessor { reunion: true });
        } else {
            cx.send(owner, ChordMessage::Notify);
            // Not settled yet: ask again until both rings agree who follows us.
            self.lost.add_if_room(via, cx.now);
        }
        true
    }
}
