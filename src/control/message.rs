//! What `p2pctl` and a node say to each other, under the ALPN `p2pctl/1`.
//!
//! A client opens one or more bidirectional streams. Both directions carry frames: the length as
//! an unsigned 32-bit number in little-endian order, then a [`ControlRequest`] or a
//! [`ControlReply`] encoded by [`overlay::wire`]. Requests are pipelined; answers come in any
//! order and are matched by id. Enum variants are only ever appended.

use super::explained::Explained;
use crate::event::Event;
use overlay::{Id, PeerInfo, RepairTally, Reply, Request, Status};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// The application protocol that clients negotiate.
pub const CONTROL_ALPN: &[u8] = b"p2pctl/1";

/// Longest frame of the control protocol, without its length field.
pub const MAX_CONTROL_FRAME_BYTES: usize = overlay::wire::MAX_MESSAGE_BYTES;

/// Requests of one connection that a node works on at a time; it reads no further request until
/// one of them is answered. Enough for several load generators on one connection.
pub const MAX_CONTROL_IN_FLIGHT: usize = 1_024;

/// Streams that one client may have open at a time.
pub const MAX_CONTROL_STREAMS: u32 = 16;

/// One question of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlRequest {
    /// Names the question in its answer; unique among the client's unanswered questions on this
    /// stream.
    pub id: u64,
    /// What is asked.
    pub body: ControlBody,
}

/// What a client may ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ControlBody {
    /// A data command: `Put`, `Get`, `Insert`, `Search`, `Delete` or `Locate`. Any other request
    /// is answered with [`ReplyBody::Invalid`].
    Data(Request),
    /// How the node is.
    Status,
    /// The peers in its tables.
    Peers,
    /// Hand all data over, leave the network and end the process. Administration: only for a
    /// client that proves the node's own key or an authorized one.
    Leave,
    /// The same, and end after this time in any case.
    LeaveWithin {
        /// How many seconds handing over may take.
        seconds: u32,
    },
    /// How the node's tracker would answer a client at an address.
    Explain {
        /// In which swarm.
        info_hash: Id,
        /// The client.
        addr: SocketAddr,
    },
    /// What happens at the node, from now on: [`ReplyBody::Following`], then a [`ReplyBody::Event`]
    /// for each event, until the client closes the connection, or the node says
    /// [`ReplyBody::EventsEnded`].
    Events,
}

/// One answer of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlReply {
    /// The question that it answers.
    pub id: u64,
    /// The answer.
    pub body: ReplyBody,
}

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReplyBody {
    /// To [`ControlBody::Data`].
    Data(Reply),
    /// To [`ControlBody::Status`].
    Status(Box<StatusReport>),
    /// To [`ControlBody::Peers`].
    Peers(Vec<PeerInfo>),
    /// To [`ControlBody::Leave`]: the node has left the network and is about to end.
    Left,
    /// The client may not ask this; the text says what to do.
    Denied(String),
    /// The request makes no sense here; the text says why.
    Invalid(String),
    /// To [`ControlBody::Explain`].
    Explained(Box<Explained>),
    /// To [`ControlBody::Events`]: what happens after this is told.
    Following,
    /// To [`ControlBody::Events`], again and again.
    Event(Box<Event>),
    /// To [`ControlBody::Events`]: there will be no more, and why.
    EventsEnded(String),
}

/// The state of a node and of its process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReport {
    /// The state of the overlay.
    pub status: Status,
    /// The address of the UDP socket.
    pub listen: SocketAddr,
    /// The address of the HTTP server, unless it is off.
    pub http: Option<SocketAddr>,
    /// Seconds since the process started.
    pub uptime_s: u64,
    /// Connections with peers that are up.
    pub connections: u32,
    /// The version of the program.
    pub version: String,
    /// What it has done; none of nodes that do not tell. This and what follows are the last of
    /// a frame: where a node of before sends nothing there is nothing to decode.
    #[serde(deserialize_with = "overlay::wire::if_said")]
    pub load: Option<Load>,
    /// The copies of what is in its arcs; none where nobody owns a key, and of nodes that do not tell.
    #[serde(deserialize_with = "overlay::wire::if_said")]
    pub copies: Option<Copies>,
}

/// What a node has done since its process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Calls of its users and programs for data that were answered.
    pub operations: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Microseconds that all of them took together.
    pub operations_us: u64,
    /// Messages received from peers.
    pub messages_in: u64,
    /// Messages queued for peers.
    pub messages_out: u64,
}

/// How a node stands about the copies of what it answers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copies {
    /// Records in its arcs, deletions included: what it answers for, not what it stores.
    pub records: u64,
    /// Copies that are wanted of each, its own included.
    pub wanted: u32,
    /// The fewest that one of its arcs has nodes for.
    pub possible: u32,
}

impl Copies {
    /// Whether there are fewer nodes than copies are wanted.
    #[must_use]
    pub const fn are_short(&self) -> bool {
        self.possible < self.wanted
    }
}

impl From<&RepairTally> for Copies {
    fn from(tally: &RepairTally) -> Self {
        let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            records: tally.records,
            wanted: count(tally.replicas_wanted),
            possible: count(tally.replicas_possible),
        }
    }
}

#[cfg(test)]
impl StatusReport {
    /// A settled member of a ring that has just started and knows nobody: what tests begin with.
    pub(crate) fn of(me: overlay::Contact) -> Self {
        let status = Status {
            me,
            overlay: "chord".to_owned(),
            member: true,
            promise: overlay::Promise::Replicated,
            peers: 0,
            values: 0,
            holders: 0,
            entries: 0,
            stored_bytes: 0,
            renewed_leases: 0,
            clocks_refused: 0,
            settled: true,
            neighbours: overlay::Neighbours::Ring {
                predecessor: None,
                successors: Vec::new(),
                fingers: Vec::new(),
            },
            leaving: false,
            moving: Vec::new(),
            moved_records: 0,
            moved_bytes: 0,
        };
        Self {
            status,
            listen: me.addr,
            http: None,
            uptime_s: 1,
            connections: 0,
            version: "0.1.0".to_owned(),
            load: None,
            copies: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay::{Contact, wire};

    #[test]
    fn a_node_that_does_not_tell_what_it_does_is_understood() {
        let me = Contact {
            id: Id::of(b"node"),
            addr: SocketAddr::from(([127, 0, 0, 1], 4_000)),
        };
        let load = Load {
            operations: 7,
            ..Load::default()
        };
        let report = StatusReport {
            load: Some(load),
            copies: Some(Copies {
                records: 5,
                wanted: 3,
                possible: 2,
            }),
            ..StatusReport::of(me)
        };
        let reply = ControlReply {
            id: 1,
            body: ReplyBody::Status(Box::new(report)),
        };
        let bytes = wire::encode(&reply);
        assert_eq!(wire::decode::<ControlReply>(&bytes).as_ref(), Ok(&reply));
        // A byte says that there is one, and numbers below 251 have a byte each: five, and three.
        for (missing, is_loaded) in [(4, true), (10, false)] {
            let old = bytes.get(..bytes.len() - missing).unwrap();
            let ReplyBody::Status(report) = wire::decode::<ControlReply>(old).unwrap().body else {
                panic!("a status");
            };
            assert_eq!((report.load.is_some(), report.copies), (is_loaded, None));
            assert_eq!(report.version, "0.1.0");
        }
    }
}
