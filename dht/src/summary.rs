//! What a store holds, in sums: the fingerprint of any range without reading the range.
//!
//! A tree over the digits of the keys, sixteen branches at a time. Each branch knows how many
//! records are below it and their [`Sum`]. A branch with more than [`LEAF_RECORDS`] is divided, one
//! with fewer than [`MERGE_RECORDS`] is not; the records themselves stay in the store, which is read
//! where a branch is divided or a range ends in the middle of one. So the sum of a range costs
//! sixteen additions for each digit and a part of one leaf, and a write costs one addition for each
//! digit.
//!
//! Memory: a block of sixteen branches takes 512 bytes and exists for more than 128 records, or 32
//! after removals. Keys are hashes, so that all leaves of a level fill up together; just after they
//! divided there are eight records to a branch, which is 4 bytes a record, and at most a sixteenth
//! more for the levels above. With keys chosen to share their leading digits it can be one block for
//! each digit and 128 records; many holders of one key stay one leaf.

use crate::Position;
use crate::fingerprint::Sum;
use overlay::{Id, Slot, Version};

/// Most records of a branch that is not divided: what a range that ends inside of it has to read.
pub(crate) const LEAF_RECORDS: u32 = 128;
/// A divided branch with so few records is one leaf again.
const MERGE_RECORDS: u32 = 32;
/// Bits of one digit.
const DIGIT_BITS: u32 = 4;
/// Branches of a block.
const BRANCHES: usize = 1 << DIGIT_BITS;
/// Digits of a key.
const DIGITS: u32 = 160 / DIGIT_BITS;

/// Reads records for a summary.
pub(crate) trait Source {
    /// Visits the records with keys from `low` to `high`, in order, until `visit` returns false.
    fn visit(&self, low: Id, high: Id, visit: &mut dyn FnMut(Position, Version) -> bool);
}

/// A point between two positions of the number line: after this one, or after all slots of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) key: Id,
    /// None is after all of them.
    pub(crate) slot: Option<Slot>,
}

impl Cut {
    fn is_before(self, (key, slot): Position) -> bool {
        match self.slot {
            Some(mine) => (self.key, mine) < (key, slot),
            None => self.key < key,
        }
    }

    /// Whether this cut comes before the other.
    pub(crate) fn precedes(self, other: Self) -> bool {
        match (self.slot, other.slot) {
            (Some(mine), Some(slot)) => (self.key, mine) < (other.key, slot),
            (Some(_), None) => self.key <= other.key,
            (None, _) => self.key < other.key,
        }
    }
}

/// The tree.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    root: Branch,
}

#[derive(Debug, Default)]
struct Branch {
    print: u128,
    count: u32,
    block: Option<Box<Block>>,
}

/// What a branch is divided into, by the next digit.
type Block = [Branch; BRANCHES];

impl Summary {
    /// The summary of everything in a store, which is read once.
    pub(crate) fn of(source: &dyn Source) -> Self {
        let mut root = Branch::default();
        // The records come in order: only the leaf of the last one can still grow.
        let mut leaf = Vec::with_capacity(2 * LEAF_RECORDS as usize);
        source.visit(Id::ZERO, Id::MAX, &mut |(key, slot), version| {
            root.append(key, Sum::of(key, slot, version), &mut leaf);
            true
        });
        Self { root }
    }

    /// Everything.
    pub(crate) const fn total(&self) -> Sum {
        self.root.sum()
    }

    /// Takes in a record that the store has now.
    pub(crate) fn insert(&mut self, (key, slot): Position, version: Version, source: &dyn Source) {
        let sum = Sum::of(key, slot, version);
        let mut branch = &mut self.root;
        for depth in 0..=DIGITS {
            branch.add(sum);
            if branch.block.is_none() {
                // A leaf that cannot be divided is tried again when it has grown by another one.
                if branch.count > LEAF_RECORDS && branch.count % LEAF_RECORDS == 1 {
                    branch.divide(key, depth, source);
                }
                return;
            }
            let Some(next) = branch.next(key, depth) else {
                return;
            };
            branch = next;
        }
    }

    /// Takes out a record that the store had.
    pub(crate) fn remove(&mut self, (key, slot): Position, version: Version) {
        let sum = Sum::of(key, slot, version);
        let mut branch = &mut self.root;
        for depth in 0..=DIGITS {
            branch.print = branch.print.wrapping_sub(sum.print);
            branch.count = branch.count.saturating_sub(1);
            if branch.count < MERGE_RECORDS {
                branch.block = None;
            }
            let Some(next) = branch.next(key, depth) else {
                return;
            };
            branch = next;
        }
    }

    /// The sum of everything before a cut.
    pub(crate) fn before(&self, cut: Cut, source: &dyn Source) -> Sum {
        let (mut sum, mut branch, mut depth) = (Sum::default(), &self.root, 0);
        while let Some(block) = &branch.block {
            let digit = usize::from(cut.key.digit(depth, DIGIT_BITS));
            sum = block
                .iter()
                .take(digit)
                .fold(sum, |sum, branch| sum.plus(branch.sum()));
            let Some(next) = block.get(digit) else {
                return sum;
            };
            (branch, depth) = (next, depth + 1);
        }
        if branch.count > 0 {
            let (low, _) = bounds(cut.key, depth);
            source.visit(low, cut.key, &mut |position, version| {
                let inside = !cut.is_before(position);
                if inside {
                    sum = sum.plus(Sum::of(position.0, position.1, version));
                }
                inside
            });
        }
        sum
    }

    /// The record before which there are so many others.
    pub(crate) fn nth(&self, mut rank: u64, source: &dyn Source) -> Option<Position> {
        let (mut branch, mut prefix, mut depth) = (&self.root, Id::ZERO, 0);
        while let Some(block) = &branch.block {
            let (digit, next) = block.iter().enumerate().find(|(_, branch)| {
                let inside = rank < u64::from(branch.count);
                rank -= if inside { 0 } else { u64::from(branch.count) };
                inside
            })?;
            prefix = with_digit(prefix, depth, digit);
            (branch, depth) = (next, depth + 1);
        }
        let (low, high) = bounds(prefix, depth);
        let mut found = None;
        source.visit(low, high, &mut |position, _| {
            if rank == 0 {
                found = Some(position);
            }
            rank = rank.saturating_sub(1);
            found.is_none()
        });
        found
    }

    /// Blocks in use.
    #[cfg(test)]
    pub(crate) fn blocks(&self) -> usize {
        fn count(branch: &Branch) -> usize {
            let inside = |block: &Block| 1 + block.iter().map(count).sum::<usize>();
            branch.block.as_deref().map_or(0, inside)
        }
        count(&self.root)
    }
}

impl Branch {
    const fn sum(&self) -> Sum {
        Sum {
            count: self.count as u64,
            print: self.print,
        }
    }

    const fn add(&mut self, sum: Sum) {
        self.print = self.print.wrapping_add(sum.print);
        self.count = self.count.saturating_add(1);
    }

    /// Takes in a record that comes after all others; `leaf` has those of the last leaf.
    fn append(&mut self, key: Id, sum: Sum, leaf: &mut Vec<(Id, Sum)>) {
        let mut branch = self;
        let mut depth = 0;
        branch.add(sum);
        while branch.block.is_some() {
            let Some(next) = branch.next(key, depth) else {
                return;
            };
            branch = next;
            branch.add(sum);
            depth += 1;
        }
        if branch.count == 1 {
            leaf.clear();
        }
        leaf.push((key, sum));
        if branch.count > LEAF_RECORDS {
            branch.divide_among(depth, leaf);
            let left = branch.last_leaf(key, depth);
            leaf.drain(..leaf.len().saturating_sub(left));
        }
    }

    /// How many records the leaf around a key has.
    fn last_leaf(&self, key: Id, mut depth: u32) -> usize {
        let mut branch = self;
        while let Some(block) = &branch.block {
            let Some(next) = block.get(usize::from(key.digit(depth, DIGIT_BITS))) else {
                break;
            };
            (branch, depth) = (next, depth + 1);
        }
        branch.count as usize
    }

    /// Divides a branch that is too large; these are its records, in order.
    fn divide_among(&mut self, depth: u32, records: &[(Id, Sum)]) {
        let one_key = match (records.first(), records.last()) {
            (Some(first), Some(last)) => first.0 == last.0,
            _ => true,
        };
        if records.len() <= LEAF_RECORDS as usize || depth >= DIGITS || one_key {
            return;
        }
        let digit = |key: Id| usize::from(key.digit(depth, DIGIT_BITS));
        let mut block = Box::<Block>::default();
        for part in records.chunk_by(|one, next| digit(one.0) == digit(next.0)) {
            let branch = part.first().and_then(|(key, _)| block.get_mut(digit(*key)));
            if let Some(branch) = branch {
                part.iter().for_each(|(_, sum)| branch.add(*sum));
                branch.divide_among(depth + 1, part);
            }
        }
        self.block = Some(block);
    }

    fn next(&mut self, key: Id, depth: u32) -> Option<&mut Self> {
        let digit = usize::from(key.digit(depth, DIGIT_BITS));
        self.block.as_deref_mut()?.get_mut(digit)
    }

    /// Divides a branch that is too large, and those that come of it.
    fn divide(&mut self, key: Id, depth: u32, source: &dyn Source) {
        if self.count <= LEAF_RECORDS || depth >= DIGITS {
            return;
        }
        let (low, high) = bounds(key, depth);
        let mut block = Box::<Block>::default();
        let (mut first, mut last) = (None, None);
        source.visit(low, high, &mut |(key, slot), version| {
            first = first.or(Some(key));
            last = Some(key);
            if let Some(branch) = block.get_mut(usize::from(key.digit(depth, DIGIT_BITS))) {
                branch.add(Sum::of(key, slot, version));
            }
            true
        });
        if first == last {
            return;
        }
        for (digit, branch) in block.iter_mut().enumerate() {
            branch.divide(with_digit(low, depth, digit), depth + 1, source);
        }
        self.block = Some(block);
    }
}

/// The first and the last key with the same leading digits.
fn bounds(key: Id, digits: u32) -> (Id, Id) {
    let (head, tail) = key.parts();
    let bits = digits * DIGIT_BITS;
    let head_rest = u32::MAX.checked_shr(bits).unwrap_or(0);
    let tail_rest = u128::MAX.checked_shr(bits.saturating_sub(32)).unwrap_or(0);
    (
        Id::from_parts(head & !head_rest, tail & !tail_rest),
        Id::from_parts(head | head_rest, tail | tail_rest),
    )
}

/// The prefix with one more digit.
fn with_digit(prefix: Id, depth: u32, digit: usize) -> Id {
    let (head, tail) = prefix.parts();
    let end = (depth + 1) * DIGIT_BITS;
    if end <= 32 {
        Id::from_parts(head | (digit as u32) << (32 - end), tail)
    } else {
        Id::from_parts(head, tail | (digit as u128) << (160 - end))
    }
}

#[cfg(test)]
mod tests;
