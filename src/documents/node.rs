//! What a node says of itself.

use super::{HexId, Member, members};
use crate::control::StatusReport;
use crate::event::Repair;
use overlay::{Contact, Id, Movement, Neighbours, PeerInfo, Purpose, Status, WaitsFor};
use serde::Serialize;
use std::net::SocketAddr;
use utoipa::ToSchema;

/// The state of a node and of its process.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct StatusDocument {
    #[schema(value_type = HexId)]
    id: Id,
    /// `chord`, `pastry` or `gnutella`.
    overlay: String,
    /// The address of its UDP socket.
    #[schema(value_type = String)]
    listen: SocketAddr,
    /// The address that others are told.
    #[schema(value_type = String)]
    addr: SocketAddr,
    /// The address of the HTTP server.
    #[schema(value_type = Option<String>)]
    http: Option<SocketAddr>,
    /// Whether it takes part in a network.
    member: bool,
    /// Whether every arc that it answers for is complete and copied to all its replicas.
    settled: bool,
    /// Distinct peers in its tables.
    peers: u32,
    /// Connections with peers that are up.
    connections: u32,
    values: u64,
    holders: u64,
    index_entries: u64,
    stored_bytes: u64,
    renewed_leases: u64,
    clocks_refused: u64,
    uptime_s: u64,
    version: String,
    #[serde(flatten)]
    moving: Moving,
    #[serde(flatten)]
    neighbours: NeighbourLists,
}

impl From<&StatusReport> for StatusDocument {
    fn from(report: &StatusReport) -> Self {
        let status = &report.status;
        Self {
            id: status.me.id,
            overlay: status.overlay.clone(),
            listen: report.listen,
            addr: status.me.addr,
            http: report.http,
            member: status.member,
            settled: status.settled,
            peers: status.peers,
            connections: report.connections,
            values: status.values,
            holders: status.holders,
            index_entries: status.entries,
            stored_bytes: status.stored_bytes,
            renewed_leases: status.renewed_leases,
            clocks_refused: status.clocks_refused,
            uptime_s: report.uptime_s,
            version: report.version.clone(),
            moving: moving(status),
            neighbours: neighbours(&status.neighbours),
        }
    }
}

/// What a node moves in the background.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Moving {
    /// Whether the node is leaving.
    leaving: bool,
    /// Records that are still to be moved, as far as is known.
    pub(crate) records_to_move: u64,
    /// Records that it has moved since it started, in either direction.
    moved_records: u64,
    /// Their bytes.
    moved_bytes: u64,
    /// With whom, and why.
    moving: Vec<MovementEntry>,
}

/// Records that a node brings to where they belong, together with one peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
struct MovementEntry {
    /// `repair`, `take_over` or `hand_over`.
    purpose: &'static str,
    peer: Option<Member>,
    arc: Option<ArcEntry>,
    records: u64,
    moved: u64,
    bytes: u64,
    bytes_per_s: u64,
    /// What has to come next: `peer`, `disk`, `pace`, `retry`, `testimony`, `peer_room` or `own_room`.
    waits_for: &'static str,
}

/// A part of the circle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
struct ArcEntry {
    #[schema(value_type = HexId)]
    from: Id,
    #[schema(value_type = HexId)]
    to: Id,
}

impl From<&Movement> for MovementEntry {
    fn from(movement: &Movement) -> Self {
        let purpose = match movement.purpose {
            Purpose::Repair => "repair",
            Purpose::TakeOver => "take_over",
            Purpose::HandOver => "hand_over",
        };
        let waits_for = match movement.waits_for {
            WaitsFor::Peer => "peer",
            WaitsFor::Disk => "disk",
            WaitsFor::Pace => "pace",
            WaitsFor::Retry => "retry",
            WaitsFor::Testimony => "testimony",
            WaitsFor::PeerRoom => "peer_room",
            WaitsFor::OwnRoom => "own_room",
        };
        let arc = movement.arc.map(|arc| ArcEntry {
            from: arc.from,
            to: arc.to,
        });
        Self {
            purpose,
            peer: movement.peer.as_ref().map(Member::from),
            arc,
            records: movement.records,
            moved: movement.moved,
            bytes: movement.bytes,
            bytes_per_s: movement.bytes_per_s,
            waits_for,
        }
    }
}

/// What a node moves in the background.
pub(crate) fn moving(status: &Status) -> Moving {
    moving_of(&status.into())
}

/// The same, of an event.
pub(crate) fn moving_of(repair: &Repair) -> Moving {
    // Saturating: another node may claim anything.
    let left = |sum: u64, movement: &Movement| {
        sum.saturating_add(movement.records.saturating_sub(movement.moved))
    };
    Moving {
        leaving: repair.leaving,
        records_to_move: repair.moving.iter().fold(0, left),
        moved_records: repair.moved_records,
        moved_bytes: repair.moved_bytes,
        moving: repair.moving.iter().map(MovementEntry::from).collect(),
    }
}

/// Neighbours by the words of each overlay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum NeighbourLists {
    /// Chord's ring pointers.
    Ring {
        predecessor: Option<Member>,
        /// Nearest first.
        successors: Vec<Member>,
        /// Distinct fingers, by distance.
        fingers: Vec<Member>,
    },
    /// Pastry's tables.
    Leaves {
        leaf_set: LeafSet,
        /// By row and digit.
        routing_table: Vec<Member>,
        /// The shortest round trip first.
        neighbourhood: Vec<Member>,
    },
    /// Gnutella's links.
    Links {
        /// `peer`, `leaf` or `ultrapeer`.
        role: String,
        /// Links with all but leaves.
        neighbours: Vec<Member>,
        leaves: Vec<Member>,
    },
}

/// The nearest nodes on both sides, nearest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct LeafSet {
    smaller: Vec<Member>,
    larger: Vec<Member>,
}

/// Neighbours by the words of each overlay.
pub(crate) fn neighbours(neighbours: &Neighbours) -> NeighbourLists {
    let list = |contacts: &[Contact]| members(contacts);
    match neighbours {
        Neighbours::Leaves {
            smaller,
            larger,
            table,
            neighbourhood,
        } => NeighbourLists::Leaves {
            leaf_set: LeafSet {
                smaller: list(smaller),
                larger: list(larger),
            },
            routing_table: list(table),
            neighbourhood: list(neighbourhood),
        },
        Neighbours::Links {
            role,
            equals,
            leaves,
        } => NeighbourLists::Links {
            role: role.clone(),
            neighbours: list(equals),
            leaves: list(leaves),
        },
        Neighbours::Ring {
            predecessor,
            successors,
            fingers,
        } => NeighbourLists::Ring {
            predecessor: predecessor.as_ref().map(Member::from),
            successors: list(successors),
            fingers: list(fingers),
        },
        // An overlay that this program does not know shows none.
        _ => NeighbourLists::Links {
            role: String::new(),
            neighbours: Vec::new(),
            leaves: Vec::new(),
        },
    }
}

/// The peers in the tables of a node.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Peers {
    /// In order of id.
    pub(crate) peers: Vec<PeerEntry>,
}

/// One of them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct PeerEntry {
    #[schema(value_type = HexId)]
    id: Id,
    #[schema(value_type = String)]
    addr: SocketAddr,
    /// Smoothed round-trip time in microseconds, when measured.
    rtt_us: Option<u64>,
    /// What it is to this node: `successor 1`, `predecessor`, `finger`, …
    role: String,
}

impl From<&PeerInfo> for PeerEntry {
    fn from(peer: &PeerInfo) -> Self {
        Self {
            id: peer.contact.id,
            addr: peer.contact.addr,
            rtt_us: peer.rtt_us,
            role: peer.role.clone(),
        }
    }
}

impl From<&[PeerInfo]> for Peers {
    fn from(peers: &[PeerInfo]) -> Self {
        Self {
            peers: peers.iter().map(PeerEntry::from).collect(),
        }
    }
}
