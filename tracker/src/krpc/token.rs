//! Tokens: who got one at an address may write from there (BEP 5).

use crate::secret::{Secret, address_bytes};
use overlay::Time;
use std::net::IpAddr;

/// Bytes of a token.
pub const TOKEN_BYTES: usize = 8;
/// How long a token is valid at least, in seconds; at most twice as long. BEP 5: "tokens up to ten
/// minutes old are accepted", the reference implementation changes its secret every five.
pub const TOKEN_VALID_S: u64 = 300;
const PURPOSE: u8 = b't';

/// Gives out and checks tokens, without remembering any.
#[derive(Clone, Debug)]
pub struct Tokens {
    secret: Secret,
}

impl Tokens {
    /// Tokens under this key.
    #[must_use]
    pub const fn new(secret: Secret) -> Self {
        Self { secret }
    }

    /// A token for this address.
    #[must_use]
    pub fn issue(&self, now: Time, ip: IpAddr) -> [u8; TOKEN_BYTES] {
        self.of_epoch(epoch(now), ip)
    }

    /// Whether the token was given to this address lately.
    #[must_use]
    pub fn is_valid(&self, now: Time, ip: IpAddr, token: &[u8]) -> bool {
        let present = epoch(now);
        let before = present.checked_sub(1);
        self.of_epoch(present, ip) == token
            || before.is_some_and(|before| self.of_epoch(before, ip) == token)
    }

    fn of_epoch(&self, epoch: u64, ip: IpAddr) -> [u8; TOKEN_BYTES] {
        let mut room = [0; 16];
        let address = address_bytes(ip, &mut room);
        self.secret
            .mac(PURPOSE, &[&epoch.to_be_bytes(), address])
            .to_be_bytes()
    }
}

const fn epoch(now: Time) -> u64 {
    now.0 / (TOKEN_VALID_S * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64Mcg;

    #[test]
    fn a_token_is_valid_for_a_while_at_its_address() {
        let tokens = Tokens::new(Secret::new(&mut Pcg64Mcg::seed_from_u64(1)));
        let ip: IpAddr = "192.0.2.1".parse().unwrap();
        let at = |seconds: u64| Time(seconds * 1_000_000);
        let token = tokens.issue(at(299), ip);
        assert!(tokens.is_valid(at(299), ip, &token) && tokens.is_valid(at(599), ip, &token));
        assert!(!tokens.is_valid(at(600), ip, &token));
        assert!(!tokens.is_valid(at(299), "192.0.2.2".parse().unwrap(), &token));
        assert!(!tokens.is_valid(at(299), ip, b"") && !tokens.is_valid(at(299), ip, &token[..7]));
    }
}
