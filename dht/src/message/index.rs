//! About the index: entries for an owner, and what a node of the index has.

use crate::Sum;
use crate::words::{Child, Low};
use bytes::Bytes;
use overlay::{Hlc, Id, Version, WallMs};
use serde::{Deserialize, Serialize};

/// Entries of one publisher in the arc of one root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexMany {
    /// The publisher's number of the batch.
    pub req: u64,
    /// The entries.
    pub items: Vec<IndexItem>,
    /// The latest clock value that the publisher knows.
    pub seen: Hlc,
}

/// An entry that is new or goes on, or one that is to go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexItem {
    /// Where.
    pub place: Id,
    /// When it ends.
    pub until: WallMs,
    /// What it says; empty for the marker of a child.
    pub body: Bytes,
    /// The entry ends now, unless it is newer than this.
    pub removes: Option<Hlc>,
}

/// What became of a batch of entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IndexResult {
    /// All are durable at enough replicas, but for these, by their places in the batch.
    Done {
        /// Their nodes take no more: they belong to children.
        deeper: Vec<u32>,
        /// The children that those nodes have, by the least point of the node.
        nodes: Vec<(Id, Vec<Child>)>,
        /// Belong to another root.
        not_mine: Vec<u32>,
        /// The store takes no more.
        full: Vec<u32>,
    },
    /// The asked node is not the root of the first.
    NotResponsible,
    /// Not now, or too few replicas in time.
    Busy,
}

/// Which entries of a node are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Filter {
    /// Documents that match this query, as it displays.
    Query(String),
    /// Documents whose keys begin so.
    Names(Bytes),
    /// Words that begin so.
    Words(String),
}

/// What a replica has of a node of the index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntriesSeen {
    /// The sum over all records of the node: equal sums, equal records.
    pub sum: Sum,
    /// The children.
    pub children: Vec<Child>,
    /// The live entries that are wanted, in order; none when the asker did not want them in full.
    pub entries: Option<Vec<EntrySeen>>,
    /// Whether there are more than were asked for.
    pub more: bool,
    /// How many entries of any node the replica holds.
    pub load: u64,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntrySeen {
    /// Which of its node.
    pub low: Low,
    /// The version.
    pub version: Version,
    /// When it ends.
    pub expires: WallMs,
    /// What it says.
    pub body: Bytes,
}
