//! What clients asked, and what they were told.

use overlay::{Condition, Consistency, Failure, Id, OpId, Outcome, Reply, Request, Time, Version};
use std::collections::BTreeMap;

/// One operation of a client.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Who asked: the number of a session, whose operations may overlap in time.
    pub client: u32,
    /// At which node.
    pub node: usize,
    /// What was asked.
    pub request: Request,
    /// When.
    pub began: Time,
    /// When it was answered, and how.
    pub answer: Option<(Time, Reply)>,
    /// Whether its node crashed or left before it answered.
    pub is_orphan: bool,
    /// Whether it wrote while two live nodes took themselves for the root of its key.
    pub is_contested: bool,
}

/// What an operation did to the value of its key, if it was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// When the client knew.
    pub ended: Time,
    /// The version that it got.
    pub version: Version,
}

impl Operation {
    /// The key.
    #[must_use]
    pub const fn key(&self) -> Option<Id> {
        match &self.request {
            Request::Put { key, .. }
            | Request::Get { key, .. }
            | Request::Insert { key, .. }
            | Request::Search { key, .. }
            | Request::Delete { key, .. }
            | Request::Locate { key, .. } => Some(*key),
            Request::Create
            | Request::Join { .. }
            | Request::Leave
            | Request::LeaveWithin { .. }
            | Request::SearchText { .. }
            | Request::SearchPrefix { .. } => None,
        }
    }

    /// Whether it changes the value of its key (and not a holder).
    #[must_use]
    pub const fn writes_value(&self) -> bool {
        matches!(
            self.request,
            Request::Put { .. } | Request::Delete { holder: None, .. }
        )
    }

    /// The acknowledgement, if it was a write for which something is promised: of one that a single
    /// replica was enough for nothing is, since it goes with the disk of that replica.
    #[must_use]
    pub fn acknowledged(&self) -> Option<Acknowledged> {
        self.done()
            .filter(|_| self.consistency() != Consistency::One)
    }

    /// What it did, if it was a write and its client knows that it was done, however many hold it.
    #[must_use]
    pub fn done(&self) -> Option<Acknowledged> {
        let (ended, reply) = self.answer.as_ref()?;
        let version = match reply {
            Reply::Put(report) => report.version,
            Reply::Inserted(report) => report.version,
            Reply::Deleted(report) => report.version,
            _ => return None,
        };
        Some(Acknowledged {
            ended: *ended,
            version,
        })
    }

    /// How many replicas it asked for.
    #[must_use]
    pub const fn consistency(&self) -> Consistency {
        match &self.request {
            Request::Put { consistency, .. }
            | Request::Get { consistency, .. }
            | Request::Search { consistency, .. }
            | Request::Delete { consistency, .. } => *consistency,
            _ => Consistency::Quorum,
        }
    }

    /// The condition of a write of a value.
    #[must_use]
    pub const fn condition(&self) -> Condition {
        match &self.request {
            Request::Put { condition, .. } | Request::Delete { condition, .. } => *condition,
            _ => Condition::Always,
        }
    }

    /// Whether it was refused, so that it changed nothing and never will: its condition does not
    /// hold, or the failure says so.
    #[must_use]
    pub const fn was_refused(&self) -> bool {
        matches!(
            &self.answer,
            Some((
                _,
                Reply::Conflict(_)
                    | Reply::Failed(
                        Failure::NotMember
                            | Failure::NoRoute { .. }
                            | Failure::Refused(_)
                            | Failure::Busy(_)
                            | Failure::Undecided { .. }
                    )
            ))
        )
    }

    /// Whether it changes the value of its key, as far as anybody knows: not when it was refused.
    #[must_use]
    pub const fn may_have_written(&self) -> bool {
        self.writes_value() && !self.was_refused()
    }

    /// Whether it said that the key is absent.
    #[must_use]
    pub const fn says_absent(&self) -> bool {
        match &self.answer {
            Some((_, Reply::Got(report))) => matches!(report.outcome, Outcome::Absent),
            Some((_, Reply::Searched(report))) => matches!(report.outcome, Outcome::Absent),
            Some((_, Reply::Conflict(report))) => report.found.is_none(),
            Some((_, Reply::Deleted(report))) => {
                self.writes_value() && matches!(report.outcome, Outcome::Absent)
            }
            _ => false,
        }
    }

    /// Whether it is a read that does not know.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        let outcome = match &self.answer {
            Some((_, Reply::Got(report))) => report.outcome,
            Some((_, Reply::Searched(report))) => report.outcome,
            _ => return false,
        };
        matches!(outcome, Outcome::Unknown)
    }

    /// One line for a report.
    #[must_use]
    pub fn describe(&self) -> String {
        let answer = self.answer.as_ref().map_or_else(
            || "not answered".to_owned(),
            |(ended, reply)| format!("at {ended}: {reply:?}"),
        );
        format!(
            "{:?} of client {} at node {} from {}, {answer}",
            self.request, self.client, self.node, self.began
        )
    }
}

/// All operations of a run.
#[derive(Clone, Debug, Default)]
pub struct History {
    operations: BTreeMap<OpId, Operation>,
    by_key: BTreeMap<Id, Vec<OpId>>,
}

impl History {
    /// Notes that an operation began.
    pub fn began(&mut self, op: OpId, client: u32, node: usize, request: Request, now: Time) {
        let operation = Operation {
            client,
            node,
            request,
            began: now,
            answer: None,
            is_orphan: false,
            is_contested: false,
        };
        if let Some(key) = operation.key() {
            self.by_key.entry(key).or_default().push(op);
        }
        self.operations.insert(op, operation);
    }

    /// Notes the answer.
    ///
    /// # Errors
    /// When nobody asked, or it was answered already.
    pub fn answered(&mut self, op: OpId, reply: Reply, now: Time) -> Result<(), String> {
        let Some(operation) = self.operations.get_mut(&op) else {
            return Err(format!(
                "an answer to a call that nobody made: {op:?}, {reply:?}"
            ));
        };
        if operation.answer.is_some() {
            return Err(format!(
                "a second answer, {reply:?}, to {}",
                operation.describe()
            ));
        }
        operation.answer = Some((now, reply));
        Ok(())
    }

    /// Notes that a node is gone: what it had under way will never be answered.
    pub fn orphan(&mut self, node: usize) {
        for operation in self.operations.values_mut() {
            operation.is_orphan |= operation.node == node && operation.answer.is_none();
        }
    }

    /// Notes that a write had two roots to go to.
    pub fn contest(&mut self, op: OpId) {
        if let Some(operation) = self.operations.get_mut(&op) {
            operation.is_contested = true;
        }
    }

    /// One operation.
    #[must_use]
    pub fn get(&self, op: OpId) -> Option<&Operation> {
        self.operations.get(&op)
    }

    /// All operations in the order in which they began.
    pub fn all(&self) -> impl Iterator<Item = &Operation> {
        self.operations.values()
    }

    /// The operations on one key in the order in which they began.
    pub fn on(&self, key: Id) -> impl Iterator<Item = &Operation> {
        let ops = self.by_key.get(&key).into_iter().flatten();
        ops.filter_map(|op| self.operations.get(op))
    }

    /// The newest version of a value that a client knew of: read, or written and acknowledged.
    #[must_use]
    pub fn newest_seen(&self, client: u32, key: Id, before: Time) -> Option<Version> {
        let those = self.on(key).filter(|op| op.client == client);
        let versions = those.filter_map(|op| match op.answer.as_ref()? {
            (ended, _) if *ended > before => None,
            (_, Reply::Got(report)) => report.version,
            _ if op.writes_value() => op.done().map(|done| done.version),
            _ => None,
        });
        versions.max()
    }

    /// The keys that operations named.
    pub fn keys(&self) -> impl Iterator<Item = Id> {
        self.by_key.keys().copied()
    }
}
