//! The techniques of the lecture, what it says of each, and how each is built.

use super::measure::measure;
use super::report::{Cost, Lecture, Row, Spread};
use super::structured::Structured;
use super::unstructured::{Shape, Unstructured};
use crate::p2psim::RunError;
use chord::Chord;
use pastry::Pastry;
use sim::{Summary, TraceHash};

/// Messages of all floods in one row, about: the larger the network, the fewer searches are
/// needed to know their mean, and the longer each takes.
const FLOODED: u64 = 400_000;
/// Fewest searches in one row.
const FEWEST: u64 = 3;

/// A way to find who has what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Technique {
    Flat,
    Directory,
    FullReplication,
    SuperPeers,
    Chord,
    Pastry,
}

impl Technique {
    /// All, in the order of the lecture.
    pub(super) const ALL: [Self; 6] = [
        Self::Flat,
        Self::Directory,
        Self::FullReplication,
        Self::SuperPeers,
        Self::Chord,
        Self::Pastry,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Flat => "unstructured",
            Self::Directory => "directory",
            Self::FullReplication => "full replication",
            Self::SuperPeers => "super-peers",
            Self::Chord => "chord",
            Self::Pastry => "pastry",
        }
    }

    /// What the lecture says; C is the number of super-peers.
    pub(super) const fn lecture(self) -> Lecture {
        let [latency, messages, update, storage] = match self {
            Self::Flat => ["log n", "N", "1", "1"],
            Self::Directory => ["1", "1", "1", "n (max) 1 (avg)"],
            Self::FullReplication => ["1", "1", "n", "n"],
            Self::SuperPeers => ["log C", "C", "1", "N/C (max) 1 (avg)"],
            Self::Chord | Self::Pastry => ["log n", "log n", "log n", "log n"],
        };
        Lecture {
            latency,
            messages,
            update,
            storage,
        }
    }

    /// Builds a network and measures it.
    ///
    /// # Errors
    /// When an invariant does not hold.
    pub(super) fn run(self, seed: u64, nodes: u64, searches: u64) -> Result<Row, RunError> {
        let count = nodes as usize;
        let unstructured = |shape, searches| {
            let mut network = Unstructured::build(seed, count, shape);
            measure(self, &mut network, seed, searches)
        };
        match self {
            Self::Flat => {
                let few = (FLOODED / nodes).max(FEWEST).min(searches);
                unstructured(Shape::Flat, few)
            }
            Self::Directory => unstructured(Shape::Directory, searches),
            Self::SuperPeers => unstructured(Shape::SuperPeers, searches),
            Self::FullReplication => Ok(self.everything_everywhere(nodes, searches)),
            Self::Chord => {
                let mut network = Structured::<Chord>::build(seed, count);
                measure(self, &mut network, seed, searches)
            }
            Self::Pastry => {
                let mut network = Structured::<Pastry>::build(seed, count);
                measure(self, &mut network, seed, searches)
            }
        }
    }

    /// Full replication needs no machine: every node has everything, a search is local, and an
    /// insert is told to everybody else. Nobody who is down is waited for, and nothing is
    /// acknowledged: the least that it can cost.
    fn everything_everywhere(self, nodes: u64, searches: u64) -> Row {
        let local = |copies| Cost {
            copies,
            found: 1.0,
            hops: 0.0,
            latency_ms: Summary::default(),
            messages: 0.0,
        };
        let all = |number: u64| Spread {
            mean: number as f64,
            max: number,
        };
        Row {
            technique: self.name(),
            computed: true,
            lecture: self.lecture(),
            searches,
            popular: local(nodes as usize),
            rare: local(nodes as usize),
            update_messages: (nodes - 1) as f64,
            storage: all(nodes),
            peers: all(nodes - 1),
            trace_hash: TraceHash::default().to_string(),
        }
    }
}
