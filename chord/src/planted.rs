//! Bugs that a test switches on, to see that the checkers of the ring find them.
//!
//! They are there only in a build with the feature `planted-bugs`, and then only one at a time, by
//! the configuration. Without the feature nothing of them is left but a `false` that the compiler
//! takes away.

use crate::ChordConfig;

/// A bug of the ring.
#[cfg_attr(
    not(feature = "planted-bugs"),
    expect(unreachable_pub, reason = "the other build exports it")
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlantedBug {
    /// A member keeps its first predecessor, whoever notifies it.
    SkipRectify,
    /// The predecessor of the successor is adopted by hearsay, without asking it.
    AdoptUnasked,
    /// Of a candidate's list only the last entry is taken.
    SkipEntries,
    /// The first two successors change places.
    UnorderedList,
}

impl ChordConfig {
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
