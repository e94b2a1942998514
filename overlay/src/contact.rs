//! Whom to talk to.

use crate::Id;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;

/// A node's id and the address at which it listens.
///
/// A contact that came by hearsay is a claim until the handshake with that address proves the id;
/// a contact in [`Input::Message`](crate::Input::Message) is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Contact {
    /// SHA-1 of the node's public key.
    pub id: Id,
    /// Where it listens, over UDP.
    pub addr: SocketAddr,
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.id.short(), self.addr)
    }
}
