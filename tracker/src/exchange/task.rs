//! What the machine is told, and what it tells.

use crate::ids::InfoHash;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Write the holder of this node, if it has clients in the swarm; else remove it.
    Write {
        /// Of which swarm.
        hash: InfoHash,
        /// Whether there is one to be removed.
        published: bool,
        /// Most peers in the sample.
        sample: usize,
    },
    /// Look for what others have published.
    Look(InfoHash),
}

/// What is known of a swarm that somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Peers.
    pub peers: usize,
    /// Whether any of them announces to this node.
    pub own: bool,
}

/// How a write went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The holder is there.
    There {
        /// The age of the oldest client in its sample, in milliseconds.
        oldest_ms: u32,
    },
    /// The holder is not there.
    Gone,
    /// It was refused, or nobody answered. It may have landed all the same.
    Failed,
}

/// What an answer can be made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knowledge {
    /// From memory.
    Good,
    /// From memory as soon as the lookup that is under way has ended, but after [`PATIENCE`](super::PATIENCE) at the
    /// latest.
    Wait,
}
