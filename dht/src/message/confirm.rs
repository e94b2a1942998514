//! Between a root that has to decide about a condition and its replicas.

use overlay::{Arc, Id};
use serde::{Deserialize, Serialize};

/// A root asks before it decides about a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirm {
    /// The root's number.
    pub req: u64,
    /// Of which value.
    pub key: Id,
    /// The root's view.
    pub view: u64,
}

/// A root that has a new view asks a copy under an earlier one to testify under that no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retire {
    /// The root's number.
    pub req: u64,
    /// The key about which it has to decide, or one of the part that is over.
    pub key: Id,
    /// The earlier view.
    pub view: u64,
    /// Whether another view holds everything, so that the copy is over whoever has claimed the key.
    pub for_good: bool,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    /// What was asked.
    pub asked: Retire,
    /// Who has claimed the key before: then this is no promise to have testified to nobody.
    pub claimed: Option<Claim>,
}

/// What a replica is to a root that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Confirmation {
    /// A full copy under its view, and nobody else has claimed the key since.
    Copy,
    /// Not a full copy under its view, or not yet.
    NoCopy,
    /// Somebody has claimed the key since.
    Claimed(Claim),
}

/// Somebody took itself for the root of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Who.
    pub by: Id,
    /// Of which keys, as far as the one who says so knows.
    pub arc: Arc,
}
