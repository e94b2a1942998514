//! Letting time pass, and checking what must hold.

use crate::{Violation, World};
use overlay::{Machine, Time};

impl<M: Machine> World<M> {
    /// The invariant that [`Config::max_due`](crate::Config::max_due) is not exceeded.
    pub const BOUNDED: &str = "what is under way is bounded";

    /// Lets the next thing happen; says whether there was any.
    ///
    /// # Errors
    /// When an invariant does not hold afterwards.
    pub fn step(&mut self) -> Result<bool, Violation> {
        let Some((at, due)) = self.queue.pop() else {
            return Ok(false);
        };
        self.now = self.now.max(at);
        if let Some(node) = self.deliver(due) {
            self.check(node)?;
        }
        self.check_due()?;
        Ok(true)
    }

    fn check_due(&self) -> Result<(), Violation> {
        let due = self.queue.len();
        if self.config.max_due.is_none_or(|most| due <= most) {
            return Ok(());
        }
        let text = format!(
            "{due} messages, timers and others are due at {} live nodes",
            self.live
        );
        Err(self.violation(Self::BOUNDED, None, text))
    }

    /// Checks the invariants as after an event at `node`. A harness calls it when it has added or
    /// crashed a node itself.
    ///
    /// # Errors
    /// When one does not hold.
    pub fn check(&mut self, node: usize) -> Result<(), Violation> {
        if self.invariants.is_empty() {
            return Ok(());
        }
        let mut invariants = std::mem::take(&mut self.invariants);
        let broken = invariants.iter_mut().find_map(|invariant| {
            let text = invariant.check(self, node).err()?;
            Some(self.violation(invariant.name(), Some(node), text))
        });
        self.invariants = invariants;
        broken.map_or(Ok(()), Err)
    }

    /// A violation in the words of a harness's own check.
    #[must_use]
    pub fn violation(&self, invariant: &str, node: Option<usize>, text: String) -> Violation {
        Violation {
            seed: self.config.seed,
            time: self.now,
            node,
            invariant: invariant.to_owned(),
            text,
            replay: self.replay.clone(),
        }
    }

    /// Lets everything happen that is due by `until`.
    ///
    /// # Errors
    /// When an invariant does not hold.
    pub fn run_until(&mut self, until: Time) -> Result<(), Violation> {
        while self.queue.next_at().is_some_and(|at| at <= until) {
            self.step()?;
        }
        self.now = self.now.max(until);
        Ok(())
    }

    /// As [`run_until`](Self::run_until), but stops as soon as a node has told its user something,
    /// or its disk has failed. Says whether the time was reached.
    ///
    /// # Errors
    /// When an invariant does not hold.
    pub fn advance(&mut self, until: Time) -> Result<bool, Violation> {
        while self.queue.next_at().is_some_and(|at| at <= until) {
            self.step()?;
            if !self.told.is_empty() || !self.failed_syncs.is_empty() {
                return Ok(false);
            }
        }
        self.now = self.now.max(until);
        Ok(true)
    }

    /// Runs until nothing is due any more, or until `limit`; says whether it fell quiet.
    ///
    /// # Errors
    /// When an invariant does not hold.
    pub fn run_until_quiet(&mut self, limit: Time) -> Result<bool, Violation> {
        while let Some(at) = self.queue.next_at() {
            if at > limit {
                return Ok(false);
            }
            self.step()?;
        }
        Ok(true)
    }
}
