//! What the hops of a lookup say to each other.

use crate::{Arc, Contact, Hop, Id};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// The bit of a lookup's or hop's number that says for whom the lookup is.
pub(super) const FOR_TABLES: u64 = 1;

/// Names one attempt of one lookup; unique at its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LookupId(pub u64);

impl LookupId {
    /// Whether it is for the tables of its origin, and not for the layer above.
    pub(super) const fn is_for_tables(self) -> bool {
        self.0 & FOR_TABLES != 0
    }
}

/// A message of the common lookup. Appended only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LookupMessage {
    /// Pass this on towards the key, or answer it. Acknowledge at once.
    Forward(Box<Forward>),
    /// The hop took the request over.
    Taken {
        /// Which hop request, by the number its sender gave.
        hop: u64,
    },
    /// The hop does not take the request: it is no member, or has too many. Try another.
    Refused {
        /// Which hop request.
        hop: u64,
    },
    /// To the origin: the request came to a node that has nobody left to pass it to.
    DeadEnd {
        /// Which lookup.
        lookup: LookupId,
        /// Silent hops so far.
        timeouts: u16,
        /// Silent nodes so far.
        #[serde(deserialize_with = "crate::wire::few")]
        avoid: SmallVec<[Id; 4]>,
    },
    /// The root's answer, to the origin.
    Answer(Box<Answer>),
    /// Iterative: name the next step.
    Ask {
        /// Names the question.
        hop: u64,
        /// The key.
        key: Id,
        /// Whether the origin was told that this node is the root.
        last: bool,
        /// Nodes that were silent, at most [`MAX_AVOIDED`](super::MAX_AVOIDED).
        #[serde(deserialize_with = "crate::wire::few")]
        avoid: SmallVec<[Id; 4]>,
    },
    /// Iterative: the next step.
    Told {
        /// Which question.
        hop: u64,
        /// The answer.
        step: NextStep,
    },
}

crate::message_kinds!(LookupMessage {
    Forward => "lookup_forward",
    Taken => "lookup_taken",
    Refused => "lookup_refused",
    DeadEnd => "lookup_dead_end",
    Answer => "lookup_answer",
    Ask => "lookup_ask",
    Told => "lookup_told",
});

impl LookupMessage {
    /// Whether it belongs to a lookup that a router makes for its own tables, to join for one: the
    /// price of maintenance, and not of what users ask. Only for counting: a peer may say anything.
    #[must_use]
    pub const fn is_for_tables(&self) -> bool {
        let number = match self {
            Self::Forward(forward) => forward.lookup.0,
            Self::Answer(answer) => answer.lookup.0,
            Self::DeadEnd { lookup, .. } => lookup.0,
            Self::Taken { hop }
            | Self::Refused { hop }
            | Self::Ask { hop, .. }
            | Self::Told { hop, .. } => *hop,
        };
        LookupId(number).is_for_tables()
    }
}

/// A request on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// Names this hop request in the acknowledgement.
    pub hop: u64,
    /// The attempt, as its origin calls it.
    pub lookup: LookupId,
    /// Where the answer goes.
    pub origin: Contact,
    /// The key.
    pub key: Id,
    /// Whether the sender believes the receiver to be the root.
    pub last: bool,
    /// How often a node that was taken for the root has sent it round, because the node before it
    /// was silent and others may stand between that and the key.
    pub checks: u8,
    /// Whether no answer is better than that of a node which only may be the root.
    pub exact: bool,
    /// Steps taken, this one included.
    pub hops: u8,
    /// Silent hops so far.
    pub timeouts: u16,
    /// Silent nodes so far, at most [`MAX_AVOIDED`](super::MAX_AVOIDED).
    #[serde(deserialize_with = "crate::wire::few")]
    pub avoid: SmallVec<[Id; 4]>,
    /// The nodes passed so far, when asked for.
    pub path: Option<Vec<Contact>>,
}

/// The root's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The attempt that it answers.
    pub lookup: LookupId,
    /// The arc that the replicas below answer for.
    pub arc: Arc,
    /// The replica set, the root first.
    pub replicas: Vec<Contact>,
    /// Steps taken.
    pub hops: u8,
    /// Silent hops.
    pub timeouts: u16,
    /// Who passed the request to the root.
    pub previous: Option<Contact>,
    /// The nodes passed, when asked for: the origin first, the root last.
    pub path: Option<Vec<Contact>>,
}

/// What a node tells an origin that asks hop by hop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NextStep {
    /// The asked node is the root.
    Here {
        /// Its arc.
        arc: Arc,
        /// Its replica set.
        replicas: Vec<Contact>,
    },
    /// Ask one of these, best first. Each says whether it would be the root.
    Ask(Vec<Hop>),
    /// The asked node is no member or knows nobody.
    Nowhere,
}
