//! What BitTorrent clients send, what nodes publish of swarms, and the files that users give.

use tracker::bencode::{Order, read};
use tracker::exchange::Summary;
use tracker::metainfo::{Description, Metainfo};
use tracker::{http, krpc, rules, udp};

/// Takes the bytes for everything that the tracker decodes.
pub fn run(bytes: &[u8]) {
    let _ = http::parse(bytes);
    let _ = udp::parse(bytes);
    let _ = read(bytes, Order::Sorted);
    let _ = read(bytes, Order::Any);
    let _ = Metainfo::parse(bytes);
    dht(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Summary::decode(text);
        let _ = Description::decode(text);
        let _ = tracker::place::Places::parse(text);
        let _ = rules::parse_hashes(text);
        let _ = rules::parse_clients(text);
        let _ = rules::parse_passkeys(text);
    }
}

/// What is understood is written so that it is understood as the same.
fn dht(bytes: &[u8]) {
    if let Ok(message) = krpc::parse(bytes) {
        let mut written = Vec::new();
        message.write(&mut written);
        // An answer may hold more than is read of it.
        let _ = krpc::parse(&written);
    }
    if let Some(item) = krpc::decode_item(bytes) {
        let again = krpc::decode_item(&item.encode());
        assert_eq!(again.as_ref(), Some(&item), "an item");
        assert_eq!(item.check(&|_, _, _| true), Ok(()), "its sizes");
    }
}
