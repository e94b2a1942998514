//! Bugs that a test switches on, to see that the checkers of `p2psim faults` find them.
//!
//! They are there only in a build with the feature `planted-bugs`, and then only one at a time, by
//! the configuration. Without the feature nothing of them is left but a `false` that the compiler
//! takes away.

use crate::DhtConfig;

/// A bug of the store.
#[cfg_attr(
    not(feature = "planted-bugs"),
    expect(unreachable_pub, reason = "the other build exports it")
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlantedBug {
    /// A write counts as durable before it is.
    AckBeforeCommit,
    /// A root acknowledges a write that it alone has, and leaves the rest to the next comparison.
    AckAlone,
    /// Tombstones are collected at once, and nothing remains of them.
    DropTombstones,
    /// Of deletions that are collected when their time has come, nothing remains.
    ForgetHorizon,
    /// A node that is restarted knows nothing of what was collected.
    ForgetVouched,
    /// A root says that it has stored what was handed to it, and has not.
    SkipHandOver,
    /// Replicas count as brought together though no record was moved.
    SkipComparison,
    /// A key that nobody asked so far has is called absent.
    AbsentWithoutProof,
    /// Every call is answered twice.
    AnswerTwice,
    /// A call that is out of time is not answered.
    NeverAnswer,
    /// The last replica to answer a read counts, whatever its version.
    OlderValue,
    /// What a client has seen before does not matter.
    IgnoreSession,
    /// A conditional write is done whatever is there.
    IgnoreCondition,
    /// Leases are not renewed.
    NoRenewal,
    /// A lease goes on for a day after its end.
    EndlessLease,
    /// A comparison looks at the first records of a range only.
    SkipRange,
    /// A root does not forget a write that is done.
    KeepFinished,
    /// The timer of a write goes on after its end.
    KeepTimer,
    /// A read loses the first byte of what it found.
    MadeUpValue,
    /// A read whose answer is that nothing is there does not say so.
    UnknownOfAbsent,
    /// A deletion says that nothing was there, whatever was.
    DeniesDeleted,
    /// A deletion says that something was there, whatever was.
    ClaimsDeleted,
    /// A root does not remember a write that it has done, and gives each a version of its own.
    ForgetWrites,
}

impl DhtConfig {
    /// Whether a bug is planted.
    #[cfg(feature = "planted-bugs")]
    pub(crate) fn has_bug(&self, bug: PlantedBug) -> bool {
        self.planted == Some(bug)
    }

    /// Whether a bug is planted: never in this build.
    #[cfg(not(feature = "planted-bugs"))]
    #[expect(clippy::unused_self, reason = "the other build looks at it")]
    pub(crate) const fn has_bug(&self, _bug: PlantedBug) -> bool {
        false
    }
}
