//! Differences and intersections of arcs.

use overlay::{Arc, Id};
use smallvec::SmallVec;

/// A few arcs that do not overlap.
pub(crate) type Arcs = SmallVec<[Arc; 2]>;

/// A distance from a fixed point; the flag stands for a whole turn.
type Turn = (bool, Id);

const START: Turn = (false, Id::ZERO);
const WHOLE: Turn = (true, Id::ZERO);

/// The distance from `from` to the end of an arc: an end at `from` itself is a whole turn away.
fn turn(from: Id, end: Id) -> Turn {
    let distance = from.distance_to(end);
    if distance == Id::ZERO {
        WHOLE
    } else {
        (false, distance)
    }
}

/// How far clockwise `to` is from `from`.
pub(crate) fn clockwise(from: Id, to: Id) -> Id {
    from.distance_to(to)
}

/// What of `arc` is not in `hole`.
pub(crate) fn subtract(arc: Arc, hole: Arc) -> Arcs {
    let mut left = Arcs::new();
    if hole.is_whole() {
        return left;
    }
    let end = turn(arc.from, arc.to);
    let (hole_from, hole_to) = (
        (false, arc.from.distance_to(hole.from)),
        turn(arc.from, hole.to),
    );
    let mut keep = |low: Turn, high: Turn| {
        if low < high {
            left.push(Arc {
                from: arc.from.wrapping_add(low.1),
                to: arc.from.wrapping_add(high.1),
            });
        }
    };
    if hole_from < hole_to {
        keep(START, hole_from.min(end));
        keep(hole_to, end);
    } else {
        keep(hole_to, hole_from.min(end));
    }
    left
}

/// What of `arcs` is not in `hole`.
pub(crate) fn subtract_from(arcs: &[Arc], hole: Arc) -> Vec<Arc> {
    arcs.iter().flat_map(|arc| subtract(*arc, hole)).collect()
}

/// What of `arcs` is in none of `holes`.
pub(crate) fn subtract_all(arcs: Vec<Arc>, holes: impl IntoIterator<Item = Arc>) -> Vec<Arc> {
    let cut = |left: Vec<Arc>, hole| subtract_from(&left, hole);
    holes.into_iter().fold(arcs, cut)
}

/// What two arcs share.
pub(crate) fn intersect(arc: Arc, other: Arc) -> Arcs {
    if other.is_whole() {
        return SmallVec::from_slice(&[arc]);
    }
    subtract(
        arc,
        Arc {
            from: other.to,
            to: other.from,
        },
    )
}

/// An arc between two small numbers, for the tests of those that work with arcs.
#[cfg(test)]
pub(crate) fn arc_of(from: u64, to: u64) -> Arc {
    Arc {
        from: Id::from_u64(from),
        to: Id::from_u64(to),
    }
}

#[cfg(test)]
mod tests {
    use super::arc_of as arc;
    use super::*;

    /// Every pair of arcs over a few points, judged by membership of every point.
    #[test]
    fn agrees_with_membership() {
        let top = Id::MAX;
        let points = [
            Id::ZERO,
            Id::from_u64(1),
            Id::from_u64(2),
            Id::from_u64(3),
            top,
        ];
        let arcs = || {
            points
                .iter()
                .flat_map(|from| points.map(|to| Arc { from: *from, to }))
        };
        for left in arcs() {
            for right in arcs() {
                for point in points {
                    let (inside, hole) = (left.contains(point), right.contains(point));
                    let rest = subtract(left, right).iter().any(|arc| arc.contains(point));
                    assert_eq!(rest, inside && !hole, "{point} in {left} without {right}");
                    let shared = intersect(left, right).iter().any(|arc| arc.contains(point));
                    assert_eq!(shared, inside && hole, "{point} in {left} and {right}");
                }
            }
        }
    }

    #[test]
    fn a_hole_in_the_middle_leaves_two() {
        assert_eq!(
            subtract(arc(0, 9), arc(3, 5)).as_slice(),
            [arc(0, 3), arc(5, 9)]
        );
        assert_eq!(subtract(arc(4, 4), arc(4, 8)).as_slice(), [arc(8, 4)]);
        assert!(subtract(arc(3, 5), arc(0, 9)).is_empty());
    }
}
