//! Outside the theorem: networks of fewer than r + 1 members, and members that lost everybody.
//!
//! # Bootstrap phase
//!
//! Zave's invariant needs r + 1 members; a ring of one does not have them. Below that size a list
//! is shorter than r because it holds all other members: it is cut where it comes round to its
//! owner, and the transitions are the same otherwise. What is added:
//!
//! - A node alone has no successor and no predecessor, and answers for the whole circle. It arms
//!   no timer.
//! - When a node alone is notified, it asks the notifier for its list (so the notifier has proven
//!   itself) and takes its place right after it. From a network of one this makes a ring of two:
//!   each is the other's successor and predecessor.
//! - A list that is empty in an answer never replaces one that is not. So a member that was
//!   restarted as a network of its own, while the others still list it, finds its way back.
//!
//! What holds: lists are ordered, without duplicates or oneself, and when joins and failures stop,
//! stabilisation leads to the one ordered ring. What does not hold: a failure of one member can
//! leave another without a live successor, which the theorem excludes; with two members, any
//! failure does.
//!
//! # When the last successor is gone
//!
//! - It said that it leaves, and so did everyone lost since a successor last answered, and that
//!   answer named all members: the node is alone now, and answers for everything.
//! - The ring had two members, as both knew, and never had as many as r + 1: the survivor of a
//!   pair cannot know whether the other crashed or the network between them. It asks for
//!   [`LAST_SUCCESSOR_ROUNDS`] times the usual tries, then carries on alone, and goes on trying
//!   the other for a [reunion](crate::reunite). If it was the network, both carry on alone: a
//!   pair prefers to serve.
//! - Otherwise it is *cut off*: others are probably alive without it, and answering for keys
//!   would split the network. `is_member` is false, `RingChange::CutOff` is emitted. It tries the
//!   contacts that it lost and its fingers, in turn, waiting between tries from [`REJOIN_MIN`] up to
//!   [`REJOIN_MAX`]. When a member answers, it joins through it as any newcomer does; when one
//!   answers that is cut off as well (an outage separated everybody), the two make a ring of two,
//!   and reunion does the rest. When every contact was tried, none was in a ring and some are up
//!   again without one (they lost power, and join anew), there is no ring to come back to: the node
//!   is the ring now, and they join it. Were part of the ring alive out of reach all the same,
//!   reunion would bring the two together.

use crate::Ring;
use crate::cession::Part;
use crate::message::ChordTimer;
use crate::node::{Chord, Doubt, Phase};
use crate::step::Purpose;
use overlay::{Contact, Cx, Duration, OpId, RingChange, RouterEvent, Time};

/// How many times the usual number of tries the last successor gets. Our choice: with the
/// defaults two seconds on one machine. Giving a live pair up costs more than these two seconds.
pub const LAST_SUCCESSOR_ROUNDS: u32 = 3;
/// First wait of a node that is cut off.
pub const REJOIN_MIN: Duration = Duration::from_millis(500);
/// Longest wait of a node that is cut off: so long after an outage ends it is back.
pub const REJOIN_MAX: Duration = Duration::from_secs(30);

/// What the node has seen of the network's size, to judge the loss of its last successor.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// The list was full once: the network has had r + 1 members.
    outgrown: bool,
    /// At the successor's last answer the ring had two members.
    pair: bool,
    /// At the successor's last answer its list came round to us: we knew all members.
    covered: bool,
    /// Somebody was lost without a word since the successor last answered.
    crashed: bool,
}

impl History {
    pub(crate) fn saw(&mut self, ring: &Ring) {
        self.outgrown |= ring.is_full() && ring.length() > 1;
        self.pair &= ring.successors().len() <= 1;
    }

    /// The successor answered with `list`, from which `ring` has been made.
    pub(crate) fn successor_answered(&mut self, ring: &Ring, list: &[Contact]) {
        self.crashed = false;
        self.covered = list.is_empty() || list.iter().any(|entry| entry.id == ring.me().id);
        self.pair = ring.successors().len() == 1
            && ring
                .predecessor()
                .is_none_or(|known| Some(known.id) == ring.first().map(|f| f.id));
    }

    pub(crate) const fn successor_lost(&mut self, left: bool) {
        self.crashed |= !left;
    }

    const fn carries_on_alone(&self) -> bool {
        (self.covered && !self.crashed) || (self.pair && !self.outgrown)
    }
}

impl Chord {
    /// Founds a network of one.
    pub(crate) fn create(&mut self, cx: &mut Cx<'_, Self>, op: OpId) {
        match self.phase {
            Phase::Outside => {
                self.begin_tokens(cx);
                self.watch_failures(cx.now);
                self.phase = Phase::Member;
                self.part = Part::from(Some(self.me.id));
                self.generation += 1;
                cx.emit(RouterEvent::Joined { op });
                cx.emit(RouterEvent::NeighboursChanged);
            }
            Phase::Member => cx.emit(RouterEvent::Joined { op }),
            _ => cx.emit(RouterEvent::JoinFailed {
                op,
                reason: "this node is joining a network, or trying to come back to one".into(),
            }),
        }
    }

    /// The list is empty.
    pub(crate) fn lost_everybody(&mut self, cx: &mut Cx<'_, Self>) {
        let predecessor = self.ring.predecessor();
        self.change(cx, Ring::clear);
        self.doubt = Doubt::None;
        if self.history.carries_on_alone() {
            self.fingers.clear();
            self.history = History::default();
            return;
        }
        let fingers = self.fingers.contacts().copied();
        for contact in fingers.chain(predecessor) {
            self.lost.add_if_room(contact, cx.now);
        }
        self.fingers.clear();
        self.phase = Phase::CutOff {
            backoff: REJOIN_MIN,
        };
        (self.lost.tries, self.lost.restarted) = (0, false);
        cx.emit(RouterEvent::Ring(RingChange::CutOff));
        self.lost.arm_now();
        let at = cx.now + REJOIN_MIN;
        cx.arm(
            at,
            ChordTimer::Reunite {
                epoch: self.lost.epoch(),
            },
        );
    }

    /// A node without successors asked the one that notified it.
    pub(crate) fn met(&mut self, cx: &mut Cx<'_, Self>, notifier: Contact, list: &[Contact]) {
        self.back_in_the_ring(cx, notifier);
        let list = self.without_the_dead(list, cx.now);
        self.change(cx, |ring| ring.meet(notifier, &list));
        self.history.successor_answered(&self.ring, &list);
        self.lost.forget(notifier.id);
        self.step_done(cx);
        self.schedule(cx, Duration::ZERO);
    }

    /// A list that is to be the first one after a loss, without the nodes that were just lost:
    /// whoever offers it has not noticed yet, and with them alone we would be cut off again.
    pub(crate) fn without_the_dead(&self, list: &[Contact], now: Time) -> Vec<Contact> {
        let is_dead = |id| self.has_departed(id, now) || self.lost.is_dead(id);
        list.iter()
            .filter(|entry| !is_dead(entry.id))
            .copied()
            .collect()
    }

    fn back_in_the_ring(&mut self, cx: &mut Cx<'_, Self>, contact: Contact) {
        if self.is_cut_off() {
            self.phase = Phase::Member;
            cx.emit(RouterEvent::Ring(RingChange::Reunited(contact)));
        }
    }

    /// Asks a lost contact whether it is back.
    pub(crate) fn try_to_rejoin(&mut self, cx: &mut Cx<'_, Self>) {
        if self.step.is_some() {
            self.arm_reunite(cx, REJOIN_MIN);
            return;
        }
        if self.lost.all_restarted() {
            return self.be_the_ring(cx);
        }
        self.lost.tries += 1;
        match self.lost.next() {
            Some(contact) => self.start_step(cx, contact, Purpose::Rejoin),
            None => self.rejoin_later(cx),
        }
    }

    /// There is no ring any more but this node, which answers for the whole circle.
    fn be_the_ring(&mut self, cx: &mut Cx<'_, Self>) {
        self.phase = Phase::Member;
        self.history = History::default();
        (self.lost.tries, self.lost.restarted) = (0, false);
        self.part = Part::from(Some(self.me.id));
        self.generation += 1;
        cx.emit(RouterEvent::Ring(RingChange::LastOfItsRing));
        cx.emit(RouterEvent::NeighboursChanged);
        self.arm_reunite(cx, REJOIN_MIN);
        self.step_done(cx);
    }

    /// A lost contact answered a node that is cut off.
    pub(crate) fn rejoin_answered(
        &mut self,
        cx: &mut Cx<'_, Self>,
        contact: Contact,
        list: &[Contact],
        cut_off: bool,
    ) {
        if !self.is_cut_off() {
            self.step_done(cx);
        } else if cut_off {
            self.met(cx, contact, list);
            if let Some(first) = self.ring.first() {
                cx.send(first, crate::ChordMessage::Notify);
            }
            self.arm_reunite(cx, REJOIN_MIN);
        } else {
            self.begin_join(cx, None, contact);
        }
    }

    /// Nobody was there, or the way back failed: wait longer.
    pub(crate) fn rejoin_later(&mut self, cx: &mut Cx<'_, Self>) {
        if let Phase::CutOff { backoff } = &mut self.phase {
            *backoff = backoff.times(2).min(REJOIN_MAX);
            let wait = *backoff;
            let low = Duration(wait.as_micros() / 2);
            let delay = crate::Period::new(low, wait).draw(cx.rng);
            self.arm_reunite(cx, delay);
        }
        self.step_done(cx);
    }
}
