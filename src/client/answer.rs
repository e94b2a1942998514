//! What reads find, with what that rests on.

use bytes::Bytes;
use overlay::{GetReport, HolderInfo, Outcome, SearchReport, TextHit, TextReport, Version};

/// What a read came to: there are three ways, and "absent" is one that is proven.
///
/// That a question could not be asked or answered at all is no answer but a
/// [`CallError`](crate::CallError).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an answer may be that nothing is known"]
#[non_exhaustive]
pub enum Answer<T> {
    /// It is there.
    #[non_exhaustive]
    Found {
        /// What.
        found: T,
        /// On whose word.
        evidence: Evidence,
    },
    /// Proven absent: enough replicas that hold everything said so. Gnutella proves no absence.
    #[non_exhaustive]
    Absent {
        /// The version of the deletion, or of the value whose time is over, as long as that is kept:
        /// for [`at_least`](crate::client::Get::at_least).
        version: Option<Version>,
        /// On whose word.
        evidence: Evidence,
    },
    /// It may be there or not. Another try may tell.
    #[non_exhaustive]
    Unknown {
        /// Why, in words for a person.
        reason: String,
        /// On whose word.
        evidence: Evidence,
    },
}

/// Who was asked, and who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Evidence {
    /// Replicas that answered; of a search by words or beginnings, parts of the index.
    pub answered: u32,
    /// Who was asked.
    pub asked: u32,
    /// Where there are no replicas to ask, on Gnutella: nodes that are known to have looked.
    pub reached: Option<u32>,
}

/// A value that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Value {
    /// The bytes.
    pub bytes: Bytes,
    /// The version, for conditions and for [`at_least`](crate::client::Get::at_least).
    pub version: Option<Version>,
}

/// What a search by words or by the beginning of keys found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Matches {
    /// The results, in order; one at least.
    pub hits: Vec<TextHit>,
    /// Whether these are proven to be all.
    pub complete: bool,
    /// Why they are not.
    pub reason: Option<String>,
}

impl<T> Answer<T> {
    /// What was found, if anything was: "absent" and "unknown" become the same.
    pub fn found(self) -> Option<T> {
        match self {
            Self::Found { found, .. } => Some(found),
            _ => None,
        }
    }

    /// The same, by reference.
    pub const fn as_found(&self) -> Option<&T> {
        match self {
            Self::Found { found, .. } => Some(found),
            _ => None,
        }
    }

    /// Whether it is proven that there is nothing.
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent { .. })
    }

    /// Whether nothing is known.
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }

    /// On whose word.
    pub const fn evidence(&self) -> Evidence {
        match self {
            Self::Found { evidence, .. }
            | Self::Absent { evidence, .. }
            | Self::Unknown { evidence, .. } => *evidence,
        }
    }

    fn new(
        outcome: Outcome,
        found: Option<T>,
        version: Option<Version>,
        reason: Option<String>,
        evidence: Evidence,
    ) -> Self {
        match (outcome, found) {
            (Outcome::Found, Some(found)) => Self::Found { found, evidence },
            (Outcome::Absent, _) => Self::Absent { version, evidence },
            _ => Self::Unknown {
                reason: reason.unwrap_or_else(|| "too few nodes answered".to_owned()),
                evidence,
            },
        }
    }
}

impl From<GetReport> for Answer<Value> {
    fn from(report: GetReport) -> Self {
        let evidence = Evidence {
            answered: report.replicas_answered,
            asked: report.replicas_asked,
            reached: report.reached,
        };
        let version = report.version;
        let found = report.value.map(|bytes| Value { bytes, version });
        Self::new(report.outcome, found, version, report.reason, evidence)
    }
}

impl From<SearchReport> for Answer<Vec<HolderInfo>> {
    fn from(report: SearchReport) -> Self {
        let evidence = Evidence {
            answered: report.replicas_answered,
            asked: report.replicas_asked,
            reached: report.reached,
        };
        let found = Some(report.holders);
        Self::new(report.outcome, found, None, report.reason, evidence)
    }
}

impl From<TextReport> for Answer<Matches> {
    fn from(report: TextReport) -> Self {
        let evidence = Evidence {
            answered: report.answered,
            asked: report.asked,
            reached: None,
        };
        let found = Matches {
            hits: report.results,
            complete: report.complete,
            reason: report.reason.clone(),
        };
        Self::new(report.outcome, Some(found), None, report.reason, evidence)
    }
}
