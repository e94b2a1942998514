//! The protocol of BitTorrent's DHT: BEP 5, with 32 (IPv6), 42 (ids by address), 43 (read-only
//! nodes), 44 (items) and 51 (samples of info-hashes).
//!
//! [`parse`] reads a datagram into a [`Message`]; [`Message::write`] writes one. [`Tokens`] prove an
//! address without remembering it; [`matches_address`] checks a node's id against its address;
//! [`Gate`] bounds what one may ask; [`Listeners`] tells a client that asks from the others; [`item`] checks what is to be stored.

mod address;
mod gate;
pub mod item;
mod listeners;
mod message;
mod read;
mod token;

pub use address::{is_exempt, make_id, matches_address};
pub use gate::{Gate, PUTS, QUESTIONS};
pub use listeners::{Listeners, MAX_LISTENERS};
pub use message::{Body, Message, Nodes, Query, Reply, Want};
pub use read::{
    KrpcError, MAX_DATAGRAM_BYTES, MAX_NODES, MAX_SAMPLES, MAX_TRANSACTION_BYTES,
    MAX_VALUES_IN_REPLY, decode_item, parse,
};
pub use token::{TOKEN_BYTES, TOKEN_VALID_S, Tokens};

/// Names a node of the DHT, or a place in it.
pub type NodeId = [u8; 20];
