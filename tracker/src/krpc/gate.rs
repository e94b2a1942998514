//! How much one address may ask of a node of the DHT.
//!
//! A question needs no proof of an address, and its answer may be several times as long: a forged
//! address is sent no more than it could have asked for itself.

use crate::limits::{Buckets, Rate};
use crate::secret::Secret;
use overlay::Time;
use std::net::IpAddr;

/// Questions of one address (IPv6: of one /64): a lookup of a client asks a node once or twice, so
/// that a network of many clients behind one address still has room.
pub const QUESTIONS: Rate = Rate {
    per_s: 20,
    burst: 100,
};
/// Items that one address stores: each is a read and a write of the overlay with a quorum. Publishers
/// put an item again once an hour.
pub const PUTS: Rate = Rate {
    per_s: 1,
    burst: 50,
};

/// Counts what each address asks, in one megabyte.
#[derive(Clone, Debug)]
pub struct Gate {
    secret: Secret,
    questions: Buckets,
    puts: Buckets,
}

impl Gate {
    /// Nobody has asked for anything.
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        Self {
            secret,
            questions: Buckets::new(QUESTIONS, b'Q'),
            puts: Buckets::new(PUTS, b'I'),
        }
    }

    /// Whether a datagram of this address is looked at.
    pub fn admits(&mut self, ip: IpAddr, now: Time) -> bool {
        self.questions.take(&self.secret, ip, &[], now)
    }

    /// Whether this address may store another item.
    pub fn admits_put(&mut self, ip: IpAddr, now: Time) -> bool {
        self.puts.take(&self.secret, ip, &[], now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64Mcg;

    #[test]
    fn an_address_asks_so_much_and_stores_less() {
        let mut gate = Gate::new(Secret::new(&mut Pcg64Mcg::seed_from_u64(1)));
        let (one, two) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let at = |second: u64| Time(second * 1_000_000);
        let mut asked = |ip, second| (0..1_000).filter(|_| gate.admits(ip, at(second))).count();
        assert_eq!(
            (asked(one, 0), asked(two, 0), asked(one, 1)),
            (100, 100, 20)
        );
        let mut put = |ip, second| {
            (0..1_000)
                .filter(|_| gate.admits_put(ip, at(second)))
                .count()
        };
        assert_eq!((put(one, 1), put(two, 1), put(one, 3)), (50, 50, 2));
    }
}
