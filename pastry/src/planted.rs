//! Bugs that a test switches on, to see that the checkers of Pastry find them.
//!
//! They are there only in a build with the feature `planted-bugs`, and then only one at a time, by
//! the configuration. Without the feature nothing of them is left but a `false` that the compiler
//! takes away.

use crate::PastryConfig;

/// A bug of Pastry.
#[cfg_attr(
    not(feature = "planted-bugs"),
    expect(unreachable_pub, reason = "the other build exports it")
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlantedBug {
    /// The first entry of the routing table stands one row too far down.
    WrongRow,
    /// A node answers also for keys that are a little nearer to its neighbour.
    AnswerTooMuch,
    /// A leaf that was found dead stays in the leaf set.
    KeepDead,
}

impl PastryConfig {
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
