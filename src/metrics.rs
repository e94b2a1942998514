//! What a node counts, in the words of Prometheus. All names begin with `p2p_`.

use crate::control::Load;
use crate::event::OperationKind;
use crate::store::StoreMetrics;
use crate::tracker::TrackerMetrics;
use prometheus::core::Collector;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts,
    Registry, TextEncoder,
};
use std::sync::Arc;

/// Bounds of the histogram of operations, in seconds: from a local answer to a call given up.
const OPERATION_BUCKETS: [f64; 14] = [
    0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// The counters of one kind of operation, looked up once.
#[derive(Debug)]
struct Operation {
    done: IntCounter,
    failed: IntCounter,
    seconds: Histogram,
}

/// All counters and gauges of a node.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    operations: Vec<Operation>,
    /// Messages received from peers.
    pub messages_in: IntCounter,
    /// Messages queued for peers.
    pub messages_out: IntCounter,
    /// Bytes of frames and messages received from peers, before encryption.
    pub bytes_in: IntCounter,
    /// Bytes of frames and messages written to peers, before encryption.
    pub bytes_out: IntCounter,
    /// Handshakes completed, by side: `dialled` or `accepted`.
    pub handshakes: IntCounterVec,
    /// Handshakes that failed or were not admitted, by reason.
    pub refused: IntCounterVec,
    /// Messages and connections dropped, by cause.
    pub dropped: IntCounterVec,
    /// Connections that were hung up on, by fault.
    pub faults: IntCounterVec,
    /// Peers reported down to the machine.
    pub peers_down: IntCounter,
    /// Connections that are up or in their handshake, clients included.
    pub connections: IntGauge,
    /// Batches that wait for the machine.
    pub inbox_depth: IntGauge,
    /// Timers that are armed.
    pub timers: IntGauge,
    /// Values stored here.
    pub values: IntGauge,
    /// Holders stored here.
    pub holders: IntGauge,
    /// Entries of the index of words and names stored here.
    pub entries: IntGauge,
    /// Bytes stored here.
    pub stored_bytes: IntGauge,
    /// Records that are to be moved in the background, as far as is known.
    pub records_to_move: IntGauge,
    /// Records moved in the background.
    pub moved_records: IntCounter,
    /// Their bytes.
    pub moved_bytes: IntCounter,
    /// Peers in the tables.
    pub peers: IntGauge,
    /// One when the node is a member of a network.
    pub member: IntGauge,
    /// The store on disk.
    pub store: StoreMetrics,
    /// The tracker.
    pub tracker: TrackerMetrics,
}

/// Registers metrics under the common prefix. The names are constants and distinct, so that
/// neither making nor registering one can fail; a mistake shows in the first test that starts.
#[allow(clippy::expect_used)]
mod register {
    use super::*;

    fn options(name: &str, help: &str) -> Opts {
        Opts::new(format!("p2p_{name}"), help)
    }

    fn keep<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> C {
        registry
            .register(Box::new(collector.clone()))
            .expect("names are distinct");
        collector
    }

    pub(super) fn all(registry: &Registry, collectors: Vec<Box<dyn Collector>>) {
        for collector in collectors {
            registry.register(collector).expect("names are distinct");
        }
    }

    pub(super) fn counter(registry: &Registry, name: &str, help: &str) -> IntCounter {
        keep(
            registry,
            IntCounter::with_opts(options(name, help)).expect("a valid name"),
        )
    }

    pub(super) fn gauge(registry: &Registry, name: &str, help: &str) -> IntGauge {
        keep(
            registry,
            IntGauge::with_opts(options(name, help)).expect("a valid name"),
        )
    }

    pub(super) fn counters(
        registry: &Registry,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> IntCounterVec {
        keep(
            registry,
            IntCounterVec::new(options(name, help), labels).expect("a valid name"),
        )
    }

    pub(super) fn histograms(registry: &Registry, name: &str, help: &str) -> HistogramVec {
        let options =
            HistogramOpts::new(format!("p2p_{name}"), help).buckets(OPERATION_BUCKETS.to_vec());
        keep(
            registry,
            HistogramVec::new(options, &["kind"]).expect("a valid name"),
        )
    }
}

/// The counters of each kind of operation.
fn operations(all: &Registry) -> Vec<Operation> {
    use register::{counters, histograms};
    let outcomes = counters(
        all,
        "operations_total",
        "Calls answered",
        &["kind", "outcome"],
    );
    let seconds = histograms(all, "operation_seconds", "Time from a call to its answer");
    OperationKind::ALL
        .iter()
        .map(|kind| Operation {
            done: outcomes.with_label_values(&[kind.name(), "done"]),
            failed: outcomes.with_label_values(&[kind.name(), "failed"]),
            seconds: seconds.with_label_values(&[kind.name()]),
        })
        .collect()
}

impl Metrics {
    /// New metrics, all zero.
    #[must_use]
    pub fn new() -> Arc<Self> {
        use register::{counter, counters, gauge};
        let all = Registry::new();
        let operations = operations(&all);
        let store = StoreMetrics::default();
        register::all(&all, store.collectors());
        let tracker = TrackerMetrics::default();
        register::all(&all, tracker.collectors());
        Arc::new(Self {
            operations,
            store,
            tracker,
            messages_in: counter(&all, "messages_in_total", "Messages received from peers"),
            messages_out: counter(&all, "messages_out_total", "Messages queued for peers"),
            bytes_in: counter(
                &all,
                "bytes_in_total",
                "Bytes of messages received from peers",
            ),
            bytes_out: counter(
                &all,
                "bytes_out_total",
                "Bytes of messages written to peers",
            ),
            handshakes: counters(&all, "handshakes_total", "Handshakes completed", &["side"]),
            refused: counters(
                &all,
                "refused_total",
                "Handshakes not completed",
                &["reason"],
            ),
            dropped: counters(&all, "dropped_total", "Messages dropped", &["cause"]),
            faults: counters(&all, "faults_total", "Peers hung up on", &["fault"]),
            peers_down: counter(&all, "peers_down_total", "Peers found unreachable"),
            connections: gauge(&all, "connections", "Connections, clients included"),
            inbox_depth: gauge(&all, "inbox_depth", "Batches that wait for the machine"),
            timers: gauge(&all, "timers", "Timers that are armed"),
            values: gauge(&all, "values", "Values stored here"),
            holders: gauge(&all, "holders", "Holders stored here"),
            entries: gauge(&all, "index_entries", "Entries of the index stored here"),
            stored_bytes: gauge(&all, "stored_bytes", "Bytes stored here"),
            records_to_move: gauge(
                &all,
                "records_to_move",
                "Records that are to be moved in the background, as far as is known",
            ),
            moved_records: counter(
                &all,
                "moved_records_total",
                "Records moved in the background",
            ),
            moved_bytes: counter(
                &all,
                "moved_bytes_total",
                "Bytes of records moved in the background",
            ),
            peers: gauge(&all, "peers", "Distinct peers in the tables"),
            member: gauge(&all, "member", "Whether the node is in a network"),
            registry: all,
        })
    }

    /// Counts the answer to a call.
    pub fn operation(&self, kind: OperationKind, failed: bool, seconds: f64) {
        if let Some(operation) = self.operations.get(kind as usize) {
            if failed {
                &operation.failed
            } else {
                &operation.done
            }
            .inc();
            operation.seconds.observe(seconds);
        }
    }

    /// What a status tells of all this.
    #[must_use]
    pub fn load(&self) -> Load {
        let mut load = Load {
            messages_in: self.messages_in.get(),
            messages_out: self.messages_out.get(),
            ..Load::default()
        };
        let mut seconds = 0.0;
        for (operation, kind) in self.operations.iter().zip(OperationKind::ALL) {
            if !kind.is_of_data() {
                continue;
            }
            let failed = operation.failed.get();
            load.operations += operation.done.get() + failed;
            load.failed += failed;
            seconds += operation.seconds.get_sample_sum();
        }
        load.operations_us = (seconds * 1e6) as u64;
        load
    }

    /// Counts something dropped.
    pub fn drop_one(&self, cause: &str) {
        self.dropped.with_label_values(&[cause]).inc();
    }

    /// Takes over what a status shows.
    pub fn observe_status(&self, status: &overlay::Status) {
        let gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.values.set(gauge(status.values));
        self.holders.set(gauge(status.holders));
        self.entries.set(gauge(status.entries));
        self.stored_bytes.set(gauge(status.stored_bytes));
        let left = |movement: &overlay::Movement| movement.records.saturating_sub(movement.moved);
        self.records_to_move
            .set(gauge(status.moving.iter().map(left).sum()));
        let advance = |counter: &IntCounter, to: u64| {
            counter.inc_by(to.saturating_sub(counter.get()));
        };
        advance(&self.moved_records, status.moved_records);
        advance(&self.moved_bytes, status.moved_bytes);
        self.peers.set(i64::from(status.peers));
        self.member.set(i64::from(status.member));
    }

    /// Everything as Prometheus reads it.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        // Writing into memory does not fail; a partial page would be no reason to stop either.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_the_prefix_and_operations_are_counted() {
        let metrics = Metrics::new();
        metrics.operation(OperationKind::Get, false, 0.001);
        metrics.drop_one("malformed");
        let text = String::from_utf8(metrics.render()).unwrap();
        assert!(
            text.contains(r#"p2p_operations_total{kind="get",outcome="done"} 1"#),
            "{text}"
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
