//! A half-open arc of the circle: what a node answers for.

use crate::Id;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The arc `(from, to]`, clockwise. With `from == to` it is the whole circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Arc {
    /// The point before the arc; it does not belong to it.
    pub from: Id,
    /// The last point of the arc; it belongs to it.
    pub to: Id,
}

impl Arc {
    /// The whole circle, as seen from a node that is alone at `at`.
    #[must_use]
    pub const fn whole(at: Id) -> Self {
        Self { from: at, to: at }
    }

    /// Whether the arc contains the point.
    #[must_use]
    pub fn contains(&self, point: Id) -> bool {
        point.in_arc(self.from, self.to)
    }

    /// Whether the arc is the whole circle.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.from == self.to
    }

    /// Whether every point of `other` lies in this arc.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        if self.is_whole() {
            return true;
        }
        if other.is_whole() || !self.contains(other.to) {
            return false;
        }
        // Walking clockwise from our start, the other arc must begin no later than it ends.
        self.from.distance_to(other.from) < self.from.distance_to(other.to)
    }
}

impl fmt::Display for Arc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {}]", self.from.short(), self.to.short())
    }
}
