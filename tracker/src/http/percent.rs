//! Percent-encoding (RFC 3986, section 2.1).

use crate::ids::hex_pair;

/// Decodes into `room`, and gives how many bytes there are; these may be more than `room` has, of
/// which the first are kept. None when an escape is broken.
///
/// A plus sign stands for itself: clients escape spaces, and some send `+` in a peer id as it is.
pub(super) fn decode(text: &[u8], room: &mut [u8]) -> Option<usize> {
    let mut rest = text;
    let mut length = 0;
    while let [first, tail @ ..] = rest {
        let byte = if *first == b'%' {
            let (pair, after) = tail.split_at_checked(2)?;
            rest = after;
            hex_pair(pair)?
        } else {
            rest = tail;
            *first
        };
        if let Some(place) = room.get_mut(length) {
            *place = byte;
        }
        length += 1;
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_in_either_case() {
        let mut room = [0; 20];
        let hash = b"%124Vx%9A%BC%de%F1%23Eg%89%AB%CD%EF%124Vx%9A";
        assert_eq!(decode(hash, &mut room), Some(20));
        assert_eq!(room[..4], [0x12, 0x34, 0x56, 0x78]);
        assert_eq!(room[19], 0x9a);
        assert_eq!(decode(b"a+b", &mut room), Some(3));
        assert_eq!(room[1], b'+');
    }

    #[test]
    fn broken_escapes_and_long_text_are_told() {
        let mut room = [0; 2];
        for broken in [&b"%"[..], b"%1", b"a%g1", b"%%%"] {
            assert_eq!(decode(broken, &mut room), None);
        }
        assert_eq!(decode(b"%00abc", &mut room), Some(4));
    }
}
