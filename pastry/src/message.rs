//! What Pastry nodes say to each other, and the timers that they set themselves.

use crate::config::{MAX_LEAVES, MAX_NEIGHBOURHOOD};
use crate::point::Point;
use overlay::{Contact, Id};
use serde::{Deserialize, Serialize};

/// Most nodes in one answer about a routing table: the rows that a joining node shares with a node
/// on its way, 15 nodes each. Our choice: 16 rows fill the tables of 10^19 nodes.
pub const MAX_ROW_NODES: usize = 256;

/// Where a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// In no network, or only looking for its place: not to be listed.
    Outside,
    /// About to become a member: it is to be listed, and answers for nothing yet.
    Entering,
    /// A member.
    Active,
    /// A member that lost everybody it knew: it answers for nothing.
    CutOff,
}

impl Standing {
    /// Whether the node belongs into leaf sets.
    #[must_use]
    pub const fn is_listed(self) -> bool {
        matches!(self, Self::Entering | Self::Active)
    }
}

/// What a node tells of its leaf set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaves {
    /// Where it stands itself.
    pub standing: Standing,
    /// When there are nodes beyond those listed: how many of those listed are on the larger side.
    pub gap_at: Option<u8>,
    /// Its leaf set, clockwise from itself.
    pub members: Vec<Contact>,
}

impl Leaves {
    /// Whether a correct node can have said this: a set within the bound.
    pub(crate) fn is_sound(&self) -> bool {
        let count = self.members.len();
        count <= MAX_LEAVES && self.gap_at.is_none_or(|at| usize::from(at) <= count)
    }

    /// Whether there are nodes beyond those listed.
    #[must_use]
    pub const fn has_gap(&self) -> bool {
        self.gap_at.is_some()
    }

    /// Who comes before and after whoever tells this; none on a side where everybody is gone.
    pub(crate) fn beside(&self) -> (Option<Id>, Option<Id>) {
        let lost_at = |place: usize| self.gap_at.is_some_and(|at| usize::from(at) == place);
        let before = self.members.last().map(|member| member.id);
        let after = self.members.first().map(|member| member.id);
        (
            before.filter(|_| !lost_at(self.members.len())),
            after.filter(|_| !lost_at(0)),
        )
    }

    /// Whether `from`, who tells this, would list a node there if it knew it to be alive.
    pub(crate) fn would_list(&self, from: Contact, other: Contact) -> bool {
        let start = Point::of(from.id);
        let distance = |contact: Contact| start.clockwise_to(Point::of(contact.id));
        let place = self
            .members
            .partition_point(|member| distance(*member) < distance(other));
        let in_gap = self.gap_at.is_some_and(|at| usize::from(at) == place);
        other.id != from.id && !in_gap
    }
}

/// A message of Pastry. Appended only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PastryMessage {
    /// This is my leaf set; tell me yours.
    Exchange {
        /// Names the question.
        token: u64,
        /// The sender's.
        leaves: Leaves,
    },
    /// The leaf set that was asked for.
    Exchanged {
        /// Which question.
        token: u64,
        /// The answering node's.
        leaves: Leaves,
    },
    /// Are you alive?
    Ping {
        /// Names the question.
        token: u64,
        /// Where the sender stands.
        standing: Standing,
    },
    /// Yes.
    Pong {
        /// Which question.
        token: u64,
        /// Where the answering node stands.
        standing: Standing,
    },
    /// Tell me your routing table, from row `first` to row `last`.
    AskRows {
        /// Names the question.
        token: u64,
        /// The first row.
        first: u8,
        /// The last row.
        last: u8,
    },
    /// Rows of a routing table, with the answering node's place in them left out.
    Rows {
        /// Which question.
        token: u64,
        /// Their nodes, [`MAX_ROW_NODES`] at most.
        nodes: Vec<Contact>,
    },
    /// Tell me whom you have near you.
    AskNearby {
        /// Names the question.
        token: u64,
    },
    /// The neighbourhood set, the nearest first.
    Nearby {
        /// Which question.
        token: u64,
        /// Its nodes.
        nodes: Vec<Contact>,
    },
    /// The sender has become a member, and has measured this round trip to the receiver, in
    /// microseconds.
    Announce {
        /// None when it did not measure.
        rtt_us: Option<u64>,
    },
    /// The sender found this member of its leaf set dead: see for yourself.
    Gone {
        /// Who.
        contact: Contact,
    },
    /// The sender leaves the network and will not answer again.
    Leaving,
}

overlay::message_kinds!(PastryMessage {
    Exchange => "pastry_exchange",
    Exchanged => "pastry_exchanged",
    Ping => "pastry_ping",
    Pong => "pastry_pong",
    AskRows => "pastry_ask_rows",
    Rows => "pastry_rows",
    AskNearby => "pastry_ask_nearby",
    Nearby => "pastry_nearby",
    Announce => "pastry_announce",
    Gone => "pastry_gone",
    Leaving => "pastry_leaving",
});

impl PastryMessage {
    /// Whether every list is within its bound.
    pub(crate) fn is_sound(&self) -> bool {
        match self {
            Self::Exchange { leaves, .. } | Self::Exchanged { leaves, .. } => leaves.is_sound(),
            Self::Rows { nodes, .. } => nodes.len() <= MAX_ROW_NODES,
            Self::Nearby { nodes, .. } => nodes.len() <= MAX_NEIGHBOURHOOD,
            _ => true,
        }
    }
}

/// A timer of a Pastry node. A stale one is recognised by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PastryTimer {
    /// Begin to maintain tables that were given from outside.
    Start,
    /// The next exchange of leaf sets is due.
    Exchange {
        /// Only the latest is meant.
        epoch: u64,
    },
    /// The next look after the routing table is due.
    Upkeep,
    /// Some probe may have waited long enough.
    Probes,
    /// Look up once more the place to join at.
    JoinAgain {
        /// Only the latest is meant.
        token: u64,
    },
    /// Try a lost contact.
    Reunite {
        /// Only the latest is meant.
        epoch: u64,
    },
}
