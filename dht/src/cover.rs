//! The arcs of which this node is a copy, as their roots have told it.

use crate::arcs::{intersect, subtract, subtract_from};
use crate::message::{Claim, Confirmation, Evidence, Proof, SyncDone};
use overlay::{Arc, Duration, Id, Time};
use smallvec::SmallVec;
use std::collections::VecDeque;

/// Most arcs of other roots that a node keeps in mind. A replica of N = 3 has two; a few more
/// during changes.
pub const MAX_COVERS: usize = 256;
/// How long after a message of records the next one may be waited for: the largest value at the
/// slowest pace that can be set takes 16 s, and a root asks three times.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// Longest time that a root may ask a copy to count without being confirmed: one day.
const MAX_VALID_S: u32 = 24 * 3600;

/// A copy of an arc.
#[derive(Clone, Copy, Debug)]
struct Cover {
    root: Id,
    view: u64,
    arc: Arc,
    quorum: u8,
    /// Whether the root has said that the copy is full.
    full: bool,
    /// Until when it counts.
    until: Time,
    /// Until when its records stay here, if that is longer.
    kept_until: Time,
}

/// A part that somebody else has claimed from a root, as long as that root has the same view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fence {
    root: Id,
    view: u64,
    arc: Arc,
    by: Id,
}

/// All copies that this node keeps.
#[derive(Debug, Default)]
pub(crate) struct Covers {
    list: Vec<Cover>,
    /// Oldest first.
    fences: VecDeque<Fence>,
    /// Roots and their views that are over by the root's own word; oldest first.
    retired: VecDeque<(Id, u64)>,
}

impl Covers {
    /// The root has begun to make this node a copy, or goes on to: the records may stay.
    pub(crate) fn begin(&mut self, root: Id, done: &SyncDone, now: Time) {
        if self.is_retired(root, done.view) {
            return;
        }
        let until = now + valid_for(done.valid_s);
        match self
            .list
            .iter_mut()
            .find(|cover| cover.root == root && cover.view == done.view)
        {
            Some(known) => known.until = until,
            None => self.add(root, done, false, until),
        }
    }

    /// The root sends records: those that are here already stay while more come, however long the
    /// whole copy takes.
    pub(crate) fn receives(&mut self, root: Id, now: Time) {
        for cover in self.list.iter_mut().filter(|cover| cover.root == root) {
            cover.kept_until = now + KEPT_FOR;
        }
    }

    /// The root says that this node is a full copy: this replaces what others, and what the same
    /// root earlier, have said about the arc. Of its other arcs it says nothing: a root may have
    /// several, each with replicas of its own. Says whether that is news.
    pub(crate) fn complete(&mut self, root: Id, done: &SyncDone, now: Time) -> bool {
        // Messages may overtake each other.
        if self.is_retired(root, done.view) {
            return false;
        }
        let is_known = |cover: &Cover| {
            cover.root == root
                && cover.view == done.view
                && cover.arc == done.arc
                && cover.full
                && cover.quorum == done.quorum
        };
        // Somebody who did not know whether he had everything may have claimed the arc meanwhile.
        let is_rival =
            |cover: &Cover| cover.root != root && !intersect(cover.arc, done.arc).is_empty();
        let is_alone = !self.list.iter().any(is_rival);
        let until = now + valid_for(done.valid_s);
        if let Some(known) = self.list.iter_mut().find(|cover| is_known(cover))
            && (is_alone || done.quorum == 0)
        {
            known.until = until;
            return false;
        }
        let before = std::mem::take(&mut self.list);
        for cover in before {
            // What anybody said about this arc earlier is over once this root knows that it has
            // everything. What is left of an arc stays.
            let replaced = cover.quorum == 0 || done.quorum > 0;
            let left = if replaced {
                subtract(cover.arc, done.arc)
            } else {
                SmallVec::from_slice(&[cover.arc])
            };
            self.list
                .extend(left.into_iter().map(|arc| Cover { arc, ..cover }));
        }
        self.add(root, done, true, until);
        true
    }

    fn add(&mut self, root: Id, done: &SyncDone, full: bool, until: Time) {
        if self.list.len() >= MAX_COVERS {
            self.list.remove(0);
        }
        let SyncDone {
            view, arc, quorum, ..
        } = *done;
        self.list.push(Cover {
            root,
            view,
            arc,
            quorum,
            full,
            until,
            kept_until: until,
        });
    }

    /// What this node was a copy of in an arc proves nothing any more: it is the root itself and
    /// holds everything there, so that its copy would speak against those who are roots after it; or
    /// it has handed its records over.
    pub(crate) fn outlived(&mut self, arc: Arc) {
        let before = std::mem::take(&mut self.list);
        for cover in before {
            let left = subtract(cover.arc, arc).into_iter();
            self.list.extend(left.map(|arc| Cover { arc, ..cover }));
            let over = intersect(cover.arc, arc).into_iter();
            self.list.extend(over.map(|arc| Cover {
                arc,
                full: false,
                ..cover
            }));
        }
        let excess = self.list.len().saturating_sub(MAX_COVERS);
        self.list.drain(..excess);
    }

    /// Under this view of its root this node is no full copy any more, whatever still comes; the
    /// records stay for now. Says whether it knows that root at all.
    pub(crate) fn retire(&mut self, root: Id, view: u64) -> bool {
        if self.is_retired(root, view) {
            return true;
        }
        let mut knows_root = false;
        for cover in self.list.iter_mut().filter(|cover| cover.root == root) {
            cover.full &= cover.view != view;
            knows_root = true;
        }
        if knows_root {
            if self.retired.len() >= MAX_COVERS {
                self.retired.pop_front();
            }
            self.retired.push_back((root, view));
        }
        knows_root
    }

    fn is_retired(&self, root: Id, view: u64) -> bool {
        self.retired.contains(&(root, view))
    }

    /// Who has claimed a key from a root under a view, if anybody has.
    pub(crate) fn claimed(&self, root: Id, view: u64, key: Id) -> Option<Claim> {
        let mut latest = self.fences.iter().rev();
        let fence = latest
            .find(|fence| fence.root == root && fence.view == view && fence.arc.contains(key));
        fence.map(|Fence { by, arc, .. }| Claim { by: *by, arc: *arc })
    }

    /// Somebody claims an arc: from now on this node confirms nothing to those who had it before,
    /// until they have a new view of it, for which they must have heard of the claim.
    pub(crate) fn fence(&mut self, by: Id, arc: Arc) {
        for cover in self.list.iter().filter(|cover| cover.root != by) {
            let Cover { root, view, .. } = *cover;
            for arc in intersect(cover.arc, arc) {
                let fence = Fence {
                    root,
                    view,
                    arc,
                    by,
                };
                if self.fences.contains(&fence) {
                    continue;
                }
                if self.fences.len() >= MAX_COVERS {
                    self.fences.pop_front();
                }
                self.fences.push_back(fence);
            }
        }
    }

    /// What this node is to a root that decides about a key under a view.
    pub(crate) fn confirmation(&self, root: Id, view: u64, key: Id, now: Time) -> Confirmation {
        if let Some(claim) = self.claimed(root, view, key) {
            return Confirmation::Claimed(claim);
        }
        let is_copy = self.list.iter().any(|cover| {
            cover.root == root
                && cover.view == view
                && cover.full
                && now < cover.until
                && cover.arc.contains(key)
        });
        if is_copy {
            Confirmation::Copy
        } else {
            Confirmation::NoCopy
        }
    }

    /// This node has nothing for a root any more.
    pub(crate) fn forget(&mut self, root: Id) {
        self.list.retain(|cover| cover.root != root);
    }

    /// Drops what was not confirmed in time; says whether anything was.
    pub(crate) fn expire(&mut self, now: Time) -> bool {
        let before = self.list.len();
        let kept = |cover: &Cover| now < cover.until.max(cover.kept_until);
        self.list.retain(kept);
        self.list.len() < before
    }

    /// Root and view of which this node has a full copy around a key; of several, the latest. A copy
    /// of a root that did not know whether it had everything is none: when that root is gone, its
    /// copies would vouch for what it never had.
    pub(crate) fn of(&self, key: Id, now: Time) -> Option<(Id, u64)> {
        let counts = |cover: &&Cover| {
            cover.full && cover.quorum > 0 && now < cover.until && cover.arc.contains(key)
        };
        let found = self.list.iter().rev().find(counts);
        found.map(|cover| (cover.root, cover.view))
    }

    /// The arcs whose records stay here.
    pub(crate) fn arcs(&self) -> impl Iterator<Item = Arc> {
        self.list.iter().map(|cover| cover.arc)
    }

    /// The arcs of which this node has everything that was acknowledged.
    pub(crate) fn testified(&self, now: Time) -> impl Iterator<Item = Arc> {
        let counts = move |cover: &&Cover| cover.full && cover.quorum > 0 && now < cover.until;
        self.list.iter().filter(counts).map(|cover| cover.arc)
    }

    /// The arcs of a root of which this node has records, also of views that are over.
    pub(crate) fn of_root(&self, root: Id) -> impl Iterator<Item = Arc> {
        let covers = self.list.iter().filter(move |cover| cover.root == root);
        covers.map(|cover| cover.arc)
    }

    /// The arcs that others have claimed from a root.
    pub(crate) fn claimed_from(&self, root: Id) -> impl Iterator<Item = Arc> {
        let claimed = self.fences.iter().filter(move |fence| fence.root == root);
        claimed.map(|fence| fence.arc)
    }

    /// Whether a node is the root, as far as known here, of an arc around a key.
    pub(crate) fn has_root(&self, root: Id, key: Id) -> bool {
        self.list
            .iter()
            .any(|cover| cover.root == root && cover.arc.contains(key))
    }

    /// The arc that counts as a full copy under a view.
    pub(crate) fn full_arc(&self, root: Id, view: u64, now: Time) -> Option<Arc> {
        let counts = |cover: &&Cover| cover.full && cover.quorum > 0 && now < cover.until;
        let mut found = self.list.iter().filter(counts);
        found
            .find(|cover| cover.root == root && cover.view == view)
            .map(|cover| cover.arc)
    }

    /// What the copies prove about an arc, to its new root `claimant`: not what they were to itself
    /// before somebody else claimed it.
    pub(crate) fn evidence(&self, claimant: Id, about: Arc, now: Time) -> Vec<Evidence> {
        let mut found = Vec::new();
        // A copy of a root that did not know whether it had everything proves nothing.
        let counts = |cover: &&Cover| cover.full && cover.quorum > 0 && now < cover.until;
        for cover in self.list.iter().filter(counts) {
            let Cover {
                root, view, quorum, ..
            } = *cover;
            let proof = Proof::Member { root, view, quorum };
            let mut arcs = intersect(cover.arc, about).to_vec();
            let mine = |fence: &&Fence| fence.root == root && fence.view == view;
            for fence in self.fences.iter().filter(mine) {
                if root == claimant {
                    arcs = subtract_from(&arcs, fence.arc);
                }
            }
            found.extend(arcs.into_iter().map(|arc| Evidence::new(arc, proof)));
        }
        found
    }
}

const fn valid_for(seconds: u32) -> Duration {
    let seconds = if seconds > MAX_VALID_S {
        MAX_VALID_S
    } else {
        seconds
    };
    Duration::from_secs(seconds as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arcs::subtract_all;

    fn done(view: u64, from: u64, to: u64) -> SyncDone {
        SyncDone {
            req: 1,
            view,
            arc: Arc {
                from: Id::from_u64(from),
                to: Id::from_u64(to),
            },
            quorum: 2,
            valid_s: 60,
            horizons: Vec::new(),
        }
    }

    #[test]
    fn a_node_is_a_copy_of_all_arcs_of_one_root() {
        let (mut covers, root) = (Covers::default(), Id::from_u64(50));
        assert!(covers.complete(root, &done(1, 10, 20), Time::ZERO));
        assert!(covers.complete(root, &done(2, 20, 30), Time::ZERO));
        for (key, view) in [(15, 1), (25, 2)] {
            let key = Id::from_u64(key);
            assert_eq!(covers.of(key, Time::ZERO), Some((root, view)));
        }
        // A new view of an arc replaces the old one, and leaves the other arc alone.
        assert!(covers.complete(root, &done(3, 5, 20), Time::ZERO));
        assert_eq!(covers.list.len(), 2);
        assert_eq!(covers.full_arc(root, 1, Time::ZERO), None);
        // Another root claimed the arc, did not know whether it had everything, and thought better of
        // it: what the first says again counts.
        let other = Id::from_u64(60);
        let unsure = SyncDone {
            quorum: 0,
            ..done(9, 0, 20)
        };
        covers.complete(other, &unsure, Time::ZERO);
        assert_eq!(covers.of(Id::from_u64(5), Time::ZERO), None);
        let key = Id::from_u64(15);
        assert_eq!(covers.of(key, Time::ZERO), Some((root, 3)));
        assert_eq!(covers.list.len(), 3);
        covers.complete(root, &done(3, 5, 20), Time::ZERO);
        assert_eq!(covers.of(key, Time::ZERO), Some((root, 3)));
        let mut left = covers.list.iter().filter(|cover| cover.root == other);
        assert!(left.all(|cover| !cover.arc.contains(key)));
        assert!(covers.full_arc(root, 2, Time::ZERO).is_some());
    }

    #[test]
    fn who_is_the_root_itself_testifies_only_to_the_rest() {
        let (mut covers, root) = (Covers::default(), Id::from_u64(50));
        covers.complete(root, &done(1, 10, 20), Time::ZERO);
        let whole = done(1, 10, 20).arc;
        covers.outlived(done(2, 14, 30).arc);
        let known = covers.evidence(Id::from_u64(70), whole, Time::ZERO);
        let arcs: Vec<Arc> = known.iter().map(|evidence| evidence.arc).collect();
        assert_eq!(arcs, [done(1, 10, 14).arc]);
        // The records stay for now.
        assert_eq!(subtract_all(vec![whole], covers.arcs()), []);
    }
}
