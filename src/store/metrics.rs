//! What a store counts, in the words of Prometheus.

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntGauge, Opts};

/// Bounds of the histograms of commits, in seconds: from a cached write to a disk in trouble.
const COMMIT_BUCKETS: [f64; 13] = [
    0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0,
];

/// Bounds of the histogram of group sizes, in records.
const GROUP_BUCKETS: [f64; 13] = [
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0,
];

/// Counters of a store; clones count together.
#[derive(Clone, Debug)]
pub struct StoreMetrics {
    /// Records per commit. Its count is the number of commits, its sum that of records.
    pub group_records: Histogram,
    /// Seconds from taking a group to its being durable.
    pub commit_seconds: Histogram,
    /// Seconds of that in `fdatasync`.
    pub sync_seconds: Histogram,
    /// Bytes of bodies written.
    pub bytes_written: IntCounter,
    /// Bodies read from disk.
    pub loads: IntCounter,
    /// Bytes that are free on the file system, as far as is known.
    pub free_bytes: IntGauge,
    /// Bytes of those that are kept so that deleting works.
    pub reserved_bytes: IntGauge,
    /// Bytes that count for the quota.
    pub used_bytes: IntGauge,
    /// The quota; zero where there is none.
    pub quota_bytes: IntGauge,
    /// Writes that wait for a commit. This and the next two are as of the last look at the store's
    /// counts, and are shown with the other queues of the node.
    pub writes_waiting: IntGauge,
    /// Bytes of them.
    pub waiting_bytes: IntGauge,
    /// Requests for bodies that wait for the disk.
    pub loads_waiting: IntGauge,
}

impl Default for StoreMetrics {
    fn default() -> Self {
        Self {
            group_records: histogram("group_records", "Records per commit.", &GROUP_BUCKETS),
            commit_seconds: histogram(
                "commit_seconds",
                "Seconds from taking a group of writes to its being durable.",
                &COMMIT_BUCKETS,
            ),
            sync_seconds: histogram(
                "sync_seconds",
                "Seconds of a commit that fdatasync took.",
                &COMMIT_BUCKETS,
            ),
            bytes_written: counter("bytes_written_total", "Bytes of bodies written."),
            loads: counter("loads_total", "Bodies read from disk."),
            free_bytes: gauge("free_bytes", "Bytes free on the store's file system."),
            reserved_bytes: gauge(
                "reserved_bytes",
                "Bytes of the file system that are kept free, so that deleting works.",
            ),
            used_bytes: gauge("used_bytes", "Bytes of the store that count for its quota."),
            quota_bytes: gauge(
                "quota_bytes",
                "Bytes that the store may take; 0 where there is no limit.",
            ),
            writes_waiting: gauge("writes_waiting", "Writes that wait for a commit."),
            waiting_bytes: gauge("waiting_bytes", "Bytes of writes that wait for a commit."),
            loads_waiting: gauge("loads_waiting", "Requests for bodies that wait."),
        }
    }
}

impl StoreMetrics {
    /// Those that are not shown as queues, to be registered.
    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![
            Box::new(self.group_records.clone()),
            Box::new(self.commit_seconds.clone()),
            Box::new(self.sync_seconds.clone()),
            Box::new(self.bytes_written.clone()),
            Box::new(self.loads.clone()),
            Box::new(self.free_bytes.clone()),
            Box::new(self.reserved_bytes.clone()),
            Box::new(self.used_bytes.clone()),
            Box::new(self.quota_bytes.clone()),
        ]
    }
}

fn name(name: &str) -> String {
    format!("p2p_store_{name}")
}

#[allow(clippy::expect_used)] // The names and the bounds are constants.
fn histogram(of: &str, help: &str, buckets: &[f64]) -> Histogram {
    let options = HistogramOpts::new(name(of), help).buckets(buckets.to_vec());
    Histogram::with_opts(options).expect("the bounds of a histogram rise")
}

#[allow(clippy::expect_used)] // The names are constants.
fn counter(of: &str, help: &str) -> IntCounter {
    IntCounter::with_opts(Opts::new(name(of), help)).expect("the name of a counter is valid")
}

#[allow(clippy::expect_used)] // The names are constants.
fn gauge(of: &str, help: &str) -> IntGauge {
    IntGauge::with_opts(Opts::new(name(of), help)).expect("the name of a gauge is valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_can_be_registered_together() {
        let registry = prometheus::Registry::new();
        for collector in StoreMetrics::default().collectors() {
            registry.register(collector).unwrap();
        }
    }
}
