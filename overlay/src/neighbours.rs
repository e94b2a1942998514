//! Neighbours as a node shows them to a person, by the words of each overlay.

use crate::Contact;
use serde::{Deserialize, Serialize};

/// Neighbours by the words of each overlay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Neighbours {
    /// Chord's ring pointers.
    Ring {
        /// The node before this one, when known.
        predecessor: Option<Contact>,
        /// The nodes after this one, nearest first.
        successors: Vec<Contact>,
        /// Distinct fingers, by distance.
        fingers: Vec<Contact>,
    },
    /// Pastry's tables.
    Leaves {
        /// The leaf set counter-clockwise, nearest first.
        smaller: Vec<Contact>,
        /// The leaf set clockwise, nearest first.
        larger: Vec<Contact>,
        /// The routing table, by row and digit.
        table: Vec<Contact>,
        /// The neighbourhood set, the shortest round trip first.
        neighbourhood: Vec<Contact>,
    },
    /// Gnutella's links.
    Links {
        /// What the node is: peer, leaf or ultrapeer.
        role: String,
        /// Links with all but leaves, by id.
        equals: Vec<Contact>,
        /// Its leaves, by id.
        leaves: Vec<Contact>,
    },
}

impl Neighbours {
    /// The nearest node counter-clockwise.
    #[must_use]
    pub fn before(&self) -> Option<Contact> {
        match self {
            Self::Ring { predecessor, .. } => *predecessor,
            Self::Leaves { smaller, .. } => smaller.first().copied(),
            Self::Links { .. } => None,
        }
    }

    /// The nearest node clockwise.
    #[must_use]
    pub fn after(&self) -> Option<Contact> {
        match self {
            Self::Ring { successors, .. } => successors.first().copied(),
            Self::Leaves { larger, .. } => larger.first().copied(),
            Self::Links { .. } => None,
        }
    }

    /// Everybody around the node's place: who must be alive for its keys to be safe.
    pub fn around(&self) -> impl Iterator<Item = &Contact> {
        let (one, other) = match self {
            Self::Ring {
                predecessor,
                successors,
                ..
            } => (predecessor.as_slice(), successors.as_slice()),
            Self::Leaves {
                smaller, larger, ..
            } => (smaller.as_slice(), larger.as_slice()),
            Self::Links { equals, leaves, .. } => (equals.as_slice(), leaves.as_slice()),
        };
        one.iter().chain(other)
    }

    /// Everybody in its tables; who is in several of them comes several times.
    pub fn all(&self) -> impl Iterator<Item = &Contact> {
        let others: [&[Contact]; 2] = match self {
            Self::Ring { fingers, .. } => [fingers, &[]],
            Self::Leaves {
                table,
                neighbourhood,
                ..
            } => [table, neighbourhood],
            Self::Links { .. } => [&[], &[]],
        };
        self.around().chain(others.into_iter().flatten())
    }

    /// What a peer is to the node.
    #[must_use]
    pub fn role(&self, peer: Contact) -> String {
        let ranked = |name: &str, list: &[Contact]| {
            let rank = list.iter().position(|known| known.id == peer.id)?;
            Some(format!("{name} {}", rank + 1))
        };
        let named = |name: &str, list: &[Contact]| {
            let is_listed = list.iter().any(|known| known.id == peer.id);
            is_listed.then(|| name.to_owned())
        };
        let roles: Vec<String> = match self {
            Self::Ring {
                predecessor,
                successors,
                fingers,
            } => [
                named("predecessor", predecessor.as_slice()),
                ranked("successor", successors),
                named("finger", fingers),
            ]
            .into_iter()
            .flatten()
            .collect(),
            Self::Leaves {
                smaller,
                larger,
                table,
                neighbourhood,
            } => [
                ranked("smaller leaf", smaller),
                ranked("larger leaf", larger),
                named("routing table", table),
                named("neighbourhood", neighbourhood),
            ]
            .into_iter()
            .flatten()
            .collect(),
            Self::Links { equals, leaves, .. } => {
                [named("neighbour", equals), named("leaf", leaves)]
                    .into_iter()
                    .flatten()
                    .collect()
            }
        };
        if roles.is_empty() {
            "peer".to_owned()
        } else {
            roles.join(", ")
        }
    }
}
