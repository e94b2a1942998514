//! Stabilize from successor, stabilize from predecessor.
//!
//! Lists travel against the ring, one member for each stabilisation. With a long period a change
//! would need minutes to reach all lists that it belongs to.
//! Deviation: a member whose list changed tells its predecessor to stabilise soon, and one that has
//! a new predecessor tells the old one. This adds no transition; it only moves a stabilisation to
//! an earlier time.

use crate::message::ChordMessage;
use crate::node::{Chord, Doubt, Phase};
use crate::planted::PlantedBug;
use crate::ring::AfterSuccessor;
use crate::step::Purpose;
use crate::ticker::RETRY;
use overlay::{Contact, Cx, RingChange, RouterEvent};

impl Chord {
    /// The stabilisation timer fired.
    pub(crate) fn tick(&mut self, cx: &mut Cx<'_, Self>) {
        self.ticker.at = None;
        if !matches!(self.phase, Phase::Member) {
            return;
        }
        if self.step.is_some() {
            self.ticker.missed = true;
            return;
        }
        match (self.doubt, self.ring.predecessor()) {
            (Doubt::Suspected, Some(predecessor)) => {
                // The successor's turn comes right after.
                self.doubt = Doubt::None;
                let delay = RETRY.draw(cx.rng);
                self.schedule(cx, delay);
                self.start_step(cx, predecessor, Purpose::Suspicion);
            }
            _ => self.stabilize(cx),
        }
    }

    /// "Query s = succ[0] for its prdc and list."
    pub(crate) fn stabilize(&mut self, cx: &mut Cx<'_, Self>) {
        if self.step.is_some() {
            return;
        }
        while let Some(first) = self.ring.first() {
            if !self.has_departed(first.id, cx.now) {
                self.start_step(cx, first, Purpose::Successor);
                break;
            }
            self.drop_successor(cx, first, true);
        }
        self.fix_fingers(cx);
    }

    /// "Live: succ := [s] + s.succ without its last. If between(n, s.prdc, s): remember p =
    /// s.prdc and do the next step; else notify s."
    pub(crate) fn successor_answered(
        &mut self,
        cx: &mut Cx<'_, Self>,
        successor: Contact,
        predecessor: Option<Contact>,
        list: &[Contact],
    ) {
        let next = self.change(cx, |ring| ring.from_successor(successor, predecessor, list));
        self.history.successor_answered(&self.ring, list);
        self.lost.forget(successor.id);
        let me = self.me.id;
        let is_me = |known: Contact| known.id == me;
        match next {
            AfterSuccessor::AskPredecessor(candidate)
                if self.config.has_bug(PlantedBug::AdoptUnasked) =>
            {
                self.change(cx, |ring| ring.from_predecessor(candidate, &[candidate]));
            }
            AfterSuccessor::AskPredecessor(candidate)
                if !self.has_departed(candidate.id, cx.now) =>
            {
                let purpose = Purpose::Predecessor { reunion: false };
                self.start_step(cx, candidate, purpose);
                return;
            }
            // Deviation: who is the predecessor already does not notify. It would change nothing
            // (Rectify), and is a third of what a network at rest sends.
            AfterSuccessor::Notify(_) if predecessor.is_some_and(is_me) => {}
            AfterSuccessor::AskPredecessor(_) | AfterSuccessor::Notify(_) => {
                cx.send(successor, ChordMessage::Notify);
            }
            AfterSuccessor::Stale => {}
        }
        self.stabilized(cx);
    }

    /// "Dead: drop it, notify the new succ[0]; done."
    pub(crate) fn successor_failed(&mut self, cx: &mut Cx<'_, Self>, dead: Contact, left: bool) {
        if !left {
            self.declare_dead(cx, dead);
        }
        self.drop_successor(cx, dead, left);
        self.stabilized(cx);
    }

    fn drop_successor(&mut self, cx: &mut Cx<'_, Self>, dead: Contact, left: bool) {
        let next = self.change(cx, |ring| ring.successor_dead(dead.id));
        self.history.successor_lost(left);
        if self
            .ring
            .predecessor()
            .is_some_and(|known| known.id == dead.id)
        {
            self.doubt = Doubt::Dead;
        }
        match next {
            Some(next) => cx.send(next, ChordMessage::Notify),
            None => self.lost_everybody(cx),
        }
    }

    /// "Live: succ := [p] + p.succ without its last; notify p."
    pub(crate) fn candidate_answered(
        &mut self,
        cx: &mut Cx<'_, Self>,
        candidate: Contact,
        list: &[Contact],
        reunion: bool,
    ) {
        let list = match self.config.has_bug(PlantedBug::SkipEntries) {
            true => list.get(list.len().saturating_sub(1)..).unwrap_or_default(),
            false => list,
        };
        let notify = self.change(cx, |ring| ring.from_predecessor(candidate, list));
        if reunion && notify.is_some_and(|notified| notified.id == candidate.id) {
            cx.emit(RouterEvent::Ring(RingChange::Reunited(candidate)));
        }
        self.lost.forget(candidate.id);
        if let Some(notify) = notify {
            cx.send(notify, ChordMessage::Notify);
        }
        self.stabilized(cx);
    }

    /// "Dead: list unchanged, notify succ[0]."
    pub(crate) fn candidate_failed(&mut self, cx: &mut Cx<'_, Self>, _dead: Contact) {
        if let Some(first) = self.ring.first() {
            cx.send(first, ChordMessage::Notify);
        }
        self.stabilized(cx);
    }

    /// Tells the predecessor that there is something new to fetch.
    pub(crate) fn hint_predecessor(&mut self, cx: &mut Cx<'_, Self>) {
        if let Some(predecessor) = self.ring.predecessor()
            && self.doubt != Doubt::Dead
        {
            self.hint_change(cx, predecessor);
        }
    }

    /// Tells a member that has us as its successor that there is something new to fetch.
    pub(crate) fn hint_change(&self, cx: &mut Cx<'_, Self>, to: Contact) {
        if self.config.adaptive && self.config.maintain {
            cx.send(to, ChordMessage::Changed);
        }
    }

    fn stabilized(&mut self, cx: &mut Cx<'_, Self>) {
        self.slow_down(cx.now);
        self.step_done(cx);
    }
}
