//! Ids and arcs against a plain oracle, and the worked example of the lecture's ring.

use overlay::{Arc, Id};
use proptest::prelude::*;

/// A point of the lecture's 4-bit ring as one of ours: its four bits come first.
fn on_small_ring(point: u64) -> Id {
    Id::from_parts(u32::try_from(point << 28).expect("four bits"), 0)
}

fn any_id() -> impl Strategy<Value = Id> {
    // Small numbers, so that equal and neighbouring points occur, and arbitrary ones.
    prop_oneof![
        (0_u64..8).prop_map(Id::from_u64),
        any::<[u8; 20]>().prop_map(Id)
    ]
}

proptest! {
    #[test]
    fn addition_and_subtraction_are_inverse(left in any_id(), right in any_id()) {
        prop_assert_eq!(left.wrapping_add(right).wrapping_sub(right), left);
        prop_assert_eq!(left.distance_to(right).wrapping_add(left), right);
    }

    #[test]
    fn between_agrees_with_distances(low in any_id(), point in any_id(), high in any_id()) {
        let strictly = low.distance_to(point) < low.distance_to(high);
        let expected = point != low && (low == high || strictly);
        prop_assert_eq!(point.is_between(low, high), expected);
    }

    #[test]
    fn an_arc_and_its_complement_share_the_circle(from in any_id(), to in any_id(), point in any_id()) {
        prop_assume!(from != to);
        let (arc, rest) = (Arc { from, to }, Arc { from: to, to: from });
        prop_assert!(arc.contains(point) != rest.contains(point));
        prop_assert!(arc.covers(&arc));
        prop_assert!(!arc.covers(&rest));
    }

    #[test]
    fn an_arc_covers_its_parts(from in any_id(), middle in any_id(), to in any_id()) {
        let whole = Arc { from, to };
        prop_assume!(from != to && middle.is_between(from, to));
        let (lower, upper) = (Arc { from, to: middle }, Arc { from: middle, to });
        prop_assert!(whole.covers(&lower) && whole.covers(&upper));
        prop_assert!(!lower.covers(&whole));
    }

    #[test]
    fn the_text_of_an_id_is_read_back(id in any_id()) {
        prop_assert_eq!(id.to_string().parse::<Id>(), Ok(id));
    }

    #[test]
    fn prefixes_and_digits_agree(left in any_id(), right in any_id()) {
        let shared_digits = left.shared_prefix_bits(right) / 4;
        for index in 0..shared_digits {
            prop_assert_eq!(left.digit(index, 4), right.digit(index, 4));
        }
        if shared_digits < 40 {
            prop_assert_ne!(left.digit(shared_digits, 4), right.digit(shared_digits, 4));
        }
    }
}

#[test]
fn the_lectures_ring_has_the_lectures_successors() {
    let nodes = [0, 1, 3, 7, 9, 11, 14].map(on_small_ring);
    let successor = |point: Id| {
        let next = nodes.iter().copied().find(|node| *node >= point);
        next.unwrap_or(nodes[0])
    };
    let fingers = |node: u64| {
        let start = |exponent| on_small_ring(node).wrapping_add(Id::power_of_two(156 + exponent));
        [0_u32, 1, 2, 3].map(|exponent| successor(start(exponent)))
    };
    assert_eq!(
        fingers(0),
        [1, 3, 7, 9].map(on_small_ring),
        "finger table of node 0"
    );
    assert_eq!(
        fingers(9),
        [11, 11, 14, 1].map(on_small_ring),
        "finger table of node 9"
    );
}

#[test]
fn a_key_is_the_sha1_of_its_bytes() {
    let expected = "a9993e364706816aba3e25717850c26c9cd0d89d"; // FIPS 180-2, appendix A.1
    assert_eq!(Id::of(b"abc").to_string(), expected);
}

#[test]
fn a_wrong_id_is_named_in_the_error() {
    for text in [
        "",
        "12",
        "zz993e364706816aba3e25717850c26c9cd0d89d",
        &"a".repeat(41),
    ] {
        let error = text.parse::<Id>().expect_err("must be refused").to_string();
        assert!(
            error.contains("40 hexadecimal digits") && error.contains(text),
            "{error}"
        );
    }
}
