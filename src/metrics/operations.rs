//! Operations of the service, by kind and outcome.

use super::register::{counters, histograms};
use overlay::{Failure, Outcome, Reply, Request};
use prometheus::{Histogram, IntCounter, Registry};

/// Bounds of the histogram of operations, in seconds: from a local answer to a call given up.
const BUCKETS: [f64; 15] = [
    0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0,
];

/// Kinds of operations, in the order of [`kind_index`].
const KINDS: [&str; 11] = [
    "create",
    "join",
    "leave",
    "put",
    "get",
    "insert",
    "search",
    "delete",
    "locate",
    "search_text",
    "search_prefix",
];

const fn kind_index(request: &Request) -> usize {
    match request {
        Request::Create => 0,
        Request::Join { .. } => 1,
        Request::Leave | Request::LeaveWithin { .. } => 2,
        Request::Put { .. } => 3,
        Request::Get { .. } => 4,
        Request::Insert { .. } => 5,
        Request::Search { .. } => 6,
        Request::Delete { .. } => 7,
        Request::Locate { .. } => 8,
        Request::SearchText { .. } => 9,
        Request::SearchPrefix { .. } => 10,
    }
}

/// Outcomes, in the order of [`outcome_index`]: `done` is everything that was to be done or found,
/// `absent` what is proven not to be there, `unknown` what could not be told, `conflict` a condition
/// that does not hold, `failed` what the node could not do, `refused` what nobody could: the
/// caller's mistake.
const OUTCOMES: [&str; 6] = ["done", "absent", "unknown", "conflict", "failed", "refused"];

const fn outcome_index(reply: &Reply) -> usize {
    let outcome = match reply {
        Reply::Got(report) => report.outcome,
        Reply::Searched(report) => report.outcome,
        Reply::TextSearched(report) => report.outcome,
        // A deletion holds whatever was there.
        Reply::Conflict(_) => return 3,
        Reply::Failed(Failure::Refused(_)) => return 5,
        Reply::Failed(_) => return 4,
        _ => return 0,
    };
    match outcome {
        Outcome::Found => 0,
        Outcome::Absent => 1,
        Outcome::Unknown => 2,
    }
}

/// Which operation; names its counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationKind(usize);

impl From<&Request> for OperationKind {
    fn from(request: &Request) -> Self {
        Self(kind_index(request))
    }
}

impl OperationKind {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        KINDS.get(self.0).copied().unwrap_or("other")
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
        let of = |kind: &&str| Operation {
            outcomes: OUTCOMES.map(|outcome| outcomes.with_label_values(&[*kind, outcome])),
            seconds: seconds.with_label_values(&[*kind]),
        };
        Self(KINDS.iter().map(of).collect())
    }

    pub(super) fn answered(&self, kind: OperationKind, reply: &Reply, seconds: f64) {
        let Some(operation) = self.0.get(kind.0) else {
            return;
        };
        if let Some(counter) = operation.outcomes.get(outcome_index(reply)) {
            counter.inc();
        }
        operation.seconds.observe(seconds);
    }
}
