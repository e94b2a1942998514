//! The order in which all nodes choose the same clients of a swarm.

use crate::ids::InfoHash;
use std::net::{IpAddr, SocketAddr};

/// The number of an address in a swarm: as good as random, and the same at every node. Nodes that
/// publish those of their clients that have the lowest numbers publish the same ones, as far as the
/// same clients announce to them; so clients of several nodes are recognised although each node tells
/// of few.
#[must_use]
pub fn rank(hash: &InfoHash, addr: SocketAddr) -> u64 {
    let head = hash
        .0
        .first_chunk()
        .map_or(0, |head| u64::from_be_bytes(*head));
    let port = u64::from(addr.port());
    match addr.ip().to_canonical() {
        IpAddr::V4(ip) => mix(head ^ (u64::from(ip.to_bits()) << 16 | port)),
        IpAddr::V6(ip) => {
            let bits = ip.to_bits();
            let upper = mix(head ^ (bits >> 64) as u64);
            mix(mix(upper ^ bits as u64) ^ port)
        }
    }
}

/// The finish of SplitMix64: every bit decides about every other.
const fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
