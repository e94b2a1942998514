//! The clients of a node: how many requests of theirs are in flight, and how many answers wait for them.

use super::message::MAX_CONTROL_IN_FLIGHT;
use super::server::ReplySink;
use crate::metrics::{Crowd, Queues};
use crate::runtime::queue::Limits;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::Semaphore;

/// Things that live elsewhere: as many as there are, and those that have gone since there was no room.
#[derive(Debug)]
struct Known<T>(Mutex<Vec<Weak<T>>>);

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Known<T> {
    fn add(&self, one: &Arc<T>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == all.capacity() {
            all.retain(|one| one.strong_count() > 0);
        }
        all.push(Arc::downgrade(one));
    }

    fn crowd(&self, level: impl Fn(&T) -> (usize, usize)) -> Crowd {
        let mut crowd = Crowd::default();
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for one in all.iter().filter_map(Weak::upgrade) {
            crowd.add(level(&one));
        }
        crowd
    }
}

/// All clients, looked at when somebody asks for metrics. Connections and their streams are bounded, and
/// so is what is kept here.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    /// The room of each for requests in flight.
    rooms: Known<Semaphore>,
    sinks: Known<ReplySink>,
}

impl Clients {
    /// A client has come, with room for its requests.
    pub(super) fn add(&self, room: &Arc<Semaphore>) {
        self.rooms.add(room);
    }

    /// A client has begun a stream.
    pub(super) fn add_stream(&self, sink: &Arc<ReplySink>) {
        self.sinks.add(sink);
    }

    /// Shows what they have waiting.
    pub(crate) fn show(&self, queues: &Queues) {
        let in_flight = |room: &Semaphore| {
            let free = room.available_permits();
            (MAX_CONTROL_IN_FLIGHT.saturating_sub(free), 0)
        };
        let requests = self.rooms.crowd(in_flight);
        let names = ["requests", "requests_fullest"];
        queues.set_crowd(names, &requests, MAX_CONTROL_IN_FLIGHT);
        let answers = self.sinks.crowd(ReplySink::waiting);
        let names = ["answers", "answers_fullest"];
        queues.set_crowd(names, &answers, Limits::CLIENT.messages);
        queues.set_crowd_bytes(names, &answers, Limits::CLIENT.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn requests_of_clients_are_seen_until_they_have_gone() {
        let metrics = Metrics::new();
        let room = || Arc::new(Semaphore::new(MAX_CONTROL_IN_FLIGHT));
        let rooms = [room(), room()];
        for room in &rooms {
            metrics.clients.add(room);
        }
        for (room, permits) in rooms.iter().zip([3, 5]) {
            room.try_acquire_many(permits).unwrap().forget();
        }
        let line = |name: &str, number: usize| {
            let page = String::from_utf8(metrics.render()).unwrap();
            let line = format!("p2p_queue_{name} {number}");
            assert!(page.lines().any(|one| one == line), "no {line}: {page}");
        };
        line(r#"depth{queue="requests"}"#, 8);
        line(r#"depth{queue="requests_fullest"}"#, 5);
        line(r#"capacity{queue="requests"}"#, 2 * MAX_CONTROL_IN_FLIGHT);
        drop(rooms);
        line(r#"depth{queue="requests"}"#, 0);
        for _ in 0..1_000 {
            metrics.clients.add(&room());
        }
        let kept = metrics.clients.rooms.0.lock().unwrap().len();
        assert!(kept < 10, "{kept} are kept that have gone");
    }
}
