//! What the common lookup asks of the tables: whose key is it, and who is next on the way.
//!
//! The routing rule (Middleware 2001, section 2.3): within reach of the leaf set, the closest node;
//! else the entry for one more digit; else, the rare case, any node that shares as many digits as
//! this one and is closer to the key.

use crate::leaves::Side;
use crate::node::Pastry;
use crate::point::{Closeness, Point};
use crate::table::Entry;
use overlay::{Claim, Contact, Duration, Hop, Id, KeyRouter, Neighbours, OwnedArc, Time};
use smallvec::SmallVec;

/// The next hops found so far, and which are wanted.
struct Chosen<'a> {
    hops: &'a mut SmallVec<[Hop; 8]>,
    limit: usize,
    skip: &'a dyn Fn(Id) -> bool,
}

impl Chosen<'_> {
    fn is_full(&self) -> bool {
        self.hops.len() >= self.limit
    }

    fn push(&mut self, contact: Contact, last: bool) {
        let known = self.hops.iter().any(|hop| hop.contact.id == contact.id);
        if !self.is_full() && !known && !(self.skip)(contact.id) {
            self.hops.push(Hop { contact, last });
        }
    }
}

impl Pastry {
    /// The leaves by how close they are to the key, the closest first.
    fn leaves_towards(&self, key: Point) -> SmallVec<[(Closeness, Contact); 32]> {
        let by_closeness = |leaf: &Contact| (Point::of(leaf.id).closeness_to(key), *leaf);
        let mut leaves: SmallVec<[(Closeness, Contact); 32]> =
            self.leaves.members().iter().map(by_closeness).collect();
        leaves.sort_unstable();
        leaves
    }

    /// Within reach of the leaf set: whoever is closer than this node, and then the others as a
    /// way out.
    fn hops_among_leaves(&self, key: Point, only_closer: bool, chosen: &mut Chosen<'_>) {
        let mine = Point::of(self.me.id).closeness_to(key);
        for (closeness, leaf) in self.leaves_towards(key) {
            let is_closer = closeness < mine;
            if chosen.is_full() || only_closer && !is_closer {
                return;
            }
            chosen.push(leaf, is_closer);
        }
    }

    /// The rare case, and the ways round a dead entry: nodes that share no fewer digits and are
    /// closer, the longest prefix first; and in need any closer node.
    fn hops_by_prefix(&self, key: Point, chosen: &mut Chosen<'_>) {
        let bits = self.config.bits();
        let mine = Point::of(self.me.id).closeness_to(key);
        let shared = Point::of(self.me.id).shared_digits(key, bits);
        let entries = self.table.entries().iter().map(Entry::contact);
        let leaves = self.leaves.members().iter().copied();
        let known = entries.chain(leaves).chain(self.nearby.contacts());
        let mut closer: SmallVec<[(bool, u32, Closeness, Contact); 32]> = known
            .map(|contact| {
                let point = Point::of(contact.id);
                let digits = point.shared_digits(key, bits);
                (
                    digits < shared,
                    u32::MAX - digits,
                    point.closeness_to(key),
                    contact,
                )
            })
            .filter(|(_, _, closeness, _)| *closeness < mine)
            .collect();
        closer.sort_unstable();
        for (_, _, _, contact) in closer {
            if chosen.is_full() {
                return;
            }
            chosen.push(contact, false);
        }
    }

    fn is_alone(&self) -> bool {
        self.leaves.is_empty()
    }
}

impl KeyRouter for Pastry {
    const NAME: &'static str = "pastry";

    fn me(&self) -> Contact {
        self.me
    }

    fn is_member(&self) -> bool {
        self.is_active()
    }

    /// A node alone has every key. One that knows nobody on one side answers for its own id only.
    fn claim(&self, key: Id) -> Claim {
        if !self.is_active() {
            return Claim::NotMember;
        }
        let is_broken = [Side::Larger, Side::Smaller]
            .into_iter()
            .any(|side| self.leaves.is_broken(side));
        let point = Point::of(key);
        let mine = self.is_alone()
            || point == Point::of(self.me.id)
            || !is_broken && self.leaves.is_closest(point);
        if mine { Claim::Mine } else { Claim::Elsewhere }
    }

    fn next_hops(
        &self,
        key: Id,
        last: bool,
        limit: usize,
        skip: &dyn Fn(Id) -> bool,
        hops: &mut SmallVec<[Hop; 8]>,
    ) {
        if !self.is_active() || self.is_alone() {
            return;
        }
        let mut chosen = Chosen { hops, limit, skip };
        let point = Point::of(key);
        if last && self.claim(key) == Claim::Elsewhere {
            return self.hops_among_leaves(point, true, &mut chosen);
        }
        if self.leaves.covers(point) {
            return self.hops_among_leaves(point, false, &mut chosen);
        }
        if let Some(entry) = self.table.towards(key) {
            chosen.push(entry.contact(), false);
        }
        if !chosen.is_full() {
            self.hops_by_prefix(point, &mut chosen);
        }
    }

    fn owned(&self, replicas: usize) -> Vec<OwnedArc> {
        self.owned_arcs(replicas)
    }

    fn observe_rtt(&mut self, peer: Id, rtt: Duration, now: Time) {
        self.measured(peer, rtt, now);
    }

    fn neighbours(&self) -> Neighbours {
        let side = |side| self.leaves.side(side).copied().collect();
        Neighbours::Leaves {
            smaller: side(Side::Smaller),
            larger: side(Side::Larger),
            table: self.table.entries().iter().map(Entry::contact).collect(),
            neighbourhood: self.neighbourhood(),
        }
    }

    fn contacts(&self) -> Vec<Contact> {
        let entries = self.table.entries().iter().map(Entry::contact);
        let mut contacts: Vec<Contact> = self
            .leaves
            .members()
            .iter()
            .copied()
            .chain(entries)
            .collect();
        contacts.sort_unstable();
        contacts.dedup_by_key(|contact| contact.id);
        contacts
    }

    fn generation(&self) -> u64 {
        self.generation
    }
}
