//! At least r + 1 members are principals: the second half of Zave's invariant.
//!
//! A principal is a live member that no live member's list skips: for no adjacent pair (a, b) of
//! any list, with its owner in front, does it lie strictly between a and b.

use super::{Member, Violation, place_of};
use overlay::Id;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included, Unbounded};

/// Checks that a network with lists of `length` entries has enough principals. `members` is
/// sorted by id.
///
/// # Errors
/// When there are fewer than `length + 1`.
pub fn check(members: &[Member<'_>], length: usize) -> Result<(), Violation> {
    judge(count(members), length)
}

fn judge(count: usize, length: usize) -> Result<(), Violation> {
    if count > length {
        return Ok(());
    }
    Err(Violation {
        invariant: "principals",
        text: format!("{count} principals, {} are needed", length + 1),
    })
}

/// Number of principals.
#[must_use]
pub fn count(members: &[Member<'_>]) -> usize {
    // Over places in the snapshot: +1 where a skipped run begins, -1 where it ends.
    let mut steps = vec![0_i32; members.len() + 1];
    for (index, member) in members
        .iter()
        .enumerate()
        .filter(|(_, member)| member.alive)
    {
        let mut from = Ok(index);
        let mut before = member.id;
        for entry in member.successors {
            // By far the most common: the entry is the next one, so nobody is skipped.
            let next = from.map_or_else(|place| place, |place| place + 1);
            let next = if next == members.len() { 0 } else { next };
            if from.is_ok() && members[next].id == *entry && before != *entry {
                (before, from) = (*entry, Ok(next));
                continue;
            }
            let to = place_of(members, *entry, next);
            skip(&mut steps, (before, *entry), (from, to));
            (before, from) = (*entry, to);
        }
    }
    let mut depth = 0;
    let counted = members.iter().zip(&steps).filter(|(member, step)| {
        depth += **step;
        member.alive && depth == 0
    });
    counted.count()
}

/// Marks the places strictly between the ids of a pair.
fn skip(steps: &mut [i32], pair: (Id, Id), places: (Result<usize, usize>, Result<usize, usize>)) {
    let size = steps.len() - 1;
    // The first place after the one id, the first place not before the other.
    let begin = places.0.map_or_else(|place| place, |place| place + 1);
    let end = places.1.unwrap_or_else(|place| place);
    if pair.0 < pair.1 {
        mark(steps, begin, end);
    } else {
        mark(steps, begin, size);
        mark(steps, 0, end);
    }
}

fn mark(steps: &mut [i32], begin: usize, end: usize) {
    if begin < end {
        steps[begin] += 1;
        steps[end] -= 1;
    }
}

/// How often each member is skipped, kept up to date from change to change.
///
/// In a repaired ring of N members with lists of r entries, the N r pairs are N different ones,
/// and none has a member between its ends. A change therefore costs O(r log N).
#[derive(Clone, Debug, Default)]
pub(super) struct Skips {
    /// The pairs of neighbours in all lists, each with the number of places where it stands.
    pairs: BTreeMap<(Id, Id), u32>,
    /// The same pairs, the end first.
    by_end: BTreeSet<(Id, Id)>,
    /// By member: how many different pairs skip it.
    skips: BTreeMap<Id, u32>,
    /// How many members are skipped by any.
    skipped: usize,
}

impl Skips {
    /// `id` is a member now. Its list is to be added.
    pub(super) fn joined(&mut self, id: Id) {
        let count = self.skips_of(id);
        self.skipped += usize::from(count > 0);
        self.skips.insert(id, count);
    }

    /// `id` is no member any more. Its list has been removed.
    pub(super) fn gone(&mut self, id: Id) {
        let count = self.skips.remove(&id);
        self.skipped -= usize::from(count.is_some_and(|count| count > 0));
    }

    /// Adds the pairs of a list.
    pub(super) fn add(&mut self, owner: Id, list: &[Id]) {
        for pair in pairs_of(owner, list) {
            let places = self.pairs.entry(pair).or_insert(0);
            *places += 1;
            if *places == 1 {
                self.by_end.insert((pair.1, pair.0));
                self.step_between(pair, true);
            }
        }
    }

    /// Removes the pairs of a list that was added.
    pub(super) fn remove(&mut self, owner: Id, list: &[Id]) {
        for pair in pairs_of(owner, list) {
            let Some(places) = self.pairs.get_mut(&pair) else {
                continue;
            };
            *places -= 1;
            if *places == 0 {
                self.pairs.remove(&pair);
                self.by_end.remove(&(pair.1, pair.0));
                self.step_between(pair, false);
            }
        }
    }

    /// Counts a pair in, or out, at each member strictly between its ends.
    fn step_between(&mut self, (low, high): (Id, Id), is_new: bool) {
        let Self { skips, skipped, .. } = self;
        let mut step = |count: &mut u32| {
            if is_new {
                *skipped += usize::from(*count == 0);
                *count += 1;
            } else {
                *count -= 1;
                *skipped -= usize::from(*count == 0);
            }
        };
        if low < high {
            let between = skips.range_mut((Excluded(low), Excluded(high)));
            between.for_each(|(_, count)| step(count));
        } else {
            let above = skips.range_mut((Excluded(low), Unbounded));
            above.for_each(|(_, count)| step(count));
            let below = skips.range_mut(..high);
            below.for_each(|(_, count)| step(count));
        }
    }

    /// How many pairs skip the point `id`: as many as skip the member before it, and those that
    /// begin on the way from there, without those that end on it.
    fn skips_of(&self, id: Id) -> u32 {
        let below = self.skips.range(..id).next_back();
        let Some((&before, &count)) = below.or_else(|| self.skips.iter().next_back()) else {
            let skipping = self
                .pairs
                .keys()
                .filter(|pair| id.is_between(pair.0, pair.1));
            return skipping.count() as u32;
        };
        let (starts, ends) = (
            |low, high| self.pairs.range((Included(low), Excluded(high))).count(),
            |low, high| self.by_end.range((Excluded(low), Included(high))).count(),
        );
        let (first, last) = ((Id::ZERO, Id::ZERO), (Id::MAX, Id::MAX));
        let (begun, ended) = if before < id {
            (
                starts((before, Id::ZERO), (id, Id::ZERO)),
                ends((before, Id::MAX), (id, Id::MAX)),
            )
        } else {
            (
                self.pairs.range((before, Id::ZERO)..).count() + starts(first, (id, Id::ZERO)),
                ends((before, Id::MAX), last) + self.by_end.range(..=(id, Id::MAX)).count(),
            )
        };
        count + begun as u32 - ended as u32
    }

    /// Number of principals.
    pub(super) fn count(&self) -> usize {
        self.skips.len() - self.skipped
    }

    /// As [`check`].
    pub(super) fn check(&self, length: usize) -> Result<(), Violation> {
        judge(self.count(), length)
    }
}

/// The neighbours in a list with its owner in front.
fn pairs_of(owner: Id, list: &[Id]) -> impl Iterator<Item = (Id, Id)> {
    std::iter::once(owner)
        .chain(list.iter().copied())
        .zip(list.iter().copied())
}
