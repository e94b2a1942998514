//! Why a call has no answer.

use crate::control::client::ClientError;
use overlay::{ConflictReport, Failure};
use std::time::Duration;

/// Why a call came to nothing.
///
/// Each says the cause and what to do. Whether something may have changed in the network nevertheless,
/// says [`may_have_changed`](Self::may_have_changed): a call that failed is not always one that was not
/// done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// Something in the call is beyond its limit, or makes no sense. Nothing was changed, and the
    /// same call will be refused again.
    #[error("{0}")]
    Refused(String),
    /// The condition of a write does not hold. Nothing was changed.
    #[error("the condition does not hold: {}; nothing was changed, read before you try again", there(.0))]
    Conflict(ConflictReport),
    /// The network could not do it.
    #[error("{0}")]
    Failed(Failure),
    /// The node has no room for more of this now. Nothing was changed.
    #[error("{0}")]
    Busy(String),
    /// The node was not reached: nothing was asked.
    #[error("{0}")]
    Unreachable(#[source] ClientError),
    /// The node was asked, and the connection broke before it answered.
    #[error("{0}; a write may have taken effect or still do, read before you repeat it")]
    Unanswered(#[source] ClientError),
    /// The node was asked, and did not answer in time.
    #[error(
        "the node did not answer within {}; a write may have taken effect or still do, read before you repeat it, and give calls more time with Client::with_timeout", humantime::format_duration(*.0)
    )]
    NoAnswer(Duration),
    /// The node has ended; a write that was under way then may have taken effect.
    #[error("the node has ended; start it again, or ask another")]
    Ended,
    /// The node answered something else.
    #[error("the node answered another question; use a node of the same version")]
    Nonsense,
}

/// What is there instead of what a condition wants.
fn there(report: &ConflictReport) -> String {
    match report.found {
        Some(version) => format!("version {version} is there"),
        None => "there is no value".to_owned(),
    }
}

impl CallError {
    /// Whether the call, if it was one that writes, may have taken effect nevertheless or still do.
    /// When not, nothing was changed, and nothing will be.
    #[must_use]
    pub const fn may_have_changed(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Conflict(_) | Self::Busy(_) | Self::Unreachable(_) => false,
            Self::Failed(failure) => matches!(
                failure,
                Failure::TooFewReplicas { .. } | Failure::NoAnswer { .. } | Failure::Full(_)
            ),
            Self::Unanswered(_) | Self::NoAnswer(_) | Self::Ended | Self::Nonsense => true,
        }
    }

    /// Whether the same call may do better in a while.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        !matches!(self, Self::Refused(_) | Self::Conflict(_) | Self::Nonsense)
    }
}

impl From<Failure> for CallError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(why) => Self::Refused(why),
            failure @ Failure::Busy(_) => Self::Busy(failure.to_string()),
            failure => Self::Failed(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay::Id;

    #[test]
    fn errors_say_whether_something_may_have_changed() {
        let key = Id::of(b"k");
        let late = CallError::from(Failure::NoAnswer { key });
        assert!(late.may_have_changed() && late.may_pass());
        let early = CallError::from(Failure::NotMember);
        assert!(!early.may_have_changed() && early.may_pass());
        let wrong = CallError::from(Failure::Refused("too long".to_owned()));
        assert_eq!(wrong, CallError::Refused("too long".to_owned()));
        assert!(!wrong.may_have_changed() && !wrong.may_pass());
        let silent = CallError::NoAnswer(Duration::from_secs(2));
        let text = silent.to_string();
        assert!(text.contains("2s") && text.contains("may have"), "{text}");
    }
}
