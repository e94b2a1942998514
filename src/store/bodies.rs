//! Bodies in memory: those that are not durable yet, those that somebody waits for or uses, and a
//! bounded number of others, the latest.

use super::record::Place;
use bytes::Bytes;
use overlay::WriteSeq;
use std::collections::{BTreeMap, VecDeque};

/// What a body costs beside its bytes: its entries in the maps.
const OVERHEAD_BYTES: usize = 160;

/// Places in the order of leaving are sorted out when more of them than this, and more than the
/// bodies, are out of date.
const STALE_PLACES: usize = 1_024;

#[derive(Debug)]
struct Held {
    body: Bytes,
    /// The write that must become durable first.
    waits: Option<WriteSeq>,
    /// When it was put into the order of leaving, if it was.
    queued: Option<u64>,
}

impl Held {
    fn cost(&self) -> usize {
        self.body.len() + OVERHEAD_BYTES
    }
}

/// Bodies by place.
#[derive(Debug)]
pub(super) struct Bodies {
    held: BTreeMap<Place, Held>,
    /// How many requests need the body of a place, there or not.
    pins: BTreeMap<Place, u32>,
    waiting: VecDeque<(WriteSeq, Place)>,
    order: VecDeque<(u64, Place)>,
    stamp: u64,
    /// Bytes of those that may leave.
    cached: usize,
    limit: usize,
}

impl Bodies {
    /// At most `limit` bytes of bodies that nobody needs.
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            held: BTreeMap::new(),
            pins: BTreeMap::new(),
            waiting: VecDeque::new(),
            order: VecDeque::new(),
            stamp: 0,
            cached: 0,
            limit,
        }
    }

    pub(super) fn get(&self, place: Place) -> Option<&Bytes> {
        self.held.get(&place).map(|held| &held.body)
    }

    /// A body was written.
    pub(super) fn write(&mut self, place: Place, body: Bytes, seq: WriteSeq) {
        self.put(place, body, Some(seq));
        self.waiting.push_back((seq, place));
    }

    /// A body was read from disk.
    pub(super) fn read(&mut self, place: Place, body: Bytes) {
        self.put(place, body, None);
        self.settle(place);
    }

    fn put(&mut self, place: Place, body: Bytes, waits: Option<WriteSeq>) {
        self.forget(place);
        let held = Held {
            body,
            waits,
            queued: None,
        };
        self.held.insert(place, held);
    }

    /// The record is gone, or has no body any more.
    pub(super) fn forget(&mut self, place: Place) {
        if let Some(held) = self.held.remove(&place)
            && held.queued.is_some()
        {
            self.cached = self.cached.saturating_sub(held.cost());
        }
    }

    /// All writes up to this one are durable.
    pub(super) fn durable(&mut self, seq: WriteSeq) {
        while let Some((first, place)) = self.waiting.front().copied()
            && first <= seq
        {
            self.waiting.pop_front();
            if let Some(held) = self.held.get_mut(&place)
                && held.waits == Some(first)
            {
                held.waits = None;
                self.settle(place);
            }
        }
    }

    /// Somebody needs the body of this place, whatever it will be.
    pub(super) fn pin(&mut self, place: Place) {
        *self.pins.entry(place).or_default() += 1;
        if let Some(held) = self.held.get_mut(&place)
            && held.queued.take().is_some()
        {
            self.cached = self.cached.saturating_sub(held.cost());
        }
    }

    /// Somebody does not need it any more.
    pub(super) fn unpin(&mut self, place: Place) {
        if let Some(count) = self.pins.get_mut(&place) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.pins.remove(&place);
                self.settle(place);
            }
        }
    }

    /// Lets a body leave some time, if nothing keeps it.
    fn settle(&mut self, place: Place) {
        if self.pins.contains_key(&place) {
            return;
        }
        let Some(held) = self.held.get_mut(&place) else {
            return;
        };
        if held.waits.is_some() || held.queued.is_some() {
            return;
        }
        self.stamp = self.stamp.wrapping_add(1);
        held.queued = Some(self.stamp);
        self.cached += held.cost();
        self.order.push_back((self.stamp, place));
        self.evict();
    }

    fn evict(&mut self) {
        let held = &mut self.held;
        while self.cached > self.limit
            && let Some((stamp, place)) = self.order.pop_front()
        {
            if let Some(found) = held.get(&place)
                && found.queued == Some(stamp)
            {
                self.cached = self.cached.saturating_sub(found.cost());
                held.remove(&place);
            }
        }
        if self.order.len() > STALE_PLACES + 2 * held.len() {
            self.order.retain(|(stamp, place)| {
                held.get(place)
                    .is_some_and(|found| found.queued == Some(*stamp))
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay::{Id, Slot};

    const LIMIT: usize = 3 * (OVERHEAD_BYTES + 10);

    fn place(key: u64) -> Place {
        (Id::from_u64(key), Slot::Value)
    }

    fn body() -> Bytes {
        Bytes::from_static(&[1; 10])
    }

    #[test]
    fn bodies_stay_until_they_are_durable_then_as_long_as_there_is_room() {
        let mut bodies = Bodies::new(LIMIT);
        for key in 1..=9 {
            bodies.write(place(key), body(), WriteSeq(key));
        }
        bodies.durable(WriteSeq(3));
        assert_eq!(bodies.held.len(), 9);
        bodies.durable(WriteSeq(8));
        let left: Vec<_> = bodies.held.keys().copied().collect();
        assert_eq!(left, [place(6), place(7), place(8), place(9)]);
    }

    #[test]
    fn a_newer_write_waits_for_its_own_commit() {
        let mut bodies = Bodies::new(0);
        bodies.write(place(1), body(), WriteSeq(1));
        bodies.write(place(1), body(), WriteSeq(2));
        bodies.durable(WriteSeq(1));
        assert!(bodies.get(place(1)).is_some());
        bodies.durable(WriteSeq(2));
        assert!(bodies.get(place(1)).is_none());
    }

    #[test]
    fn what_is_needed_stays() {
        let mut bodies = Bodies::new(0);
        bodies.pin(place(1));
        bodies.pin(place(1));
        bodies.read(place(1), body());
        bodies.unpin(place(1));
        assert!(bodies.get(place(1)).is_some());
        bodies.unpin(place(1));
        assert!(bodies.get(place(1)).is_none());
        assert_eq!((bodies.cached, bodies.pins.len()), (0, 0));
    }

    #[test]
    fn writing_one_place_again_and_again_takes_no_room() {
        let mut bodies = Bodies::new(LIMIT);
        for seq in 1..20_000 {
            bodies.write(place(1), body(), WriteSeq(seq));
            bodies.durable(WriteSeq(seq));
        }
        assert!(bodies.order.len() <= STALE_PLACES + 3);
        assert_eq!(bodies.cached, OVERHEAD_BYTES + 10);
        bodies.forget(place(1));
        assert_eq!(bodies.cached, 0);
    }
}
