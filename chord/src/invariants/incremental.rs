//! The inductive invariant after every event of a large network: each change of one member's list
//! costs what it touches, O(r log N), and not a look at all members.
//!
//! What is kept for each invariant stands beside its definition; here the changes are shared out.
//! The checks give the same results, to the word, as those of a snapshot (`tests/incremental.rs`
//! compares them). [`one_ring`](super::one_ring) is not among them: Zave proved that it follows.

use super::Violation;
use super::live_successor::LiveEntries;
use super::ordered_lists::Disordered;
use super::principals::Skips;
use overlay::Id;
use std::collections::BTreeMap;

/// The successor lists of all live members.
pub(super) type Lists = BTreeMap<Id, Vec<Id>>;

/// The live members of a network with their lists, and what does not hold of them.
///
/// Memory: about 60 bytes for each entry of each list.
#[derive(Clone, Debug)]
pub struct Incremental {
    length: usize,
    lists: Lists,
    /// How many lists have fewer than `length` entries.
    short: usize,
    disordered: Disordered,
    live: LiveEntries,
    skips: Skips,
}

impl Incremental {
    /// An empty network whose lists have `length` entries.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self {
            length,
            lists: Lists::new(),
            short: 0,
            disordered: Disordered::default(),
            live: LiveEntries::default(),
            skips: Skips::default(),
        }
    }

    /// `id` is a live member with these successors, nearest first: it joined, or its list changed.
    pub fn set(&mut self, id: Id, successors: Vec<Id>) {
        self.disordered.changed(id, &successors);
        self.short += usize::from(successors.len() < self.length);
        let before = self.lists.insert(id, successors);
        let list = &self.lists[&id];
        if let Some(before) = &before {
            self.short -= usize::from(before.len() < self.length);
            self.live.changed(id, before, &self.lists);
        } else {
            self.live.joined(id, &self.lists);
            self.skips.joined(id);
        }
        // In this order a pair that stays is never counted out.
        self.skips.add(id, list);
        if let Some(before) = &before {
            self.skips.remove(id, before);
        }
    }

    /// `id` died, left, or is cut off.
    pub fn remove(&mut self, id: Id) {
        let Some(before) = self.lists.remove(&id) else {
            return;
        };
        self.short -= usize::from(before.len() < self.length);
        self.disordered.gone(id);
        self.live.gone(id, &before, &self.lists);
        self.skips.remove(id, &before);
        self.skips.gone(id);
    }

    /// The successors of a live member.
    #[must_use]
    pub fn successors(&self, id: Id) -> Option<&[Id]> {
        self.lists.get(&id).map(Vec::as_slice)
    }

    /// The length r of a full list.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.length
    }

    /// Number of live members.
    #[must_use]
    pub fn members(&self) -> usize {
        self.lists.len()
    }

    /// Number of principals.
    #[must_use]
    pub fn principals(&self) -> usize {
        self.skips.count()
    }

    /// Whether the ring is the correct one with full lists: nobody is skipped or listed when
    /// dead. Zave's theorem may start from here.
    #[must_use]
    pub fn is_ideal(&self) -> bool {
        self.members() > self.length
            && self.short == 0
            && !self.live.has_dead()
            && self.principals() == self.members()
            && self.check_order().is_ok()
    }

    /// Checks what holds in the bootstrap phase too: that every list is in ring order.
    ///
    /// # Errors
    /// The first member whose list is out of order.
    pub fn check_order(&self) -> Result<(), Violation> {
        self.disordered.check(&self.lists)
    }

    /// Checks Zave's invariant and the order of the lists.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn check(&self) -> Result<(), Violation> {
        self.check_order()?;
        self.live.check(&self.lists)?;
        self.skips.check(self.length)
    }
}
