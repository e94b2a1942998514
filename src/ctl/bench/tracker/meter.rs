//! What was measured.

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest latency that is told apart: a minute, in nanoseconds.
const MAX_LATENCY_NS: u64 = 60 * 1_000_000_000;
/// Significant decimal digits.
const DIGITS: u8 = 3;
/// The percentiles that are shown, with their names in the document.
const PERCENTILES: [(f64, &str, &str); 3] = [
    (50.0, "p50", "p50_us"),
    (99.0, "p99", "p99_us"),
    (99.9, "p99.9", "p999_us"),
];

/// Latencies, sizes and errors.
#[derive(Debug)]
pub(super) struct Meter {
    latency_ns: Histogram<u64>,
    /// Peers in all answers.
    peers: u64,
    errors: BTreeMap<&'static str, u64>,
    pub(super) elapsed: Duration,
}

impl Meter {
    pub(super) fn new() -> Result<Self, String> {
        Ok(Self {
            latency_ns: Histogram::new_with_bounds(1, MAX_LATENCY_NS, DIGITS)
                .map_err(|error| error.to_string())?,
            peers: 0,
            errors: BTreeMap::new(),
            elapsed: Duration::ZERO,
        })
    }

    pub(super) fn answer(&mut self, took: Duration, peers: usize) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(MAX_LATENCY_NS);
        self.latency_ns.saturating_record(nanos);
        self.peers += peers as u64;
    }

    pub(super) fn error(&mut self, what: &'static str) {
        *self.errors.entry(what).or_default() += 1;
    }

    pub(super) fn answered(&self) -> u64 {
        self.latency_ns.len()
    }

    pub(super) fn errors(&self) -> u64 {
        self.errors.values().sum()
    }

    fn per_s(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 {
            self.answered() as f64 / seconds
        } else {
            0.0
        }
    }

    fn peers_each(&self) -> f64 {
        let answered = self.answered().max(1) as f64;
        (self.peers as f64 / answered * 10.0).round() / 10.0
    }

    fn micros(&self, percentile: f64) -> f64 {
        (self.latency_ns.value_at_percentile(percentile) as f64 / 100.0).round() / 10.0
    }

    pub(super) fn json(&self) -> Map<String, Value> {
        let mut document = Map::new();
        document.insert("announces".to_owned(), json!(self.answered()));
        document.insert("seconds".to_owned(), json!(self.elapsed.as_secs_f64()));
        document.insert("announces_per_s".to_owned(), json!(self.per_s().round()));
        document.insert("peers_each".to_owned(), json!(self.peers_each()));
        for (percentile, _, name) in PERCENTILES {
            document.insert(name.to_owned(), json!(self.micros(percentile)));
        }
        document.insert("errors".to_owned(), json!(self.errors()));
        document.insert("errors_by_kind".to_owned(), json!(self.errors));
        document
    }

    pub(super) fn text(&self) -> String {
        let mut line = format!(
            "{:.0} announces/s ({} in {:.1} s), {:.1} peers each",
            self.per_s(),
            self.answered(),
            self.elapsed.as_secs_f64(),
            self.peers_each()
        );
        for (percentile, name, _) in PERCENTILES {
            line += &format!(", {name} {:.0} µs", self.micros(percentile));
        }
        for (name, count) in &self.errors {
            line += &format!("\n{count} × {name}");
        }
        line
    }
}
