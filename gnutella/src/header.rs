//! What all descriptors share: a name, a TTL and hops; and what nodes say of themselves and others.

use overlay::Contact;
use serde::{Deserialize, Serialize};

/// Most hosts in one message: what X-Try and a handful of pongs carry.
pub const MAX_HOSTS: usize = 10;
/// Highest TTL that is believed. "TTL = 7" is the default of 0.4; some clients sent 10.
pub const MAX_TTL: u8 = 10;

/// Names a query, a ping, a walk or a transfer: 16 random bytes, so that answers cannot be guessed.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Guid(pub [u8; 16]);

/// The header of a descriptor that is forwarded.
///
/// "TTL: the number of times the descriptor will be forwarded by Gnutella servents before it is
/// removed from the network" (0.4, section 2). The sender of a query does not forward it: with a
/// TTL of 7 it reaches nodes 8 links away, and then has 7 hops. In a tree whose nodes have C links
/// that is the sum of C·(C−1)^i for i = 0..TTL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Its name.
    pub guid: Guid,
    /// How many times it will be forwarded.
    pub ttl: u8,
    /// How many times it has been forwarded.
    pub hops: u8,
}

impl Header {
    /// A new descriptor.
    #[must_use]
    pub const fn new(guid: Guid, ttl: u8) -> Self {
        Self { guid, ttl, hops: 0 }
    }

    /// The header for the next link; none when it may not be forwarded.
    #[must_use]
    pub const fn forwarded(self) -> Option<Self> {
        match (self.ttl.checked_sub(1), self.hops.checked_add(1)) {
            (Some(ttl), Some(hops)) => Some(Self {
                guid: self.guid,
                ttl,
                hops,
            }),
            _ => None,
        }
    }

    /// Whether it is within the limits.
    #[must_use]
    pub const fn is_sane(&self) -> bool {
        self.ttl <= MAX_TTL && self.hops <= MAX_TTL && self.ttl + self.hops <= MAX_TTL
    }
}

/// How far a query came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// Nodes that looked for it, each counted once.
    pub nodes: u32,
    /// Leaves for which a query routing table spoke; one with several ultrapeers counts at each.
    pub leaves: u32,
    /// Whether one of them may have more than it said, looked at or passed on.
    pub is_cut: bool,
}

impl Reach {
    /// Nowhere.
    pub const NONE: Self = Self {
        nodes: 0,
        leaves: 0,
        is_cut: false,
    };

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            nodes: self.nodes.saturating_add(other.nodes),
            leaves: self.leaves.saturating_add(other.leaves),
            is_cut: self.is_cut || other.is_cut,
        }
    }

    /// The one that came further: what two queries reached at least, who may have reached the same
    /// nodes.
    #[must_use]
    pub const fn or_further(self, other: Self) -> Self {
        let further =
            other.nodes > self.nodes || other.nodes == self.nodes && other.leaves > self.leaves;
        Self {
            is_cut: self.is_cut || other.is_cut,
            ..if further { other } else { self }
        }
    }
}

/// What a node is in the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// One of equals, as in 0.4.
    #[default]
    Peer,
    /// Served by ultrapeers.
    Leaf,
    /// Serves leaves.
    Ultrapeer,
}

impl Role {
    /// The role as users write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Leaf => "leaf",
            Self::Ultrapeer => "ultrapeer",
        }
    }
}

/// A node that may be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Who.
    pub contact: Contact,
    /// What it was when last heard of.
    pub role: Role,
    /// Whether it had room for one more link of the kind that the other side would make.
    pub room: bool,
}

/// What two nodes tell each other when they connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// What the sender is.
    pub role: Role,
    /// Its links, leaves not counted.
    pub links: u16,
    /// Whether it would take a leaf.
    pub room: bool,
    /// Other hosts to try; at most [`MAX_HOSTS`].
    pub hosts: Vec<Host>,
}
