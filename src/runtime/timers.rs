//! The one heap of timers, and the one timer of the runtime behind it.

use super::Clock;
use overlay::Time;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use tokio::time::Sleep;

#[derive(Debug)]
struct Entry<T> {
    at: Time,
    /// Timers for the same instant fire in the order in which they were armed.
    sequence: u64,
    timer: T,
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

/// Timers by the time at which they are due. They cannot be cancelled; the machine bounds them.
#[derive(Debug)]
pub(crate) struct Timers<T> {
    heap: BinaryHeap<Reverse<Entry<T>>>,
    armed: u64,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            armed: 0,
        }
    }
}

impl<T> Timers<T> {
    pub(crate) fn arm(&mut self, at: Time, timer: T) {
        self.heap.push(Reverse(Entry {
            at,
            sequence: self.armed,
            timer,
        }));
        self.armed += 1;
    }

    /// When the next timer is due.
    pub(crate) fn next(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    /// How many are armed.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Takes one timer that is due.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<T> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry.timer)
    }
}

/// The one timer of the runtime, set to the first of the heap.
pub(crate) struct Alarm {
    clock: Clock,
    sleep: Pin<Box<Sleep>>,
    set_to: Option<Time>,
}

impl Alarm {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            sleep: Box::pin(tokio::time::sleep_until(clock.instant(Time::ZERO))),
            set_to: None,
        }
    }

    pub(crate) fn set(&mut self, at: Option<Time>) {
        if at != self.set_to {
            self.set_to = at;
            if let Some(at) = at {
                self.sleep.as_mut().reset(self.clock.instant(at));
            }
        }
    }

    /// Whether it has gone off; it must be set again then.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        if self.set_to.is_none() || self.sleep.as_mut().poll(cx).is_pending() {
            return false;
        }
        self.set_to = None;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_order_of_time_then_of_arming() {
        let mut timers = Timers::default();
        for (at, name) in [(5, "e"), (3, "b"), (3, "c"), (1, "a"), (4, "d")] {
            timers.arm(Time(at), name);
        }
        assert_eq!(timers.next(), Some(Time(1)));
        let due: Vec<_> = std::iter::from_fn(|| timers.pop_due(Time(4))).collect();
        assert_eq!(due, ["a", "b", "c", "d"]);
        assert_eq!(timers.next(), Some(Time(5)));
    }
}
