//! What waits for one of the store's threads.
//!
//! The queue has no bound of its own, because a write cannot be refused once it is visible: the
//! machine asks [`room`](dht::Store::room) before, which looks at how much waits, and bounds how many loads it waits for.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A queue of work for one thread.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    /// The thread sleeps: it must be woken.
    asleep: bool,
    end: End,
}

/// Whether the queue ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    /// What waits is still done.
    Closed,
    /// Nothing is done any more.
    Stopped,
}

/// What taking from a queue comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken<T> {
    /// What waited, in order; never empty.
    Group(Vec<T>),
    /// Nothing came in time.
    Idle,
    /// Nothing waits, and nothing will come.
    Ended,
}

impl<T> Queue<T> {
    pub(super) const fn new() -> Self {
        Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                asleep: false,
                end: End::Open,
            }),
            changed: Condvar::new(),
        }
    }

    /// The lock is held for an instant only, and never across a panic.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds work; says how much waits.
    pub(super) fn push(&self, work: T) -> usize {
        let mut state = self.lock();
        if state.end != End::Stopped {
            state.waiting.push_back(work);
        }
        let (wake, length) = (state.asleep, state.waiting.len());
        drop(state);
        if wake {
            self.changed.notify_one();
        }
        length
    }

    /// Takes at least one piece of work, and more while they weigh no more than `limit` together;
    /// waits for the first one, `patience` long at most.
    pub(super) fn take(
        &self,
        limit: usize,
        weight: impl Fn(&T) -> usize,
        patience: Option<Duration>,
    ) -> Taken<T> {
        let mut state = self.lock();
        while state.waiting.is_empty() && state.end == End::Open {
            let (next, timed_out) = self.sleep(state, patience);
            state = next;
            if timed_out && state.waiting.is_empty() && state.end == End::Open {
                return Taken::Idle;
            }
        }
        if state.end == End::Stopped || state.waiting.is_empty() {
            return Taken::Ended;
        }
        let mut sum = 0usize;
        let many = state.waiting.iter().take_while(|work| {
            sum = sum.saturating_add(weight(work));
            sum <= limit
        });
        let count = many.count().max(1);
        Taken::Group(state.waiting.drain(..count).collect())
    }

    /// Waits; true when the queue has been closed meanwhile or before.
    pub(super) fn pause(&self, patience: Duration) -> bool {
        let mut state = self.lock();
        if state.end == End::Open {
            state = self.sleep(state, Some(patience)).0;
        }
        state.end != End::Open
    }

    /// Sleeps until something changes or patience ends; says whether it ended.
    fn sleep<'a>(
        &self,
        mut state: MutexGuard<'a, State<T>>,
        patience: Option<Duration>,
    ) -> (MutexGuard<'a, State<T>>, bool) {
        state.asleep = true;
        let (mut state, timed_out) = match patience {
            None => {
                let woken = self.changed.wait(state);
                (woken.unwrap_or_else(PoisonError::into_inner), false)
            }
            Some(patience) => {
                let woken = self.changed.wait_timeout(state, patience);
                let (state, result) = woken.unwrap_or_else(PoisonError::into_inner);
                (state, result.timed_out())
            }
        };
        state.asleep = false;
        (state, timed_out)
    }

    /// Nothing will be added; what waits is still taken.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        if state.end == End::Open {
            state.end = End::Closed;
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Nothing is taken any more.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.end = End::Stopped;
        state.waiting.clear();
        drop(state);
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_waits_up_to_the_limit() {
        let queue = Queue::new();
        for weight in [5, 1, 1, 9] {
            queue.push(weight);
        }
        let take = || queue.take(3, |weight| *weight, None);
        assert_eq!(take(), Taken::Group(vec![5]));
        assert_eq!(take(), Taken::Group(vec![1, 1]));
        queue.close();
        assert_eq!(take(), Taken::Group(vec![9]));
        assert_eq!(take(), Taken::Ended);
    }

    #[test]
    fn patience_ends_and_a_stop_drops_what_waits() {
        let queue = Queue::new();
        let patience = Some(Duration::from_millis(1));
        assert_eq!(queue.take(1, |_: &u8| 1, patience), Taken::Idle);
        assert!(!queue.pause(Duration::from_millis(1)));
        queue.push(1);
        queue.stop();
        queue.push(2);
        assert_eq!(queue.take(1, |_| 1, None), Taken::Ended);
        assert!(queue.pause(Duration::from_secs(60)));
    }
}
