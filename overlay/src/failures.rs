//! How often nodes fail, and how often entries of a routing table must therefore be probed.
//!
//! MSPastry (DSN 2004, section 4.1): a node measures the rate of failures among the peers that it
//! watches, and chooses the period of probing so that a lookup meets a dead entry with a given
//! probability.
//!
//! Deviation: the paper watches the leaf set and the routing table, and computes the rate from the last K
//! failures; so do we, with K = 16. It also gets the estimates of others with their messages, and
//! takes the median; here each node has its own only.

use crate::{Duration, Time};
use std::collections::VecDeque;

/// Failures that the estimate rests on: the last so many.
const REMEMBERED: usize = 16;
/// Entries are probed at least this often.
pub const LONGEST_PERIOD: Duration = Duration::from_secs(3_600);
/// And at most this often: a network that fails faster is not helped by more messages.
pub const SHORTEST_PERIOD: Duration = Duration::from_secs(5);

/// The failures among the peers that a node watches.
#[derive(Debug, Default)]
pub struct FailureRate {
    since: Time,
    times: VecDeque<Time>,
}

impl FailureRate {
    /// The node begins to watch.
    pub fn begin(&mut self, now: Time) {
        (self.since, self.times) = (now, VecDeque::new());
    }

    /// One of them failed.
    pub fn note(&mut self, now: Time) {
        if self.times.len() == REMEMBERED
            && let Some(oldest) = self.times.pop_front()
        {
            self.since = oldest;
        }
        self.times.push_back(now);
    }

    /// Failures of one node in a second.
    fn per_second(&self, watched: usize, now: Time) -> f64 {
        let node_seconds = seconds_of(now.since(self.since)) * watched.max(1) as f64;
        if node_seconds > 0.0 {
            self.times.len() as f64 / node_seconds
        } else {
            0.0
        }
    }

    /// How often entries must be probed, for lookups of `hops` steps of which a share of at most
    /// `target` may meet a dead entry, when `watched` peers are watched.
    ///
    /// An entry that is probed every T seconds and fails at the rate m is dead when it is used
    /// with the probability 1 - (1 - e^(-Tm)) / Tm, which is about Tm / 2 while that is small.
    #[must_use]
    pub fn period(&self, hops: f64, target: f64, watched: usize, now: Time) -> Duration {
        let rate = self.per_second(watched, now);
        if rate <= 0.0 {
            return LONGEST_PERIOD;
        }
        let period_s = 2.0 * target / (rate * hops.max(1.0));
        let most = seconds_of(LONGEST_PERIOD);
        Duration((period_s.min(most) * 1e6) as u64).clamp(SHORTEST_PERIOD, LONGEST_PERIOD)
    }
}

const fn seconds_of(span: Duration) -> f64 {
    span.as_micros() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_period_follows_the_failures() {
        let mut rate = FailureRate::default();
        rate.begin(Time::ZERO);
        let at = |seconds: u64| Time(seconds * 1_000_000);
        assert_eq!(rate.period(3.0, 0.05, 16, at(600)), LONGEST_PERIOD);
        // Sixteen leaves, one failure every 325 s: sessions of 5,200 s on average.
        for failure in 1..=40 {
            rate.note(at(325 * failure));
        }
        let seconds = seconds_of(rate.period(3.0, 0.05, 16, at(325 * 40)));
        assert!(
            (150.0..200.0).contains(&seconds),
            "{seconds} s at sessions of an hour"
        );
        let later = seconds_of(rate.period(3.0, 0.05, 16, at(325 * 80)));
        assert!(later > 2.0 * seconds, "{later} s after a quiet time");
    }
}
