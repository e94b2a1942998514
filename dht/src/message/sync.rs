//! Between a root and a replica whose records it compares with its own.

use super::Position;
use overlay::{Arc, Id};
use serde::{Deserialize, Serialize};

/// A range of an arc at its root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncRange {
    /// The root's number.
    pub req: u64,
    /// The arc and how long the copy is good for.
    pub done: SyncDone,
    /// Whether the root only wants what the other has and knows: the other is to be no copy.
    pub witness: bool,
    /// The range begins after this position; without it, at the start of the arc.
    pub after: Option<Position>,
    /// The range ends with this position; without it, at the end of the arc, and if the range is
    /// the same, the replica holds the whole arc.
    pub upto: Option<Position>,
    /// Records in the range.
    pub count: u32,
    /// Their fingerprint.
    pub print: [u64; 2],
}

/// What a replica notes once it holds a whole arc.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncDone {
    /// The root's number.
    pub req: u64,
    /// The root's view.
    pub view: u64,
    /// The arc.
    pub arc: Arc,
    /// How many members of this view, apart from its root, together hold every acknowledged write;
    /// zero while the root does not know whether it has everything.
    pub quorum: u8,
    /// For how many seconds this holds without being repeated.
    pub valid_s: u32,
}

/// What a node knows about the past of an arc: it tells the new root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// For which part.
    pub arc: Arc,
    /// What.
    pub proof: Proof,
}

/// Why a node's copy of an arc counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Proof {
    /// It was the root and accepts no more writes for it.
    Held {
        /// Whether it held everything; else only what was acknowledged under it.
        complete: bool,
        /// Who was the root next, as far as it knows; none when it is the asking node.
        next: Option<Id>,
    },
    /// It was a full copy under a root; `quorum` such copies hold every acknowledged write.
    Member {
        /// The root.
        root: Id,
        /// Its view.
        view: u64,
        /// How many.
        quorum: u8,
    },
}
