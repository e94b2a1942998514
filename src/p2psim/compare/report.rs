//! What was measured, for programs.

use serde::Serialize;
use sim::Summary;

/// All that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct CompareReport {
    /// Nodes.
    pub nodes: u64,
    /// Super-peers among them, in that row: C.
    pub super_peers: u64,
    /// The seed.
    pub seed: u64,
    /// The lecture's table.
    pub rows: Vec<Row>,
    /// The same for other numbers of nodes, when a plot was asked for.
    pub curve: Vec<Size>,
    /// The hash of everything that happened, 16 hexadecimal digits.
    pub trace_hash: String,
}

/// All techniques at one number of nodes.
#[derive(Clone, Debug, Serialize)]
pub struct Size {
    /// Nodes.
    pub nodes: u64,
    /// What was measured.
    pub rows: Vec<Row>,
}

/// One technique.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its name.
    pub technique: &'static str,
    /// Whether the figures were computed from what the technique is, not measured.
    pub computed: bool,
    /// What the lecture says.
    pub lecture: Lecture,
    /// Searches for each resource, and inserts.
    pub searches: u64,
    /// A search for what one node in a hundred has.
    pub popular: Cost,
    /// A search for what three nodes have.
    pub rare: Cost,
    /// Messages for one insert, indexes and replicas included.
    pub update_messages: f64,
    /// Records and entries of indexes on one node, when each node shares one resource.
    pub storage: Spread,
    /// Peers that one node knows.
    pub peers: Spread,
    /// The hash of everything that happened, 16 hexadecimal digits.
    pub trace_hash: String,
}

/// What the lecture says of a technique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Lecture {
    /// Of the time of a search.
    pub latency: &'static str,
    /// Of the messages of a search.
    pub messages: &'static str,
    /// Of the messages of an update.
    pub update: &'static str,
    /// Of what a node keeps.
    pub storage: &'static str,
}

/// What a search costs.
#[derive(Clone, Debug, Serialize)]
pub struct Cost {
    /// Nodes that have it.
    pub copies: usize,
    /// Searches that found it, of all.
    pub found: f64,
    /// Network steps to a node that answers, on average.
    pub hops: f64,
    /// From the call to the answer, of searches that found it.
    pub latency_ms: Summary,
    /// Messages for each search, echoes and acknowledgements included.
    pub messages: f64,
}

/// The mean and the largest of all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The largest.
    pub max: u64,
}

impl Spread {
    /// Of what each node has.
    #[must_use]
    pub fn of(all: &[u64]) -> Self {
        Self {
            mean: all.iter().sum::<u64>() as f64 / all.len().max(1) as f64,
            max: all.iter().copied().max().unwrap_or(0),
        }
    }
}
