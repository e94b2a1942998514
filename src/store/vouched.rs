//! How it is written what a store vouches for.
//!
//! One part after the other: both ends of an arc, and the clock value up to which what the store
//! lacks there was deleted. The seal has a digest of it.

use overlay::{Arc, Hlc, Id};

const ID_BYTES: usize = 20;
const CLOCK_BYTES: usize = 8;
const PART_BYTES: usize = 2 * ID_BYTES + CLOCK_BYTES;

/// The bytes of these parts; none for none.
pub(super) fn encode(parts: &[(Arc, Hlc)]) -> Box<[u8]> {
    let mut bytes = Vec::with_capacity(parts.len() * PART_BYTES);
    for (arc, upto) in parts {
        bytes.extend_from_slice(&arc.from.0);
        bytes.extend_from_slice(&arc.to.0);
        bytes.extend_from_slice(&upto.0.to_le_bytes());
    }
    bytes.into_boxed_slice()
}

/// The parts; nothing when the bytes are none.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<(Arc, Hlc)>> {
    let (parts, []) = bytes.as_chunks::<PART_BYTES>() else {
        return None;
    };
    let decoded = parts.iter().map(|part| {
        let (from, rest) = part.split_first_chunk::<ID_BYTES>()?;
        let (to, clock) = rest.split_first_chunk::<ID_BYTES>()?;
        let arc = Arc {
            from: Id(*from),
            to: Id(*to),
        };
        Some((arc, Hlc(u64::from_le_bytes(clock.try_into().ok()?))))
    });
    decoded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back_or_are_refused() {
        let arc = |from, to| Arc {
            from: Id::from_u64(from),
            to: Id::from_u64(to),
        };
        let parts = vec![(arc(1, 2), Hlc(3)), (arc(7, 5), Hlc(u64::MAX))];
        let bytes = encode(&parts);
        assert_eq!(decode(&bytes), Some(parts));
        assert_eq!(decode(&bytes[1..]), None);
        assert_eq!(decode(&[]), Some(Vec::new()));
    }
}
