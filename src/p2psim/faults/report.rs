//! What is said of a run.

use overlay::Time;

/// What one seed did.
#[derive(Clone, Debug)]
pub struct SeedReport {
    /// The seed.
    pub seed: u64,
    /// Nodes that the network grew to at first.
    pub nodes: u64,
    /// Operations of clients.
    pub operations: u64,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Nodes that crashed.
    pub crashes: u64,
    /// Nodes that left.
    pub leaves: u64,
    /// Partitions and blocks.
    pub splits: u64,
    /// Disks that ran full, once for each node and time.
    pub full_disks: u64,
    /// Groups of writes that a disk failed to synchronise.
    pub failed_syncs: u64,
    /// Deletions that were collected, once for each root that did.
    pub collected: u64,
    /// Nodes that were away for longer than the grace period.
    pub outstayed: u64,
    /// Conditional writes that were refused.
    pub conflicts: u64,
    /// Writes that were acknowledged while two live nodes took themselves for the root, without a
    /// partition.
    pub contested: u64,
    /// Events at nodes.
    pub events: u64,
    /// Those after which Zave's invariant was checked: the premises of the theorem held.
    pub events_checked: u64,
    /// Length of the run.
    pub simulated: Time,
    /// The hash of everything that happened.
    pub trace_hash: u64,
}
