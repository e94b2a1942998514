//! When a root knows that it holds everything that was ever acknowledged for its arc.
//!
//! A founder does. A root whose arc shrank still does. For a part that came new, it must have been
//! brought together with the past in one of two ways. Either with the roots before: one that held
//! everything, and each that took over from it since, all of which accept no more writes there. Or
//! with so many full copies under one view of the root before that at least one of them holds any
//! acknowledged write: with N members of which W acknowledge, any N - W + 1 of them do. Copies under
//! several views of this root itself, of one set of members, count together. One that was a root after
//! this one, and knew nothing of what was before, counts with what this one held. If all who
//! knew are gone, the part stays unproven, and what nobody has is unknown instead of absent, until
//! the configured time is over.

use crate::arcs::{intersect, subtract, subtract_all, subtract_from};
use crate::message::{Evidence, Proof};
use overlay::{Arc, Id};
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};

/// What one node knows, after its records were brought together with the root's.
pub(crate) struct Testimony<'a> {
    pub(crate) witness: Id,
    pub(crate) evidence: &'a [Evidence],
}

/// Most steps when following who took over from whom; a few are usual.
const MAX_STEPS: usize = 1_024;

/// What stays unproven for the root `me`, whose own testimony is among those given. The `views` are
/// its own of one arc and one set of replicas: copies under them are copies of one thing, for each
/// write that was acknowledged under any of them is on the same number of the same nodes. A root in
/// doubt twice in a row has some copies that know of its last view, and some that do not yet.
pub(crate) fn unproven_after(
    (me, views): (Id, &[u64]),
    parts: &[Arc],
    testimonies: &[Testimony<'_>],
) -> Vec<Arc> {
    let mut parts: Vec<Arc> = parts
        .iter()
        .flat_map(|part| not_held_by_roots(me, *part, testimonies))
        .collect();
    // Arcs by what they are copies of: (root, view, quorum) to (witness, arc).
    let mut copies: BTreeMap<Proof, Vec<(Id, Arc)>> = BTreeMap::new();
    for testimony in testimonies {
        for Evidence { arc, proof, .. } in testimony.evidence {
            if let Proof::Member { .. } = proof {
                let witness = testimony.witness;
                let proof = of_one_view(*proof, me, views);
                copies.entry(proof).or_default().push((witness, *arc));
            }
        }
    }
    for (proof, arcs) in copies {
        let Proof::Member { root, quorum, .. } = proof else {
            continue;
        };
        // The root itself lost its memory if it is a witness now; it does not count.
        let arcs: Vec<(Id, Arc)> = arcs
            .into_iter()
            .filter(|(witness, _)| *witness != root)
            .collect();
        let proven = held_by(&arcs, usize::from(quorum.max(1)), &parts);
        parts = subtract_all(parts, proven);
    }
    parts
}

/// A copy under any of these views of `me` is one under the first.
fn of_one_view(proof: Proof, me: Id, views: &[u64]) -> Proof {
    match (proof, views.first()) {
        (Proof::Member { root, view, quorum }, Some(first))
            if root == me && views.contains(&view) =>
        {
            let view = *first;
            Proof::Member { root, view, quorum }
        }
        _ => proof,
    }
}

/// A stretch of the past that somebody has testified to, and where to look on.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Thread {
    arc: Arc,
    /// Who was the root next; none is `me`.
    next: Option<Id>,
    /// Whether `me` itself remembers that it went there.
    is_own: bool,
    /// Which earlier tenures of `me` itself it has gone through.
    through: SmallVec<[usize; 2]>,
}

/// The time of one root in a part.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Tenure {
    root: Id,
    arc: Arc,
    complete: bool,
    next: Option<Id>,
    /// Whether it follows only on a tenure of `me`.
    after_me: bool,
}

/// All that is said of tenures in a part, each once.
fn tenures_in(part: Arc, testimonies: &[Testimony<'_>]) -> Vec<Tenure> {
    let mut tenures = Vec::new();
    for testimony in testimonies {
        for known in testimony.evidence {
            let (complete, next, after_me) = match known.proof {
                Proof::Held { complete, next } => (complete, next, false),
                Proof::After { next } => (false, next, true),
                Proof::Member { .. } => continue,
            };
            tenures.extend(intersect(known.arc, part).into_iter().map(|arc| Tenure {
                root: testimony.witness,
                arc,
                complete,
                next,
                after_me,
            }));
        }
    }
    tenures.sort_unstable();
    tenures.dedup();
    tenures
}

/// Where to begin: with all who held everything.
fn threads_of(me: Id, tenures: &[Tenure], passed_on: &[(Arc, Id)]) -> Vec<Thread> {
    let number_of = |tenure: &Tenure| {
        let same = |(arc, next): &(Arc, Id)| *arc == tenure.arc && Some(*next) == tenure.next;
        passed_on.iter().position(same)
    };
    let complete = tenures.iter().filter(|tenure| tenure.complete);
    let threads = complete.map(|tenure| {
        let is_own = tenure.root == me;
        Thread {
            arc: tenure.arc,
            next: tenure.next,
            is_own,
            through: number_of(tenure).filter(|_| is_own).into_iter().collect(),
        }
    });
    threads.collect()
}

/// What is left of a part without the arcs for which a root that held everything has testified,
/// and each that followed it. When `me` was the root before and passed the arc on, those who had
/// it then must testify too.
fn not_held_by_roots(me: Id, part: Arc, testimonies: &[Testimony<'_>]) -> Vec<Arc> {
    let tenures = tenures_in(part, testimonies);
    let passed_on: Vec<(Arc, Id)> = tenures
        .iter()
        .filter(|tenure| tenure.root == me)
        .filter_map(|tenure| Some((tenure.arc, tenure.next.filter(|next| *next != me)?)))
        .collect();
    let mut open = threads_of(me, &tenures, &passed_on);
    let mut seen: BTreeSet<Thread> = open.iter().cloned().collect();
    let mut left = vec![part];
    for _ in 0..MAX_STEPS {
        let Some(thread) = open.pop().filter(|_| !left.is_empty()) else {
            break;
        };
        let Thread {
            arc,
            next,
            is_own,
            through,
        } = thread;
        let mut found = Vec::new();
        if let Some(next) = next.filter(|next| *next != me) {
            let follows = |tenure: &&Tenure| tenure.root == next && (is_own || !tenure.after_me);
            for tenure in tenures.iter().filter(follows) {
                found.extend(intersect(tenure.arc, arc).into_iter().map(|arc| Thread {
                    arc,
                    next: tenure.next,
                    is_own: false,
                    through: through.clone(),
                }));
            }
        } else {
            let mut here = vec![arc];
            for (number, (tenure, then)) in passed_on.iter().enumerate() {
                if through.contains(&number) {
                    continue;
                }
                let mut through = through.clone();
                through.push(number);
                here = subtract_from(&here, *tenure);
                found.extend(intersect(*tenure, arc).into_iter().map(|arc| Thread {
                    arc,
                    next: Some(*then),
                    is_own: true,
                    through: through.clone(),
                }));
            }
            left = subtract_all(left, here);
        }
        open.extend(
            found
                .into_iter()
                .filter(|thread| seen.insert(thread.clone())),
        );
    }
    left
}

/// The pieces of `parts` that lie in the arcs of at least `quorum` different witnesses.
fn held_by(arcs: &[(Id, Arc)], quorum: usize, parts: &[Arc]) -> Vec<Arc> {
    let mut pieces: Vec<(Arc, usize)> = parts.iter().map(|part| (*part, 0)).collect();
    let mut witnesses: Vec<Id> = arcs.iter().map(|(witness, _)| *witness).collect();
    witnesses.sort_unstable();
    witnesses.dedup();
    for witness in witnesses {
        // One witness counts once for a point: what is counted already is set aside.
        let mut counted = Vec::new();
        for (_, arc) in arcs.iter().filter(|(of, _)| *of == witness) {
            let before = std::mem::take(&mut pieces);
            for (piece, count) in before {
                counted.extend(
                    intersect(piece, *arc)
                        .into_iter()
                        .map(|hit| (hit, count + 1)),
                );
                pieces.extend(subtract(piece, *arc).into_iter().map(|rest| (rest, count)));
            }
        }
        pieces.append(&mut counted);
    }
    pieces
        .into_iter()
        .filter(|(_, count)| *count >= quorum)
        .map(|(piece, _)| piece)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arcs::arc_of as arc;

    fn member(from: u64, to: u64, quorum: u8) -> Vec<Evidence> {
        let proof = Proof::Member {
            root: Id::from_u64(99),
            view: 7,
            quorum,
        };
        vec![Evidence::new(arc(from, to), proof)]
    }

    fn after(evidence: &[(u64, Vec<Evidence>)]) -> Vec<Arc> {
        let testimonies: Vec<Testimony<'_>> = evidence
            .iter()
            .map(|(id, evidence)| Testimony {
                witness: Id::from_u64(*id),
                evidence,
            })
            .collect();
        unproven_after((Id::from_u64(50), &[4, 5]), &[arc(10, 20)], &testimonies)
    }

    #[test]
    fn copies_of_one_set_under_several_views_of_this_root_count_together() {
        let copy = |root: u64, view: u64| {
            let (root, quorum) = (Id::from_u64(root), 2);
            vec![Evidence::new(
                arc(0, 30),
                Proof::Member { root, view, quorum },
            )]
        };
        assert_eq!(after(&[(1, copy(50, 4)), (2, copy(50, 5))]), []);
        let of_another_set = [(1, copy(50, 4)), (2, copy(50, 6))];
        assert_eq!(after(&of_another_set), [arc(10, 20)]);
        let of_another_root = [(1, copy(60, 4)), (2, copy(60, 5))];
        assert_eq!(after(&of_another_root), [arc(10, 20)]);
    }

    #[test]
    fn a_former_root_proves_its_part() {
        assert_eq!(after(&[(1, vec![held(5, 15, true, None)])]), [arc(15, 20)]);
        assert_eq!(
            after(&[(1, vec![held(5, 15, true, Some(50))])]),
            [arc(15, 20)]
        );
        assert_eq!(after(&[(1, vec![held(5, 15, false, None)])]), [arc(10, 20)]);
    }

    fn held(from: u64, to: u64, complete: bool, next: Option<u64>) -> Evidence {
        let proof = Proof::Held {
            complete,
            next: next.map(Id::from_u64),
        };
        Evidence::new(arc(from, to), proof)
    }

    #[test]
    fn each_root_in_between_must_testify() {
        let first = vec![held(0, 30, true, Some(2))];
        assert_eq!(after(&[(1, first.clone())]), [arc(10, 20)]);
        let second = vec![held(12, 30, false, Some(3))];
        assert_eq!(
            after(&[(1, first.clone()), (2, second.clone())]),
            [arc(10, 20)]
        );
        let third = vec![held(0, 14, false, None)];
        let left = after(&[(1, first), (2, second), (3, third)]);
        assert_eq!(left, [arc(10, 12), arc(14, 20)]);
        // Going round in circles ends.
        let (there, back) = (
            vec![held(0, 30, true, Some(2))],
            vec![held(0, 30, true, Some(1))],
        );
        assert_eq!(after(&[(1, there), (2, back)]), [arc(10, 20)]);
    }

    #[test]
    fn who_had_the_part_after_an_earlier_tenure_must_testify_too() {
        // First 1, then this node, then 3; and now this node again.
        let first = vec![held(0, 30, true, Some(50))];
        let own = vec![held(0, 30, false, Some(3))];
        let both = [(1, first.clone()), (50, own.clone())];
        assert_eq!(
            after(&both),
            [arc(10, 20)],
            "3 is dead and nobody knows what it took"
        );
        let third = vec![held(0, 15, false, Some(50))];
        assert_eq!(after(&[(1, first), (50, own), (3, third)]), [arc(15, 20)]);
        let complete = vec![held(0, 30, true, Some(3))];
        assert_eq!(after(&[(50, complete)]), [arc(10, 20)]);
    }

    #[test]
    fn a_root_after_this_one_that_knew_nothing_counts_with_what_this_one_held() {
        let after_us = |next: Option<u64>| {
            let next = next.map(Id::from_u64);
            vec![Evidence::new(arc(0, 30), Proof::After { next })]
        };
        let own = vec![held(0, 15, true, Some(3))];
        let both = [(50, own.clone()), (3, after_us(None))];
        assert_eq!(after(&both), [arc(15, 20)]);
        // Whom it went to then must testify, too.
        let open = [(50, own.clone()), (3, after_us(Some(4)))];
        assert_eq!(after(&open), [arc(10, 20)]);
        // What another one handed to it was an earlier time of it: what this node took after that and
        // has forgotten, or passed on, is not proven by both.
        let first = (1, vec![held(0, 30, true, Some(3))]);
        assert_eq!(after(&[first, (3, after_us(None))]), [arc(10, 20)]);
        let passed_on = vec![held(0, 15, true, Some(3)), held(0, 30, false, Some(4))];
        assert_eq!(
            after(&[(50, passed_on), (3, after_us(None))]),
            [arc(10, 20)]
        );
    }

    #[test]
    fn copies_prove_what_enough_of_them_share() {
        assert_eq!(after(&[(1, member(0, 30, 2))]), [arc(10, 20)]);
        assert_eq!(
            after(&[(1, member(0, 30, 2)), (2, member(12, 30, 2))]),
            [arc(10, 12)]
        );
        // The same witness twice is one witness; the dead root's own copy does not count.
        assert_eq!(
            after(&[(1, member(0, 30, 2)), (1, member(0, 30, 2))]),
            [arc(10, 20)]
        );
        assert_eq!(
            after(&[(1, member(0, 30, 2)), (99, member(0, 30, 2))]),
            [arc(10, 20)]
        );
        assert_eq!(after(&[(1, member(0, 30, 1))]), []);
    }
}
