//! Gnutella: an unstructured overlay that serves [`Locate`](overlay::Locate) with the promise
//! `BestEffort`.
//!
//! After the protocols 0.4 and 0.6, carried over QUIC links. Nodes have a few neighbours and no
//! place; what is searched for is asked for, by [flooding](Way::Flood), in [rings](Way::Ring) that
//! widen, by [random walkers](Way::Walk) that check back, or link by link by a
//! [plan](Way::Dynamic). Each query on a link is answered by exactly one echo, so that a search
//! knows when it is over and how many nodes it reached; absence is never proven.
//!
//! | subject | file |
//! |---|---|
//! | messages, settings, counters | `header`, `message`, `config`, `node`, `inbox` |
//! | entering, links, keeping them, roles, leaving | `stage`, `link`, `upkeep`, `roles`, `leave` |
//! | hosts: the cache, pings and pongs | `hosts`, `pings` |
//! | queries on their way; the table of GUIDs; what is here | `query`, `asked`, `forward`, `seen`, `answer`, `index` |
//! | searches of this node, rounds, plans and their rounds, walkers, what it has learnt | `search`, `rounds`, `plan`, `widen`, `walk`, `learnt` |
//! | query routing tables, and how they change hands | `routes`, `tables` |
//! | writing, keeping, deleting; leases; what has ended | `putting`, `keeping`, `deletion`, `leases`, `sweep` |
//! | what a search has found and comes to; bodies; what a get leaves behind | `finds`, `report`, `fetch`, `mend` |
//! | defence | `limits`, `checks` |

mod answer;
mod asked;
mod calls;
mod checks;
mod config;
mod deletion;
mod drift;
mod fetch;
mod finds;
mod forward;
mod header;
mod hosts;
mod inbox;
mod index;
mod keeping;
mod learnt;
mod leases;
mod leave;
mod limits;
mod link;
mod mend;
mod message;
mod node;
mod parked;
mod pings;
mod plan;
mod putting;
mod query;
mod report;
mod roles;
mod rounds;
mod routes;
mod search;
mod seen;
mod stage;
mod status;
mod sweep;
mod tables;
mod topology;
mod upkeep;
mod walk;
mod widen;

pub use config::{GnutellaConfig, MAX_LEAVES, MAX_LINKS, Replication, RoleChoice, Way};
pub use finds::MAX_FINDS;
pub use hosts::MAX_HOSTS_KEPT;
pub use index::{MAX_INDEX_BYTES, MAX_LOOKED};
pub use leases::MAX_RENEWED_LEASES;
pub use message::{
    ByeCode, Errand, Guid, Header, Hello, Hit, Host, MAX_ANSWERS, MAX_HIT_TEXT_BYTES, MAX_HITS,
    MAX_HOSTS, MAX_ITEMS, MAX_PATCH, MAX_TTL, MAX_WALK, MAX_WANTED, Message, Push, Query, QueryHit,
    Reach, Role, Routes, Walk, What,
};
pub(crate) use node::Due;
pub use node::{Gnutella, GnutellaTimer, Tally};
pub use parked::MAX_PARKED;
pub use plan::{ENOUGH, ENOUGH_FOR_LEAF};
pub use putting::{MAX_COPIES_KNOWN, MAX_PUTTINGS};
pub use query::{MAX_ASKED, MAX_HITS_PASSED};
pub use routes::{QueryTable, TABLE_BITS, key_position, word_position};
pub use search::MAX_SEARCHES;
pub use seen::{GUID_LIFE, MAX_GUIDS, MAX_PUSH_ROUTES};
pub use topology::Topology;
pub use walk::MAX_WAITING;
