//! What the network does to messages on top of delaying them.

use overlay::Duration;
use std::collections::BTreeSet;

/// A probability, in parts of a million: integers behave the same everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chance(pub u32);

impl Chance {
    /// So many in a hundred.
    #[must_use]
    pub const fn percent(percent: u32) -> Self {
        Self(percent * 10_000)
    }
}

/// The faults of the network; all off by default.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// A message is lost.
    pub loss: Chance,
    /// A message arrives twice.
    pub duplicate: Chance,
    /// A message is delayed by up to [`jitter`](Self::jitter) more, so that later ones overtake it.
    pub reorder: Chance,
    /// Longest extra delay of a reordered message, and of a second copy.
    pub jitter: Duration,
    /// The side of each node by index; nodes that are not listed are on side 0. Messages pass
    /// between nodes of one side only.
    sides: Vec<u8>,
    /// Whether what nodes on a lower side send still reaches those on higher ones.
    one_way: bool,
    /// Directed pairs of node indices between which nothing passes.
    blocked: BTreeSet<(usize, usize)>,
}

impl Faults {
    /// Splits the network into sides.
    pub fn partition(&mut self, sides: Vec<u8>) {
        self.sides = sides;
        self.one_way = false;
    }

    /// Splits the network into sides one way: messages still pass from a lower side to a higher
    /// one, but not back.
    pub fn partition_one_way(&mut self, sides: Vec<u8>) {
        self.sides = sides;
        self.one_way = true;
    }

    /// Blocks one direction between two nodes; the other still works.
    pub fn block(&mut self, from: usize, to: usize) {
        self.blocked.insert((from, to));
    }

    /// Ends all partitions and blocks.
    pub fn heal(&mut self) {
        self.sides.clear();
        self.blocked.clear();
    }

    /// Ends everything: losses, copies, reordering, partitions and blocks.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether the network is split now.
    #[must_use]
    pub fn is_split(&self) -> bool {
        !self.sides.is_empty() || !self.blocked.is_empty()
    }

    /// Whether a message may pass.
    #[must_use]
    pub fn connects(&self, from: usize, to: usize) -> bool {
        let side = |node: usize| self.sides.get(node).copied().unwrap_or(0);
        let (from_side, to_side) = (side(from), side(to));
        let is_open = from_side == to_side || self.one_way && from_side < to_side;
        is_open && (self.blocked.is_empty() || !self.blocked.contains(&(from, to)))
    }
}
