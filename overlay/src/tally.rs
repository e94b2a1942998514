//! What a machine counts of its own work, for whoever reports it. It is read when somebody asks, and
//! travels nowhere; all of it counts from the start of the machine.

use crate::lookup::LookupError;
use crate::{Counts, Duration, Time};

/// Bounds of the histogram of hops. Chord needs half of log2 N on average; beyond twenty something is
/// wrong, and [`MAX_HOPS`](crate::lookup::MAX_HOPS) ends it.
pub const HOP_BOUNDS: [u64; 12] = [0, 1, 2, 3, 4, 5, 6, 8, 10, 14, 20, 64];
/// Bounds of the histogram of lookups, in microseconds: from an answer out of one's own tables to
/// one that took all attempts.
pub const LOOKUP_BOUNDS_US: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 500_000, 1_000_000,
    5_000_000, 30_000_000,
];
/// For so long the furthest clock counts: once more as long as it takes, at a scrape each minute, to
/// be seen.
const CLOCK_WINDOW: Duration = Duration::from_secs(60);

/// A histogram of whole numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    bounds: &'static [u64],
    counts: Vec<u64>,
    sum: u64,
}

impl Histogram {
    /// An empty one, with the largest number of each bucket but the last, which takes the rest.
    #[must_use]
    pub fn new(bounds: &'static [u64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
            sum: 0,
        }
    }

    /// Counts a number.
    pub fn observe(&mut self, number: u64) {
        let at = self.bounds.partition_point(|bound| *bound < number);
        if let Some(count) = self.counts.get_mut(at) {
            *count += 1;
        }
        self.sum = self.sum.saturating_add(number);
    }

    /// The bounds, each with how many numbers were not above it.
    pub fn cumulated(&self) -> impl Iterator<Item = (u64, u64)> {
        let mut below = 0;
        self.bounds
            .iter()
            .zip(&self.counts)
            .map(move |(bound, count)| {
                below += count;
                (*bound, below)
            })
    }

    /// How many numbers there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their sum.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.sum
    }
}

/// Lookups that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookups {
    /// Those with an answer.
    pub found: u64,
    /// Those without one after all attempts.
    pub no_answer: u64,
    /// Those of a node that is in no network.
    pub not_member: u64,
    /// Those that were too many.
    pub busy: u64,
    /// Hops of those with an answer.
    pub hops: Histogram,
    /// Microseconds of all that were begun.
    pub took_us: Histogram,
}

impl Default for Lookups {
    fn default() -> Self {
        Self {
            found: 0,
            no_answer: 0,
            not_member: 0,
            busy: 0,
            hops: Histogram::new(&HOP_BOUNDS),
            took_us: Histogram::new(&LOOKUP_BOUNDS_US),
        }
    }
}

impl Lookups {
    /// Counts one that ended, with its hops where it was answered.
    pub fn ended(&mut self, hops: Result<u32, LookupError>, took: Duration) {
        match hops {
            Ok(hops) => {
                self.found += 1;
                self.hops.observe(hops.into());
            }
            Err(LookupError::NoAnswer { .. }) => self.no_answer += 1,
            Err(LookupError::NotMember) => self.not_member += 1,
            // Nothing was begun.
            Err(LookupError::Busy) => return self.busy += 1,
        }
        self.took_us.observe(took.as_micros());
    }
}

/// What the lookup counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookupTally {
    /// Lookups of users, and of the store for them.
    pub users: Lookups,
    /// Lookups of the router for its own tables.
    pub tables: Lookups,
    /// Times that a hop was silent for too long, or could not be reached.
    pub hop_timeouts: u64,
    /// Times that a request was sent on to another hop instead.
    pub hop_retries: u64,
    /// Times that a lookup was begun again from its origin.
    pub restarts: u64,
}

/// What a replicated store says of its copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RepairTally {
    /// Comparisons with another node that came to their end.
    pub comparisons: u64,
    /// Comparisons that were given up: the other node was silent or gone.
    pub comparisons_failed: u64,
    /// Ranges that were compared in them, by this node as the root.
    pub ranges: u64,
    /// Arcs that this node answers for.
    pub arcs: u64,
    /// Those of which it does not know yet whether it holds everything.
    pub arcs_incomplete: u64,
    /// Records in its arcs, deletions included, of which not every replica is known to have a copy.
    pub copying: u64,
    /// Records in its arcs that have fewer replicas than are wanted, because there are no more nodes.
    pub short_of_nodes: u64,
    /// Records in its arcs, deletions included.
    pub records: u64,
    /// Copies that are wanted of each, this node's own included.
    pub replicas_wanted: u64,
    /// The fewest that one of its arcs has nodes for.
    pub replicas_possible: u64,
}

/// What an overlay that floods counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueryTally {
    /// Queries that came from a neighbour, duplicates included.
    pub seen: u64,
    /// Queries of others that were sent on, counted once for each link.
    pub forwarded: u64,
    /// Queries that something here matched.
    pub matched: u64,
    /// Hits of this node that were sent.
    pub hits_sent: u64,
    /// Hits of others that were passed on.
    pub hits_passed: u64,
    /// Hits that came for searches of this node.
    pub hits_received: u64,
    /// Queries that were known already.
    pub dropped_duplicate: u64,
    /// Queries that broke the rules.
    pub dropped_malformed: u64,
    /// Queries beyond what one neighbour may send.
    pub dropped_rate: u64,
    /// Queries that were not sent on, because too many are under way.
    pub dropped_table_full: u64,
    /// Times that a query was not sent on over a link that has no room.
    pub dropped_link_full: u64,
    /// Queries that were not sent on because their time to live was over.
    pub ended_ttl: u64,
    /// Neighbours that were taken, ever.
    pub links_made: u64,
    /// Neighbours that went, ever.
    pub links_lost: u64,
    /// Messages that no node of good will sends.
    pub misdeeds: Misdeeds,
}

/// Messages that no node of good will sends, by what is wrong with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Misdeeds {
    /// A field, or the length of a list, beyond its limit: the link ends at once.
    pub out_of_bounds: u64,
    /// TTL and hops beyond their limits, or grown on the way.
    pub hops: u64,
    /// Queries that have no words, or too many.
    pub words: u64,
    /// The same once more on one link.
    pub duplicate: u64,
    /// None for a node of the receiver's role.
    pub role: u64,
    /// In another's name, or about what never was.
    pub forged: u64,
}

/// What is under way in one table of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnderWay {
    /// What is in the table, in a few words.
    pub table: &'static str,
    /// How much.
    pub count: usize,
    /// How much at most; none where other tables bound it.
    pub most: Option<usize>,
}

impl UnderWay {
    /// In a table with a limit of its own.
    #[must_use]
    pub const fn of(table: &'static str, count: usize, most: usize) -> Self {
        Self {
            table,
            count,
            most: Some(most),
        }
    }

    /// In a table that others bound.
    #[must_use]
    pub const fn bounded_elsewhere(table: &'static str, count: usize) -> Self {
        Self {
            table,
            count,
            most: None,
        }
    }
}

/// What a machine says of its work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lookups; without structure, searches.
    pub lookups: LookupTally,
    /// What the store holds.
    pub records: Counts,
    /// Changes of the neighbour set.
    pub neighbour_changes: u64,
    /// Copies, where there are replica sets.
    pub repair: Option<RepairTally>,
    /// Queries, where they are flooded.
    pub queries: Option<QueryTally>,
    /// How far a clock that a message told of was ahead of this node's, in milliseconds: the furthest
    /// one of the last minute or two.
    pub clock_ahead_ms: u64,
    /// How far one was behind, at least; none where no message says when it was sent.
    pub clock_behind_ms: Option<u64>,
    /// What is under way.
    pub under_way: Vec<UnderWay>,
    /// Calls that it has under way at most; one more is answered at once.
    pub most_calls: usize,
    /// Requests for bodies that it waits for at most.
    pub most_loads: usize,
}

/// The furthest clock of late, ahead or behind.
#[derive(Clone, Copy, Debug, Default)]
pub struct FurthestClock {
    since: Time,
    now_ms: u64,
    before_ms: u64,
}

impl FurthestClock {
    /// A clock was so far off; zero when it was not.
    pub fn observe(&mut self, off_ms: u64, now: Time) {
        let passed = now.since(self.since);
        if passed >= CLOCK_WINDOW {
            let is_next = passed < CLOCK_WINDOW.times(2);
            self.before_ms = if is_next { self.now_ms } else { 0 };
            (self.now_ms, self.since) = (0, now);
        }
        self.now_ms = self.now_ms.max(off_ms);
    }

    /// The furthest, in milliseconds.
    #[must_use]
    pub fn furthest_ms(&self, now: Time) -> u64 {
        let passed = now.since(self.since);
        if passed >= CLOCK_WINDOW.times(2) {
            0
        } else if passed >= CLOCK_WINDOW {
            self.now_ms
        } else {
            self.now_ms.max(self.before_ms)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_take_what_is_not_above_them() {
        let mut histogram = Histogram::new(&[1, 10]);
        for number in [0, 1, 2, 10, 11] {
            histogram.observe(number);
        }
        let all: Vec<_> = histogram.cumulated().collect();
        assert_eq!(all, [(1, 2), (10, 4)]);
        assert_eq!((histogram.count(), histogram.sum()), (5, 24));
    }

    #[test]
    fn a_lookup_that_was_not_begun_took_no_time() {
        let mut lookups = Lookups::default();
        lookups.ended(Ok(3), Duration::from_millis(2));
        lookups.ended(Err(LookupError::Busy), Duration(0));
        lookups.ended(
            Err(LookupError::NoAnswer { attempts: 6 }),
            Duration::from_secs(9),
        );
        assert_eq!((lookups.found, lookups.busy, lookups.no_answer), (1, 1, 1));
        assert_eq!((lookups.hops.count(), lookups.took_us.count()), (1, 2));
    }

    #[test]
    fn a_clock_that_was_off_is_forgotten() {
        let (mut clock, at) = (FurthestClock::default(), |seconds: u64| {
            Time(seconds * 1_000_000)
        });
        clock.observe(500, at(10));
        clock.observe(0, at(50));
        assert_eq!(clock.furthest_ms(at(59)), 500);
        clock.observe(20, at(70));
        assert_eq!(clock.furthest_ms(at(71)), 500);
        clock.observe(0, at(131));
        assert_eq!(clock.furthest_ms(at(132)), 20);
        assert_eq!(clock.furthest_ms(at(400)), 0);
    }
}
