//! What happens at a node, as programs hear of it.

mod outcome;

pub use outcome::{CameTo, Counts};

use outcome::came_to;
use overlay::{
    Failure, Id, LocateReport, LookupReport, Movement, Neighbours, Reply, Request, RingChange,
    RootFound, Status,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Something that happened at a node. New kinds are appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Event {
    /// A key was located for somebody who asked for that.
    Lookup(Lookup),
    /// Another call was answered.
    Operation(Operation),
    /// The membership changed, as this node sees it.
    Ring(RingChange),
    /// All neighbours, whenever they have changed; they are looked at once a second.
    Neighbours(Neighbours),
    /// What is moved in the background, whenever that has changed; it is looked at once a second.
    Repair(Repair),
    /// The root of a key was looked up for a call, or the lookup of a [`Lookup`](Self::Lookup) failed.
    CallLookup(CallLookup),
}

/// A key that was located.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lookup {
    /// Where it belongs, and the way there.
    pub report: LocateReport,
    /// How long that took.
    pub took: Duration,
}

/// A lookup that a call needed. None is needed where the node remembers who answers for that part of
/// the circle; whoever wants to see one asks to locate the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallLookup {
    /// What was asked.
    pub kind: OperationKind,
    /// What was looked up.
    pub key: Id,
    /// The root, or why it was not found.
    pub result: Result<RootFound, String>,
    /// How long that took.
    pub took: Duration,
}

/// A call that was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// What was asked.
    pub kind: OperationKind,
    /// The key, where it is about one.
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
    /// What is told of an answer to a call for a key.
    pub(crate) fn answered(
        kind: OperationKind,
        key: Option<Id>,
        reply: &Reply,
        took: Duration,
    ) -> Self {
        let failed = match reply {
            Reply::Failed(failure) => Some(failure.clone()),
            _ => None,
        };
        match (reply, key, &failed) {
            (Reply::Located(report), ..) => {
                return Self::Lookup(Lookup {
                    report: report.clone(),
                    took,
                });
            }
            // Such a call is nothing but its lookup.
            (_, Some(key), Some(failure)) if kind == OperationKind::Locate => {
                return Self::CallLookup(CallLookup {
                    kind,
                    key,
                    result: Err(failure.to_string()),
                    took,
                });
            }
            _ => {}
        }
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

    /// What is told of a lookup that a call needed.
    pub(crate) fn looked_up(kind: OperationKind, report: LookupReport) -> Self {
        Self::CallLookup(CallLookup {
            kind,
            key: report.key,
            result: report.result,
            took: Duration::from_micros(report.took.as_micros()),
        })
    }
}
