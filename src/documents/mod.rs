//! Answers as JSON: what `p2pctl --json` prints and what the HTTP API sends are the same documents.

mod data;
mod event;
mod network;
mod node;
pub(crate) mod torrents;

pub(crate) use data::{Deleted, Held, Inserted, Located, Matches, Stored};
pub(crate) use event::event;
pub(crate) use network::NetworkDocument;
pub(crate) use node::{Peers, StatusDocument, moving_of, neighbours};

use overlay::{Contact, Id, Outcome};
use serde::Serialize;
use std::net::SocketAddr;
use utoipa::ToSchema;

/// A point on the circle: 40 lower-case hexadecimal digits.
#[derive(ToSchema)]
#[schema(
    pattern = "^[0-9a-f]{40}$",
    example = "0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33"
)]
#[allow(dead_code, reason = "it describes how an id is written")]
pub(crate) struct HexId(String);

/// The version of a record: milliseconds, a point, a counter, a hyphen, and 40 hexadecimal digits.
#[derive(ToSchema)]
#[schema(
    pattern = "^[0-9]{1,15}\\.[0-9]{1,5}-[0-9a-f]{40}$",
    example = "1764310000000.0-0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33"
)]
#[allow(dead_code, reason = "it describes how a version is written")]
pub(crate) struct VersionText(String);

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Member {
    #[schema(value_type = HexId)]
    pub(crate) id: Id,
    /// IP and port.
    #[schema(value_type = String, example = "127.0.0.1:4000")]
    pub(crate) addr: SocketAddr,
}

impl From<&Contact> for Member {
    fn from(contact: &Contact) -> Self {
        Self {
            id: contact.id,
            addr: contact.addr,
        }
    }
}

/// All of them.
pub(crate) fn members(contacts: &[Contact]) -> Vec<Member> {
    contacts.iter().map(Member::from).collect()
}

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Word {
    /// It is there; of a deletion: it was there.
    Found,
    /// Proven absent.
    Absent,
    /// Neither: too few answered.
    Unknown,
    /// A value was stored.
    Stored,
    /// A holder was inserted.
    Inserted,
}

impl From<Outcome> for Word {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Found => Self::Found,
            Outcome::Absent => Self::Absent,
            Outcome::Unknown => Self::Unknown,
        }
    }
}

impl Word {
    /// As it is written.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Absent => "absent",
            Self::Unknown => "unknown",
            Self::Stored => "stored",
            Self::Inserted => "inserted",
        }
    }
}
