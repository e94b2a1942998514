//! The flags that only Gnutella has, as users write them.

use gnutella::{Replication, Role, RoleChoice, Way};
use serde::Deserialize;

/// What the node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoleName {
    /// What uptime, capacity and need make of it.
    #[default]
    Auto,
    /// One of equals.
    Peer,
    /// Served by ultrapeers.
    Leaf,
    /// Serves leaves.
    Ultrapeer,
}

impl From<RoleName> for RoleChoice {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Auto => Self::Auto,
            RoleName::Peer => Self::Always(Role::Peer),
            RoleName::Leaf => Self::Always(Role::Leaf),
            RoleName::Ultrapeer => Self::Always(Role::Ultrapeer),
        }
    }
}

/// How the node searches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SearchName {
    /// What the node has learnt to be best.
    #[default]
    Auto,
    /// To everybody within the TTL, 7.
    Flood,
    /// Floods with TTL 1, 2, 3, … until enough is found.
    Ring,
    /// 16 random walkers that check back every 4 steps.
    Walk,
    /// Link by link, as far as the results so far say that is needed.
    Dynamic,
}

impl From<SearchName> for Way {
    fn from(name: SearchName) -> Self {
        match name {
            SearchName::Auto => Self::Auto,
            SearchName::Flood => Self::Flood,
            SearchName::Ring => Self::Ring,
            SearchName::Walk => Self::Walk,
            SearchName::Dynamic => Self::Dynamic,
        }
    }
}

/// How many copies there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplicationName {
    /// As many as replicas.
    #[default]
    Fixed,
    /// And more of what is hard to find.
    SquareRoot,
}

impl From<ReplicationName> for Replication {
    fn from(name: ReplicationName) -> Self {
        match name {
            ReplicationName::Fixed => Self::Fixed,
            ReplicationName::SquareRoot => Self::SquareRoot,
        }
    }
}
