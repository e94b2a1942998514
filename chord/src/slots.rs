//! Where on the circle each finger is sought.
//!
//! Octave i is the part from me + 2^i to me + 2^(i+1). It has one finger, the paper's, or several
//! that divide it evenly; a slot is the number of a finger, counted from the nearest octave.

use overlay::{ID_BITS, Id};

/// Slots when an octave has `parts` fingers.
pub(crate) const fn slots(parts: u16) -> u16 {
    ID_BITS as u16 * parts
}

/// How wide the part of the circle is in which finger `slot` is sought.
pub(crate) fn width_of(slot: u16, parts: u16) -> Id {
    let octave = u32::from(slot / parts);
    match octave.checked_sub(parts.trailing_zeros()) {
        Some(exponent) => Id::power_of_two(exponent),
        None => Id::ZERO,
    }
}

/// How far behind its owner finger `slot` is sought.
pub(crate) fn offset_of(slot: u16, parts: u16) -> Id {
    let width = width_of(slot, parts);
    let octave = Id::power_of_two(u32::from(slot / parts));
    (0..slot % parts).fold(octave, |offset, _| offset.wrapping_add(width))
}

/// Where finger `slot` of `me` starts.
pub(crate) fn start_of(me: Id, slot: u16, parts: u16) -> Id {
    me.wrapping_add(offset_of(slot, parts))
}

/// Whether a node may be finger `slot`: from its start up to that of the next.
pub(crate) fn may_be_finger(me: Id, slot: u16, parts: u16, id: Id) -> bool {
    start_of(me, slot, parts).distance_to(id) < width_of(slot, parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PARTS;

    #[test]
    fn the_parts_of_an_octave_follow_each_other_without_gaps() {
        for parts in [1, PARTS] {
            for slot in 8 * parts..158 * parts {
                let end = offset_of(slot, parts).wrapping_add(width_of(slot, parts));
                assert_eq!(end, offset_of(slot + 1, parts), "slot {slot} of {parts}");
            }
            assert_eq!(offset_of(8 * parts, parts), Id::from_u64(256));
        }
    }
}
