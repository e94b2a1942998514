//! What a node says of how its tracker would answer somebody.

use overlay::Outcome;
use serde::{Deserialize, Serialize};
use tracker::explain::Explanation;

/// How an answer would come about, with what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// What this node's memory would answer.
    pub explanation: Explanation,
    /// Why such an announce would be refused, if it would.
    pub refusal: Option<String>,
    /// What the overlay says of the swarm.
    pub publishers: Publishers,
}

/// The nodes that have told the overlay of clients in a swarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publishers {
    /// Whether there are any; unknown when too few of those asked have answered to prove it.
    pub outcome: Outcome,
    /// How many there are, as far as is known.
    pub nodes: u32,
    /// Replicas that answered.
    pub answered: u32,
    /// Replicas that were asked.
    pub asked: u32,
}

impl Publishers {
    /// Nobody could be asked.
    pub const UNKNOWN: Self = Self {
        outcome: Outcome::Unknown,
        nodes: 0,
        answered: 0,
        asked: 0,
    };
}

impl Explained {
    /// Whether the swarm has peers: what this node knows counts, and only the overlay proves that
    /// nobody is there.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        if self.explanation.peers > 0 {
            return Outcome::Found;
        }
        self.publishers.outcome
    }
}
