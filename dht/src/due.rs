//! The deadlines of a store.

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// A call of this node.
    Op(u64),
    /// A write that this node coordinates.
    Coordinated(u64),
    /// A conditional write that this node has to decide about.
    Deciding(u64),
    /// The next step of some comparison with a replica.
    Sync,
    /// Records that do not belong here.
    Strays,
    /// To tell the root of a part that this node was its root.
    Notice,
    /// To tell copies under earlier views that they are over.
    Retire,
    /// Records that have ended.
    Sweep,
    /// Leases to renew.
    Leases,
    /// A batch of renewals under way.
    Renewals(u64),
    /// The end of the time for leaving.
    Leave,
    /// To ask the roots of this node's copies whether they can do without it.
    Excuse,
    /// To look whether nodes that meant to leave still do.
    Leavers,
    /// The end of a search by words.
    Search(u64),
    /// Entries of the index that are to be tried again.
    Publisher,
    /// A batch of entries under way.
    IndexBatch(u64),
    /// A call that waits for its entries.
    Held(u64),
    /// Texts of values whose entries are to be renewed.
    Keeper,
}
