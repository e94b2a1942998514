//! What must hold after every single event.

use crate::World;
use overlay::{Machine, Time};
use std::fmt;

/// Something that must always hold. Write one file for each.
pub trait Invariant<M: Machine> {
    /// A short name for the report.
    fn name(&self) -> &'static str;

    /// Looks at the world after node `touched` has handled an input, or has come or gone.
    ///
    /// # Errors
    /// In words, what does not hold.
    fn check(&mut self, world: &World<M>, touched: usize) -> Result<(), String>;
}

/// An invariant did not hold. Its text ends with the command that shows it again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Violation {
    /// The seed of the world.
    pub seed: u64,
    /// When.
    pub time: Time,
    /// The node that was touched last, when there is one.
    pub node: Option<usize>,
    /// Which invariant.
    pub invariant: String,
    /// What does not hold.
    pub text: String,
    /// The command that replays it; empty when the harness named none.
    pub replay: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}, time {}", self.seed, self.time)?;
        if let Some(node) = self.node {
            write!(f, ", node {node}")?;
        }
        write!(f, ": {} does not hold: {}", self.invariant, self.text)?;
        if !self.replay.is_empty() {
            write!(f, "\nreplay: {}", self.replay)?;
        }
        Ok(())
    }
}
