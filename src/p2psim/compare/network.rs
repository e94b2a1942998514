//! What every technique's network offers to the experiment.

use super::items::Items;
use crate::p2psim::RunError;
use overlay::Locate;
use sim::World;

/// The kind of messages that belong to what users ask.
pub(super) const ASKED_FOR: usize = 0;
/// The kind of all others: links are tested, and replicas compared.
pub(super) const UPKEEP: usize = 1;

/// A network of real machines, with links, tables and records given.
pub(super) trait Network: Sized {
    /// The machine.
    type Node: Locate;

    /// The world that it lives in.
    fn world(&mut self) -> &mut World<Self::Node>;

    /// Who has what.
    fn items(&self) -> &Items;

    /// A node that may insert something.
    fn inserter(&mut self) -> usize;

    /// Lets everything happen that must precede an insert at a node for its cost to be seen.
    ///
    /// # Errors
    /// When an invariant does not hold.
    fn prepare(&mut self, node: usize) -> Result<(), RunError>;

    /// Records and entries of indexes that each node keeps, those of the two resources that
    /// many have left out.
    fn stored(&self) -> Vec<u64>;
}
