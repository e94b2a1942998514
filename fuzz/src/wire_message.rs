//! The peer protocol: the greeting, and every message of `Dht<Chord>` and of Gnutella.

use chord::ChordMessage;
use dht::DhtMessage;
use p2pnode::runtime::Hello;

/// Takes the bytes for a message.
pub fn run(bytes: &[u8]) {
    crate::round_trip::<DhtMessage<ChordMessage>>(bytes);
    crate::round_trip::<gnutella::Message>(bytes);
    crate::round_trip::<Hello>(bytes);
}
