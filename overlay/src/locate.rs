//! The service that users get from any overlay.
//!
//! Two protocols in one: network maintenance (create, join, leave) and data management (put, get,
//! insert, search, delete). Every reply carries its evidence.

use crate::{Condition, Contact, Id, Machine, OpId, PeerInfo, RingChange, Status, Tally, Version};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

mod failure;
mod lookup;
mod search;

pub use failure::Failure;
pub use lookup::{LocateReport, LookupReport, RootFound};
pub use search::{HitKind, HolderInfo, SearchReport, TextHit, TextReport};

/// A [`Machine`] that serves users: the daemon is generic over it and never names an overlay.
pub trait Locate: Machine<Call = Request, Event = Notice> {
    /// The overlay's name, as users write it and as peers negotiate it.
    const OVERLAY: &'static str;

    /// What an answer of this overlay is worth.
    fn promise(&self) -> Promise;

    /// This node.
    fn me(&self) -> Contact;

    /// What `status` shows.
    fn status(&self) -> Status;

    /// What `peers` shows: every peer in the tables, in order of id.
    fn peers(&self) -> Vec<PeerInfo>;

    /// What it has counted since it started.
    fn tally(&self) -> Tally;

    /// Nodes through which this one would find its network again by itself after a restart. The
    /// driver keeps them in the data directory; none where the user names a member.
    fn hosts(&self) -> Option<Vec<Contact>> {
        None
    }
}

/// What an overlay's answers are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Promise {
    /// Replicated records; absence can be proven.
    Replicated,
    /// Absence proves nothing.
    BestEffort,
}

/// How many replicas must take part before a call is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Consistency {
    /// The root alone.
    One,
    /// W of N for a write, R of N for a read.
    #[default]
    Quorum,
    /// Every replica.
    All,
}

/// A user's call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Found a network of one.
    Create,
    /// Join the network of a member.
    Join {
        /// The member, already connected, its id proven.
        via: Contact,
    },
    /// Hand all data over and leave, however long that takes. Refused with
    /// [`Failure::LastNode`] when nobody is there to take it.
    Leave,
    /// Store a value.
    Put {
        /// Where.
        key: Id,
        /// What; at most [`MAX_VALUE_BYTES`](crate::MAX_VALUE_BYTES).
        value: Bytes,
        /// Seconds to live; without it the value lives until it is deleted.
        ttl_s: Option<u32>,
        /// How many replicas must hold it durably first.
        consistency: Consistency,
        /// What must be there before.
        condition: Condition,
        /// Words to find it by; may be empty. They last as long as this value.
        text: String,
        /// The bytes of the key, when it is to be found by its beginning.
        indexed: Option<Bytes>,
    },
    /// Read a value.
    Get {
        /// Where.
        key: Id,
        /// How many replicas must answer.
        consistency: Consistency,
        /// The newest version that the client has read or written: an older answer, or one that
        /// cannot be told from an older one, is [`Outcome::Unknown`]. So what a client that
        /// carries it along reads never goes backwards, whichever nodes it asks.
        at_least: Option<Version>,
    },
    /// Say that a peer holds a resource; this node renews the lease until it is removed.
    Insert {
        /// The resource.
        key: Id,
        /// Who holds it.
        holder: SocketAddr,
        /// Length of the lease in seconds.
        lease_s: u32,
        /// Words to find it by; may be empty.
        text: String,
        /// The bytes of the key, when it is to be found by its beginning.
        indexed: Option<Bytes>,
    },
    /// List the holders of a resource.
    Search {
        /// The resource.
        key: Id,
        /// Most holders to list.
        limit: u32,
        /// How many replicas must answer.
        consistency: Consistency,
    },
    /// Delete a value, or one holder.
    Delete {
        /// Where.
        key: Id,
        /// The holder to remove; without it, the value is deleted.
        holder: Option<SocketAddr>,
        /// How many replicas must hold the deletion durably first.
        consistency: Consistency,
        /// What must be there before; only for a value.
        condition: Condition,
    },
    /// Find the replica set of a key, and the way to it. Never answered from a cache.
    Locate {
        /// The key.
        key: Id,
        /// Ask hop by hop from here, instead of letting the hops forward.
        iterative: bool,
    },
    /// As `Leave`, and leave after this time in any case. Asked of a node that is leaving, it sets
    /// the end of that.
    LeaveWithin {
        /// How many seconds handing over may take at most.
        seconds: u32,
    },
    /// Find holders and values by the words of their texts.
    SearchText {
        /// The query, as [`Query`](crate::words::Query) parses it.
        text: String,
        /// Most results; at most [`MAX_TEXT_RESULTS`](crate::words::MAX_TEXT_RESULTS).
        limit: u32,
        /// How many replicas must answer for each part of an index.
        consistency: Consistency,
    },
    /// Find holders and values that were published as indexed, by the beginning of their keys.
    SearchPrefix {
        /// How the bytes of their keys begin; empty finds all.
        prefix: Bytes,
        /// Most results; at most [`MAX_TEXT_RESULTS`](crate::words::MAX_TEXT_RESULTS).
        limit: u32,
        /// How many replicas must answer for each part of an index.
        consistency: Consistency,
    },
}

impl Request {
    /// The key that it is about, where it is about one.
    #[must_use]
    pub const fn key(&self) -> Option<Id> {
        match self {
            Self::Put { key, .. }
            | Self::Get { key, .. }
            | Self::Insert { key, .. }
            | Self::Search { key, .. }
            | Self::Delete { key, .. }
            | Self::Locate { key, .. } => Some(*key),
            Self::Create
            | Self::Join { .. }
            | Self::Leave
            | Self::LeaveWithin { .. }
            | Self::SearchText { .. }
            | Self::SearchPrefix { .. } => None,
        }
    }
}

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is there.
    Found,
    /// Proven absent: enough replicas that hold the whole arc said so.
    Absent,
    /// Neither: too few answered.
    Unknown,
}

/// The answer to a put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutReport {
    /// Where.
    pub key: Id,
    /// The version that it got.
    pub version: Version,
    /// Replicas that hold it durably at the time of the answer.
    pub replicas_durable: u32,
    /// Replicas that were asked to.
    pub replicas: u32,
}

/// The answer to a conditional write whose condition does not hold; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictReport {
    /// Where.
    pub key: Id,
    /// The version that is there; none when nothing is, or it was deleted, or it has ended.
    pub found: Option<Version>,
    /// Replicas that confirmed it, the root included.
    pub replicas_answered: u32,
    /// Replicas of the key.
    pub replicas: u32,
}

/// The answer to a get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetReport {
    /// Where.
    pub key: Id,
    /// What was found.
    pub outcome: Outcome,
    /// The value, when found.
    pub value: Option<Bytes>,
    /// Its version, when found; when absent, that of the deletion, or of the value whose time is
    /// over, as long as it is kept.
    pub version: Option<Version>,
    /// Replicas that answered.
    pub replicas_answered: u32,
    /// Replicas that were asked.
    pub replicas_asked: u32,
    /// Why the outcome is unknown.
    pub reason: Option<String>,
    /// Where there are no replicas to ask: nodes that are known to have looked.
    pub reached: Option<u32>,
}

/// The answer to an insert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InsertReport {
    /// The resource.
    pub key: Id,
    /// Who holds it.
    pub holder: SocketAddr,
    /// The version that it got.
    pub version: Version,
    /// Seconds until the lease ends, unless it is renewed.
    pub expires_in_s: u64,
    /// Replicas that hold it durably at the time of the answer.
    pub replicas_durable: u32,
    /// Replicas that were asked to.
    pub replicas: u32,
}

/// The answer to a delete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteReport {
    /// Where.
    pub key: Id,
    /// `Found` when there was something to delete, `Absent` when it is proven that there was
    /// nothing, `Unknown` when the root could not tell; the deletion holds in all three cases.
    pub outcome: Outcome,
    /// The version of the tombstone.
    pub version: Version,
    /// Replicas that hold it durably at the time of the answer.
    pub replicas_durable: u32,
    /// Replicas that were asked to.
    pub replicas: u32,
}

/// The final answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// To `Create` and `Join`.
    Joined,
    /// To `Leave` and `LeaveWithin`: everything was handed over, or there was nobody to hand it to.
    Left,
    /// To `Put`.
    Put(PutReport),
    /// To `Get`.
    Got(GetReport),
    /// To `Insert`.
    Inserted(InsertReport),
    /// To `Search`.
    Searched(SearchReport),
    /// To `Delete`.
    Deleted(DeleteReport),
    /// To `Locate`.
    Located(LocateReport),
    /// To any.
    Failed(Failure),
    /// To a conditional `Put` or `Delete` whose condition does not hold.
    Conflict(ConflictReport),
    /// To `SearchText` and `SearchPrefix`.
    TextSearched(TextReport),
}

/// What a [`Locate`] machine tells its user.
#[derive(Clone, Debug)]
pub enum Notice {
    /// The final answer to a call.
    Done {
        /// The call.
        op: OpId,
        /// The answer.
        reply: Reply,
    },
    /// A change of membership, worth one line in the log.
    Ring(RingChange),
    /// A lookup that a call needed has ended; not of a locate, whose answer says more, and not those
    /// for parts of an index, of which one call may need thousands.
    Lookup {
        /// The call.
        op: OpId,
        /// How it ended.
        report: LookupReport,
    },
}
