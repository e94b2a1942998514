//! Rectify: what a notification does to the predecessor.
//!
//! A predecessor is probed here and nowhere else (but for a doubt that a lookup raised): when it
//! dies, the member before it finds its successor dead, drops it and notifies us, and the probe
//! confirms it. Until then we answer for our old arc only; a request that reaches us because the
//! predecessor is silent is answered all the same, but for an exact lookup: see
//! [`KeyRouter::next_hops`].
//!
//! [`KeyRouter::next_hops`]: overlay::KeyRouter::next_hops

use crate::node::{Chord, Doubt, Phase};
use crate::planted::PlantedBug;
use crate::ring::AfterNotify;
use crate::step::Purpose;
use overlay::{Contact, Cx};

/// Notifications that wait while a step is under way. Our choice: a node has one true
/// predecessor; a few more notify it while others join or die, and they notify again.
pub const MAX_NOTIFIED: usize = 8;

impl Chord {
    /// "Rectify(n, q), on a notification from q. If between(prdc, q, n): prdc := q. Else probe
    /// prdc, and replace it by q only if it is dead."
    pub(crate) fn on_notify(&mut self, cx: &mut Cx<'_, Self>, notifier: Contact) {
        if !matches!(self.phase, Phase::Member | Phase::CutOff { .. }) {
            return;
        }
        if self.is_pending() || (self.step.is_some() && self.ring.successors().is_empty()) {
            self.notify_later(notifier);
            return;
        }
        if self.ring.successors().is_empty() {
            self.start_step(cx, notifier, Purpose::Meet);
            return;
        }
        if self.config.has_bug(PlantedBug::SkipRectify) && self.ring.predecessor().is_some() {
            return;
        }
        let known_dead = self.doubt == Doubt::Dead;
        let before = self.ring.predecessor();
        match self.change(cx, |ring| ring.rectify(notifier)) {
            AfterNotify::Settled => {
                self.doubt = Doubt::None;
                if before.is_some_and(|known| known.id == notifier.id) {
                    self.predecessor_notified(cx, notifier);
                }
                if let Some(before) = before.filter(|before| before.id != notifier.id) {
                    // It has a new successor now, between itself and us.
                    self.hint_change(cx, before);
                }
                if self.step.is_none() {
                    self.schedule_period(cx);
                }
            }
            AfterNotify::Probe(predecessor) if known_dead => {
                self.change(cx, |ring| ring.predecessor_dead(predecessor.id, notifier));
                if self.step.is_none() {
                    self.schedule_period(cx);
                }
            }
            AfterNotify::Probe(_) if self.step.is_some() => self.notify_later(notifier),
            AfterNotify::Probe(predecessor) => {
                self.start_step(cx, predecessor, Purpose::Rectify { notifier });
            }
        }
    }

    fn notify_later(&mut self, notifier: Contact) {
        self.notified.retain(|waiting| waiting.id != notifier.id);
        if self.notified.len() >= MAX_NOTIFIED {
            self.notified.remove(0);
        }
        self.notified.push(notifier);
    }

    /// The probed predecessor is dead: "replace it by q only if it is dead".
    pub(crate) fn predecessor_failed(
        &mut self,
        cx: &mut Cx<'_, Self>,
        dead: Contact,
        notifier: Contact,
        left: bool,
    ) {
        if !left {
            self.declare_dead(cx, dead);
        }
        self.change(cx, |ring| ring.predecessor_dead(dead.id, notifier));
        self.step_done(cx);
    }
}
