//! A read and its answer.

use super::{EntriesSeen, Filter, Missing, Standing};
use bytes::Bytes;
use overlay::{Hlc, Id, Version, WallMs};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// What a read is after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// The value.
    Value,
    /// Holders, at most `limit` live ones.
    Holders {
        /// The limit.
        limit: u32,
    },
    /// Live entries of the node of the index whose least point the key is.
    Entries {
        /// Which.
        filter: Filter,
        /// How many at most.
        limit: u32,
    },
}

/// A read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// The origin's number.
    pub req: u64,
    /// Of which key.
    pub key: Id,
    /// What.
    pub what: Wanted,
    /// Send the body however long it is.
    pub full: bool,
    /// A mark of the replica set that the origin knows, so that the root repeats it only when it
    /// is another one.
    pub set: u64,
}

/// The answer to a read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadReply {
    /// Which read.
    pub req: u64,
    /// What the answering node is to the key.
    pub standing: Standing,
    /// What it has.
    pub data: ReadData,
    /// What it says of what it does not have.
    pub missing: Missing,
}

/// What a replica has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadData {
    /// The value, a tombstone, or nothing.
    Value(Option<Seen>),
    /// Holders and tombstones of holders, in order of address.
    Holders(Vec<HolderSeen>),
    /// Of a node of the index.
    Entries(Box<EntriesSeen>),
}

impl ReadData {
    /// The newest clock value in it.
    pub(crate) fn newest(&self) -> Hlc {
        let newest = match self {
            Self::Value(seen) => seen.as_ref().map(|seen| seen.version.clock),
            Self::Holders(holders) => holders.iter().map(|seen| seen.version.clock).max(),
            Self::Entries(seen) => seen.newest(),
        };
        newest.unwrap_or_default()
    }
}

/// One version of a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The version.
    pub version: Version,
    /// Its end.
    pub expires: Option<WallMs>,
    /// Its bytes.
    pub body: Body,
}

/// The bytes of a value in an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// Deleted.
    Tombstone,
    /// Here they are.
    Bytes(Bytes),
    /// There are some; ask with `full`.
    Withheld,
}

/// One version of a holder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderSeen {
    /// Whose.
    pub addr: SocketAddr,
    /// The version.
    pub version: Version,
    /// The end of the lease.
    pub expires: Option<WallMs>,
    /// The text; none when removed.
    pub text: Option<Bytes>,
}
