//! Keyed hashes: what an attacker must be able neither to guess nor to aim at.
//!
//! SipHash rather than HMAC: connection ids and identities have 64 bits, and a 64-bit pseudo-random
//! function is what SipHash is. It takes some 20 ns where HMAC-SHA-256 takes twenty times as long,
//! on the way of every datagram.

use rand_core::Rng;
use siphasher::sip::{SipHasher13, SipHasher24};
use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

/// A key that one run of a tracker keeps to itself.
#[derive(Clone, Debug)]
pub struct Secret {
    key: [u8; 16],
}

impl Secret {
    /// A key from this generator.
    pub fn new(rng: &mut dyn Rng) -> Self {
        let mut key = [0; 16];
        rng.fill_bytes(&mut key);
        Self { key }
    }

    /// SipHash-2-4 of `parts`, one after another: nobody without the key can tell it, whatever else
    /// he has seen. `purpose` keeps the uses of one key apart.
    #[must_use]
    pub fn mac(&self, purpose: u8, parts: &[&[u8]]) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write(&[purpose]);
        for part in parts {
            hasher.write(part);
        }
        hasher.finish()
    }
}

/// Hashes keys of hash tables so that nobody can choose keys that collide: SipHash-1-3, as in the
/// standard library, but with a key that is handed in.
#[derive(Clone, Debug)]
pub(crate) struct KeyedBuild(Secret);

impl KeyedBuild {
    pub(crate) const fn new(secret: Secret) -> Self {
        Self(secret)
    }
}

impl BuildHasher for KeyedBuild {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.0.key)
    }
}

/// The bytes of an address: 4 or 16. IPv4 in IPv6 counts as IPv4.
pub(crate) fn address_bytes(ip: IpAddr, room: &mut [u8; 16]) -> &[u8] {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let (head, _) = room.split_at_mut(4);
            head.copy_from_slice(&ip.octets());
            head
        }
        IpAddr::V6(ip) => {
            *room = ip.octets();
            room
        }
    }
}
