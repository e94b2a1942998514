//! What Chord nodes say to each other, and the timers that they set themselves.

use crate::MAX_SUCCESSORS;
use overlay::{Contact, Id};
use serde::{Deserialize, Serialize};

/// A message of the ring. Appended only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChordMessage {
    /// Tell me your state.
    Query {
        /// Names the question.
        token: u64,
    },
    /// The state of a member, or of one that is cut off.
    State {
        /// Which question.
        token: u64,
        /// Its predecessor, when known.
        predecessor: Option<Contact>,
        /// Its successors, nearest first; empty when it is alone or cut off.
        successors: Vec<Contact>,
        /// Whether it is cut off: it knows nobody alive, and answers for no key.
        cut_off: bool,
    },
    /// Alive, but in the middle of a step of its own: ask again soon.
    Pending {
        /// Which question.
        token: u64,
    },
    /// The sender has you as its successor.
    Notify,
    /// Are you alive, and a member?
    Ping {
        /// Names the question.
        token: u64,
    },
    /// Yes.
    Pong {
        /// Which question.
        token: u64,
    },
    /// Alive, but no member: it is joining, or has not begun to. In answer to `Query` and `Ping`.
    NotMember {
        /// Which question.
        token: u64,
    },
    /// The sender leaves the network and will not answer again.
    Leaving,
    /// To the predecessor: the sender's list or predecessor changed. A hint to stabilise soon,
    /// nothing more.
    Changed,
    /// To a new predecessor: the part from `start` up to it is its own from now on.
    Ceded {
        /// The point after which the part begins.
        start: Id,
    },
    /// Tell me your successors: they are alternates for one of my fingers.
    AskList {
        /// Names the question.
        token: u64,
    },
    /// The first successors of a member, nearest first.
    List {
        /// Which question.
        token: u64,
        /// The successors.
        successors: Vec<Contact>,
    },
    /// Tell me your fingers: I am just before you, and some of mine are missing.
    AskFingers {
        /// Names the question.
        token: u64,
    },
    /// The fingers of a member, [`MAX_TOLD_FINGERS`](crate::MAX_TOLD_FINGERS) at most.
    Fingers {
        /// Which question.
        token: u64,
        /// The fingers, the farthest first.
        fingers: Vec<Contact>,
    },
}

overlay::message_kinds!(ChordMessage {
    Query => "chord_query",
    State => "chord_state",
    Pending => "chord_pending",
    Notify => "chord_notify",
    Ping => "chord_ping",
    Pong => "chord_pong",
    NotMember => "chord_not_member",
    Leaving => "chord_leaving",
    Changed => "chord_changed",
    Ceded => "chord_ceded",
    AskList => "chord_ask_list",
    List => "chord_list",
    AskFingers => "chord_ask_fingers",
    Fingers => "chord_fingers",
});

/// A timer of a Chord node. A stale one is recognised by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChordTimer {
    /// Begin to maintain tables that were given from outside. A driver that built a node with
    /// [`Chord::with_tables`](crate::Chord::with_tables) hands this in once, at a random phase of
    /// the stabilisation period; the node stabilises at once and then goes on by itself.
    Start,
    /// The next stabilisation is due.
    Stabilize {
        /// Only the latest is meant.
        epoch: u64,
    },
    /// No answer to a query yet.
    Timeout {
        /// Which query.
        token: u64,
        /// Which try.
        attempt: u32,
    },
    /// Ask again a peer that was pending.
    Again {
        /// Which query.
        token: u64,
    },
    /// Look up once more the place to join at.
    JoinAgain {
        /// Only the latest is meant.
        token: u64,
    },
    /// The time to measure the alternates of a finger, or to be told fingers, is over.
    Survey {
        /// Only the latest is meant.
        token: u64,
    },
    /// A finger that was asked whether it is alive may have been silent for too long.
    Finger {
        /// Only the latest is meant.
        token: u64,
    },
    /// Try a lost contact.
    Reunite {
        /// Only the latest is meant.
        epoch: u64,
    },
}

/// Whether a state is one that a correct node can have: a list within the bound, in ring order
/// from the node itself, so without duplicates and without it.
pub(crate) fn is_sound(
    from: Contact,
    predecessor: Option<Contact>,
    successors: &[Contact],
) -> bool {
    let mut before = Id::ZERO;
    let ordered = successors.iter().all(|contact| {
        let distance = from.id.distance_to(contact.id);
        let farther = distance > before;
        before = distance;
        farther
    });
    ordered
        && successors.len() <= MAX_SUCCESSORS
        && predecessor.is_none_or(|known| known.id != from.id)
}
