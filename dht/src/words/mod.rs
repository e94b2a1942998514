//! The index: holders and values found by words and by the beginning of their keys.
//!
//! A structured overlay finds equal keys only. Here an inverted index lives in the same network: for
//! each word of a text there is an *entry* under the hash of the word, which carries the whole text,
//! so that whoever owns the entries of the rarest word of a query can filter by the others, and one
//! round of questions is enough.
//!
//! - What belongs to one word is a `tree` of *nodes* (`place`): a node is a small stretch of the
//!   circle at a point of its own, with at most [`MAX_NODE_ENTRIES`] entries. A full node gets
//!   children, which are elsewhere: a popular word does not land on one node of the network.
//! - Entries are records like any other (`Slot::Entry`): replicated, compared, handed over. They are
//!   leased, and whoever keeps what they describe alive renews them: the node that renews a holder's
//!   lease, and the root of a value (`keeper`).
//! - `publish` brings entries to their nodes, in batches by owner; `accept` is the owner's side.
//! - `search` asks the nodes and follows children; each question is a read like any other, with its
//!   quorum and its proof (`part`, `answer`).
//! - Keys that were published as indexed are in a prefix hash tree of the same nodes (Ramabhadran,
//!   Ratnasamy, Hellerstein, Shenker 2004), and so are all words, for queries of prefixes alone.

mod accept;
mod answer;
mod choice;
mod document;
mod finish;
mod inner;
mod keeper;
mod overwritten;
mod part;
mod place;
mod publish;
mod publisher;
mod search;

pub use choice::PLACES;
pub(crate) use document::Described;
pub use document::{Document, Entry, Placed, Subject, placed};
pub(crate) use part::Parts;
pub use place::{Child, Low, MAX_NODE_ENTRIES, Node, Tree};
pub(crate) use publisher::{MAX_JOBS, Publisher};
pub(crate) use search::{MAX_SEARCHES, Searches};

use crate::message::IndexResult;
use std::collections::BTreeMap;

/// What a node has under way about the index.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) searches: Searches,
    pub(crate) publisher: Publisher,
    pub(crate) keeper: keeper::Keeper,
    /// What to say about batches of entries that are coordinated, by number.
    pub(crate) answers: BTreeMap<u64, IndexResult>,
}
