//! Messages, and writing them.

use super::NodeId;
use super::item::Item;
use crate::bencode::Writer;
use crate::ids::InfoHash;
use std::net::{IpAddr, SocketAddr};

/// A message of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Chosen by whoever asks, repeated in the answer; at most
    /// [`MAX_TRANSACTION_BYTES`](super::MAX_TRANSACTION_BYTES).
    pub transaction: Vec<u8>,
    /// Which program it is, four bytes in general.
    pub version: Option<Vec<u8>>,
    /// The address that an answer sees the asker at (BEP 42).
    pub seen_at: Option<SocketAddr>,
    /// Whether the asker is not to be listed, for it answers nothing (BEP 43).
    pub read_only: bool,
    /// What it says.
    pub body: Body,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A question.
    Query {
        /// Of whom.
        id: NodeId,
        /// Which.
        query: Query,
        /// Which families of nodes the answer is to hold (BEP 32).
        want: Want,
    },
    /// An answer.
    Reply(Box<Reply>),
    /// A failure.
    Error {
        /// 201 in general, 203 for a wrong message, 204 for an unknown question, and those of BEP 44.
        code: i64,
        /// For people.
        text: String,
    },
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// Are you there?
    Ping,
    /// Who is near this id?
    FindNode {
        /// The id.
        target: NodeId,
    },
    /// Who is in this swarm?
    GetPeers {
        /// Which.
        info_hash: InfoHash,
        /// No seeds, please (BEP 33).
        noseed: bool,
    },
    /// I am in this swarm.
    AnnouncePeer {
        /// Which.
        info_hash: InfoHash,
        /// Where connections are taken; none for the port that the datagram comes from.
        port: Option<u16>,
        /// What an answer to `get_peers` gave.
        token: Vec<u8>,
        /// Whether it has everything (BEP 33).
        seed: bool,
    },
    /// What is stored here? (BEP 44)
    Get {
        /// The key.
        target: NodeId,
        /// Only what is newer than this.
        newer_than: Option<i64>,
    },
    /// Store this. (BEP 44)
    Put {
        /// What.
        item: Box<Item>,
        /// Only if the present sequence number is this.
        cas: Option<i64>,
        /// What an answer to `get` gave.
        token: Vec<u8>,
    },
    /// Some of the info-hashes that you know. (BEP 51)
    SampleInfohashes {
        /// And who is near this id?
        target: NodeId,
    },
}

/// Which address families are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// IPv4.
    pub n4: bool,
    /// IPv6.
    pub n6: bool,
}

/// Nodes, each with its id.
pub type Nodes = Vec<(NodeId, SocketAddr)>;

/// An answer; what is in it depends on the question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Of whom.
    pub id: NodeId,
    /// Near nodes with IPv4 addresses; none when the field is not there.
    pub nodes: Option<Nodes>,
    /// Near nodes with IPv6 addresses (BEP 32).
    pub nodes6: Option<Nodes>,
    /// Peers.
    pub values: Vec<SocketAddr>,
    /// Allows to write here.
    pub token: Option<Vec<u8>>,
    /// A stored item (BEP 44).
    pub item: Option<Box<Item>>,
    /// The sequence number of an item that is not newer than what was asked for.
    pub seq: Option<i64>,
    /// Info-hashes (BEP 51).
    pub samples: Option<Vec<InfoHash>>,
    /// After how many seconds others may be sampled.
    pub interval_s: Option<i64>,
    /// How many info-hashes there are.
    pub num: Option<i64>,
}

impl Query {
    const fn name(&self) -> &'static [u8] {
        match self {
            Self::Ping => b"ping",
            Self::FindNode { .. } => b"find_node",
            Self::GetPeers { .. } => b"get_peers",
            Self::AnnouncePeer { .. } => b"announce_peer",
            Self::Get { .. } => b"get",
            Self::Put { .. } => b"put",
            Self::SampleInfohashes { .. } => b"sample_infohashes",
        }
    }
}

impl Message {
    /// Appends the message if it takes `most` bytes at most. A failure is cut to that: its text is
    /// for people, and its code says enough. False when it does not fit.
    pub fn write_within(mut self, most: usize, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        self.write(out);
        let excess = (out.len() - start).saturating_sub(most);
        if excess == 0 {
            return true;
        }
        out.truncate(start);
        let Body::Error { text, .. } = &mut self.body else {
            return false;
        };
        // The number of digits of its length only shrinks.
        let mut end = text.len().saturating_sub(excess);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        self.write(out);
        let fits = out.len() - start <= most;
        if !fits {
            out.truncate(start);
        }
        fits
    }

    /// Appends the message.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.dict();
        match &self.body {
            Body::Query { id, query, want } => {
                writer.bytes(b"a");
                write_arguments(&mut writer, id, query, *want);
            }
            Body::Error { code, text } => {
                writer
                    .bytes(b"e")
                    .list()
                    .int(*code)
                    .bytes(text.as_bytes())
                    .end();
            }
            Body::Reply(_) => {}
        }
        if let Some(addr) = self.seen_at {
            writer.bytes(b"ip").bytes(&compact(addr));
        }
        let kind = match &self.body {
            Body::Query { query, .. } => {
                writer.bytes(b"q").bytes(query.name());
                b"q"
            }
            Body::Reply(reply) => {
                writer.bytes(b"r");
                write_reply(&mut writer, reply);
                b"r"
            }
            Body::Error { .. } => b"e",
        };
        if self.read_only {
            writer.bytes(b"ro").int(1);
        }
        writer.bytes(b"t").bytes(&self.transaction);
        if let Some(version) = &self.version {
            writer.bytes(b"v").bytes(version);
        }
        writer.bytes(b"y").bytes(kind).end();
    }
}

/// The keys of all questions, in their order.
fn write_arguments(writer: &mut Writer<'_>, id: &NodeId, query: &Query, want: Want) {
    writer.dict();
    if let Query::Put { cas: Some(cas), .. } = query {
        writer.bytes(b"cas").int(*cas);
    }
    writer.bytes(b"id").bytes(id);
    match query {
        Query::Ping => {}
        Query::FindNode { target } | Query::SampleInfohashes { target } => {
            writer.bytes(b"target").bytes(target);
        }
        Query::GetPeers { info_hash, noseed } => {
            writer.bytes(b"info_hash").bytes(&info_hash.0);
            if *noseed {
                writer.bytes(b"noseed").int(1);
            }
        }
        Query::AnnouncePeer {
            info_hash,
            port,
            token,
            seed,
        } => {
            writer.bytes(b"implied_port").int(i64::from(port.is_none()));
            writer.bytes(b"info_hash").bytes(&info_hash.0);
            writer.bytes(b"port").int(port.unwrap_or(1).into());
            writer.bytes(b"seed").int(i64::from(*seed));
            writer.bytes(b"token").bytes(token);
        }
        Query::Get { target, newer_than } => {
            if let Some(seq) = newer_than {
                writer.bytes(b"seq").int(*seq);
            }
            writer.bytes(b"target").bytes(target);
        }
        Query::Put { item, token, .. } => item.write_fields(writer, Some(token), None),
    }
    if want.n4 || want.n6 {
        writer.bytes(b"want").list();
        if want.n4 {
            writer.bytes(b"n4");
        }
        if want.n6 {
            writer.bytes(b"n6");
        }
        writer.end();
    }
    writer.end();
}

/// The keys of all answers, in their order.
fn write_reply(writer: &mut Writer<'_>, reply: &Reply) {
    writer.dict().bytes(b"id").bytes(&reply.id);
    if let Some(interval) = reply.interval_s {
        writer.bytes(b"interval").int(interval);
    }
    // `k` stands between `interval` and `nodes`, `seq`, `sig` and `v` after `samples`.
    if let Some(key) = reply.item.as_ref().and_then(|item| item.public_key()) {
        writer.bytes(b"k").bytes(key);
    }
    for (name, nodes) in [(&b"nodes"[..], &reply.nodes), (b"nodes6", &reply.nodes6)] {
        if let Some(nodes) = nodes {
            let all: Vec<u8> = nodes
                .iter()
                .flat_map(|(id, addr)| [&id[..], &compact(*addr)].concat())
                .collect();
            writer.bytes(name).bytes(&all);
        }
    }
    if let Some(num) = reply.num {
        writer.bytes(b"num").int(num);
    }
    if let Some(samples) = &reply.samples {
        let all: Vec<u8> = samples.iter().flat_map(|hash| hash.0).collect();
        writer.bytes(b"samples").bytes(&all);
    }
    match &reply.item {
        Some(item) => item.write_fields(writer, reply.token.as_deref(), Some(())),
        None => {
            if let Some(seq) = reply.seq {
                writer.bytes(b"seq").int(seq);
            }
            if let Some(token) = &reply.token {
                writer.bytes(b"token").bytes(token);
            }
        }
    }
    if !reply.values.is_empty() {
        writer.bytes(b"values").list();
        for addr in &reply.values {
            writer.bytes(&compact(*addr));
        }
        writer.end();
    }
    writer.end();
}

/// An address and a port: 6 bytes or 18.
fn compact(addr: SocketAddr) -> Vec<u8> {
    let port = addr.port().to_be_bytes();
    match addr.ip() {
        IpAddr::V4(ip) => [&ip.octets()[..], &port].concat(),
        IpAddr::V6(ip) => [&ip.octets()[..], &port].concat(),
    }
}
