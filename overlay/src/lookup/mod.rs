//! The lookup that every [`KeyRouter`](crate::KeyRouter) shares.
//!
//! Recursive by default: each hop acknowledges at once and passes the request on; a hop that
//! fails, or is silent for a time-out computed from its measured round trips, is gone round by way
//! of the next candidate. The root answers the origin directly. On request the origin asks hop by
//! hop instead (iterative), or gets the path. The origin remembers which arc an answer covered and
//! asks that arc's owner directly next time, until the owner says that it is not responsible.

mod cache;
mod iterative;
mod message;
mod origin;
mod relay;
mod routing;
mod suspects;

pub use cache::{CachedArc, MAX_CACHED_ARCS};
pub use message::{Answer, Forward, LookupId, LookupMessage, NextStep};
pub use routing::{Routing, RoutingCall, RoutingEvent, RoutingMessage, RoutingTimer};

use crate::{Arc, Contact, Duration, Id};

/// Most steps of one lookup. Chord needs log2 N with overwhelming probability, 20 for a million
/// nodes; a longer way is a loop.
pub const MAX_HOPS: u8 = 64;
/// Most silent hops that a lookup carries along, so that later hops need not find out again.
pub const MAX_AVOIDED: usize = 16;
/// How often a request is sent round because the node before its supposed root is silent. Each time
/// costs the way once more; two neighbours that die before either is replaced are rare.
pub const MAX_CHECKS: u8 = 3;
/// Longest replica set that an answer may name.
pub const MAX_REPLICAS: usize = 32;
/// Candidates that a node names to an origin that asks hop by hop.
pub const NAMED_HOPS: usize = 8;
/// Most lookups that one node relays at a time; beyond it the previous hop goes another way.
pub const MAX_RELAYED: usize = 65_536;
/// Most lookups that one node has under way for itself.
pub const MAX_LOOKUPS: usize = 65_536;

/// How the common lookup behaves.
#[derive(Clone, Debug)]
pub struct LookupConfig {
    /// Replica set size that the root puts into its answer. Default 3.
    pub replicas: usize,
    /// How often the origin starts over before it gives up. Default 6.
    pub attempts: u32,
    /// How long the origin waits for the answer of its first attempt, and of its second, since a
    /// lost answer says nothing about the network; doubled for each further one up to four times.
    /// Default 3 s.
    pub attempt_timeout: Duration,
    /// How long a hop that was silent is not asked again. Zero: every lookup finds out for itself.
    /// Default 5 s.
    pub suspect_for: Duration,
    /// Whether answers are remembered by the arc that they cover. Default true.
    pub cache: bool,
}

impl Default for LookupConfig {
    fn default() -> Self {
        Self {
            replicas: 3,
            attempts: 6,
            attempt_timeout: Duration::from_secs(3),
            suspect_for: Duration::from_secs(5),
            cache: true,
        }
    }
}

/// Who moves the request from hop to hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Every hop forwards; the root answers the origin.
    #[default]
    Recursive,
    /// The origin asks one hop after another.
    Iterative,
}

/// What to look up, and how.
#[derive(Clone, Debug)]
pub struct LookupRequest {
    /// The key.
    pub key: Id,
    /// Who moves the request.
    pub mode: Mode,
    /// Whether to report the path.
    pub trace: bool,
    /// Whether to ignore what is remembered.
    pub fresh: bool,
    /// Whether to wait rather than to take a node for the root that only may be it: the one before
    /// it is silent, and nobody has taken its part over yet. Then nobody answers but a node whose
    /// own tables [say](crate::KeyRouter::claim) that the key is its own, whatever the hops before
    /// it found silent. A store that checks who is responsible itself is served sooner without.
    pub exact: bool,
}

impl LookupRequest {
    /// A recursive lookup without a trace that may be answered from memory.
    #[must_use]
    pub const fn new(key: Id) -> Self {
        Self {
            key,
            mode: Mode::Recursive,
            trace: false,
            fresh: false,
            exact: false,
        }
    }
}

/// The answer of a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// What was looked up.
    pub key: Id,
    /// The root.
    pub owner: Contact,
    /// The arc around the key that the root answers for with these replicas.
    pub arc: Arc,
    /// The replica set, the root first.
    pub replicas: Vec<Contact>,
    /// Network steps to the root; zero when the asking node is the root itself.
    pub hops: u32,
    /// Silent or failed hops that were gone round, over all attempts.
    pub timeouts: u32,
    /// The way, origin first and root last, when it was asked for; else empty.
    pub path: Vec<Contact>,
    /// How long each node of that way but the first took to answer, where this node asked hop by hop;
    /// else empty: the hops acknowledge to each other.
    pub hop_times: Box<[Duration]>,
    /// The node that passed the request to the root, unless the origin did.
    pub previous: Option<Contact>,
    /// Whether the answer comes from memory and was not asked now.
    pub from_cache: bool,
}

/// Why a lookup has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// The node is in no network.
    #[error("this node is in no network")]
    NotMember,
    /// No answer after all attempts.
    #[error("no answer after {attempts} attempts")]
    NoAnswer {
        /// How often it was tried.
        attempts: u32,
    },
    /// Too many lookups under way.
    #[error("{MAX_LOOKUPS} lookups are under way, the limit of one node")]
    Busy,
}
