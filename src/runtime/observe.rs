//! What the driver counts and shows. What costs more than an addition is done when somebody asks.

use super::Shared;
use super::driver::Driver;
use super::queue::Limits;
use super::{COMMANDS, INBOX_BATCHES, LARGE_READS, MAX_DIALS, URGENT_BATCHES};
use crate::control::{Copies, StatusReport};
use crate::tracker::MAX_QUESTIONS;
use overlay::{Locate, Machine};

/// What waited for the machine when it had taken what it could.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waiting {
    pub(super) commands: usize,
}

impl<M: Machine> Shared<M> {
    /// What waits in the queues that all tasks share.
    fn observe_queues(&self) {
        let metrics = &self.metrics;
        let (inbox, urgent) = (self.inbox.capacity(), self.urgent.capacity());
        metrics.bounded("inbox", INBOX_BATCHES - inbox, INBOX_BATCHES);
        metrics.bounded("urgent", URGENT_BATCHES - urgent, URGENT_BATCHES);
        let reads = LARGE_READS - self.large_reads.available_permits();
        metrics.bounded("large_reads", reads, LARGE_READS);
        if let Some(questions) = &self.questions {
            let waiting = MAX_QUESTIONS - questions.capacity();
            metrics.bounded("questions", waiting, MAX_QUESTIONS);
        }
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
        metrics.observe(&status, tally);
        self.shared.observe_queues();
        let to_send = self.links.waiting();
        metrics.queue("peers", to_send.messages);
        let of_peer = Limits::PEER.messages + Limits::URGENT.messages;
        metrics.bounded("peer_fullest", to_send.fullest, of_peer);
        metrics.bounded("dials", self.links.dials(), MAX_DIALS);
        metrics.queue("calls", self.calls.len());
        metrics.bounded("commands", self.waiting.commands, COMMANDS);
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        metrics.send_queue_bytes.set(count(to_send.bytes));
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
