//! What names a torrent and a client.

use std::fmt;
use std::str::FromStr;

/// Bytes of an info-hash and of a peer id (BEP 3).
pub const HASH_BYTES: usize = 20;

/// Names a torrent: the SHA-1 of its `info` dictionary (BEP 3), or the first 20 bytes of the
/// SHA-256 for version 2 (BEP 52).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHash(pub [u8; HASH_BYTES]);

/// Names a client for as long as it runs (BEP 3); its first bytes tell the program (BEP 20).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub [u8; HASH_BYTES]);

/// Not 40 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no info-hash; give 40 hexadecimal digits")]
pub struct NotAnInfoHash(String);

impl fmt::Display for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl FromStr for InfoHash {
    type Err = NotAnInfoHash;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NotAnInfoHash(text.chars().take(2 * HASH_BYTES + 8).collect());
        let digits = text.as_bytes();
        if digits.len() != 2 * HASH_BYTES {
            return Err(wrong());
        }
        let mut hash = [0; HASH_BYTES];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = hex_pair(pair).ok_or_else(wrong)?;
        }
        Ok(Self(hash))
    }
}

/// The byte that two hexadecimal digits stand for, in either case.
pub(crate) fn hex_pair(pair: &[u8]) -> Option<u8> {
    let &[high, low] = pair else {
        return None;
    };
    let digit = |character: u8| char::from(character).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

impl From<InfoHash> for overlay::Id {
    /// The info-hash is the key: it is a hash already.
    fn from(hash: InfoHash) -> Self {
        Self(hash.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_info_hash_is_written_and_read_in_hexadecimal() {
        let hash = InfoHash(std::array::from_fn(|at| at as u8 * 13));
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!(hash.to_string().to_uppercase().parse(), Ok(hash));
        for wrong in [
            "",
            "00",
            &"0".repeat(39),
            &"0".repeat(41),
            &"g".repeat(40),
            &"é".repeat(20),
        ] {
            assert!(wrong.parse::<InfoHash>().is_err(), "{wrong}");
        }
    }
}
