//! What roots said last of which view, because messages may overtake each other.
//!
//! A root has one view of a key at a time, and numbers its questions upwards from a number that it
//! draws at its start. So what it has asked under one view before it asked under another one of the
//! same keys is over. It still says that the root had claimed them; but were it to make a copy, that
//! would be one of a view of the past, which proves nothing to a reader, and the root, to whom the
//! copy has said otherwise, would not notice until it compares again.

use crate::arcs::intersect;
use overlay::{Arc, Id};
use std::collections::VecDeque;

/// Most views that are kept in mind: a node hears from a few roots, which have a few views while
/// the network changes.
const MAX_HEARD: usize = 256;
/// How far the numbers of questions that a root has sent since its start can be apart. Those of
/// another start are hardly ever that near.
const FARTHEST: u64 = 1 << 32;

/// The last question of a root under a view.
#[derive(Clone, Copy, Debug)]
struct Heard {
    root: Id,
    view: u64,
    arc: Arc,
    number: u64,
}

/// The last questions of roots, oldest first.
#[derive(Debug, Default)]
pub(crate) struct LastHeard(VecDeque<Heard>);

impl LastHeard {
    /// Notes a question, unless it is late: then the root has a newer view of some of these keys.
    pub(crate) fn is_late(&mut self, root: Id, (view, arc): (u64, Arc), number: u64) -> bool {
        let is_later = |known: &Heard| {
            known.root == root
                && known.view != view
                && (1..FARTHEST).contains(&known.number.wrapping_sub(number))
                && !intersect(known.arc, arc).is_empty()
        };
        if self.0.iter().any(is_later) {
            return true;
        }
        let mut known = self.0.iter_mut();
        let same = known.find(|known| known.root == root && known.view == view);
        if let Some(known) = same {
            let is_behind = known.number.wrapping_sub(number) < FARTHEST;
            known.number = if is_behind { known.number } else { number };
            return false;
        }
        self.0
            .retain(|known| known.root != root || known.arc != arc);
        if self.0.len() >= MAX_HEARD {
            self.0.pop_front();
        }
        self.0.push_back(Heard {
            root,
            view,
            arc,
            number,
        });
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: Id = Id::ZERO;

    fn arc(from: u64, to: u64) -> Arc {
        Arc {
            from: Id::from_u64(from),
            to: Id::from_u64(to),
        }
    }

    #[test]
    fn a_view_is_over_once_the_root_has_asked_under_another_one() {
        let mut heard = LastHeard::default();
        assert!(!heard.is_late(ROOT, (1, arc(10, 30)), 100));
        assert!(!heard.is_late(ROOT, (2, arc(20, 30)), 103));
        assert!(heard.is_late(ROOT, (1, arc(10, 30)), 102));
        // One of which nothing was heard until now, too.
        assert!(heard.is_late(ROOT, (3, arc(20, 30)), 101));
        assert!(!heard.is_late(ROOT, (2, arc(20, 30)), 102));
        assert!(heard.is_late(ROOT, (3, arc(20, 30)), 102));
    }

    #[test]
    fn other_keys_roots_and_starts_are_no_reason() {
        let mut heard = LastHeard::default();
        assert!(!heard.is_late(ROOT, (1, arc(10, 20)), 100));
        assert!(!heard.is_late(ROOT, (2, arc(20, 30)), 99));
        assert!(!heard.is_late(Id::MAX, (3, arc(10, 20)), 99));
        // The root has started again.
        assert!(!heard.is_late(ROOT, (4, arc(10, 20)), 100_u64.wrapping_sub(FARTHEST)));
        // Numbers begin anew after the last one.
        assert!(!heard.is_late(ROOT, (5, arc(40, 50)), u64::MAX));
        assert!(!heard.is_late(ROOT, (6, arc(40, 50)), 1));
        assert!(heard.is_late(ROOT, (5, arc(40, 50)), 0));
    }
}
