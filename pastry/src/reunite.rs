//! Reunion: networks that a partition separated find each other again.
//!
//! A node remembers leaves that it took for dead. Now and then it pings one; when one answers, the
//! node looks up itself through it. If somebody else is found at its place, there are two networks:
//! the two take each other into their leaf sets, and the exchange of leaf sets threads the two
//! circles into one.

use crate::message::PastryTimer;
use crate::node::{Pastry, Phase};
use crate::probe::Purpose;
use crate::ticker::between;
use overlay::lookup::Located;
use overlay::{Contact, Cx, Duration, Id, LookupPurpose, RouterEvent, Time};
use std::collections::VecDeque;

/// Contacts remembered as lost; the oldest is forgotten first. Our choice: one leaf set of the
/// larger kind. One that answers is enough to find a whole network.
pub const MAX_LOST: usize = 32;
/// How long a lost contact is remembered, unless the node is cut off.
pub const LOST_FOR: Duration = Duration::from_secs(3_600);
/// How long a node that was found dead is not asked again because others list it: they notice
/// within this time.
const SHUN_FOR: Duration = Duration::from_secs(30);
/// Nodes that are shunned at a time; the oldest is forgotten first.
const MAX_SHUNNED: usize = 64;
/// When a contact was just lost: a restarted process, or a short outage, is back soon.
const FIRST_PING: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(4));
/// Time between two pings, to one lost contact each, in the first minutes after a loss.
pub const PING_PERIOD: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(30));
/// Time between two pings when nobody was lost lately.
pub const LATE_PING_PERIOD: (Duration, Duration) =
    (Duration::from_secs(60), Duration::from_secs(120));
/// How long after a loss pings are frequent: most outages are shorter.
const SOON: Duration = Duration::from_secs(60);

/// The lost contacts, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    contacts: Vec<(Contact, Time)>,
    shunned: VecDeque<(Id, Time)>,
    turn: usize,
    epoch: u64,
    armed: bool,
    /// How often a node that is cut off has tried since it was heard last, and whether a contact
    /// answered that it is up and in no network.
    tries: usize,
    restarted: bool,
    /// The lookup that is out, and through whom.
    asked: Option<(u64, Contact)>,
}

impl Lost {
    pub(crate) fn forget(&mut self, id: Id) {
        self.contacts.retain(|(known, _)| known.id != id);
        self.shunned.retain(|(known, _)| *known != id);
    }

    /// Others may list this node for a while; it is not to be asked.
    pub(crate) fn shun(&mut self, id: Id, now: Time) {
        self.shunned.retain(|(known, _)| *known != id);
        if self.shunned.len() >= MAX_SHUNNED {
            self.shunned.pop_front();
        }
        self.shunned.push_back((id, now));
    }

    pub(crate) fn is_shunned(&self, id: Id, now: Time) -> bool {
        self.shunned
            .iter()
            .any(|(known, since)| *known == id && now.since(*since) < SHUN_FOR)
    }

    /// Remembers one more contact while there is room.
    pub(crate) fn add_if_room(&mut self, contact: Contact, now: Time) {
        let is_known = self
            .contacts
            .iter()
            .any(|(known, _)| known.id == contact.id);
        if !is_known && self.contacts.len() < MAX_LOST {
            self.contacts.push((contact, now));
        }
    }

    fn next(&mut self) -> Option<Contact> {
        self.turn = self.turn.wrapping_add(1);
        let at = self.turn.checked_rem(self.contacts.len())?;
        self.contacts.get(at).map(|(contact, _)| *contact)
    }

    /// The next contact in turn, for a node that is cut off.
    pub(crate) fn next_to_try(&mut self) -> Option<Contact> {
        self.tries += 1;
        self.next()
    }

    /// A contact is up and in no network.
    pub(crate) const fn has_restarted(&mut self) {
        self.restarted = true;
    }

    /// Counts tries from the beginning.
    pub(crate) const fn begin_tries(&mut self) {
        (self.tries, self.restarted) = (0, false);
    }

    /// Whether all contacts were tried, none of them is in a network, and some have restarted.
    pub(crate) fn all_restarted(&self) -> bool {
        self.restarted && self.tries > self.contacts.len()
    }
}

impl Pastry {
    /// Remembers a contact taken for dead; says whether it was not remembered already.
    pub(crate) fn remember_lost(&mut self, cx: &mut Cx<'_, Self>, contact: Contact) -> bool {
        self.lost.shun(contact.id, cx.now);
        let known = self
            .lost
            .contacts
            .iter()
            .position(|(known, _)| known.id == contact.id);
        if let Some(at) = known {
            self.lost.contacts[at].1 = cx.now;
            return false;
        }
        if self.lost.contacts.len() >= MAX_LOST {
            self.lost.contacts.remove(0);
        }
        self.lost.contacts.push((contact, cx.now));
        if !self.lost.armed {
            let delay = between(cx.rng, FIRST_PING.0, FIRST_PING.1);
            self.arm_reunite(cx, delay);
        }
        true
    }

    pub(crate) fn arm_reunite(&mut self, cx: &mut Cx<'_, Self>, delay: Duration) {
        if self.config.maintain {
            self.lost.epoch += 1;
            self.lost.armed = true;
            let epoch = self.lost.epoch;
            cx.arm(cx.now + delay, PastryTimer::Reunite { epoch });
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
            // A join is under way, maybe a way back: there will be a timer when it fails.
            _ => {
                self.arm_reunite(cx, PING_PERIOD.0);
                return;
            }
        }
        let (now, leaves) = (cx.now, &self.leaves);
        self.lost
            .contacts
            .retain(|(known, since)| now.since(*since) < LOST_FOR && !leaves.contains(known.id));
        let Some(contact) = self.lost.next() else {
            return;
        };
        self.probe(cx, contact, Purpose::Lost);
        let recent = |(_, since): &(Contact, Time)| now.since(*since) < SOON;
        let (low, high) = if self.lost.contacts.iter().any(recent) {
            PING_PERIOD
        } else {
            LATE_PING_PERIOD
        };
        let delay = between(cx.rng, low, high);
        self.arm_reunite(cx, delay);
    }

    /// A lost contact is back, and a member: who is at our place in its network?
    pub(crate) fn lost_answered(&mut self, cx: &mut Cx<'_, Self>, from: Contact) {
        if !self.is_active() {
            return;
        }
        let token = self.token();
        self.lost.asked = Some((token, from));
        let key = self.me.id;
        cx.emit(RouterEvent::Lookup {
            token,
            key,
            via: Some(from),
            purpose: LookupPurpose::Tables,
        });
    }

    /// Takes the answer of a reunion's lookup.
    pub(crate) fn reunite_looked(
        &mut self,
        cx: &mut Cx<'_, Self>,
        token: u64,
        found: Option<&Located>,
    ) {
        let Some((_, via)) = self.lost.asked.take_if(|(asked, _)| *asked == token) else {
            return;
        };
        let (Some(found), true) = (found, self.is_active()) else {
            return;
        };
        if found.owner.id == self.me.id || self.leaves.contains(found.owner.id) {
            // The same network: it has come back by itself.
            return;
        }
        self.probe(cx, found.owner, Purpose::Candidate);
        // Not settled yet: look again until both networks agree who is at our place.
        self.lost.add_if_room(via, cx.now);
        self.arm_reunite(cx, Duration::from_secs(1));
    }
}
