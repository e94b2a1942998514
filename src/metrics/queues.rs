//! What waits, and how much may wait: one shape for every queue and table of the drivers, wherever it is.
//!
//! Those of the machine's task come with its report. The others belong to other threads; each is looked
//! at when somebody asks for the page, so that it costs nothing while nobody does.

use super::register::gauges;
use prometheus::{IntGaugeVec, Registry};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Queues and tables that are there from the start: what nobody has used yet is empty, and not unknown.
const QUEUES: [&str; 20] = [
    "inbox",
    "urgent",
    "commands",
    "calls",
    "dials",
    "connections",
    "handshakes",
    "refused_peers",
    "held_off",
    "large_reads",
    "peers",
    "peer_fullest",
    "requests",
    "requests_fullest",
    "answers",
    "answers_fullest",
    "events",
    "event_readers",
    "store_writes",
    "store_loads",
];
/// Those that are bounded in bytes.
const OF_BYTES: [&str; 5] = [
    "peers",
    "peer_fullest",
    "answers",
    "answers_fullest",
    "store_writes",
];

/// How much is in a queue, and how much may be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Level {
    pub(crate) waiting: usize,
    pub(crate) most: usize,
}

/// What is in many queues of one kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Crowd {
    queues: usize,
    messages: usize,
    bytes: usize,
    fullest: usize,
    fullest_bytes: usize,
}

impl Crowd {
    /// One more of them.
    pub(crate) fn add(&mut self, (messages, bytes): (usize, usize)) {
        self.queues += 1;
        self.messages += messages;
        self.bytes += bytes;
        self.fullest = self.fullest.max(messages);
        self.fullest_bytes = self.fullest_bytes.max(bytes);
    }

    /// All of them together, of which each holds so much, and the fullest one.
    fn levels(&self, most: usize) -> [Level; 2] {
        // Of none as much as of one: a share of nothing is no number.
        let all = most.saturating_mul(self.queues.max(1));
        let level = |waiting, most| Level { waiting, most };
        [level(self.messages, all), level(self.fullest, most)]
    }
}

/// How a queue of another thread is looked at; none when it has ended.
type Look = Box<dyn Fn() -> Option<usize> + Send + Sync>;

/// A queue that is looked at when somebody asks.
struct Watched {
    name: &'static str,
    most: usize,
    look: Look,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched")
            .field("name", &self.name)
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Queues {
    depth: IntGaugeVec,
    capacity: IntGaugeVec,
    bytes: IntGaugeVec,
    capacity_bytes: IntGaugeVec,
    watched: Mutex<Vec<Watched>>,
}

impl Queues {
    pub(super) fn new(all: &Registry) -> Self {
        let depth = "What waits or is open, by queue: messages for peers, batches for the machine, calls of users, connections; of those of many peers or clients all together, and the fullest one";
        let capacity = "What the same queue holds at most; of those of many peers or clients as many as there are now. What is missing here is bounded in bytes";
        let bytes = "Bytes of what waits, by queue";
        let capacity_bytes = "Bytes that the same queue holds at most";
        let of = |name, help, known| gauges(all, name, help, ("queue", known));
        Self {
            depth: of("queue_depth", depth, &QUEUES),
            capacity: of("queue_capacity", capacity, &[]),
            bytes: of("queue_bytes", bytes, &OF_BYTES),
            capacity_bytes: of("queue_capacity_bytes", capacity_bytes, &[]),
            watched: Mutex::default(),
        }
    }

    /// What a queue holds, and may hold.
    pub(crate) fn set(&self, name: &'static str, level: Level) {
        self.depth_of(name, level.waiting);
        set(&self.capacity, name, level.most);
    }

    /// What a queue holds that has no bound but one in bytes.
    pub(crate) fn depth_of(&self, name: &'static str, waiting: usize) {
        set(&self.depth, name, waiting);
    }

    /// Many queues under two names: all of them together, and the fullest. Each holds so many messages.
    pub(crate) fn set_crowd(&self, names: [&'static str; 2], crowd: &Crowd, most: usize) {
        for (name, level) in names.into_iter().zip(crowd.levels(most)) {
            self.set(name, level);
        }
    }

    /// The same in bytes.
    pub(crate) fn set_crowd_bytes(&self, names: [&'static str; 2], crowd: &Crowd, most: usize) {
        let in_bytes = Crowd {
            messages: crowd.bytes,
            fullest: crowd.fullest_bytes,
            ..*crowd
        };
        for (name, level) in names.into_iter().zip(in_bytes.levels(most)) {
            self.set_bytes(name, level);
        }
    }

    /// The bytes that a queue holds, and may hold.
    pub(crate) fn set_bytes(&self, name: &'static str, level: Level) {
        set(&self.bytes, name, level.waiting);
        set(&self.capacity_bytes, name, level.most);
    }

    /// From now on looks at this queue whenever somebody asks, until `look` says that it has ended.
    pub(crate) fn watch(
        &self,
        name: &'static str,
        most: usize,
        look: impl Fn() -> Option<usize> + Send + Sync + 'static,
    ) {
        let look = Box::new(look);
        let mut watched = self.watched();
        watched.retain(|one| one.name != name);
        watched.push(Watched { name, most, look });
    }

    /// Looks at what is watched.
    pub(super) fn look(&self) {
        self.watched().retain(|one| {
            let Some(waiting) = (one.look)() else {
                // It may never have been looked at.
                let _ = self.depth.remove_label_values(&[one.name]);
                let _ = self.capacity.remove_label_values(&[one.name]);
                return false;
            };
            let most = one.most;
            self.set(one.name, Level { waiting, most });
            true
        });
    }

    /// The lock is held for an instant only.
    fn watched(&self) -> MutexGuard<'_, Vec<Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn set(gauges: &IntGaugeVec, name: &str, number: usize) {
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    gauges.with_label_values(&[name]).set(number);
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use std::sync::Arc;
    use tokio::sync::Semaphore;

    fn has(metrics: &Metrics, line: &str) -> bool {
        let page = String::from_utf8(metrics.render()).unwrap();
        page.lines().any(|one| one == line)
    }

    #[test]
    fn a_queue_is_looked_at_whenever_somebody_asks_and_no_more_once_it_has_ended() {
        let metrics = Metrics::new();
        let room = Arc::new(Semaphore::new(3));
        let weak = Arc::downgrade(&room);
        let look = move || Some(3 - weak.upgrade()?.available_permits());
        metrics.queues.watch("seats", 3, look);
        assert!(has(&metrics, r#"p2p_queue_depth{queue="seats"} 0"#));
        let held = room.try_acquire().unwrap();
        assert!(has(&metrics, r#"p2p_queue_depth{queue="seats"} 1"#));
        assert!(has(&metrics, r#"p2p_queue_capacity{queue="seats"} 3"#));
        drop(held);
        drop(room);
        for name in ["depth", "capacity"] {
            let page = String::from_utf8(metrics.render()).unwrap();
            assert!(!page.contains(&format!(r#"p2p_queue_{name}{{queue="seats"}}"#)));
        }
    }
}
