//! The peer protocol: the greeting, and every message of `Dht<Chord>`, `Dht<Pastry>` and Gnutella.

use chord::ChordMessage;
use dht::DhtMessage;
use p2pnode::runtime::Hello;
use pastry::PastryMessage;

/// Takes the bytes for a message.
pub fn run(bytes: &[u8]) {
    crate::round_trip::<DhtMessage<ChordMessage>>(bytes);
    crate::round_trip::<DhtMessage<PastryMessage>>(bytes);
    crate::round_trip::<gnutella::Message>(bytes);
    crate::round_trip::<Hello>(bytes);
}
