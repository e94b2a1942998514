//! What a node says of itself: its state, its peers, and what it moves in the background.

use crate::{Arc, Contact, Neighbours, Promise};
use serde::{Deserialize, Serialize};

/// What `status` shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// This node.
    pub me: Contact,
    /// The overlay's name.
    pub overlay: String,
    /// Whether it takes part in a network.
    pub member: bool,
    /// What its answers are worth.
    pub promise: Promise,
    /// Distinct peers in its tables.
    pub peers: u32,
    /// Values stored here that are neither deleted nor expired.
    pub values: u64,
    /// Holders stored here that are neither removed nor expired.
    pub holders: u64,
    /// Entries of the index of words and names stored here, and texts of values.
    pub entries: u64,
    /// Bytes of the bodies stored here.
    pub stored_bytes: u64,
    /// Leases that this node renews.
    pub renewed_leases: u64,
    /// Messages refused because a clock was too far ahead, the peer's or ours behind.
    pub clocks_refused: u64,
    /// Whether every arc that this node answers for is complete and copied to all its replicas.
    pub settled: bool,
    /// Neighbours by the overlay's words.
    pub neighbours: Neighbours,
    /// Whether it is leaving.
    pub leaving: bool,
    /// What it moves in the background, at most [`MAX_MOVEMENTS`].
    pub moving: Vec<Movement>,
    /// Records that it has moved in the background, in either direction, since it started.
    pub moved_records: u64,
    /// Their bytes.
    pub moved_bytes: u64,
}

/// Most movements in a [`Status`]: a root has one for each of its N - 1 replicas and, after a change,
/// for up to eight nodes that may know more.
pub const MAX_MOVEMENTS: usize = 64;

/// Records that a node brings to where they belong, together with one peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    /// To what end.
    pub purpose: Purpose,
    /// The other node; none while it is looked for.
    pub peer: Option<Contact>,
    /// In which arc; none for records that belong elsewhere.
    pub arc: Option<Arc>,
    /// Records that are to be moved as far as is known, those that were moved included. It grows
    /// while the two sides are compared.
    pub records: u64,
    /// Records that were moved.
    pub moved: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes a second since it began.
    pub bytes_per_s: u64,
    /// What has to come next.
    pub waits_for: WaitsFor,
}

/// Why records are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// A replica of an arc that this node answers for gets what it lacks.
    Repair,
    /// This node does not have everything yet of an arc that it answers for.
    TakeOver,
    /// Others get what this node leaves to them.
    HandOver,
}

/// What a movement waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum WaitsFor {
    /// An answer of the peer.
    Peer,
    /// Bodies from the disk.
    Disk,
    /// Its turn: records move no faster than they may.
    Pace,
    /// Another try: the peer was silent, busy, or not yet sure itself.
    Retry,
    /// Nodes that know what else was acknowledged: those that can be reached do not.
    Testimony,
    /// Room in the store of the peer, which takes nothing but deletions.
    PeerRoom,
    /// Room in the store of this node.
    OwnRoom,
}

/// One peer in the tables of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerInfo {
    /// Who.
    pub contact: Contact,
    /// Smoothed round-trip time in microseconds, when measured.
    pub rtt_us: Option<u64>,
    /// What it is to this node: `successor 1`, `predecessor`, `finger`, …
    pub role: String,
}
