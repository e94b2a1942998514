//! Time-outs computed from measured round trips.
//!
//! Bamboo (Rhea et al., USENIX 2004) found that under churn a structured overlay lives or dies
//! with this; the estimator is TCP's (Jacobson 1988; RFC 6298).

use crate::{Duration, Id, Time};
use std::collections::BTreeMap;

/// Shortest time-out: on a busy machine a process may wait this long for the processor.
pub const MIN_TIMEOUT: Duration = Duration::from_millis(50);
/// Time-out for a peer that was never measured: a handshake and a round trip around the world.
pub const INITIAL_TIMEOUT: Duration = Duration::from_millis(500);
/// Longest time-out.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(3);
/// Least margin over the smoothed time (RFC 6298's clock granularity G): when round trips are all
/// alike the variation goes to zero, and an answer must not race against its own time-out.
const MIN_MARGIN: Duration = Duration::from_millis(10);
/// Peers whose round trips are remembered; the one measured longest ago is forgotten first.
pub const MAX_MEASURED_PEERS: usize = 1_024;

/// Smoothed round-trip time and its variation, in microseconds (RFC 6298, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RttEstimator {
    smoothed_us: u64,
    variation_us: u64,
}

impl RttEstimator {
    /// The estimate after the first measurement.
    #[must_use]
    pub const fn first(sample: Duration) -> Self {
        Self {
            smoothed_us: sample.0,
            variation_us: sample.0 / 2,
        }
    }

    /// Takes in one more measurement: alpha = 1/8, beta = 1/4.
    pub const fn observe(&mut self, sample: Duration) {
        let error = self.smoothed_us.abs_diff(sample.0);
        self.variation_us = (3 * self.variation_us + error) / 4;
        self.smoothed_us = (7 * self.smoothed_us + sample.0) / 8;
    }

    /// The smoothed round-trip time.
    #[must_use]
    pub const fn smoothed(&self) -> Duration {
        Duration(self.smoothed_us)
    }

    /// How long to wait for an answer: the smoothed time and four variations, within the bounds.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        let margin_us = self.variation_us.saturating_mul(4).max(MIN_MARGIN.0);
        Duration(self.smoothed_us.saturating_add(margin_us)).clamp(MIN_TIMEOUT, MAX_TIMEOUT)
    }
}

/// Estimates for the peers measured lately, [`MAX_MEASURED_PEERS`] at most.
#[derive(Clone, Debug, Default)]
pub struct RttTable {
    peers: BTreeMap<Id, (RttEstimator, Time)>,
}

impl RttTable {
    /// Takes in a measurement of `peer`.
    pub fn observe(&mut self, peer: Id, sample: Duration, now: Time) {
        if let Some((estimator, measured)) = self.peers.get_mut(&peer) {
            estimator.observe(sample);
            *measured = now;
            return;
        }
        if self.peers.len() >= MAX_MEASURED_PEERS {
            self.forget_older_half();
        }
        self.peers.insert(peer, (RttEstimator::first(sample), now));
    }

    /// Forgets half of the table at once, so that the cost of finding the oldest is shared.
    fn forget_older_half(&mut self) {
        let mut times: Vec<Time> = self.peers.values().map(|(_, measured)| *measured).collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        self.peers.retain(|_, (_, measured)| *measured > median);
    }

    /// The estimate for a peer, if it was measured lately.
    #[must_use]
    pub fn get(&self, peer: Id) -> Option<&RttEstimator> {
        self.peers.get(&peer).map(|(estimator, _)| estimator)
    }

    /// How long to wait for an answer of `peer`.
    #[must_use]
    pub fn timeout(&self, peer: Id) -> Duration {
        self.get(peer)
            .map_or(INITIAL_TIMEOUT, RttEstimator::timeout)
    }

    /// Number of peers with an estimate.
    #[must_use]
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether nobody was measured yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_follows_the_measurements() {
        let mut table = RttTable::default();
        let peer = Id::from_u64(1);
        assert_eq!(table.timeout(peer), INITIAL_TIMEOUT);
        for round in 0..50 {
            table.observe(peer, Duration::from_millis(200), Time(round));
        }
        // Fifty equal samples leave no variation to speak of.
        let timeout = table.timeout(peer).as_millis();
        assert!(
            (200..=210).contains(&timeout),
            "{timeout} ms for a steady 200 ms"
        );
        table.observe(peer, Duration::from_millis(600), Time(51));
        let timeout = table.timeout(peer).as_millis();
        assert!(
            (600..=700).contains(&timeout),
            "{timeout} ms after one of 600 ms"
        );
    }

    #[test]
    fn the_table_keeps_the_latest_and_its_bound() {
        let mut table = RttTable::default();
        for peer in 0..3 * MAX_MEASURED_PEERS as u64 {
            table.observe(Id::from_u64(peer), Duration::from_millis(1), Time(peer));
            assert!(table.len() <= MAX_MEASURED_PEERS, "{} peers", table.len());
            assert!(
                table.get(Id::from_u64(peer)).is_some(),
                "the latest is kept"
            );
        }
        assert!(
            table.get(Id::from_u64(0)).is_none(),
            "the oldest is forgotten"
        );
    }
}
