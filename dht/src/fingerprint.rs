//! Fingerprints of ranges of records.
//!
//! Two replicas compare 128 bits instead of lists. The mix is not cryptographic: a peer that
//! wants to lie about its records can do so anyhow, and accidental equality of two different
//! ranges has a chance of 2^-128 each.

use overlay::{Id, Slot, Version};
use std::net::{IpAddr, SocketAddr};

/// Collects a sequence of (position, version).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fingerprint {
    high: u64,
    low: u64,
    count: u32,
}

/// Odd constants with well-spread bits: the fractions of the golden ratio and of pi.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
const PI: u64 = 0x243f_6a88_85a3_08d3;

impl Fingerprint {
    pub(crate) const fn new() -> Self {
        Self {
            high: PI,
            low: GOLDEN,
            count: 0,
        }
    }

    /// One step of a multiply-and-fold mix (after wyhash) in each half.
    fn word(&mut self, word: u64) {
        let fold = |state: u64, word: u64, odd: u64| {
            let product = u128::from(state ^ word) * u128::from(odd);
            (product as u64) ^ ((product >> 64) as u64)
        };
        self.high = fold(self.high, word, GOLDEN).wrapping_add(word.rotate_left(32));
        self.low = fold(self.low, word.wrapping_add(PI), PI).wrapping_add(self.high);
    }

    fn id(&mut self, id: Id) {
        let (head, tail) = id.parts();
        self.word(u64::from(head));
        self.word((tail >> 64) as u64);
        self.word(tail as u64);
    }

    /// Takes in the next record.
    pub(crate) fn add(&mut self, key: Id, slot: Slot, version: Version) {
        self.count = self.count.saturating_add(1);
        self.id(key);
        match slot {
            Slot::Value => self.word(0),
            Slot::Holder(SocketAddr::V4(addr)) => {
                self.word(1 << 63 | u64::from(addr.ip().to_bits()) << 16 | u64::from(addr.port()));
            }
            Slot::Holder(addr) => {
                let IpAddr::V6(ip) = addr.ip() else { return };
                self.word(1 << 62 | u64::from(addr.port()));
                self.word((ip.to_bits() >> 64) as u64);
                self.word(ip.to_bits() as u64);
            }
        }
        self.word(version.clock.0);
        self.id(version.writer);
    }

    /// How many records, and their fingerprint.
    pub(crate) const fn finish(self) -> (u32, [u64; 2]) {
        (self.count, [self.high, self.low])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay::Hlc;

    fn print(records: &[(u64, u64)]) -> (u32, [u64; 2]) {
        let mut print = Fingerprint::new();
        for (key, clock) in records {
            let version = Version {
                clock: Hlc(*clock),
                writer: Id::ZERO,
            };
            print.add(Id::from_u64(*key), Slot::Value, version);
        }
        print.finish()
    }

    #[test]
    fn tells_records_versions_and_order_apart() {
        assert_eq!(print(&[(1, 1), (2, 1)]), print(&[(1, 1), (2, 1)]));
        assert_ne!(print(&[(1, 1), (2, 1)]), print(&[(1, 1), (2, 2)]));
        assert_ne!(print(&[(1, 1), (2, 1)]), print(&[(1, 1)]));
        assert_ne!(print(&[(1, 2), (2, 1)]), print(&[(1, 1), (2, 2)]));
        assert_ne!(print(&[]), print(&[(0, 0)]));
    }
}
