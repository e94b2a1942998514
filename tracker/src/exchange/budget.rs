//! How many lookups there may be.
//!
//! Anybody can ask for swarms that nobody has heard of, so half of everything is kept for those of
//! which this node has clients: their announces were admitted, and what they know is to be published.

use overlay::{Duration, Time};

/// Lookups under way at a time. Beyond it announces are answered from memory.
pub const MAX_LOOKUPS: usize = 64;
/// Lookups a second, so that a flood of announces does not become one of lookups.
pub const LOOKUPS_PER_S: u64 = 500;
/// How many may come at once: what comes in a second.
const LOOKUP_BURST: u64 = 500;
/// One part of so many is for everybody; the rest is for swarms with clients of this node.
const SHARED_PART: u64 = 2;
/// Between two lookups, on average.
const INTERVAL: Duration = Duration(1_000_000 / LOOKUPS_PER_S);

/// What is left. A rate is kept as the time at which it will be full again, as in `limits`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Budget {
    under_way: usize,
    full_at: Time,
}

impl Budget {
    /// Takes one lookup, for a swarm with clients of this node or for another. False when there is
    /// none left for it.
    pub(super) fn take(&mut self, own: bool, now: Time) -> bool {
        let part = if own { 1 } else { SHARED_PART };
        let from = self.full_at.max(now);
        let burst = INTERVAL.times(LOOKUP_BURST / part);
        if self.under_way as u64 >= MAX_LOOKUPS as u64 / part
            || from.since(now).0 + INTERVAL.0 > burst.0
        {
            return false;
        }
        self.full_at = from + INTERVAL;
        self.under_way += 1;
        true
    }

    /// How many are under way.
    pub(super) const fn under_way(&self) -> usize {
        self.under_way
    }

    /// One has ended.
    pub(super) fn ended(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// From when on there is one for a swarm with clients of this node; none while all are under
    /// way.
    pub(super) fn room_at(&self) -> Option<Time> {
        let burst = INTERVAL.times(LOOKUP_BURST);
        let at = (self.full_at.0 + INTERVAL.0).saturating_sub(burst.0);
        (self.under_way < MAX_LOOKUPS).then_some(Time(at))
    }
}
