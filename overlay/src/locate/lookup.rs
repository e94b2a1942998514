//! What is told of lookups: as the answer to who asked for one, and of those that other calls needed.

use crate::{Contact, Duration, Id};
use serde::{Deserialize, Serialize};

/// The answer to a locate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocateReport {
    /// The key.
    pub key: Id,
    /// Its replica set, the root first; or, where nobody owns a key, the nodes that hit, the nearest
    /// first.
    pub replicas: Vec<Contact>,
    /// The way of the lookup: the asking node first, the root last.
    pub path: Vec<Contact>,
    /// Network steps on that way.
    pub hops: u32,
    /// Hops that were silent or failed, and had to be gone round.
    pub timeouts: u32,
    /// Where nobody owns a key: nodes that are known to have looked.
    pub reached: Option<u32>,
    /// Microseconds from this lookup's question to the answer, for each node of the path but the
    /// first. Empty where the hops passed the request on: then nobody sees what each of them took.
    /// The last of an answer, so that one of a node that does not measure it is understood.
    #[serde(deserialize_with = "crate::wire::if_said")]
    pub hop_us: Vec<u64>,
}

/// How a lookup ended that a call needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupReport {
    /// What was looked up.
    pub key: Id,
    /// The root, or why it was given up.
    pub result: Result<RootFound, String>,
    /// How long it took.
    pub took: Duration,
}

/// The root that a lookup found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFound {
    /// The root.
    pub owner: Contact,
    /// Network steps to it; zero when the asking node is the root itself.
    pub hops: u32,
    /// Hops that were silent or failed, and had to be gone round.
    pub timeouts: u32,
}
