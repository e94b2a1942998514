//! A picture of the whole network, with every node once and its neighbours by id.

use super::node::{CopiesEntry, moving};
use super::{HexId, Member};
use crate::crawl::{Found, NetworkView, Unreachable};
use overlay::{Contact, Id, Neighbours, Status};
use serde::Serialize;
use std::net::SocketAddr;
use std::time::Duration;
use utoipa::ToSchema;

/// A network as one of its nodes sees it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct NetworkDocument {
    /// The node that looked.
    #[schema(value_type = HexId)]
    id: Id,
    /// `chord`, `pastry` or `gnutella`.
    overlay: String,
    /// When it had looked, in milliseconds since 1970. The same number is the same picture.
    taken_ms: u64,
    /// How long it took to ask everybody.
    took_ms: u64,
    /// Whether it is not whole: more nodes or longer lists than a picture holds, or no time to ask all.
    truncated: bool,
    /// Those that answered, in order of id.
    nodes: Vec<NodeEntry>,
    /// Those that are in somebody's tables and did not answer, in order of id.
    unreachable: Vec<UnreachableEntry>,
}

/// A node that answered: the figures are those of `/v1/status`.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct NodeEntry {
    #[schema(value_type = HexId)]
    id: Id,
    #[schema(value_type = String)]
    addr: SocketAddr,
    /// How long its answer took, in microseconds; none for the node that looked.
    rtt_us: Option<u64>,
    member: bool,
    settled: bool,
    leaving: bool,
    peers: u32,
    connections: u32,
    values: u64,
    holders: u64,
    index_entries: u64,
    stored_bytes: u64,
    /// Records that are still to be moved, as far as is known.
    records_to_move: u64,
    moved_records: u64,
    moved_bytes: u64,
    /// Bytes a second that it moves at present.
    bytes_per_s: u64,
    uptime_s: u64,
    version: String,
    #[serde(flatten)]
    copies: CopiesEntry,
    #[serde(flatten)]
    neighbours: NeighbourIds,
}

/// Neighbours by the words of each overlay, by their ids.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum NeighbourIds {
    /// Chord's ring pointers.
    Ring {
        #[schema(value_type = Option<HexId>)]
        predecessor: Option<Id>,
        /// Nearest first.
        #[schema(value_type = Vec<HexId>)]
        successors: Vec<Id>,
        /// Distinct fingers, by distance.
        #[schema(value_type = Vec<HexId>)]
        fingers: Vec<Id>,
    },
    /// Pastry's tables.
    Leaves {
        leaf_set: LeafIds,
        /// By row and digit.
        #[schema(value_type = Vec<HexId>)]
        routing_table: Vec<Id>,
    },
    /// Gnutella's links.
    Links {
        /// `peer`, `leaf` or `ultrapeer`.
        role: String,
        /// Links with all but leaves.
        #[schema(value_type = Vec<HexId>)]
        neighbours: Vec<Id>,
        #[schema(value_type = Vec<HexId>)]
        leaves: Vec<Id>,
    },
}

/// The nearest nodes on both sides, nearest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct LeafIds {
    #[schema(value_type = Vec<HexId>)]
    smaller: Vec<Id>,
    #[schema(value_type = Vec<HexId>)]
    larger: Vec<Id>,
}

/// A node that others have in their tables and that did not answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct UnreachableEntry {
    #[serde(flatten)]
    node: Member,
    /// How many of the nodes that answered have it in their tables.
    known_by: usize,
    /// What became of the question.
    reason: String,
}

impl NetworkDocument {
    /// What `me` saw.
    pub(crate) fn of(me: &Status, view: &NetworkView, taken_ms: u64, took: Duration) -> Self {
        Self {
            id: me.me.id,
            overlay: me.overlay.clone(),
            taken_ms,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            truncated: view.truncated,
            nodes: view.nodes.values().map(NodeEntry::from).collect(),
            unreachable: view
                .unreachable
                .values()
                .map(UnreachableEntry::from)
                .collect(),
        }
    }
}

impl From<&Found> for NodeEntry {
    fn from(found: &Found) -> Self {
        let status = &found.report.status;
        let moved = moving(status);
        let micros = |rtt: Duration| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX);
        Self {
            id: status.me.id,
            addr: status.me.addr,
            rtt_us: found.rtt.map(micros),
            member: status.member,
            settled: status.settled,
            leaving: status.leaving,
            peers: status.peers,
            connections: found.report.connections,
            values: status.values,
            holders: status.holders,
            index_entries: status.entries,
            stored_bytes: status.stored_bytes,
            records_to_move: moved.records_to_move,
            moved_records: status.moved_records,
            moved_bytes: status.moved_bytes,
            bytes_per_s: status
                .moving
                .iter()
                .fold(0, |sum, movement| sum.saturating_add(movement.bytes_per_s)),
            uptime_s: found.report.uptime_s,
            version: found.report.version.clone(),
            copies: CopiesEntry::from(&*found.report),
            neighbours: NeighbourIds::from(&status.neighbours),
        }
    }
}

impl From<&Neighbours> for NeighbourIds {
    fn from(neighbours: &Neighbours) -> Self {
        let ids = |contacts: &[Contact]| contacts.iter().map(|contact| contact.id).collect();
        match neighbours {
            Neighbours::Ring {
                predecessor,
                successors,
                fingers,
            } => Self::Ring {
                predecessor: predecessor.map(|contact| contact.id),
                successors: ids(successors),
                fingers: ids(fingers),
            },
            Neighbours::Leaves {
                smaller,
                larger,
                table,
                ..
            } => Self::Leaves {
                leaf_set: LeafIds {
                    smaller: ids(smaller),
                    larger: ids(larger),
                },
                routing_table: ids(table),
            },
            Neighbours::Links {
                role,
                equals,
                leaves,
            } => Self::Links {
                role: role.clone(),
                neighbours: ids(equals),
                leaves: ids(leaves),
            },
            // An overlay that this program does not know shows none.
            _ => Self::Links {
                role: String::new(),
                neighbours: Vec::new(),
                leaves: Vec::new(),
            },
        }
    }
}

impl From<&Unreachable> for UnreachableEntry {
    fn from(missing: &Unreachable) -> Self {
        Self {
            node: Member::from(&missing.contact),
            known_by: missing.known_by,
            reason: missing.why.to_string(),
        }
    }
}
