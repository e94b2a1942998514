//! Connection ids: proof that a client receives what is sent to its address (BEP 15).
//!
//! An id is a keyed hash of the address and the time, and eight bits of the time in the clear. So it
//! is checked without remembering it, nobody can make one, and it is worth nothing to another
//! address.

use crate::secret::{Secret, address_bytes};
use overlay::Time;
use std::net::IpAddr;

/// How long an id is valid, in seconds: "trackers should accept the connection ID until two minutes
/// after it has been sent" (BEP 15).
pub const ID_VALID_S: u64 = 120;
/// Resolution of the time in an id, in microseconds: 256 steps are more than four times as long as
/// an id is valid, so that the eight bits are never ambiguous.
const STEP_US: u64 = 2_000_000;
/// Keeps these hashes apart from other uses of the key.
const PURPOSE: u8 = b'c';

/// Gives out and checks connection ids.
#[derive(Clone, Debug)]
pub struct ConnectionIds {
    secret: Secret,
}

impl ConnectionIds {
    /// Ids under this key.
    #[must_use]
    pub const fn new(secret: Secret) -> Self {
        Self { secret }
    }

    /// An id for this address, valid from now on for [`ID_VALID_S`].
    #[must_use]
    pub fn issue(&self, now: Time, ip: IpAddr) -> u64 {
        self.at_step(now.0 / STEP_US, ip)
    }

    /// Whether the id was given to this address, not too long ago.
    #[must_use]
    pub fn is_valid(&self, now: Time, ip: IpAddr, id: u64) -> bool {
        let step = now.0 / STEP_US;
        let age = step.wrapping_sub(id) & 0xff;
        let Some(issued) = step.checked_sub(age) else {
            return false;
        };
        age * STEP_US <= ID_VALID_S * 1_000_000 && self.at_step(issued, ip) == id
    }

    fn at_step(&self, step: u64, ip: IpAddr) -> u64 {
        let mut room = [0; 16];
        let address = address_bytes(ip, &mut room);
        let mac = self.secret.mac(PURPOSE, &[&step.to_be_bytes(), address]);
        (mac & !0xff) | (step & 0xff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay::Duration;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64Mcg;

    fn ids(seed: u64) -> ConnectionIds {
        ConnectionIds::new(Secret::new(&mut Pcg64Mcg::seed_from_u64(seed)))
    }

    #[test]
    fn an_id_is_valid_for_two_minutes_for_its_address_and_its_tracker() {
        let (ids, others) = (ids(1), ids(2));
        let ip: IpAddr = "192.0.2.1".parse().unwrap();
        for start in [0, 1, 63, 64, 509, 510, 511, 512, 100_000] {
            let issued = Time(start * 1_000_000);
            let id = ids.issue(issued, ip);
            let after = |seconds| issued + Duration::from_secs(seconds);
            for seconds in [0, 1, 2, 60, 119, 120] {
                assert!(ids.is_valid(after(seconds), ip, id), "{start}+{seconds}");
            }
            for seconds in [123, 130, 200, 511, 512, 513, 514, 1_024] {
                assert!(!ids.is_valid(after(seconds), ip, id), "{start}+{seconds}");
            }
            assert!(!ids.is_valid(issued, "192.0.2.2".parse().unwrap(), id));
            assert!(!others.is_valid(issued, ip, id));
            assert!(!ids.is_valid(issued, ip, id ^ 0x100));
            assert!(!ids.is_valid(issued, ip, id ^ 1));
        }
    }

    #[test]
    fn one_address_in_both_forms_is_one() {
        let ids = ids(3);
        let id = ids.issue(Time(0), "192.0.2.1".parse().unwrap());
        assert!(ids.is_valid(Time(0), "::ffff:192.0.2.1".parse().unwrap(), id));
    }

    #[test]
    fn guessing_does_not_help() {
        let ids = ids(4);
        let ip: IpAddr = "192.0.2.1".parse().unwrap();
        let hits = (0..100_000_u64).filter(|guess| {
            let id = guess.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            ids.is_valid(Time(1_000_000_000), ip, id)
        });
        assert_eq!(hits.count(), 0);
    }
}
