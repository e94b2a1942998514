//! What one address may ask for.
//!
//! A rate is kept as the time at which its bucket will be full again (the generic cell rate algorithm
//! of ATM), in a table of fixed size whose cells are found by a keyed hash: so memory is bounded
//! whoever asks, nobody can aim at the cell of another, and two addresses that share a cell by chance
//! share its rate.

use crate::secret::{Secret, address_bytes};
use overlay::Time;
use std::net::IpAddr;

/// Cells of each table: half a megabyte. Of 1,000 addresses that exhaust their rate at the same time
/// others are hit with a probability of 1.5 %.
const CELLS: usize = 1 << 16;

/// How much of something is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// So many a second, on average; 0 for no limit.
    pub per_s: u32,
    /// So many at once.
    pub burst: u32,
}

impl Rate {
    /// No limit.
    pub const UNLIMITED: Self = Self { per_s: 0, burst: 0 };
}

/// Buckets of one rate.
#[derive(Clone, Debug)]
pub(crate) struct Buckets {
    rate: Rate,
    full_at: Vec<u64>,
    purpose: u8,
}

impl Buckets {
    pub(crate) fn new(rate: Rate, purpose: u8) -> Self {
        let cells = if rate.per_s == 0 { 0 } else { CELLS };
        Self {
            rate,
            full_at: vec![0; cells],
            purpose,
        }
    }

    /// Takes one for this address, and for this torrent if the rate is about both. False when there
    /// is none left.
    pub(crate) fn take(&mut self, secret: &Secret, ip: IpAddr, about: &[u8], now: Time) -> bool {
        let mut room = [0; 16];
        let address = address_bytes(ip, &mut room);
        // One line has 2^64 IPv6 addresses: the network counts.
        let address = address.get(..8).unwrap_or(address);
        self.take_of(secret, &[address, about], now)
    }

    /// Takes one for this torrent, whoever asks. False when there is none left.
    pub(crate) fn take_about(&mut self, secret: &Secret, about: &[u8], now: Time) -> bool {
        self.take_of(secret, &[about], now)
    }

    fn take_of(&mut self, secret: &Secret, of: &[&[u8]], now: Time) -> bool {
        let Some(interval) = 1_000_000_u64.checked_div(self.rate.per_s.into()) else {
            return true;
        };
        let cell = secret.mac(self.purpose, of) as usize % CELLS;
        let Some(full_at) = self.full_at.get_mut(cell) else {
            return true;
        };
        let from = (*full_at).max(now.0);
        let most = interval.saturating_mul(self.rate.burst.max(1).into());
        if from - now.0 + interval > most {
            return false;
        }
        *full_at = from + interval;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64Mcg;

    #[test]
    fn a_burst_and_then_a_rate_for_each_network() {
        let secret = Secret::new(&mut Pcg64Mcg::seed_from_u64(1));
        let mut buckets = Buckets::new(
            Rate {
                per_s: 10,
                burst: 5,
            },
            b'x',
        );
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut taken = |ip: IpAddr, at: u64| {
            (0..20)
                .filter(|_| buckets.take(&secret, ip, b"", Time(at)))
                .count()
        };
        assert_eq!(taken(ip("192.0.2.1"), 0), 5);
        assert_eq!(taken(ip("192.0.2.2"), 0), 5);
        assert_eq!(taken(ip("2001:db8::1"), 0), 5);
        assert_eq!(taken(ip("2001:db8::2"), 0), 0, "the same network");
        assert_eq!(taken(ip("2001:db8:0:1::2"), 0), 5);
        assert_eq!(taken(ip("192.0.2.1"), 200_000), 2);
    }

    #[test]
    fn no_limit_takes_no_memory() {
        let secret = Secret::new(&mut Pcg64Mcg::seed_from_u64(1));
        let mut buckets = Buckets::new(Rate::UNLIMITED, b'x');
        assert_eq!(buckets.full_at.capacity(), 0);
        assert!((0..100_000).all(|_| buckets.take(&secret, IpAddr::from([1; 4]), b"", Time(0))));
    }
}
