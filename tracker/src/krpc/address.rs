//! Ids that follow from the node's address (BEP 42), so that nobody can choose where in the DHT he is.

use super::NodeId;
use rand_core::Rng;
use std::net::IpAddr;

/// The polynomial of CRC-32C (Castagnoli), reflected.
const CASTAGNOLI: u32 = 0x82f6_3b78;

/// CRC-32C, bit by bit: it is computed over eight bytes, once for each new node.
fn crc32c(bytes: &[u8]) -> u32 {
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            let carry = if crc & 1 == 1 { CASTAGNOLI } else { 0 };
            crc >> 1 ^ carry
        })
    });
    !crc
}

/// The hash of an address whose first 21 bits the id must have. `dice` is the id's last byte.
fn prefix(ip: IpAddr, dice: u8) -> u32 {
    let high = (dice & 7) << 5;
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let masked = u32::from(ip) & 0x030f_3fff | u32::from(high) << 24;
            crc32c(&masked.to_be_bytes())
        }
        IpAddr::V6(ip) => {
            // The upper half.
            let upper = (u128::from(ip) >> 64) as u64;
            let masked = upper & 0x0103_070f_1f3f_7fff | u64::from(high) << 56;
            crc32c(&masked.to_be_bytes())
        }
    }
}

/// Whether the rule does not hold for this address, because it is no public one.
#[must_use]
pub fn is_exempt(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Whether a node with this address may have this id.
#[must_use]
pub fn matches_address(id: &NodeId, ip: IpAddr) -> bool {
    let [first, second, third, .., last] = id;
    let begin = u32::from_be_bytes([*first, *second, *third, 0]);
    is_exempt(ip) || (prefix(ip, *last) ^ begin) >> 11 == 0
}

/// An id for a node with this address.
pub fn make_id(ip: IpAddr, rng: &mut dyn Rng) -> NodeId {
    let mut id = [0; 20];
    rng.fill_bytes(&mut id);
    let [first, second, third, .., last] = &mut id;
    let [one, two, three, _] = prefix(ip, *last).to_be_bytes();
    (*first, *second) = (one, two);
    *third = three & 0xf8 | *third & 7;
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64Mcg;

    #[test]
    fn the_test_vectors_of_bep_42_hold() {
        for (ip, dice, begin) in [
            ("124.31.75.21", 1, [0x5f, 0xbf, 0xbf]),
            ("21.75.31.124", 86, [0x5a, 0x3c, 0xe9]),
            ("65.23.51.170", 22, [0xa5, 0xd4, 0x32]),
            ("84.124.73.14", 65, [0x1b, 0x03, 0x21]),
            ("43.213.53.83", 90, [0xe5, 0x6f, 0x6c]),
        ] {
            let mut id = [0x77; 20];
            id[..3].copy_from_slice(&begin);
            id[19] = dice;
            let ip: IpAddr = ip.parse().unwrap();
            assert!(matches_address(&id, ip), "{ip}");
            id[2] ^= 0x08;
            assert!(!matches_address(&id, ip), "{ip}");
        }
    }

    #[test]
    fn ids_that_are_made_match_and_private_addresses_are_exempt() {
        let rng = &mut Pcg64Mcg::seed_from_u64(1);
        for ip in ["192.0.2.1", "2001:db8::1", "8.8.8.8"] {
            let ip: IpAddr = ip.parse().unwrap();
            assert!(matches_address(&make_id(ip, rng), ip));
            assert!(!matches_address(&[0; 20], ip));
        }
        for ip in ["127.0.0.1", "10.1.2.3", "::1", "fd00::1"] {
            assert!(matches_address(&[0; 20], ip.parse().unwrap()), "{ip}");
        }
    }
}
