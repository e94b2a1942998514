//! Operations of the service, by kind and outcome.

use super::register::{counters, histograms};
use crate::control::Load;
use crate::event::OperationKind;
use overlay::{Failure, Outcome, Reply};
use prometheus::{Histogram, IntCounter, Registry};

/// Bounds of the histogram of operations, in seconds: from a local answer to a call given up.
const BUCKETS: [f64; 15] = [
    0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0,
];

/// Outcomes, in the order of [`outcome_index`]: `done` is everything that was to be done or found,
/// `absent` what is proven not to be there, `unknown` what could not be told, `conflict` a condition
/// that does not hold, `failed` what the node could not do, `refused` what nobody could: the
/// caller's mistake.
const OUTCOMES: [&str; 6] = ["done", "absent", "unknown", "conflict", "failed", "refused"];
const FAILED: usize = 4;
const REFUSED: usize = 5;

const fn outcome_index(reply: &Reply) -> usize {
    let outcome = match reply {
        Reply::Got(report) => report.outcome,
        Reply::Searched(report) => report.outcome,
        Reply::TextSearched(report) => report.outcome,
        // A deletion holds whatever was there.
        Reply::Conflict(_) => return 3,
        Reply::Failed(Failure::Refused(_)) => return REFUSED,
        Reply::Failed(_) => return FAILED,
        _ => return 0,
    };
    match outcome {
        Outcome::Found => 0,
        Outcome::Absent => 1,
        Outcome::Unknown => 2,
    }
}

/// The counters of one kind of operation, looked up once.
#[derive(Debug)]
struct Operation {
    outcomes: [IntCounter; OUTCOMES.len()],
    seconds: Histogram,
}

/// The counters of all kinds.
#[derive(Debug)]
pub(super) struct Operations(Vec<Operation>);

impl Operations {
    pub(super) fn new(all: &Registry) -> Self {
        let help = "Calls answered, by kind and outcome: those of users and of the tracker, not those with which the node looks at itself";
        let outcomes = counters(all, "operations_total", help, &["kind", "outcome"]);
        let help = "Time from a call to its answer";
        let seconds = histograms(all, "operation_seconds", help, "kind", &BUCKETS);
        let of = |kind: OperationKind| Operation {
            outcomes: OUTCOMES.map(|outcome| outcomes.with_label_values(&[kind.name(), outcome])),
            seconds: seconds.with_label_values(&[kind.name()]),
        };
        Self(OperationKind::ALL.map(of).into())
    }

    pub(super) fn answered(&self, kind: OperationKind, reply: &Reply, seconds: f64) {
        let Some(operation) = self.0.get(kind as usize) else {
            return;
        };
        if let Some(counter) = operation.outcomes.get(outcome_index(reply)) {
            counter.inc();
        }
        operation.seconds.observe(seconds);
    }

    /// Puts the calls about data into what a status tells.
    pub(super) fn add_to(&self, load: &mut Load) {
        let mut seconds = 0.0;
        for (operation, kind) in self.0.iter().zip(OperationKind::ALL) {
            if !kind.is_of_data() {
                continue;
            }
            let counts = operation.outcomes.each_ref().map(IntCounter::get);
            load.operations += counts.iter().sum::<u64>();
            load.failed += counts[FAILED];
            seconds += operation.seconds.get_sample_sum();
        }
        load.operations_us = (seconds * 1e6) as u64;
    }
}
