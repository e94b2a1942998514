//! What Gnutella nodes say to each other, and how long it may be.
//!
//! The descriptors of the protocol 0.4 (Ping, Pong, Query, QueryHit, Push) and Bye of 0.6 keep
//! their names and their header. What 0.6 writes into HTTP-like headers while two servents connect
//! is `Connect`, `Connected` and `Refused` here.
//!
//! Deviation: a servent of 0.4 listens on TCP and is addressed by it. Here one QUIC link carries
//! everything, so that bodies, copies and the answers to walkers go straight from node to node.

pub use crate::header::{Guid, Header, Hello, Host, MAX_HOSTS, MAX_TTL, Reach, Role};

use crate::routes::QueryTable;
use overlay::words::MAX_QUERY_BYTES;
use overlay::{Contact, Id, Item, MAX_TEXT_BYTES, Record, Slot, Version};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Most hits in one message. With a text of a sentence each they fill one frame.
pub const MAX_HITS: usize = 128;
/// Most bytes of texts in one QueryHit: with it the message fits one frame of 16 KiB or two.
pub const MAX_HIT_TEXT_BYTES: usize = 24 << 10;
/// Most QueryHits with which one node answers one query: with them it gives all of the
/// [`MAX_WANTED`] hits that may be asked for, or 192 KiB of texts, for a query of some bytes.
pub const MAX_ANSWERS: u32 = 8;
/// Most records in one hand-over.
pub const MAX_ITEMS: usize = 256;
/// Most positions in one patch of a query routing table: 64 KiB at most on the wire.
pub const MAX_PATCH: usize = 16_384;
/// Most steps that a walker may still have: what a peer may set at most.
pub const MAX_WALK: u16 = 4_096;
/// Most results that a query may ask for.
pub const MAX_WANTED: u32 = 1_000;

/// What is searched for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// The value of a key.
    Value(Id),
    /// The holders of a key.
    Holders(Id),
    /// Whatever is kept under a key.
    Any(Id),
    /// Texts that have all of these words; at most [`MAX_QUERY_BYTES`].
    Words(String),
    /// One holder of a key.
    Holder(Id, SocketAddr),
}

impl What {
    /// Whether a peer may ask it.
    #[must_use]
    pub const fn fits(&self) -> bool {
        match self {
            Self::Words(text) => text.len() <= MAX_QUERY_BYTES,
            _ => true,
        }
    }
}

/// A search as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// What for.
    pub what: What,
    /// Results wanted, at most [`MAX_WANTED`].
    pub wanted: u32,
}

/// One record that answers a query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// The key.
    pub key: Id,
    /// Its value, or one holder.
    pub slot: Slot,
    /// The version.
    pub version: Version,
    /// Whether it was deleted: then older copies elsewhere do not count.
    pub gone: bool,
    /// Seconds that it will live, if that is limited.
    pub life_s: Option<u32>,
    /// Bytes of a value.
    pub bytes: u32,
    /// The text of it.
    pub text: String,
}

/// The answer of one node to a query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryHit {
    /// The query's GUID, and a TTL that takes it home.
    pub header: Header,
    /// Who has it.
    pub from: Contact,
    /// What; at most [`MAX_HITS`].
    pub hits: Vec<Hit>,
}

impl QueryHit {
    /// Whether a peer may send it.
    #[must_use]
    pub fn fits(&self) -> bool {
        let texts = self.hits.iter().map(|hit| hit.text.len());
        self.hits.len() <= MAX_HITS
            && !self.hits.is_empty()
            && texts.clone().all(|length| length <= MAX_TEXT_BYTES)
            && texts.sum::<usize>() <= MAX_HIT_TEXT_BYTES
    }
}

/// Asks a node that hit to send a body by itself; travels the way of the hit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// The GUID of the query, and a TTL.
    pub header: Header,
    /// Who is to send.
    pub servent: Id,
    /// What: the value of this key.
    pub key: Id,
    /// The name of the transfer.
    pub req: Guid,
    /// To whom.
    pub to: Contact,
}

/// What a walker is out for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Errand {
    /// Find.
    Search(Query),
    /// Find a node that takes a copy of a record, with this key and version, of so many bytes.
    Place {
        /// The key.
        key: Id,
        /// The version.
        version: Version,
        /// Value or holder.
        slot: Slot,
    },
}

/// A walker: it goes to one neighbour at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    /// The search.
    pub guid: Guid,
    /// Which of its walkers.
    pub walker: u8,
    /// Who sent it out: whom it checks back with.
    pub origin: Contact,
    /// Steps that it may still take.
    pub ttl: u16,
    /// Steps that it has taken.
    pub hops: u16,
    /// Nodes that it was the first walker to visit, since it checked back.
    pub fresh: Reach,
    /// What for.
    pub errand: Errand,
}

/// A change of a query routing table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routes {
    /// The number of this change; each is one more than the last.
    pub number: u64,
    /// Whether the table begins anew, empty.
    pub reset: bool,
    /// Positions that are set now: the first, then the distances between them.
    pub set: Vec<u32>,
    /// Positions that are not set any more, likewise.
    pub cleared: Vec<u32>,
    /// How many leaves the table speaks for besides its sender.
    pub leaves: u16,
}

impl Routes {
    /// Whether a peer may send it.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.set.len() + self.cleared.len() <= MAX_PATCH
            && QueryTable::are_gaps(&self.set)
            && QueryTable::are_gaps(&self.cleared)
    }
}

/// Why a link ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ByeCode {
    /// The node leaves the network.
    Leaving,
    /// The node has no link with the other; its table is wrong.
    NoLink,
    /// A node without any link needs the place; it is among the hosts.
    RoomNeeded,
    /// The roles of the two do not go together any more.
    Role,
    /// The other broke the rules.
    Fault,
}

/// What one node says to another. Variants are only appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Let us have a link.
    Connect(Hello),
    /// We have one.
    Connected(Hello),
    /// No; try these.
    Refused(Vec<Host>),
    /// Who is there?
    Ping(Header),
    /// This host is.
    Pong {
        /// The ping's GUID, and a TTL that takes it home.
        header: Header,
        /// Who.
        host: Host,
        /// Records that it shares.
        records: u64,
    },
    /// Who has this?
    Query {
        /// Name and reach.
        header: Header,
        /// What.
        query: Query,
    },
    /// I have.
    QueryHit(Box<QueryHit>),
    /// The query ends here: how far it came, and how many QueryHits went this way. Each query on a
    /// link is answered by exactly one.
    ///
    /// Deviation: 0.4 has no such descriptor, and a search there never ends. It is the echo of
    /// Chang, "Echo algorithms" (IEEE TSE 1982): one message for each query.
    Reached {
        /// The query's GUID.
        guid: Guid,
        /// How far.
        reach: Reach,
        /// QueryHits.
        hits: u32,
    },
    /// Send a body to somebody who cannot reach you.
    Push(Push),
    /// This link ends.
    Bye {
        /// Why.
        code: ByeCode,
        /// Other hosts to try.
        hosts: Vec<Host>,
    },
    /// A walker.
    Walk(Box<Walk>),
    /// A walker asks its origin whether to go on, or says that it has ended.
    CheckBack {
        /// The search.
        guid: Guid,
        /// Which walker.
        walker: u8,
        /// Nodes visited since the last time.
        fresh: Reach,
        /// Whether it has ended.
        ended: bool,
    },
    /// The answer.
    GoOn {
        /// The search.
        guid: Guid,
        /// Which walker.
        walker: u8,
        /// Whether to.
        go: bool,
    },
    /// A node that a walker found would take a copy.
    Offer {
        /// The walk.
        guid: Guid,
        /// Which walker.
        walker: u8,
    },
    /// A part of a query routing table.
    Routes(Box<Routes>),
    /// The last part that was sent, so that a lost one is noticed.
    RoutesAt(u64),
    /// The table is not known: send all of it.
    RoutesWanted,
    /// Send me the value of a key.
    Fetch {
        /// The name of the transfer.
        req: Guid,
        /// Of what.
        key: Id,
    },
    /// The answer to a fetch or a push.
    Body {
        /// The name of the transfer.
        req: Guid,
        /// The record; none when there is none.
        record: Option<Record>,
    },
    /// Keep a copy.
    Replicate {
        /// The walk that found you, or the name of the answer.
        req: Guid,
        /// Of this.
        item: Item,
        /// The words of a value; a holder has them in its record.
        text: String,
    },
    /// Whether it is kept, durably.
    Replicated {
        /// As asked.
        req: Guid,
        /// Whether.
        kept: bool,
    },
    /// I leave; keep these.
    HandOver {
        /// The name of the answer.
        req: Guid,
        /// What; at most [`MAX_ITEMS`].
        items: Vec<Item>,
    },
    /// They are kept, durably.
    HandedOver {
        /// As asked.
        req: Guid,
        /// Whether.
        kept: bool,
    },
}

impl Message {
    /// The names of the kinds, in the order of [`kind`](Self::kind).
    pub const KINDS: [&'static str; 14] = [
        "gnutella_link",
        "gnutella_ping",
        "gnutella_pong",
        "gnutella_query",
        "gnutella_query_hit",
        "gnutella_reached",
        "gnutella_push",
        "gnutella_walk",
        "gnutella_check_back",
        "gnutella_go_on",
        "gnutella_routes",
        "gnutella_body",
        "gnutella_copy",
        "gnutella_hand_over",
    ];

    /// The kind of the message, for counters: a place in [`KINDS`](Self::KINDS).
    #[must_use]
    pub const fn kind(&self) -> usize {
        match self {
            Self::Connect(_) | Self::Connected(_) | Self::Refused(_) | Self::Bye { .. } => 0,
            Self::Ping(_) => 1,
            Self::Pong { .. } => 2,
            Self::Query { .. } => 3,
            Self::QueryHit(_) => 4,
            Self::Reached { .. } => 5,
            Self::Push(_) => 6,
            Self::Walk(_) => 7,
            Self::CheckBack { .. } => 8,
            Self::GoOn { .. } => 9,
            Self::Routes(_) | Self::RoutesAt(_) | Self::RoutesWanted => 10,
            Self::Fetch { .. } | Self::Body { .. } => 11,
            Self::Offer { .. } | Self::Replicate { .. } | Self::Replicated { .. } => 12,
            Self::HandOver { .. } | Self::HandedOver { .. } => 13,
        }
    }
}
