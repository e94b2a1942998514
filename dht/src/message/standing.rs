//! What a node that answers a read is to the key.

use overlay::{Arc, Contact, Id};
use serde::{Deserialize, Serialize};

/// What a node is to a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Its root.
    Root {
        /// Whether it holds everything that was acknowledged under this key.
        complete: bool,
        /// The root's view.
        view: u64,
        /// Arc and replica set, unless the origin knows them.
        news: Option<Box<ArcNews>>,
    },
    /// Another node, a full copy of the arc under this root and view if there is one.
    Other {
        /// Root and view.
        covered: Option<(Id, u64)>,
    },
}

/// An arc and its replicas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArcNews {
    /// The arc.
    pub arc: Arc,
    /// The root first.
    pub replicas: Vec<Contact>,
}
