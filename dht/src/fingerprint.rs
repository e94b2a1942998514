//! Fingerprints of sets of records.
//!
//! The fingerprint of a set is the sum, modulo 2^128, of a 128-bit mix of each record's key, slot
//! and version. A sum can be added to and taken from in any order, so that each store keeps the
//! sums of its parts instead of reading them again. Two different sets have equal fingerprints by
//! accident with a chance of 2^-128. The mix is not cryptographic: whoever constructs two sets with
//! equal sums can hide that *these* records of its own differ between two replicas, and nothing
//! else; and a replica that wants to lie about its records can do so anyhow.

use overlay::{Id, Slot, Version};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// How many records, and the sum of their mixes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// Records.
    pub count: u64,
    /// The sum.
    pub print: u128,
}

impl Sum {
    /// The sum of one record.
    pub(crate) fn of(key: Id, slot: Slot, version: Version) -> Self {
        Self {
            count: 1,
            print: mix(key, slot, version),
        }
    }

    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            count: self.count.wrapping_add(other.count),
            print: self.print.wrapping_add(other.print),
        }
    }

    pub(crate) const fn minus(self, other: Self) -> Self {
        Self {
            count: self.count.wrapping_sub(other.count),
            print: self.print.wrapping_sub(other.print),
        }
    }
}

/// Odd constants with well-spread bits: the fractions of the golden ratio and of pi.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
const PI: u64 = 0x243f_6a88_85a3_08d3;

/// Two lanes of a multiply-and-fold mix (after wyhash).
struct Mix {
    high: u64,
    low: u64,
}

impl Mix {
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
}

/// The mix of one record.
fn mix(key: Id, slot: Slot, version: Version) -> u128 {
    let mut mix = Mix {
        high: PI,
        low: GOLDEN,
    };
    mix.id(key);
    match slot {
        Slot::Value => mix.word(0),
        Slot::Text => mix.word(1),
        Slot::Entry => mix.word(2),
        Slot::Holder(SocketAddr::V4(addr)) => {
            mix.word(1 << 63 | u64::from(addr.ip().to_bits()) << 16 | u64::from(addr.port()));
        }
        Slot::Holder(addr) => {
            if let IpAddr::V6(ip) = addr.ip() {
                mix.word(1 << 62 | u64::from(addr.port()));
                mix.word((ip.to_bits() >> 64) as u64);
                mix.word(ip.to_bits() as u64);
            }
        }
    }
    mix.word(version.clock.0);
    mix.id(version.writer);
    // Each lane stirs the other until all bits depend on all words: what is summed must not keep
    // the order of its inputs.
    for _ in 0..2 {
        mix.word(mix.low);
        mix.word(mix.high.rotate_left(17));
    }
    u128::from(mix.high) << 64 | u128::from(mix.low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay::Hlc;
    use std::collections::BTreeSet;

    fn one(key: u64, clock: u64) -> Sum {
        let version = Version {
            clock: Hlc(clock),
            writer: Id::ZERO,
        };
        Sum::of(Id::from_u64(key), Slot::Value, version)
    }

    #[test]
    fn a_sum_tells_records_and_versions_apart_and_forgets_the_order() {
        let both = one(1, 1).plus(one(2, 1));
        assert_eq!(both, one(2, 1).plus(one(1, 1)));
        assert_eq!(both.minus(one(1, 1)), one(2, 1));
        assert_ne!(both, one(1, 1).plus(one(2, 2)));
        assert_ne!(one(1, 2).plus(one(2, 1)), one(1, 1).plus(one(2, 2)));
        assert_ne!(one(0, 0).print, 0);
    }

    /// Neighbouring numbers are what keys and clocks of tests are: the sums of pairs must not
    /// meet.
    #[test]
    fn sums_of_pairs_of_neighbours_differ() {
        let mut seen = BTreeSet::new();
        for key in 0..40 {
            for clock in 0..40 {
                for other in 0..40 {
                    let sum = one(key, clock).plus(one(1_000, other));
                    assert!(seen.insert(sum.print), "{key} {clock} {other}");
                }
            }
        }
    }

    /// Each bit of an input turns about half of the bits of the mix.
    #[test]
    fn every_bit_matters() {
        for bit in 0..64 {
            let turned = (one(7, 1 << bit).print ^ one(7, 0).print).count_ones();
            assert!((30..98).contains(&turned), "bit {bit}: {turned}");
            let turned = (one(1 << bit, 7).print ^ one(0, 7).print).count_ones();
            assert!((30..98).contains(&turned), "bit {bit}: {turned}");
        }
    }
}
