//! What all clients asked and were told, judged as the answers come.

use overlay::{Failure, Id, OpId, Outcome, Reply, Request, Time};
use p2pnode::p2psim::faults::checks::{self, Check, End};
use p2pnode::p2psim::faults::history::{History, Operation};
use p2pnode::p2psim::faults::weather::Weather;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Something that must not be.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    /// The promise that did not hold.
    pub(crate) promise: String,
    /// What happened.
    pub(crate) text: String,
    /// The key concerned, when it is one.
    pub(crate) key: Option<Id>,
}

/// The history of a run, and the promises that it is held against: those of `p2psim faults`.
pub(crate) struct Record {
    began: Instant,
    directory: PathBuf,
    pub(crate) history: History,
    pub(crate) weather: Weather,
    checks: Vec<Box<dyn Check>>,
    pub(crate) violations: Vec<Violation>,
    /// Operations by kind and outcome.
    pub(crate) outcomes: BTreeMap<(&'static str, &'static str), u64>,
    /// Keys of values, and of resources.
    pub(crate) keys: [BTreeSet<Id>; 2],
    logs: BTreeMap<usize, BufWriter<File>>,
    clients: BTreeMap<OpId, usize>,
    next: u64,
    /// When the clients had ended.
    clients_ended: Time,
    /// Whether absence must be proven in the end.
    is_patient: bool,
}

impl Record {
    pub(crate) fn new(directory: &Path, more: Vec<Box<dyn Check>>, is_patient: bool) -> Self {
        let mut checks = checks::all();
        checks.extend(more);
        Self {
            began: Instant::now(),
            directory: directory.to_owned(),
            history: History::default(),
            weather: Weather::default(),
            checks,
            violations: Vec::new(),
            outcomes: BTreeMap::new(),
            keys: [BTreeSet::new(), BTreeSet::new()],
            logs: BTreeMap::new(),
            clients: BTreeMap::new(),
            next: 0,
            clients_ended: Time(u64::MAX),
            is_patient,
        }
    }

    /// The time since the run began.
    pub(crate) fn now(&self) -> Time {
        Time(u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// From now on only the last reads are recorded.
    pub(crate) fn clients_ended(&mut self) {
        self.clients_ended = self.now();
    }

    /// What clients asked of a key, without the last reads.
    pub(crate) fn by_clients(&self, key: Id) -> impl Iterator<Item = &Operation> {
        let ended = self.clients_ended;
        self.history.on(key).filter(move |op| op.began <= ended)
    }

    /// A client asks a node.
    pub(crate) fn asked(&mut self, client: usize, node: usize, request: Request) -> OpId {
        let op = OpId(self.next);
        self.next += 1;
        let now = self.now();
        let [values, resources] = &mut self.keys;
        match &request {
            Request::Put { key, .. }
            | Request::Get { key, .. }
            | Request::Delete {
                key, holder: None, ..
            } => values.insert(*key),
            Request::Insert { key, .. } | Request::Search { key, .. } => resources.insert(*key),
            _ => false,
        };
        self.history.began(op, client as u32, node, request, now);
        self.clients.insert(op, client);
        op
    }

    /// The node answered. What is said to a read is judged at once.
    pub(crate) fn answered(&mut self, op: OpId, reply: Reply) {
        let now = self.now();
        let outcome = outcome_of(&reply);
        if let Err(text) = self.history.answered(op, reply, now) {
            self.violate("every call is answered exactly once", text, None);
        }
        let Some(operation) = self.history.get(op) else {
            return;
        };
        *self
            .outcomes
            .entry((kind_of(&operation.request), outcome))
            .or_default() += 1;
        let mut found = Vec::new();
        for check in &mut self.checks {
            if let Err(text) = check.answered(&self.history, operation, &self.weather) {
                found.push(violation(check.name(), text, operation.key()));
            }
        }
        self.violations.extend(found);
        self.log(op);
    }

    /// The connection broke or the answer did not come: a write may have taken effect or not,
    /// which is what a node says, too, when it does not know.
    pub(crate) fn unanswered(&mut self, op: OpId) {
        let key = self.history.get(op).and_then(Operation::key);
        let failure = Failure::NoAnswer {
            key: key.unwrap_or_default(),
        };
        self.answered(op, Reply::Failed(failure));
    }

    fn log(&mut self, op: OpId) {
        let (Some(operation), Some(client)) = (self.history.get(op), self.clients.remove(&op))
        else {
            return;
        };
        let path = self.directory.join(format!("client-{client}.jsonl"));
        let file = self.logs.entry(client).or_insert_with(|| {
            BufWriter::new(File::create(path).expect("a file for the history of a client"))
        });
        let (ended, reply) = operation.answer.as_ref().expect("it was answered");
        let line = serde_json::json!({
            "client": client, "node": operation.node,
            "began_us": operation.began.0, "ended_us": ended.0,
            "request": format!("{:?}", operation.request), "answer": format!("{reply:?}"),
        });
        writeln!(file, "{line}").expect("the history is written");
    }

    /// Whether a last read says what it must. Where it is not said that the key is absent but only
    /// that nobody can know, absence must be right: nothing that lives may be unknown. Says whether
    /// absence was proven.
    pub(crate) fn judge(&self, op: OpId, end: &End) -> Result<bool, Violation> {
        let read = self.history.get(op);
        let read = read.ok_or_else(|| violation("a read is recorded", format!("{op:?}"), None))?;
        let (judged, is_proven) = match taken_as_absent(read) {
            Some(absent) if !self.is_patient => (absent, false),
            _ => (read.clone(), true),
        };
        for check in &self.checks {
            let said = check.last_read(&self.history, end, &judged);
            said.map_err(|text| violation(check.name(), text, read.key()))?;
        }
        Ok(is_proven)
    }

    /// Judges the run as a whole, but for its last reads.
    pub(crate) fn finish(&mut self, mut end: End) {
        end.reads_began = Time(u64::MAX);
        for check in &mut self.checks {
            if let Err(text) = check.finished(&self.history, &end) {
                self.violations.push(violation(check.name(), text, None));
            }
        }
        for log in self.logs.values_mut() {
            log.flush().expect("the history is written");
        }
    }

    /// Notes something that must not be.
    pub(crate) fn violate(&mut self, promise: &str, text: String, key: Option<Id>) {
        self.violations.push(violation(promise, text, key));
    }
}

fn violation(promise: &str, text: String, key: Option<Id>) -> Violation {
    let promise = promise.to_owned();
    Violation { promise, text, key }
}

/// The read with `absent` for `unknown`; none when it was known.
fn taken_as_absent(read: &Operation) -> Option<Operation> {
    let mut absent = read.clone();
    let outcome = match &mut absent.answer {
        Some((_, Reply::Got(report))) => &mut report.outcome,
        Some((_, Reply::Searched(report))) => &mut report.outcome,
        _ => return None,
    };
    (std::mem::replace(outcome, Outcome::Absent) == Outcome::Unknown).then_some(absent)
}

/// The name of a request.
pub(crate) const fn kind_of(request: &Request) -> &'static str {
    match request {
        Request::Put { .. } => "put",
        Request::Get { .. } => "get",
        Request::Insert { .. } => "insert",
        Request::Search { .. } => "search",
        Request::Delete { holder: None, .. } => "delete",
        Request::Delete { .. } => "remove",
        _ => "other",
    }
}

/// The name of an answer.
pub(crate) const fn outcome_of(reply: &Reply) -> &'static str {
    match reply {
        Reply::Put(_) | Reply::Inserted(_) | Reply::Deleted(_) => "acknowledged",
        Reply::Got(report) => outcome_name(report.outcome),
        Reply::Searched(report) => outcome_name(report.outcome),
        Reply::Failed(Failure::TooFewReplicas { .. }) => "too few replicas",
        Reply::Failed(Failure::NoAnswer { .. }) => "no answer",
        Reply::Conflict(_) => "conflict",
        Reply::Failed(Failure::Undecided { .. }) => "undecided",
        Reply::Failed(Failure::NotMember) => "not a member",
        Reply::Failed(Failure::NoRoute { .. }) => "no route",
        Reply::Failed(_) => "failed otherwise",
        _ => "other",
    }
}

const fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Found => "found",
        Outcome::Absent => "absent",
        Outcome::Unknown => "unknown",
    }
}

/// Whether the client has what it asked for, and need not ask again.
pub(crate) fn is_final(reply: &Reply) -> bool {
    matches!(
        outcome_of(reply),
        "acknowledged" | "conflict" | "found" | "absent"
    )
}
