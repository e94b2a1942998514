//! What happens at a node, as programs hear of it.

use overlay::{
    Failure, Id, LocateReport, Movement, Neighbours, Outcome, Reply, Request, RingChange, Status,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Something that happened at a node. New kinds are appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Event {
    /// A key was located for somebody.
    Lookup(Lookup),
    /// Another call was answered.
    Operation(Operation),
    /// The membership changed, as this node sees it.
    Ring(RingChange),
    /// All neighbours, whenever they have changed; they are looked at once a second.
    Neighbours(Neighbours),
    /// What is moved in the background, whenever that has changed; it is looked at once a second.
    Repair(Repair),
}

/// A key that was located.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lookup {
    /// Where it belongs, and the way there.
    pub report: LocateReport,
    /// How long that took.
    pub took: Duration,
}

/// A call that was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// What was asked.
    pub kind: OperationKind,
    /// The key, where the answer names one.
    pub key: Option<Id>,
    /// What it came to.
    pub came_to: CameTo,
    /// What that rests on.
    pub counts: Counts,
    /// Why it could not be done, if so.
    pub failed: Option<Failure>,
    /// How long it took.
    pub took: Duration,
}

/// What a call came to. New ones are appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CameTo {
    /// It is done.
    Done,
    /// Something is there, or was until it was deleted.
    Found,
    /// It is proven that nothing is there.
    Absent,
    /// Neither is proven; or a write that may have taken effect, or still may.
    Unknown,
    /// A value is stored.
    Stored,
    /// A holder is inserted.
    Inserted,
    /// The condition of a write does not hold; nothing was changed.
    Conflict,
    /// It was not done; nothing was changed.
    Failed,
}

/// What an outcome rests on, as far as it is of a kind that has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Replicas on whose disks a write is.
    pub durable: Option<u32>,
    /// Replicas that there are.
    pub replicas: Option<u32>,
    /// Replicas that would have been needed.
    pub needed: Option<u32>,
    /// Replicas, or parts of the index, that answered.
    pub answered: Option<u32>,
    /// Those that were asked.
    pub asked: Option<u32>,
    /// Nodes that are known to have looked, where there are no replicas to ask.
    pub reached: Option<u32>,
}

impl CameTo {
    /// `Failed` where it is sure that nothing was changed, else `Unknown`; a read that was not answered
    /// is always unknown, unless it made no sense.
    pub(crate) const fn of_failure(failure: &Failure, writes: bool) -> Self {
        match failure {
            Failure::Refused(_) => Self::Failed,
            Failure::TooFewReplicas { .. }
            | Failure::NoAnswer { .. }
            | Failure::Full(_)
            | Failure::Undecided { .. }
            | Failure::NotHandedOver { .. } => Self::Unknown,
            _ if writes => Self::Failed,
            _ => Self::Unknown,
        }
    }

    /// As documents write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Found => "found",
            Self::Absent => "absent",
            Self::Unknown => "unknown",
            Self::Stored => "stored",
            Self::Inserted => "inserted",
            Self::Conflict => "conflict",
            Self::Failed => "failed",
        }
    }
}

impl From<Outcome> for CameTo {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Found => Self::Found,
            Outcome::Absent => Self::Absent,
            Outcome::Unknown => Self::Unknown,
        }
    }
}

impl Counts {
    fn write(durable: u32, replicas: u32) -> Self {
        Self {
            durable: Some(durable),
            replicas: Some(replicas),
            ..Self::default()
        }
    }

    fn read(answered: u32, asked: u32, reached: Option<u32>) -> Self {
        Self {
            answered: Some(answered),
            asked: Some(asked),
            reached,
            ..Self::default()
        }
    }

    /// How far a write came that was not done.
    pub(crate) fn of_failure(failure: &Failure) -> Self {
        match failure {
            Failure::TooFewReplicas {
                durable,
                replicas,
                needed,
            } => Self {
                needed: Some(*needed),
                ..Self::write(*durable, *replicas)
            },
            _ => Self::default(),
        }
    }
}

/// What an answer says, and what that rests on.
fn came_to(reply: &Reply, writes: bool) -> (CameTo, Counts) {
    let (read, write) = (Counts::read, Counts::write);
    match reply {
        Reply::Got(report) => {
            let seen = read(
                report.replicas_answered,
                report.replicas_asked,
                report.reached,
            );
            (report.outcome.into(), seen)
        }
        Reply::Searched(report) => {
            let seen = read(
                report.replicas_answered,
                report.replicas_asked,
                report.reached,
            );
            (report.outcome.into(), seen)
        }
        Reply::TextSearched(report) => {
            let seen = read(report.answered, report.asked, None);
            (report.outcome.into(), seen)
        }
        Reply::Put(report) => (
            CameTo::Stored,
            write(report.replicas_durable, report.replicas),
        ),
        Reply::Inserted(report) => {
            let durable = write(report.replicas_durable, report.replicas);
            (CameTo::Inserted, durable)
        }
        Reply::Deleted(report) => {
            let durable = write(report.replicas_durable, report.replicas);
            (report.outcome.into(), durable)
        }
        Reply::Conflict(report) => {
            let seen = Counts {
                answered: Some(report.replicas_answered),
                replicas: Some(report.replicas),
                ..Counts::default()
            };
            (CameTo::Conflict, seen)
        }
        Reply::Located(_) => (CameTo::Found, Counts::default()),
        Reply::Failed(failure) => {
            let outcome = CameTo::of_failure(failure, writes);
            (outcome, Counts::of_failure(failure))
        }
        Reply::Joined | Reply::Left => (CameTo::Done, Counts::default()),
    }
}

/// Records on their way to where they belong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    /// Whether the node is leaving.
    pub leaving: bool,
    /// With whom, and why.
    pub moving: Vec<Movement>,
    /// Records that the node has moved since it started, in either direction.
    pub moved_records: u64,
    /// Their bytes.
    pub moved_bytes: u64,
}

impl From<&Status> for Repair {
    fn from(status: &Status) -> Self {
        Self {
            leaving: status.leaving,
            moving: status.moving.clone(),
            moved_records: status.moved_records,
            moved_bytes: status.moved_bytes,
        }
    }
}

/// The kinds of calls. New ones are appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum OperationKind {
    /// A network was founded.
    Create,
    /// A network was joined.
    Join,
    /// The network was left.
    Leave,
    /// A value was stored.
    Put,
    /// A value was read.
    Get,
    /// A holder was inserted.
    Insert,
    /// Holders were listed.
    Search,
    /// A value or a holder was deleted.
    Delete,
    /// A key was located.
    Locate,
    /// Something was searched by words.
    SearchText,
    /// Something was searched by the beginning of its key.
    SearchPrefix,
}

impl From<&Request> for OperationKind {
    fn from(request: &Request) -> Self {
        match request {
            Request::Create => Self::Create,
            Request::Join { .. } => Self::Join,
            Request::Leave | Request::LeaveWithin { .. } => Self::Leave,
            Request::Put { .. } => Self::Put,
            Request::Get { .. } => Self::Get,
            Request::Insert { .. } => Self::Insert,
            Request::Search { .. } => Self::Search,
            Request::Delete { .. } => Self::Delete,
            Request::Locate { .. } => Self::Locate,
            Request::SearchText { .. } => Self::SearchText,
            Request::SearchPrefix { .. } => Self::SearchPrefix,
        }
    }
}

impl OperationKind {
    /// All of them, in order.
    pub(crate) const ALL: [Self; 11] = [
        Self::Create,
        Self::Join,
        Self::Leave,
        Self::Put,
        Self::Get,
        Self::Insert,
        Self::Search,
        Self::Delete,
        Self::Locate,
        Self::SearchText,
        Self::SearchPrefix,
    ];

    /// Whether it is about data, and not about membership.
    pub(crate) const fn is_of_data(self) -> bool {
        !matches!(self, Self::Create | Self::Join | Self::Leave)
    }

    /// Whether it changes records.
    pub(crate) const fn writes(self) -> bool {
        matches!(self, Self::Put | Self::Insert | Self::Delete)
    }

    /// As metrics and documents write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Join => "join",
            Self::Leave => "leave",
            Self::Put => "put",
            Self::Get => "get",
            Self::Insert => "insert",
            Self::Search => "search",
            Self::Delete => "delete",
            Self::Locate => "locate",
            Self::SearchText => "search_text",
            Self::SearchPrefix => "search_prefix",
        }
    }
}

impl Event {
    /// What is told of an answer.
    pub(crate) fn answered(kind: OperationKind, reply: &Reply, took: Duration) -> Self {
        if let Reply::Located(report) = reply {
            return Self::Lookup(Lookup {
                report: report.clone(),
                took,
            });
        }
        let key = match reply {
            Reply::Put(report) => Some(report.key),
            Reply::Got(report) => Some(report.key),
            Reply::Inserted(report) => Some(report.key),
            Reply::Searched(report) => Some(report.key),
            Reply::Deleted(report) => Some(report.key),
            Reply::Conflict(report) => Some(report.key),
            _ => None,
        };
        let failed = match reply {
            Reply::Failed(failure) => Some(failure.clone()),
            _ => None,
        };
        let (came_to, counts) = came_to(reply, kind.writes());
        Self::Operation(Operation {
            kind,
            key,
            came_to,
            counts,
            failed,
            took,
        })
    }
}
