//! Deadlines of many requests behind one driver timer.

use crate::Time;
use std::collections::{BTreeMap, BTreeSet};

/// A set of deadlines, at most one for each key, that needs only one armed timer at a time.
///
/// Timers of a driver cannot be cancelled, so a request that usually succeeds should not arm one
/// of its own: it would outlive the request by its whole time-out. Instead the machine keeps its
/// deadlines here and arms a single timer when [`Deadlines::to_arm`] says so.
///
/// Memory: one entry for each pending key; the owner bounds the number of keys.
#[derive(Debug, Clone)]
pub struct Deadlines<K: Ord + Copy> {
    by_time: BTreeSet<(Time, K)>,
    by_key: BTreeMap<K, Time>,
    armed: Option<Time>,
}

impl<K: Ord + Copy> Default for Deadlines<K> {
    fn default() -> Self {
        Self {
            by_time: BTreeSet::new(),
            by_key: BTreeMap::new(),
            armed: None,
        }
    }
}

impl<K: Ord + Copy> Deadlines<K> {
    /// Sets or moves the deadline of `key`.
    pub fn set(&mut self, key: K, at: Time) {
        self.clear(key);
        self.by_key.insert(key, at);
        self.by_time.insert((at, key));
    }

    /// Removes the deadline of `key`; says whether there was one.
    pub fn clear(&mut self, key: K) -> bool {
        match self.by_key.remove(&key) {
            Some(at) => self.by_time.remove(&(at, key)),
            None => false,
        }
    }

    /// The time at which the owner must arm its timer now, if no timer that is armed already
    /// comes early enough. The owner must arm one when this returns a time.
    #[must_use]
    pub fn to_arm(&mut self) -> Option<Time> {
        let (earliest, _) = *self.by_time.first()?;
        if self.armed.is_some_and(|armed| armed <= earliest) {
            return None;
        }
        self.armed = Some(earliest);
        Some(earliest)
    }

    /// Says that a timer fired at `now`; the owner then takes what is due and arms again.
    pub fn fired(&mut self, now: Time) {
        if self.armed.is_some_and(|armed| armed <= now) {
            self.armed = None;
        }
    }

    /// Takes one key whose deadline has come, the earliest first.
    pub fn pop_due(&mut self, now: Time) -> Option<K> {
        let (at, key) = *self.by_time.first()?;
        if at > now {
            return None;
        }
        self.clear(key);
        Some(key)
    }

    /// The keys that have a deadline, in order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.by_key.keys()
    }

    /// Number of pending deadlines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether nothing is pending.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(deadlines: &mut Deadlines<u32>, now: u64) -> Vec<u32> {
        std::iter::from_fn(|| deadlines.pop_due(Time(now))).collect()
    }

    #[test]
    fn one_timer_serves_all() {
        let mut deadlines = Deadlines::default();
        deadlines.set(1, Time(50));
        assert_eq!(deadlines.to_arm(), Some(Time(50)));
        deadlines.set(2, Time(60));
        assert_eq!(
            deadlines.to_arm(),
            None,
            "the armed timer comes early enough"
        );
        deadlines.set(3, Time(40));
        assert_eq!(
            deadlines.to_arm(),
            Some(Time(40)),
            "an earlier one needs a timer"
        );
        deadlines.fired(Time(40));
        assert_eq!(due(&mut deadlines, 40), [3]);
        assert_eq!(deadlines.to_arm(), Some(Time(50)));
    }

    #[test]
    fn a_moved_or_cleared_deadline_does_not_fire() {
        let mut deadlines = Deadlines::default();
        deadlines.set(1, Time(10));
        deadlines.set(2, Time(10));
        deadlines.set(1, Time(30));
        assert!(deadlines.clear(2));
        assert!(!deadlines.clear(2), "it is gone already");
        assert_eq!(due(&mut deadlines, 20), [], "nothing is due before 30");
        assert_eq!(due(&mut deadlines, 30), [1]);
        assert!(deadlines.is_empty());
    }
}
