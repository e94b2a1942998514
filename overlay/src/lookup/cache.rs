//! What the origin remembers of earlier answers: arcs and who answers for them.

use crate::{Arc, Contact, Id};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

/// Most remembered arcs; the one learnt first is forgotten first. At about 250 bytes each that is
/// one megabyte, and covers a network of as many nodes completely.
pub const MAX_CACHED_ARCS: usize = 4_096;

/// One remembered answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedArc {
    /// The keys.
    pub arc: Arc,
    /// The replica set, the root first.
    pub replicas: Vec<Contact>,
}

/// Remembered answers by the end of their arc.
#[derive(Clone, Debug, Default)]
pub(super) struct ArcCache {
    by_end: BTreeMap<Id, CachedArc>,
    /// Ends in the order learnt; an end that was forgotten since is skipped when its turn comes.
    order: VecDeque<Id>,
}

impl ArcCache {
    /// The remembered arc that contains the key.
    pub(super) fn get(&self, key: Id) -> Option<&CachedArc> {
        // The arc that contains the key is the one with the next end clockwise, if any.
        let next = self
            .by_end
            .range((Bound::Included(key), Bound::Unbounded))
            .next();
        let (_, found) = next.or_else(|| self.by_end.iter().next())?;
        found.arc.contains(key).then_some(found)
    }

    /// Remembers an answer, in place of every arc that ends inside the new one.
    pub(super) fn learn(&mut self, arc: Arc, replicas: Vec<Contact>) {
        if replicas.is_empty() {
            return;
        }
        while let Some(end) = self.end_inside(arc) {
            self.forget_end(end);
        }
        if self
            .by_end
            .insert(arc.to, CachedArc { arc, replicas })
            .is_none()
        {
            self.order.push_back(arc.to);
        }
        while self.order.len() > MAX_CACHED_ARCS {
            if let Some(oldest) = self.order.pop_front() {
                self.by_end.remove(&oldest);
            }
        }
    }

    /// Forgets the arc that contains the key.
    pub(super) fn forget(&mut self, key: Id) {
        if let Some(end) = self.get(key).map(|found| found.arc.to) {
            self.forget_end(end);
        }
    }

    /// Forgets every arc of which this node is the root: it is dead, or said so.
    pub(super) fn forget_root(&mut self, root: Id) {
        let ends: Vec<Id> = self
            .by_end
            .values()
            .filter(|cached| {
                cached
                    .replicas
                    .first()
                    .is_some_and(|first| first.id == root)
            })
            .map(|cached| cached.arc.to)
            .collect();
        ends.into_iter().for_each(|end| self.forget_end(end));
    }

    /// An end strictly inside the arc: what was known there is older than the arc.
    fn end_inside(&self, arc: Arc) -> Option<Id> {
        let above = (Bound::Excluded(arc.from), Bound::Unbounded);
        let next = self
            .by_end
            .range(above)
            .next()
            .or_else(|| self.by_end.iter().next());
        next.map(|(end, _)| *end)
            .filter(|end| end.is_between(arc.from, arc.to))
    }

    fn forget_end(&mut self, end: Id) {
        self.by_end.remove(&end);
        self.order.retain(|known| *known != end);
    }

    pub(super) fn clear(&mut self) {
        self.by_end.clear();
        self.order.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(number: u64) -> Vec<Contact> {
        let addr = "127.0.0.1:1".parse().expect("an address");
        vec![Contact {
            id: Id::from_u64(number),
            addr,
        }]
    }

    fn arc(from: u64, to: u64) -> Arc {
        Arc {
            from: Id::from_u64(from),
            to: Id::from_u64(to),
        }
    }

    fn known(cache: &ArcCache, key: u64) -> Option<u64> {
        let cached = cache.get(Id::from_u64(key))?;
        u64::try_from(cached.replicas[0].id.parts().1).ok()
    }

    #[test]
    fn the_newest_arc_wins_where_arcs_overlap() {
        let mut cache = ArcCache::default();
        cache.learn(arc(10, 20), root(20));
        cache.learn(arc(20, 30), root(30));
        assert_eq!(
            [known(&cache, 10), known(&cache, 20), known(&cache, 21)],
            [None, Some(20), Some(30)]
        );
        cache.learn(arc(20, 25), root(25)); // A node joined.
        assert_eq!([known(&cache, 22), known(&cache, 27)], [Some(25), Some(30)]);
        cache.learn(arc(10, 30), root(30)); // Both left.
        assert_eq!([known(&cache, 15), known(&cache, 22)], [Some(30), Some(30)]);
    }

    #[test]
    fn an_arc_may_cross_zero_or_be_the_whole_circle() {
        let mut cache = ArcCache::default();
        cache.learn(arc(30, 5), root(5));
        assert_eq!(
            [known(&cache, 31), known(&cache, 0), known(&cache, 6)],
            [Some(5), Some(5), None]
        );
        cache.learn(arc(7, 7), root(7));
        assert_eq!([known(&cache, 31), known(&cache, 6)], [Some(7), Some(7)]);
    }

    #[test]
    fn the_first_learnt_goes_first() {
        let mut cache = ArcCache::default();
        for end in 0..=MAX_CACHED_ARCS as u64 {
            cache.learn(arc(10 * end, 10 * end + 10), root(end));
        }
        assert_eq!((known(&cache, 5), known(&cache, 15)), (None, Some(1)));
        cache.forget_root(Id::from_u64(1));
        assert_eq!((known(&cache, 15), known(&cache, 25)), (None, Some(2)));
    }
}
