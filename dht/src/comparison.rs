//! The messages of a comparison between a root and a replica. Variants and fields are only appended.

use crate::Position;
use crate::fingerprint::Sum;
use overlay::{Arc, Hlc, Id, Slot, Version, WallMs};
use serde::{Deserialize, Serialize};

/// Ranges of an arc, as they are at its root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncAsk {
    /// The root's number.
    pub req: u64,
    /// The arc and how long the copy is good for.
    pub done: SyncDone,
    /// Whether the root only wants what the other has and knows: the other is to be no copy.
    pub witness: bool,
    /// Whether this begins a comparison: one range, the whole arc. If it is the same, the replica
    /// holds the whole arc.
    pub first: bool,
    /// The ranges.
    pub ranges: Vec<RangeSum>,
}

/// A range and its sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeSum {
    /// It begins after this position; without it, at the start of the arc.
    pub after: Option<Position>,
    /// It ends with this position; without it, at the end of the arc.
    pub upto: Option<Position>,
    /// What is in it.
    pub sum: Sum,
}

/// How ranges compare at a replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncTold {
    /// Which question.
    pub req: u64,
    /// One answer for each range, from the first; fewer when the message is full.
    pub answers: Vec<RangeAnswer>,
    /// Where the replica holds everything that was acknowledged, but for deletions collected up to
    /// this clock value; parts where nothing was collected are left out.
    pub collected: Vec<(Arc, Hlc)>,
    /// What the replica knows about the arc; only in the answer to the first question.
    pub evidence: Vec<Evidence>,
}

/// How one range compares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RangeAnswer {
    /// It is the same.
    Same,
    /// It is not; these are the sums of its parts, in order. The last ends where the range ends.
    Parts(Vec<PartSum>),
    /// It is not; these are the versions in it, in order.
    Versions(Vec<(Id, Slot, Version)>),
}

/// A part of a range, from where the part before it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartSum {
    /// Its last position; none for the last part.
    pub upto: Option<Position>,
    /// What is in it.
    pub sum: Sum,
}

/// Deletions and ended records that every replica has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncCollect {
    /// The root's view.
    pub view: u64,
    /// Deletions in the root's arc are collected up to this clock value.
    pub upto: Hlc,
    /// What to drop.
    pub entries: Vec<(Id, Slot, Version)>,
}

/// Up to where deletions of an arc have been collected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Horizon {
    /// The largest clock value among the collected deletions.
    pub upto: Hlc,
    /// Nothing is collected before this time: records were taken for lost that may come back.
    pub bar: WallMs,
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
    /// What was collected in the arc, where anything was.
    pub horizons: Vec<(Arc, Horizon)>,
}

/// What a node knows about the past of an arc: it tells the new root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// For which part.
    pub arc: Arc,
    /// What.
    pub proof: Proof,
    /// What was collected there.
    pub horizon: Horizon,
}

/// What a node says of what it does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Whether it holds everything that was acknowledged.
    pub is_whole: bool,
    /// A live version that is not newer than this, and that it does not have, was deleted.
    pub collected: Hlc,
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
    /// It was the root after the asking node without knowing everything, and accepts no more writes for it:
    /// this counts only together with what the asking node itself held until then.
    After {
        /// Who was the root next, as far as it knows; none when it is the asking node.
        next: Option<Id>,
    },
}

impl Proof {
    /// Whether who says so had everything that was acknowledged.
    pub(crate) const fn is_of_everything(&self) -> bool {
        match self {
            Self::Held { complete, .. } => *complete,
            Self::After { .. } => false,
            Self::Member { .. } => true,
        }
    }
}

impl Evidence {
    /// Evidence for a part in which nothing is known to have been collected.
    pub(crate) fn new(arc: Arc, proof: Proof) -> Self {
        let horizon = Horizon::default();
        Self {
            arc,
            proof,
            horizon,
        }
    }
}
