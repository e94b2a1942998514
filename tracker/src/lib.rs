//! BitTorrent trackers: the protocols, the swarm table and the choice of peers.
//!
//! - [`bencode`], [`http`] (BEP 3, 7, 21, 23, 24, 31, 48) and [`udp`] (BEP 15, 41) turn bytes into
//!   questions, and answers into bytes;
//! - [`krpc`] does the same for the DHT's protocol (BEP 5, 32, 42, 43, 44, 51);
//! - [`table`] knows who is in which swarm;
//! - [`choice`] draws those whom a client is told of, by [`place`] when places are known;
//! - [`explain`] says how an answer comes about;
//! - [`exchange`] shares swarms with other nodes, and [`sharing`] makes the overlay's calls for it;
//! - [`metainfo`] reads and makes torrent files (BEP 3, 47, 52);
//! - [`proxy`] finds the client behind a reverse proxy, [`range`] is a range of addresses;
//! - [`rules`] and [`limits`] say who is served, and how often;
//! - [`Tracker`] puts these together.
//!
//! Nothing here does I/O, reads a clock, draws entropy of its own or starts a thread: time and random
//! generators are handed in. Everything that a client sends is parsed into a type once, and nothing
//! that it sends makes any of this panic.

pub mod bencode;
pub mod choice;
pub mod exchange;
pub mod explain;
mod front_end;
pub mod http;
pub mod krpc;
pub mod limits;
pub mod metainfo;
pub mod place;
pub mod proxy;
pub mod range;
pub mod rules;
pub mod sharing;
pub mod table;
pub mod udp;

mod announce;
mod ids;
mod refusal;
mod secret;
mod stride;
mod tracker;

pub use announce::{Announce, Event, MAX_PASSKEY_BYTES};
pub use choice::Families;
pub use front_end::{FrontEnd, WAYS, Ways};
pub use ids::{HASH_BYTES, InfoHash, NotAnInfoHash, PeerId};
pub use refusal::Refusal;
pub use secret::Secret;
pub use tracker::{Answer, Config, Entered, Scope, Tracker};
