//! What searches find: the holders of a key; holders and values by words or by the beginning of keys.

use super::Outcome;
use crate::{Id, Version};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// One holder in the answer to a search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderInfo {
    /// Who holds the resource.
    pub addr: SocketAddr,
    /// Its words; may be empty.
    pub text: String,
    /// Seconds until its lease ends.
    pub expires_in_s: u64,
}

/// The answer to a search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchReport {
    /// The resource.
    pub key: Id,
    /// `Found` with one holder at least.
    pub outcome: Outcome,
    /// The holders, in order of address.
    pub holders: Vec<HolderInfo>,
    /// Replicas that answered.
    pub replicas_answered: u32,
    /// Replicas that were asked.
    pub replicas_asked: u32,
    /// Why the outcome is unknown.
    pub reason: Option<String>,
    /// Where there are no replicas to ask: nodes that are known to have looked.
    pub reached: Option<u32>,
}

/// What a search by words or by the beginning of keys found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum HitKind {
    /// A holder.
    Holder {
        /// Who holds the resource.
        addr: SocketAddr,
        /// Seconds until its lease ends.
        expires_in_s: u64,
    },
    /// A value.
    Value {
        /// Its version when its words were published.
        version: Version,
        /// Its bytes.
        size: u32,
    },
}

/// One result of a search by words or by the beginning of keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TextHit {
    /// The resource or value.
    pub key: Id,
    /// Which.
    pub kind: HitKind,
    /// Its words; may be empty when it was found by its key.
    pub text: String,
    /// The bytes of the key, when it was published as indexed.
    pub indexed: Option<Bytes>,
}

/// The answer to a search by words or by the beginning of keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextReport {
    /// `Found` with one result at least; `Absent` when it is proven that nothing matches.
    pub outcome: Outcome,
    /// The results, in order; for a search by the beginning of keys in order of the keys' bytes.
    pub results: Vec<TextHit>,
    /// Whether these are proven to be all. When not, there may be more: beyond the limit, or where
    /// nobody answered.
    pub complete: bool,
    /// Who answered: parts of the index, or the nodes that are known to have been reached where
    /// there is none.
    pub answered: u32,
    /// Who was asked.
    pub asked: u32,
    /// Why the outcome is unknown, or the results not complete.
    pub reason: Option<String>,
}
