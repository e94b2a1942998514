//! Lookups counted: right, wrong, failed, and what they cost.

use overlay::lookup::Located;
use overlay::{Duration, Id, OpId, Time};
use serde::Serialize;
use sim::{Distribution, Summary};
use std::collections::BTreeMap;

/// A lookup under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) key: Id,
    pub(super) node: usize,
    pub(super) began: Time,
}

/// The mean and the 99th percentile.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Timeouts {
    /// The mean.
    pub mean: f64,
    /// All but one in a hundred are not above.
    pub p99: f64,
}

/// How much longer requests took to their owners than direct messages would have.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Stretch {
    /// The mean over lookups. Owners that are next door weigh heavily: whatever the way, it is many
    /// times as long as the direct one.
    pub mean: f64,
    /// The median over lookups.
    pub median: f64,
    /// The mean delay over the mean direct delay.
    pub of_means: f64,
}

/// Counts of lookups. Path lengths and delays are those of answered lookups, wrong ones included.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) pending: BTreeMap<OpId, Pending>,
    pub(super) correct: u64,
    pub(super) wrong: u64,
    pub(super) failed: u64,
    hops: Distribution,
    timeouts: Distribution,
    latency_us: Distribution,
    /// In thousandths.
    stretch: Distribution,
    /// How long requests took to their owners, and how long direct messages would have.
    there_us: u64,
    direct_us: u64,
}

impl Tally {
    pub(super) fn answered(&mut self, located: &Located, took: Duration, is_right: bool) {
        if is_right {
            self.correct += 1;
        } else {
            self.wrong += 1;
        }
        self.hops.record(u64::from(located.hops));
        self.timeouts.record(u64::from(located.timeouts));
        self.latency_us.record(took.as_micros());
    }

    pub(super) fn hops(&self) -> Summary {
        self.hops.summary(1.0)
    }

    pub(super) fn timeouts(&self) -> Timeouts {
        let summary = self.timeouts.summary(1.0);
        Timeouts {
            mean: summary.mean,
            p99: summary.p99,
        }
    }

    /// Notes how much longer than a direct message the request took to the owner. The answer comes
    /// back directly. Lookups that ended at their origin have no stretch.
    pub(super) fn stretched(&mut self, located: &Located, took: Duration, direct: Duration) {
        if located.hops > 0 && direct > Duration::ZERO {
            let there = took.as_micros().saturating_sub(direct.as_micros());
            self.stretch.record(there * 1_000 / direct.as_micros());
            self.there_us += there;
            self.direct_us += direct.as_micros();
        }
    }

    pub(super) fn stretch(&self) -> Stretch {
        let summary = self.stretch.summary(1_000.0);
        Stretch {
            mean: summary.mean,
            median: summary.p50,
            of_means: self.there_us as f64 / self.direct_us.max(1) as f64,
        }
    }

    pub(super) fn latency_ms(&self) -> Summary {
        self.latency_us.summary(1_000.0)
    }
}
