//! What the churn experiment found.

use super::tally::Timeouts;
use serde::Serialize;
use sim::Summary;

/// What the experiment found.
#[derive(Clone, Debug, Serialize)]
pub struct ChurnReport {
    /// Nodes at the start.
    pub nodes: u64,
    /// Joins a second, and as many crashes.
    pub joins_per_s: f64,
    /// Simulated minutes.
    pub minutes: u64,
    /// Lookups that ended; those of an origin that crashed meanwhile are not counted.
    pub lookups: u64,
    /// Right answers.
    pub correct: u64,
    /// Wrong answers.
    pub wrong: u64,
    /// Lookups without an answer.
    pub failed: u64,
    /// Lookups that did not succeed (failed or wrong), for each 10,000.
    pub failed_per_10000: f64,
    /// Lookups whose origin crashed before their end.
    pub abandoned: u64,
    /// Nodes that joined.
    pub joins: u64,
    /// Nodes that tried to join and gave up.
    pub join_failures: u64,
    /// Nodes that crashed.
    pub crashes: u64,
    /// Network steps to the owner.
    pub hops: Summary,
    /// Silent hops.
    pub timeouts: Timeouts,
    /// From the call to the answer.
    pub latency_ms: Summary,
    /// Messages sent by all nodes.
    pub messages: u64,
    /// Messages of maintenance, a second and node: the routers' own, and those of the lookups that
    /// they make to join and to fill their tables, acknowledgements and answers included.
    pub control_messages_per_node_s: f64,
    /// Events after which what the overlay promises was checked.
    pub events_checked: u64,
    /// Seconds after the last join or crash until all neighbours were the true ones.
    pub settled_after_s: f64,
    /// The hash of everything that happened, 16 hexadecimal digits.
    pub trace_hash: String,
    /// The first wrong answers in words, and last the command that replays them.
    #[serde(skip)]
    pub complaints: Vec<String>,
}

impl ChurnReport {
    /// Whether no answer was wrong.
    #[must_use]
    pub const fn is_right(&self) -> bool {
        self.wrong == 0
    }
}

/// Describes wrong answers on standard error.
pub(super) fn complain(report: &ChurnReport) {
    report
        .complaints
        .iter()
        .for_each(|complaint| eprintln!("{complaint}"));
}
