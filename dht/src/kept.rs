//! The store together with its summary: whatever is written or removed goes through here.
//!
//! Everything that the store has counts, also what has ended and only waits to be collected. What
//! a record counts for so depends on no clock, and two replicas whose clocks differ agree on equal
//! records (`collect` says how they come to drop the same ones).

use crate::fingerprint::Sum;
use crate::summary::{Cut, Source, Summary};
use crate::{Position, Store};
use overlay::{Arc, Hlc, Id, Item, LoadSeq, Slot, Version, WriteSeq};
use std::ops::Deref;

/// A part of an arc: after one position, up to and with another; without them, from the start and
/// to the end of the arc.
pub(crate) type Stretch = (Option<Position>, Option<Position>);

/// A store and the sums of what is in it.
#[derive(Debug)]
pub(crate) struct Kept<S> {
    store: S,
    summary: Summary,
}

/// The records of a store, for its summary.
struct Records<'store, S>(&'store S);

impl<S: Store> Source for Records<'_, S> {
    fn visit(&self, low: Id, high: Id, visit: &mut dyn FnMut(Position, Version) -> bool) {
        let from = low.wrapping_sub(Id::from_u64(1));
        self.0
            .range(Arc { from, to: high }, None, &mut |key, slot, record| {
                visit((key, slot), record.version)
            });
    }
}

impl<S> Deref for Kept<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.store
    }
}

impl<S: Store> Kept<S> {
    pub(crate) fn new(store: S) -> Self {
        let summary = Summary::of(&Records(&store));
        Self { store, summary }
    }

    pub(crate) fn into_inner(self) -> S {
        self.store
    }

    pub(crate) const fn inner(&self) -> &S {
        &self.store
    }

    /// The store, for changes that leave its records as they are.
    pub(crate) const fn inner_mut(&mut self) -> &mut S {
        &mut self.store
    }

    /// The version in a place.
    pub(crate) fn version(&self, (key, slot): Position) -> Option<Version> {
        self.store.meta(key, slot).map(|known| known.version)
    }

    /// As [`Store::write`].
    pub(crate) fn write(&mut self, item: Item) -> WriteSeq {
        let place = (item.key, item.slot);
        let before = self.version(place);
        let seq = self.store.write(item);
        self.changed(place, before);
        seq
    }

    /// As [`Store::remove`].
    pub(crate) fn remove(&mut self, key: Id, slot: Slot) -> WriteSeq {
        let before = self.version((key, slot));
        let seq = self.store.remove(key, slot);
        self.changed((key, slot), before);
        seq
    }

    /// As [`Store::durable`].
    pub(crate) fn durable(&mut self, seq: WriteSeq) {
        self.store.durable(seq);
    }

    /// As [`Store::load`].
    pub(crate) fn load(&mut self, places: &[Position]) -> LoadSeq {
        self.store.load(places)
    }

    /// As [`Store::loaded`].
    pub(crate) fn loaded(&mut self, seq: LoadSeq) {
        self.store.loaded(seq);
    }

    /// As [`Store::release`].
    pub(crate) fn release(&mut self, seq: LoadSeq) {
        self.store.release(seq);
    }

    /// As [`Store::set_shared`].
    pub(crate) fn set_shared(&mut self) -> WriteSeq {
        self.store.set_shared()
    }

    /// As [`Store::set_vouched`].
    pub(crate) fn set_vouched(&mut self, parts: Vec<(Arc, Hlc)>) -> WriteSeq {
        self.store.set_vouched(parts)
    }

    fn changed(&mut self, place: Position, before: Option<Version>) {
        let after = self.version(place);
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.summary.remove(place, before);
        }
        if let Some(after) = after {
            self.summary.insert(place, after, &Records(&self.store));
        }
    }

    /// What the store has in a stretch of an arc.
    pub(crate) fn sum(&self, arc: Arc, (after, upto): Stretch) -> Sum {
        let (start, end) = (start_of(arc, after), end_of(arc, upto));
        let source = Records(&self.store);
        if start == end {
            let whole = after.is_none() && upto.is_none();
            return if whole {
                self.summary.total()
            } else {
                Sum::default()
            };
        }
        let sum = self
            .summary
            .before(end, &source)
            .minus(self.summary.before(start, &source));
        if end.precedes(start) {
            sum.plus(self.summary.total())
        } else {
            sum
        }
    }

    /// The record of an arc before which, in order of the arc and after the position `after`, there
    /// are so many others.
    pub(crate) fn nth(&self, arc: Arc, after: Option<Position>, rank: u64) -> Option<Position> {
        let (source, total) = (Records(&self.store), self.summary.total().count);
        let before = self.summary.before(start_of(arc, after), &source).count;
        let rank = before.checked_add(rank)?.checked_rem(total)?;
        self.summary.nth(rank, &source)
    }
}

fn start_of(arc: Arc, after: Option<Position>) -> Cut {
    match after {
        Some((key, slot)) => Cut {
            key,
            slot: Some(slot),
        },
        None => Cut {
            key: arc.from,
            slot: None,
        },
    }
}

fn end_of(arc: Arc, upto: Option<Position>) -> Cut {
    start_of(
        Arc {
            from: arc.to,
            to: arc.to,
        },
        upto,
    )
}

#[cfg(test)]
impl<S> Kept<S> {
    /// Blocks that the summary uses.
    pub(crate) fn blocks(&self) -> usize {
        self.summary.blocks()
    }
}
