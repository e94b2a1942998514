//! Pastry: prefix routing with leaf sets, made dependable.
//!
//! Pastry (Rowstron and Druschel, "Pastry: Scalable, decentralized object location and routing for
//! large-scale peer-to-peer systems", Middleware 2001) places nodes and keys on one circle; a key
//! belongs to the node that is numerically closest to it, and each hop of a lookup shares one more
//! digit with the key. This crate follows the paper for the tables and the routing rule, and for
//! churn the rules of MSPastry (Castro, Costa and Rowstron, "Performance and dependability of
//! structured peer-to-peer overlays", DSN 2004) and Bamboo (Rhea, Geels, Roscoe and Kubiatowicz,
//! "Handling churn in a DHT", USENIX 2004).
//!
//! [`Pastry`] is a [`KeyRouter`](overlay::KeyRouter). The lookup itself, with its acknowledgement
//! of every hop, is shared by all routers and lives in [`overlay::lookup`].
//!
//! State without messages: [`leaves`], [`table`], [`nearby`] and [`point`]. One module for each
//! phase: `join`, `exchange` (the leaf set), `upkeep` (the routing table), `probe` (questions and
//! verdicts), `solitude` and `reunite` (small networks, nodes cut off, networks that grow together
//! again), `route` and `owned` (what the lookup and the store ask).
//!
//! # What is promised
//!
//! While no live node is taken for dead, a key has at most one node that answers for it: a node
//! answers for keys only after every member of its leaf set has confirmed that it lists it, and
//! whoever lists a closer node does not answer. There is none while a node enters, for one round
//! trip, and while a dead one is being probed.

mod config;
mod exchange;
pub mod invariants;
mod join;
pub mod leaves;
mod message;
pub mod nearby;
mod node;
mod owned;
mod planted;
pub mod point;
mod probe;
pub mod reunite;
mod route;
pub mod solitude;
pub mod table;
pub mod tables;
mod ticker;
mod upkeep;

pub use config::{MAX_DIGIT_BITS, MAX_LEAVES, MAX_NEIGHBOURHOOD, PastryConfig};
pub use join::MAX_JOIN_LOOKUPS;
pub use leaves::{LeafSet, Side};
pub use message::{Leaves, MAX_ROW_NODES, PastryMessage, PastryTimer, Standing};
pub use node::Pastry;
#[cfg(feature = "planted-bugs")]
pub use planted::PlantedBug;
pub use point::Point;
pub use probe::MAX_PROBES;
pub use table::Table;
pub use upkeep::MAX_MEASURED;
