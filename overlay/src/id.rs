//! Points on the circle of 2^160 ids, and their arithmetic.

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha1::{Digest, Sha1};
use std::fmt;
use std::str::FromStr;

/// Bytes of an id.
pub const ID_BYTES: usize = 20;
/// Bits of an id.
pub const ID_BITS: u32 = 160;

/// A point on the 160-bit circle, big-endian: the order of ids is the order of their bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub [u8; ID_BYTES]);

impl Id {
    /// The point zero.
    pub const ZERO: Self = Self([0; ID_BYTES]);
    /// The last point before zero.
    pub const MAX: Self = Self([0xff; ID_BYTES]);

    /// The SHA-1 of `bytes`: the id of a key (of its bytes), or of a node (of its public key).
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha1::digest(bytes).into())
    }

    /// The id whose number is `number`: for tests and small worked examples.
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self::from_parts(0, number as u128)
    }

    /// The id with the given high 32 bits and low 128 bits.
    #[must_use]
    pub const fn from_parts(high: u32, low: u128) -> Self {
        let (head, tail) = (high.to_be_bytes(), low.to_be_bytes());
        let mut bytes = [0; ID_BYTES];
        let mut at = 0;
        while at < ID_BYTES {
            bytes[at] = if at < 4 { head[at] } else { tail[at - 4] };
            at += 1;
        }
        Self(bytes)
    }

    /// The high 32 bits and the low 128 bits.
    #[must_use]
    pub fn parts(self) -> (u32, u128) {
        let mut head = [0; 4];
        let mut tail = [0; 16];
        head.copy_from_slice(&self.0[..4]);
        tail.copy_from_slice(&self.0[4..]);
        (u32::from_be_bytes(head), u128::from_be_bytes(tail))
    }

    /// `self + other` modulo 2^160.
    #[must_use]
    pub fn wrapping_add(self, other: Self) -> Self {
        let ((high_a, low_a), (high_b, low_b)) = (self.parts(), other.parts());
        let (low, carry) = low_a.overflowing_add(low_b);
        Self::from_parts(
            high_a.wrapping_add(high_b).wrapping_add(u32::from(carry)),
            low,
        )
    }

    /// `self - other` modulo 2^160.
    #[must_use]
    pub fn wrapping_sub(self, other: Self) -> Self {
        let ((high_a, low_a), (high_b, low_b)) = (self.parts(), other.parts());
        let (low, borrow) = low_a.overflowing_sub(low_b);
        Self::from_parts(
            high_a.wrapping_sub(high_b).wrapping_sub(u32::from(borrow)),
            low,
        )
    }

    /// 2^`exponent`, for an exponent below 160; larger ones wrap to zero.
    #[must_use]
    pub const fn power_of_two(exponent: u32) -> Self {
        match exponent {
            0..=127 => Self::from_parts(0, 1 << exponent),
            128..=159 => Self::from_parts(1 << (exponent - 128), 0),
            _ => Self::ZERO,
        }
    }

    /// How far it is clockwise from `self` to `other`, as a point.
    #[must_use]
    pub fn distance_to(self, other: Self) -> Self {
        other.wrapping_sub(self)
    }

    /// Zave's `between(low, self, high)`: strictly inside the clockwise way from `low` to `high`.
    /// With `low == high` every other point lies between.
    #[must_use]
    pub fn is_between(self, low: Self, high: Self) -> bool {
        if low < high {
            low < self && self < high
        } else if low > high {
            low < self || self < high
        } else {
            self != low
        }
    }

    /// Whether the point lies in the half-open arc `(from, to]`; with `from == to` that is the
    /// whole circle.
    #[must_use]
    pub fn in_arc(self, from: Self, to: Self) -> bool {
        self == to || self.is_between(from, to)
    }

    /// Number of leading bits that two ids share.
    #[must_use]
    pub fn shared_prefix_bits(self, other: Self) -> u32 {
        let ((high_a, low_a), (high_b, low_b)) = (self.parts(), other.parts());
        if high_a == high_b {
            32 + (low_a ^ low_b).leading_zeros()
        } else {
            (high_a ^ high_b).leading_zeros()
        }
    }

    /// Digit number `index` (from the most significant) in base 2^`bits`, for `bits` in 1..=8.
    #[must_use]
    pub fn digit(self, index: u32, bits: u32) -> u8 {
        let mut digit = 0;
        for bit in index * bits..(index + 1) * bits {
            let byte = self.0.get((bit / 8) as usize).copied().unwrap_or(0);
            digit = digit << 1 | (byte >> (7 - bit % 8)) & 1;
        }
        digit
    }

    /// The first eight hexadecimal digits: enough to tell nodes apart in a log.
    #[must_use]
    pub fn short(self) -> String {
        self.0[..4]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not 40 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id has 40 hexadecimal digits, and {0:?} has not; give one such as {example}", example = Id::of(b"key"))]
pub struct ParseIdError(String);

impl FromStr for Id {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseIdError(text.chars().take(64).collect());
        if text.len() != 2 * ID_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let mut bytes = [0; ID_BYTES];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

struct IdVisitor;

impl Visitor<'_> for IdVisitor {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id of 20 bytes")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Id, E> {
        bytes
            .try_into()
            .map(Id)
            .map_err(|_| E::invalid_length(bytes.len(), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
        text.parse().map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(IdVisitor)
        } else {
            deserializer.deserialize_bytes(IdVisitor)
        }
    }
}
