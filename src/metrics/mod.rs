//! What a node counts, in the words of Prometheus. All names begin with `p2p_`, all units are base
//! units, and no label is made from anything that a peer or a user sends.
//!
//! What happens in the driver is counted where it happens, each counter being looked up once. What the
//! machine knows it counts itself, in plain numbers; they become families when somebody asks, as do
//! those of the process.

mod families;
mod machine;
mod operations;
mod process;
mod queues;
mod register;
mod traffic;

pub(crate) use queues::{Crowd, Level, Queues};
pub(crate) use traffic::Traffic;

use crate::control::Clients;
use crate::event::OperationKind;
use crate::store::StoreMetrics;
use crate::tracker::TrackerMetrics;
use machine::Said;
use operations::Operations;
use overlay::{Quorums, Reply, RingChange, Status, Tally};
use prometheus::{
    Encoder, Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder,
};
use register::{counter, counters_of, gauge, gauges, seconds};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// Why a connection was not let in.
const REFUSALS: [&str; 11] = [
    "connections",
    "handshakes",
    "handshakes_per_ip",
    "handshake_rate",
    "retry",
    "handshake_failed",
    "handshake_slow",
    "other_protocol",
    "no_certificate",
    "refused_peer",
    "http_of_address",
];
/// Why messages and connections are dropped.
const DROPS: [&str; 14] = [
    "queue_full",
    "own_message_too_long",
    "not_dialled",
    "dial_failed",
    "wrong_id",
    "too_long",
    "malformed",
    "truncated",
    "hello",
    "other_quorums",
    "stream",
    "slow",
    "client_malformed",
    "other",
];
/// Faults of peers, as they are written.
const FAULTS: [&str; 5] = ["protocol", "out_of_bounds", "flood", "clock_ahead", "other"];
/// Changes of the neighbours that are worth a line in the log.
const CHANGES: [&str; 7] = [
    "successor",
    "predecessor",
    "dead",
    "cut_off",
    "reunited",
    "last_of_its_ring",
    "other",
];
/// All counters and gauges of a node.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    operations: Operations,
    traffic: traffic::Families,
    /// Handshakes completed, by side: `dialled` or `accepted`.
    pub handshakes: IntCounterVec,
    /// Handshakes that failed or were not admitted, by reason.
    pub refused: IntCounterVec,
    /// Messages and connections dropped, by cause.
    pub dropped: IntCounterVec,
    /// Connections that were hung up on, by fault.
    pub faults: IntCounterVec,
    /// Changes of the neighbours, by kind.
    ring_changes: IntCounterVec,
    /// Peers reported down to the machine.
    pub peers_down: IntCounter,
    /// Connections that are up or in their handshake, clients included.
    pub connections: IntGauge,
    /// What waits, and how much may.
    pub(crate) queues: Queues,
    /// Who may have something waiting.
    pub(crate) clients: Clients,
    /// Timers that are armed.
    pub timers: IntGauge,
    /// Whether the last look at the network found the node of use.
    pub ready: IntGauge,
    /// When that was.
    pub ready_at: Gauge,
    /// Keys whose replica sets were looked for then, and were reached.
    pub samples: IntGaugeVec,
    /// The program and what it runs, once known.
    info: IntGaugeVec,
    /// When a neighbour was last taken for dead.
    died_at: Mutex<Option<Instant>>,
    /// What the machine said of itself last.
    said: Mutex<Option<Said>>,
    /// The store on disk.
    pub store: StoreMetrics,
    /// The tracker.
    pub tracker: TrackerMetrics,
}

impl Metrics {
    /// New metrics, all zero.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let all = Registry::new();
        let store = StoreMetrics::default();
        register::all(&all, store.collectors());
        let tracker = TrackerMetrics::default();
        register::all(&all, tracker.collectors());
        let of = |name, help, label| counters_of(&all, name, help, label);
        let samples =
            "Keys of the last look at the network whose replica sets answered, or did not";
        Arc::new(Self {
            operations: Operations::new(&all),
            traffic: traffic::Families::new(&all),
            store,
            tracker,
            handshakes: of(
                "handshakes_total",
                "Handshakes completed",
                ("side", &["dialled", "accepted"]),
            ),
            refused: of(
                "connections_refused_total",
                "Connections that were not let in, by reason",
                ("reason", &REFUSALS),
            ),
            dropped: of(
                "dropped_total",
                "Messages and connections dropped, by cause",
                ("cause", &DROPS),
            ),
            faults: of(
                "faults_total",
                "Peers hung up on, by fault",
                ("fault", &FAULTS),
            ),
            ring_changes: of(
                "ring_changes_total",
                "Changes of the direct neighbours, by kind",
                ("change", &CHANGES),
            ),
            peers_down: counter(&all, "peers_down_total", "Peers found unreachable"),
            connections: gauge(&all, "connections", "Connections, clients included"),
            queues: Queues::new(&all),
            clients: Clients::default(),
            timers: gauge(&all, "timers", "Timers that are armed"),
            ready: gauge(
                &all,
                "ready",
                "Whether the last look at the network, made when somebody asked for metrics or for /readyz, found that the node has joined and reaches others",
            ),
            ready_at: seconds(&all, "ready_timestamp_seconds", "When that look was made"),
            samples: gauges(
                &all,
                "ready_samples",
                samples,
                ("outcome", &["reached", "missed"]),
            ),
            info: register::info(&all),
            died_at: Mutex::default(),
            said: Mutex::default(),
            registry: all,
        })
    }

    /// Counts the answer to a call.
    pub fn operation(&self, kind: OperationKind, reply: &Reply, seconds: f64) {
        self.operations.answered(kind, reply, seconds);
    }

    /// Counts something dropped.
    pub fn drop_one(&self, cause: &str) {
        self.dropped.with_label_values(&[cause]).inc();
    }

    /// Says what runs here, once.
    pub(crate) fn introduce(&self, overlay: &str, quorums: Quorums) {
        let [replicas, write, read] =
            [quorums.replicas, quorums.write, quorums.read].map(|number| number.to_string());
        let version = env!("CARGO_PKG_VERSION");
        let labels = [version, overlay, &replicas, &write, &read];
        self.info.with_label_values(&labels).set(1);
    }

    /// Counts a change of the neighbours.
    pub(crate) fn ring_change(&self, change: &RingChange) {
        match change {
            RingChange::Dead(_) => *self.died_at() = Some(Instant::now()),
            // The others have restarted: there is nobody beyond a cut.
            RingChange::LastOfItsRing => *self.died_at() = None,
            _ => {}
        }
        let kind = match change {
            RingChange::Successor { .. } => "successor",
            RingChange::Predecessor { .. } => "predecessor",
            RingChange::Dead(_) => "dead",
            RingChange::CutOff => "cut_off",
            RingChange::Reunited(_) => "reunited",
            RingChange::LastOfItsRing => "last_of_its_ring",
            _ => "other",
        };
        self.ring_changes.with_label_values(&[kind]).inc();
    }

    /// When a neighbour was last taken for dead that may be alive beyond a cut.
    pub(crate) fn neighbour_died_at(&self) -> Option<Instant> {
        *self.died_at()
    }

    /// The lock is held for an instant only.
    fn died_at(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.died_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what the machine says of itself.
    pub(crate) fn observe(&self, status: &Status, tally: Tally) {
        let status = status.clone();
        *self.said() = Some(Said { status, tally });
    }

    /// The lock is held for an instant only.
    fn said(&self) -> std::sync::MutexGuard<'_, Option<Said>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything as Prometheus reads it.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        self.queues.look();
        self.clients.show(&self.queues);
        self.tracker.show(&self.queues);
        let mut families = self.registry.gather();
        families.extend(process::families());
        if let Some(said) = &*self.said() {
            families.extend(said.families());
        }
        families.sort_by(|one, other| one.name().cmp(other.name()));
        let mut text = Vec::new();
        // Writing into memory does not fail; a partial page would be no reason to stop either.
        let _ = TextEncoder::new().encode(&families, &mut text);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay::{Failure, Request};

    #[test]
    fn every_name_has_the_prefix_and_operations_are_counted() {
        let metrics = Metrics::new();
        let failed = Reply::Failed(Failure::NotMember);
        metrics.operation((&Request::Create).into(), &failed, 0.001);
        let refused = Reply::Failed(Failure::Refused("too long".to_owned()));
        metrics.operation((&Request::Create).into(), &refused, 0.001);
        metrics.drop_one("malformed");
        let text = String::from_utf8(metrics.render()).unwrap();
        assert!(
            text.contains(r#"p2p_operations_total{kind="create",outcome="failed"} 1"#),
            "{text}"
        );
        assert!(
            text.contains(r#"p2p_operations_total{kind="create",outcome="refused"} 1"#),
            "a mistake of the caller is no failure of the node: {text}"
        );
        assert!(
            text.contains(r#"p2p_dropped_total{cause="malformed"} 1"#),
            "{text}"
        );
        let foreign = text
            .lines()
            .find(|line| !line.starts_with("p2p_") && !line.starts_with('#'));
        assert_eq!(foreign, None);
    }
}
