//! What the replicas of one node of the index say, put together at the origin of a search.
//!
//! Only the root sends entries. The others send the sum of what they have of the node: where it is
//! that of the root they have the same, and where it is not they are asked for theirs too.

use super::place::{Child, Low};
use crate::Sum;
use crate::message::{EntriesSeen, EntrySeen, Wanted};
use crate::reading::{Asked, ReadWork, State};
use overlay::{Contact, Hlc, Id, WallMs};
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};

/// The answers about one node.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// The newest versions of entries.
    pub(crate) entries: BTreeMap<Low, EntrySeen>,
    pub(crate) children: BTreeSet<Child>,
    /// Whether some replica has more than it was asked for.
    pub(crate) more: bool,
    /// How many entries the first that answered holds in all.
    pub(crate) load: Option<u64>,
    /// The sum of each replica, and whether it has sent its entries.
    sums: SmallVec<[(Id, Sum, bool); 3]>,
}

impl Parts {
    /// Takes an answer in.
    pub(crate) fn merge(&mut self, from: Id, seen: EntriesSeen) {
        self.sums.retain(|(id, ..)| *id != from);
        self.sums.push((from, seen.sum, seen.entries.is_some()));
        self.children.extend(seen.children);
        self.more |= seen.more;
        self.load.get_or_insert(seen.load);
        for entry in seen.entries.into_iter().flatten() {
            let known = self.entries.get(&entry.low);
            if known.is_none_or(|known| known.version < entry.version) {
                self.entries.insert(entry.low, entry);
            }
        }
    }

    /// Whether this replica has something else than those that have sent their entries.
    pub(crate) fn is_withheld(&self, id: Id) -> bool {
        let mine = self.sums.iter().find(|(from, ..)| *from == id);
        mine.is_some_and(|(_, sum, sent)| {
            let is_known = |known: &(Id, Sum, bool)| known.2 && known.1 == *sum;
            !sent && sum.count > 0 && !self.sums.iter().any(is_known)
        })
    }

    /// Whether there is something to find or to follow.
    pub(crate) fn is_something(&self, wall: WallMs) -> bool {
        !self.children.is_empty() || self.entries.values().any(|entry| wall < entry.expires)
    }
}

impl ReadWork {
    /// Somebody who has answered, and has not sent what it has.
    pub(crate) fn withheld(&self) -> Option<Contact> {
        let mut asked = self.asked.iter();
        let has_answered =
            |asked: &&Asked| matches!(asked.state, State::Root { .. } | State::Other { .. });
        asked
            .find(|asked| has_answered(asked) && self.parts.is_withheld(asked.peer.id))
            .map(|asked| asked.peer)
    }

    /// Whether there is nothing that these answers lack: the root holds everything that was
    /// acknowledged, and enough full copies of its present view have answered too.
    pub(crate) fn is_proven(&self, replicas: &[Contact], quorum: usize) -> bool {
        let Some(root) = replicas.first() else {
            return false;
        };
        let state = self.asked.iter().find(|asked| asked.peer.id == root.id);
        let Some(State::Root {
            complete: true,
            view,
        }) = state.map(|asked| asked.state)
        else {
            return false;
        };
        let covered = Some((root.id, view));
        let is_copy = |asked: &&Asked| asked.state == State::Other { covered };
        let copies = self.asked.iter().filter(is_copy).count();
        1 + copies >= self.needed(quorum, replicas.len())
    }

    /// Whether this is a read of the index of which there may be more than these answers say: what
    /// was found so far is no answer to a search that is to find everything.
    pub(crate) fn is_unproven(&self, replicas: &[Contact], quorum: usize) -> bool {
        matches!(self.what, Wanted::Entries { .. }) && !self.is_proven(replicas, quorum)
    }
}

impl EntriesSeen {
    /// The newest clock value in it.
    pub(crate) fn newest(&self) -> Option<Hlc> {
        let entries = self.entries.iter().flatten();
        entries.map(|entry| entry.version.clock).max()
    }
}
