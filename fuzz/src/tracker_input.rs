//! What BitTorrent clients send, and what nodes publish of swarms.

use tracker::bencode::{Order, read};
use tracker::exchange::Summary;
use tracker::{http, udp};

/// Takes the bytes for everything that the tracker decodes.
pub fn run(bytes: &[u8]) {
    let _ = http::parse(bytes);
    let _ = udp::parse(bytes);
    let _ = read(bytes, Order::Sorted);
    let _ = read(bytes, Order::Any);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Summary::decode(text);
        let _ = tracker::place::Places::parse(text);
    }
}
