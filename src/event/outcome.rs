//! What a call came to, and what that rests on.

use overlay::{Failure, Outcome, Reply};
use serde::{Deserialize, Serialize};

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
pub(super) fn came_to(reply: &Reply, writes: bool) -> (CameTo, Counts) {
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
