//! Between a node that renews leases and the roots of their keys.

use bytes::Bytes;
use overlay::{Hlc, Id};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Leases of one node in the arc of one root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewMany {
    /// The node's number of the batch.
    pub req: u64,
    /// The leases.
    pub items: Vec<Renewal>,
    /// The latest clock value that the node knows.
    pub seen: Hlc,
}

/// A lease that goes on. It does not undo a deletion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// The resource.
    pub key: Id,
    /// Who holds it.
    pub holder: SocketAddr,
    /// For so many seconds from now, by the root's clock.
    pub lease_s: u32,
    /// Its words.
    pub text: Bytes,
    /// The clock value of the insert, and one more for each renewal since: older than whatever was
    /// deleted since the insert.
    pub clock: Hlc,
}

/// What became of a batch of renewals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RenewResult {
    /// All are durable at enough replicas, but for these, by their places in the batch.
    Done {
        /// Were deleted.
        removed: Vec<u32>,
        /// Belong to another root.
        not_mine: Vec<u32>,
        /// Their keys have too many holders.
        full: Vec<u32>,
    },
    /// The asked node is not the root of the first.
    NotResponsible,
    /// Not now, or too few replicas in time.
    Busy,
}
