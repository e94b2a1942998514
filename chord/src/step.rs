//! One step, one query: sending it, sending it again, and giving up.
//!
//! Zave's rule of atomicity: a step has at most one query, and from sending it until its own
//! update the asking node does not answer questions about its state. So there is at most one
//! [`Step`] at a time, and while it is out the node answers queries with `Pending`, and liveness
//! probes at once. The answer then takes effect as if it had at the moment when it was given.

use crate::message::{ChordMessage, ChordTimer};
use crate::node::{Chord, Doubt, Phase};
use crate::ticker::RETRY;
use overlay::{Contact, Cx, Duration, Time};

/// How often in a row a node that has nothing else to do asks a peer again that is pending.
/// Our choice: a step lasts a few round trips, so a peer that is pending for two seconds is stuck.
pub const MAX_PENDING: u32 = 50;

/// Longest wait for one answer; as in [`overlay::RttTable`].
const MAX_WAIT: Duration = Duration::from_secs(3);

/// Why a query is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Stabilise from successor.
    Successor,
    /// Stabilise from predecessor; `reunion` when the candidate was found in another ring.
    Predecessor { reunion: bool },
    /// Rectify: is the predecessor alive, or does this notifier replace it?
    Rectify { notifier: Contact },
    /// Somebody found the predecessor silent. Changes no ring state, so it is no step of the
    /// model and does not make the node pending.
    Suspicion,
    /// A node without successors asks the one that notified it.
    Meet,
    /// A node that is cut off asks somebody it knew.
    Rejoin,
    /// A joining node looks for its predecessor.
    Join,
}

/// A query that is out.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) token: u64,
    pub(crate) peer: Contact,
    pub(crate) purpose: Purpose,
    tries: u32,
    pending: u32,
    sent: Time,
}

impl Chord {
    /// The next token: it names a query or a lookup.
    pub(crate) const fn token(&mut self) -> u64 {
        self.tokens += 1;
        self.tokens
    }

    /// Draws where tokens begin, so that a late answer to a process that ran here before does not
    /// fit a query of this one.
    pub(crate) fn begin_tokens(&mut self, cx: &mut Cx<'_, Self>) {
        self.tokens = u64::from(cx.rng.next_u32());
    }

    /// Sends the query of a new step. There must be none out.
    pub(crate) fn start_step(&mut self, cx: &mut Cx<'_, Self>, peer: Contact, purpose: Purpose) {
        let token = self.token();
        let step = Step {
            token,
            peer,
            purpose,
            tries: 0,
            pending: 0,
            sent: cx.now,
        };
        self.step = Some(Box::new(step));
        self.send_step(cx);
    }

    fn send_step(&mut self, cx: &mut Cx<'_, Self>) {
        let Some(step) = &mut self.step else { return };
        step.sent = cx.now;
        let token = step.token;
        let message = match step.purpose {
            Purpose::Rectify { .. } | Purpose::Suspicion => ChordMessage::Ping { token },
            _ => ChordMessage::Query { token },
        };
        cx.send(step.peer, message);
        let doublings = (step.tries % self.config.tries.max(1)) / 2;
        let wait = self
            .rtt
            .timeout(step.peer.id)
            .max(self.config.min_timeout)
            .times(1 << doublings.min(8))
            .min(MAX_WAIT);
        cx.arm(
            cx.now + wait,
            ChordTimer::Timeout {
                token,
                attempt: step.tries,
            },
        );
    }

    /// Whether questions about the state must wait.
    pub(crate) fn is_pending(&self) -> bool {
        self.step
            .as_ref()
            .is_some_and(|step| step.purpose != Purpose::Suspicion)
    }

    /// How often the query is sent before the peer counts as dead.
    fn allowed_tries(&self, purpose: Purpose) -> u32 {
        let tries = self.config.tries.max(1);
        if purpose == Purpose::Successor && self.ring.successors().len() == 1 {
            tries * crate::bootstrap::LAST_SUCCESSOR_ROUNDS
        } else {
            tries
        }
    }

    pub(crate) fn on_timeout(&mut self, cx: &mut Cx<'_, Self>, token: u64, attempt: u32) {
        if self
            .step
            .as_ref()
            .is_some_and(|step| step.token == token && step.tries == attempt)
        {
            self.failed_try(cx);
        }
    }

    /// One try had no answer: send again, or take the peer for dead.
    pub(crate) fn failed_try(&mut self, cx: &mut Cx<'_, Self>) {
        let Some(step) = &mut self.step else { return };
        step.tries += 1;
        let (tries, purpose) = (step.tries, step.purpose);
        if tries < self.allowed_tries(purpose) {
            self.send_step(cx);
        } else if let Some(step) = self.step.take() {
            self.step_failed(cx, &step, false);
        }
    }

    /// Takes the step that an answer with this token ends, if it is the one that is out.
    pub(crate) fn answered(
        &mut self,
        cx: &Cx<'_, Self>,
        from: Contact,
        token: u64,
    ) -> Option<Box<Step>> {
        let step = self
            .step
            .take_if(|step| step.token == token && step.peer.id == from.id)?;
        if step.tries == 0 && step.pending == 0 {
            self.measured(from.id, cx.now.since(step.sent), cx.now);
        }
        Some(step)
    }

    /// The peer is in a step of its own: abandon ours and try again soon.
    pub(crate) fn on_pending(&mut self, cx: &mut Cx<'_, Self>, from: Contact, token: u64) {
        let Some(mut step) = self.answered(cx, from, token) else {
            return;
        };
        match step.purpose {
            Purpose::Meet | Purpose::Rejoin | Purpose::Join if step.pending < MAX_PENDING => {
                step.pending += 1;
                step.tries = 0;
                let delay = RETRY.draw(cx.rng);
                cx.arm(cx.now + delay, ChordTimer::Again { token });
                // The time-out of the answered try must not strike while we wait.
                step.tries = u32::MAX / 2;
                self.step = Some(step);
            }
            Purpose::Meet | Purpose::Rejoin | Purpose::Join => self.step_failed(cx, &step, false),
            _ => {
                let delay = RETRY.draw(cx.rng);
                self.schedule(cx, delay);
                self.step_done(cx);
            }
        }
    }

    /// Asks a peer again that was pending.
    pub(crate) fn on_again(&mut self, cx: &mut Cx<'_, Self>, token: u64) {
        let fresh = self.token();
        match &mut self.step {
            Some(step) if step.token == token => {
                step.token = fresh;
                step.tries = 0;
                self.send_step(cx);
            }
            _ => {}
        }
    }

    /// The peer of a step is dead, or no member (`left`: it said so on leaving).
    pub(crate) fn step_failed(&mut self, cx: &mut Cx<'_, Self>, step: &Step, left: bool) {
        let peer = step.peer;
        match step.purpose {
            Purpose::Successor => self.successor_failed(cx, peer, left),
            Purpose::Predecessor { .. } => self.candidate_failed(cx, peer),
            Purpose::Rectify { notifier } => self.predecessor_failed(cx, peer, notifier, left),
            Purpose::Suspicion => {
                if self
                    .ring
                    .predecessor()
                    .is_some_and(|known| known.id == peer.id)
                {
                    self.doubt = Doubt::Dead;
                    if !left {
                        self.declare_dead(cx, peer);
                    }
                }
                self.step_done(cx);
            }
            Purpose::Meet => self.step_done(cx),
            Purpose::Rejoin => self.rejoin_later(cx),
            Purpose::Join => self.ask_next_candidate(cx),
        }
    }

    /// A step is over: take up the notifications that came meanwhile, then wait for the next.
    pub(crate) fn step_done(&mut self, cx: &mut Cx<'_, Self>) {
        while self.step.is_none() && !self.notified.is_empty() {
            let notifier = self.notified.remove(0);
            self.on_notify(cx, notifier);
        }
        if self.step.is_none()
            && matches!(self.phase, Phase::Member)
            && !self.ring.successors().is_empty()
        {
            if std::mem::take(&mut self.ticker.missed) {
                let delay = RETRY.draw(cx.rng);
                self.schedule(cx, delay);
            }
            self.schedule_period(cx);
        }
    }
}
