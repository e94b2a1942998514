//! What the driver counts and shows. What costs more than an addition is done when somebody asks.

use super::Shared;
use super::driver::Driver;
use super::lanes::Lanes;
use super::{
    COMMANDS, INBOX_BATCHES, LARGE_READS, MAX_CONNECTIONS, MAX_DIALS, MAX_HANDSHAKES, MAX_REFUSED,
    URGENT_BATCHES,
};
use crate::control::{Copies, StatusReport};
use crate::feed::{MAX_BEHIND, MAX_READERS};
use crate::metrics::Level;
use crate::store::WAITING_BYTES;
use crate::tracker::MAX_QUESTIONS;
use overlay::{Locate, Machine};
use prometheus::IntGauge;

/// What waited for the machine when it had taken what it could.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waiting {
    pub(super) commands: usize,
}

impl<M: Machine> Shared<M> {
    /// What waits in the queues that all tasks share.
    fn observe_queues(&self) {
        let metrics = &self.metrics;
        let free = |name, free, most: usize| {
            let waiting = most.saturating_sub(free);
            metrics.queues.set(name, Level { waiting, most });
        };
        free("inbox", self.inbox.capacity(), INBOX_BATCHES);
        free("urgent", self.urgent.capacity(), URGENT_BATCHES);
        let reads = self.large_reads.available_permits();
        free("large_reads", reads, LARGE_READS);
        if let Some(questions) = &self.questions {
            free("questions", questions.capacity(), MAX_QUESTIONS);
        }
        let taken = |name, waiting, most| metrics.queues.set(name, Level { waiting, most });
        taken("connections", self.door.connections(), MAX_CONNECTIONS);
        taken("handshakes", self.door.handshakes(), MAX_HANDSHAKES);
        let (readers, behind) = self.feed.level();
        taken("event_readers", readers, MAX_READERS);
        taken("events", behind, MAX_BEHIND);
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        metrics.connections.set(count(self.door.connections()));
    }
}

impl<M: Locate + 'static> Driver<M> {
    /// How the node is; the metrics take it over.
    pub(super) fn report(&self) -> StatusReport {
        let status = self.machine.status();
        let metrics = &self.shared.metrics;
        self.received.flush();
        self.links.flush_counts();
        let tally = self.machine.tally();
        let copies = tally.repair.as_ref().map(Copies::from);
        let (most_calls, most_loads) = (tally.most_calls, tally.most_loads);
        metrics.observe(&status, tally);
        self.shared.observe_queues();
        let to_send = self.links.waiting();
        let peers = ["peers", "peer_fullest"];
        metrics.queues.set_crowd(peers, &to_send, Lanes::MESSAGES);
        metrics
            .queues
            .set_crowd_bytes(peers, &to_send, Lanes::BYTES);
        let taken = |name, waiting, most| metrics.queues.set(name, Level { waiting, most });
        let (refused, held_off) = self.links.avoided();
        taken("refused_peers", refused, MAX_REFUSED);
        taken("held_off", held_off, MAX_REFUSED);
        taken("dials", self.links.dials(), MAX_DIALS);
        taken("calls", self.calls.len(), most_calls);
        let store = &metrics.store;
        let of_store = |gauge: &IntGauge| usize::try_from(gauge.get()).unwrap_or_default();
        taken("store_loads", of_store(&store.loads_waiting), most_loads);
        let (waiting, most) = (of_store(&store.waiting_bytes), WAITING_BYTES as usize);
        metrics
            .queues
            .set_bytes("store_writes", Level { waiting, most });
        let writes = of_store(&store.writes_waiting);
        metrics.queues.depth_of("store_writes", writes);
        taken("commands", self.waiting.commands, COMMANDS);
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        metrics.timers.set(count(self.timers.len()));
        StatusReport {
            status,
            listen: self.process.listen,
            http: self.process.http,
            uptime_s: self.clock.now().0 / 1_000_000,
            connections: u32::try_from(self.links.connected()).unwrap_or(u32::MAX),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            load: Some(metrics.load()),
            copies,
        }
    }
}
