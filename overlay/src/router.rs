//! What an overlay that answers for keys must tell the lookup and the store above it.
//!
//! After Dabek, Zhao, Druschel, Kubiatowicz and Stoica, "Towards a Common API for Structured
//! Peer-to-Peer Overlays" (IPTPS 2003): `next_hops` is their `local_lookup`, `owned` their
//! `replicaSet` and `range`, [`RouterEvent::NeighboursChanged`] their `update` upcall.

use crate::lookup::Located;
use crate::{Arc, Contact, Duration, Id, Machine, Neighbours, OpId, Time};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// A [`Machine`] that keeps routing tables and answers for keys.
///
/// It differs from its siblings in its tables only. The lookup over those tables is written once,
/// in [`lookup`](crate::lookup); when a router needs a lookup for itself (to join, to fill its
/// tables), it emits [`RouterEvent::Lookup`] and gets [`RouterCall::Looked`] back.
pub trait KeyRouter: Machine<Call = RouterCall, Event = RouterEvent> {
    /// The overlay's name, as users write it.
    const NAME: &'static str;

    /// This node.
    fn me(&self) -> Contact;

    /// Whether the node takes part: it has created a network or joined one, and has not left.
    fn is_member(&self) -> bool;

    /// Whether this node is the root of the key, as far as it knows.
    fn claim(&self, key: Id) -> Claim;

    /// Peers to pass a request for `key` on to, in order of preference, `limit` at most, without
    /// those that `skip` rejects (they were found silent); none when there is nobody.
    ///
    /// `last` says that whoever sent the request believes this node to be the root although
    /// [`claim`](Self::claim) says [`Claim::Elsewhere`]. The router then names the nodes between
    /// the key and itself that would be root in its place, so that they are asked first; when all
    /// of them are dead, this node answers, unless the lookup is
    /// [exact](crate::lookup::LookupRequest::exact).
    fn next_hops(
        &self,
        key: Id,
        last: bool,
        limit: usize,
        skip: &dyn Fn(Id) -> bool,
        hops: &mut SmallVec<[Hop; 8]>,
    );

    /// The arcs for which this node is the root, each with its replica set: this node first, then
    /// the others in order of rank, `replicas` nodes at most (fewer in a smaller network). All
    /// keys of one arc share their replica set. Empty when the node is no member.
    fn owned(&self, replicas: usize) -> Vec<OwnedArc>;

    /// Neighbours to show to a person.
    fn neighbours(&self) -> Neighbours;

    /// Every peer in the tables, once each, in order of id.
    fn contacts(&self) -> Vec<Contact>;

    /// A number that grows whenever the neighbour set changes.
    fn generation(&self) -> u64;

    /// Takes in a round trip to a peer that the lookup measured. A router that chooses its peers
    /// by proximity, or that probes those from whom it heard nothing, wants to know.
    fn observe_rtt(&mut self, peer: Id, rtt: Duration, now: Time) {
        let _ = (peer, rtt, now);
    }
}

/// Whether a node answers for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is the root.
    Mine,
    /// Another node is.
    Elsewhere,
    /// It is no member of the network yet, or no longer.
    NotMember,
}

/// One candidate for the next step of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// Whom to ask.
    pub contact: Contact,
    /// Whether it would be the root, as far as the asking node knows.
    pub last: bool,
}

/// An arc for which a node is the root, with its replica set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedArc {
    /// The keys.
    pub arc: Arc,
    /// The root, then the other replicas by rank.
    pub replicas: Vec<Contact>,
}

/// What a router is asked to do.
#[derive(Clone, Debug)]
pub enum RouterCall {
    /// Found a network of one.
    Create,
    /// Join the network of which `via` is a member.
    Join {
        /// A member, already connected.
        via: Contact,
    },
    /// Stop taking part. Data has been handed over already.
    Leave,
    /// The answer to [`RouterEvent::Lookup`]; `None` when it failed.
    Looked {
        /// The token of the request.
        token: u64,
        /// The result.
        found: Option<Located>,
    },
    /// A peer was silent when the lookup asked it to forward. It may be dead, or slow.
    Silent(Contact),
}

/// Why a router wants a lookup; the lookup is the same, the reports differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupPurpose {
    /// To find its place in the network.
    Join,
    /// To fill its tables.
    Tables,
}

/// What a router tells the layer above it.
#[derive(Clone, Debug)]
pub enum RouterEvent {
    /// Look up the root of `key`, through `via` when the node is no member yet, and answer with
    /// [`RouterCall::Looked`].
    Lookup {
        /// Names the request in the answer.
        token: u64,
        /// What to look up.
        key: Id,
        /// The member to start from, for a node that is joining.
        via: Option<Contact>,
        /// Why.
        purpose: LookupPurpose,
    },
    /// The node is a member now; the final event of `Create` and `Join`.
    Joined {
        /// The call that it answers.
        op: OpId,
    },
    /// The node could not join; the final event of `Join`.
    JoinFailed {
        /// The call that it answers.
        op: OpId,
        /// Why, in words for a person.
        reason: String,
    },
    /// The node no longer takes part; the final event of `Leave`.
    Left {
        /// The call that it answers.
        op: OpId,
    },
    /// The arcs or replica sets of this node may have changed.
    NeighboursChanged,
    /// Something that an operator wants one line about.
    Ring(RingChange),
}

/// A change of membership as one node sees it. New ones are appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RingChange {
    /// The direct successor (the first neighbour) is another node now.
    Successor {
        /// Before, if any.
        was: Option<Contact>,
        /// Now; none when the node is alone.
        is: Option<Contact>,
    },
    /// The direct predecessor is another node now.
    Predecessor {
        /// Before, if any.
        was: Option<Contact>,
        /// Now; none when unknown.
        is: Option<Contact>,
    },
    /// A neighbour did not answer a probe and is taken for dead.
    Dead(Contact),
    /// No neighbour is left alive: the node is cut off and tries to come back.
    CutOff,
    /// The node is back in the ring after having been cut off, or has found a part of the network
    /// from which it had been separated.
    Reunited(Contact),
    /// After having been cut off the node found nobody who is in a ring, and neighbours of old
    /// that are up again without one: it is the ring now, and they can join it.
    LastOfItsRing,
}
