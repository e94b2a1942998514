//! Pastry's id space: 128-bit points, their digits, and which of two nodes is closer to a key.
//!
//! A point is the leading 128 bits of an [`Id`]. Two nodes whose ids differ in the last 32 bits
//! only would share a point; among 10^12 nodes that happens once in 10^14 networks, and then the
//! second of them is turned away when it joins.

use overlay::{Arc, ID_BYTES, Id};

/// Bits of a point.
pub const POINT_BITS: u32 = 128;
/// Bytes of a point.
const POINT_BYTES: usize = 16;

/// A point on the circle of 2^128 points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point(pub u128);

/// How close a point is to a key; the least is the closest. Of two nodes equally far from it, the
/// one before it is the closer, so that every key has exactly one closest node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Closeness {
    distance: u128,
    is_after: bool,
}

impl Point {
    /// The point of an id.
    #[must_use]
    pub fn of(id: Id) -> Self {
        let mut bytes = [0; POINT_BYTES];
        bytes.copy_from_slice(&id.0[..POINT_BYTES]);
        Self(u128::from_be_bytes(bytes))
    }

    /// How far it is clockwise from here to `other`.
    #[must_use]
    pub const fn clockwise_to(self, other: Self) -> u128 {
        other.0.wrapping_sub(self.0)
    }

    /// How close `self` is to `key`.
    #[must_use]
    pub const fn closeness_to(self, key: Self) -> Closeness {
        let (before, after) = (self.clockwise_to(key), key.clockwise_to(self));
        if before <= after {
            Closeness {
                distance: before,
                is_after: false,
            }
        } else {
            Closeness {
                distance: after,
                is_after: true,
            }
        }
    }

    /// The last point, clockwise from here to `next`, that is closer to this point than to `next`.
    #[must_use]
    pub const fn midway_to(self, next: Self) -> Self {
        Self(self.0.wrapping_add(self.clockwise_to(next) / 2))
    }

    /// The last id at this point.
    #[must_use]
    pub fn last_id(self) -> Id {
        let mut bytes = [0xff; ID_BYTES];
        bytes[..POINT_BYTES].copy_from_slice(&self.0.to_be_bytes());
        Id(bytes)
    }

    /// Number of leading digits of `bits` bits that two points share.
    #[must_use]
    pub const fn shared_digits(self, other: Self, bits: u32) -> u32 {
        (self.0 ^ other.0).leading_zeros() / bits
    }

    /// Digit number `index`, from the most significant, of `bits` bits.
    #[must_use]
    pub const fn digit(self, index: u32, bits: u32) -> u8 {
        let shift = POINT_BITS.saturating_sub((index + 1) * bits);
        ((self.0 >> shift) & ((1 << bits) - 1)) as u8
    }
}

/// The ids after those of `from`, up to and with those of `to`; all ids when they are the same.
#[must_use]
pub fn arc_between(from: Point, to: Point) -> Arc {
    Arc {
        from: from.last_id(),
        to: to.last_id(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn digits_count_from_the_most_significant() {
        let point = Point(0x65A1_FC00_0000_0000_0000_0000_0000_0000);
        let digits: Vec<u8> = (0..6).map(|index| point.digit(index, 4)).collect();
        assert_eq!(digits, [0x6, 0x5, 0xA, 0x1, 0xF, 0xC]);
        let other = Point(0x65A2_FC00_0000_0000_0000_0000_0000_0000);
        assert_eq!(point.shared_digits(other, 4), 3);
        assert_eq!(point.shared_digits(point, 4), 32);
    }

    proptest! {
        #[test]
        fn a_node_answers_up_to_midway(
            node in any::<u128>(), gap in 1_u128..u128::MAX / 2, ahead in any::<u128>(),
        ) {
            let (node, next) = (Point(node), Point(node.wrapping_add(gap)));
            let key = Point(node.0.wrapping_add(ahead % gap));
            let closer = node.closeness_to(key) < next.closeness_to(key);
            let before_midway = node.clockwise_to(key) <= node.clockwise_to(node.midway_to(next));
            prop_assert_eq!(closer, before_midway);
        }

        #[test]
        fn an_id_lies_in_the_arc_of_its_point(
            from in any::<u128>(), to in any::<u128>(), key in any::<[u8; 20]>(),
        ) {
            let (from, to, key) = (Point(from), Point(to), Id(key));
            let point = Point::of(key);
            let inside = from.clockwise_to(point) != 0
                && from.clockwise_to(point) <= from.clockwise_to(to);
            prop_assume!(from != to);
            prop_assert_eq!(arc_between(from, to).contains(key), inside);
        }
    }
}
