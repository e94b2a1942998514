//! What a node answers for, and with whom: arcs of keys that share their replica set.
//!
//! A key's replicas are the k nodes numerically closest to it (PAST, SOSP 2001). The keys of one
//! root do not all have the same: near the root's left neighbour the next one to the left belongs
//! to the set, near the right one the next to the right. The set of the k closest changes exactly
//! where a key is midway between two nodes.

use crate::leaves::Side;
use crate::node::Pastry;
use crate::planted::PlantedBug;
use crate::point::{Point, arc_between};
use overlay::{Arc, Contact, OwnedArc};

impl Pastry {
    /// The arcs of this node, clockwise, each with its replica set: this node first, the others by
    /// how close they are to the end of the arc.
    pub(crate) fn owned_arcs(&self, replicas: usize) -> Vec<OwnedArc> {
        let is_broken = [Side::Larger, Side::Smaller]
            .into_iter()
            .any(|side| self.leaves.is_broken(side));
        if !self.is_active() || replicas == 0 || is_broken {
            return Vec::new();
        }
        let (Some(before), Some(after)) = (
            self.leaves.nearest(Side::Smaller),
            self.leaves.nearest(Side::Larger),
        ) else {
            return vec![OwnedArc {
                arc: Arc::whole(self.me.id),
                replicas: vec![self.me],
            }];
        };
        let me = Point::of(self.me.id);
        let start = Point::of(before.id).midway_to(me);
        let too_much = u128::from(self.config.has_bug(PlantedBug::AnswerTooMuch)) << 100;
        let end = me.midway_to(Point::of(after.id));
        let end = Point(end.0.wrapping_add(too_much));
        let around = self.around(replicas);
        let mut arcs: Vec<(Point, Vec<Contact>)> = Vec::new();
        for cut in cuts(&around, start, end) {
            let set = self.closest(&around, cut, replicas);
            match arcs.last_mut() {
                Some((to, known)) if same_set(known, &set) => (*to, *known) = (cut, set),
                _ => arcs.push((cut, set)),
            }
        }
        let mut from = start;
        let mut owned = Vec::with_capacity(arcs.len());
        for (to, replicas) in arcs {
            owned.push(OwnedArc {
                arc: arc_between(from, to),
                replicas,
            });
            from = to;
        }
        owned
    }

    /// This node and everybody who can be among the `replicas` closest of one of its keys.
    fn around(&self, replicas: usize) -> Vec<Contact> {
        let mut around = vec![self.me];
        for side in [Side::Larger, Side::Smaller] {
            around.extend(self.leaves.side(side).take(replicas.saturating_sub(1)));
        }
        around.sort_unstable();
        around.dedup_by_key(|contact| contact.id);
        around
    }

    fn closest(&self, around: &[Contact], key: Point, replicas: usize) -> Vec<Contact> {
        let mut set = around.to_vec();
        set.sort_by_key(|contact| Point::of(contact.id).closeness_to(key));
        set.truncate(replicas);
        // At the very end of our part the next node is as close; the root comes first.
        if let Some(at) = set.iter().position(|contact| contact.id == self.me.id) {
            set[..=at].rotate_right(1);
        }
        set
    }
}

fn same_set(one: &[Contact], other: &[Contact]) -> bool {
    one.len() == other.len() && one.iter().all(|contact| other.contains(contact))
}

/// Where, between `start` and `end`, a key is midway between two nodes; and `end`.
fn cuts(around: &[Contact], start: Point, end: Point) -> Vec<Point> {
    let length = match start.clockwise_to(end) {
        0 => u128::MAX,
        length => length,
    };
    let mut cuts: Vec<u128> = Vec::new();
    for one in around {
        for other in around {
            if one.id == other.id {
                continue;
            }
            let midway = Point::of(one.id).midway_to(Point::of(other.id));
            let ahead = start.clockwise_to(midway);
            if ahead > 0 && ahead < length {
                cuts.push(ahead);
            }
        }
    }
    cuts.sort_unstable();
    cuts.dedup();
    cuts.into_iter()
        .map(|ahead| Point(start.0.wrapping_add(ahead)))
        .chain([end])
        .collect()
}
