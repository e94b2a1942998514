//! The leaf set: the nodes that are numerically closest, half of them on either side.
//!
//! Pure state, without messages. While a network is small the set holds all its nodes and goes
//! round the whole circle. Once a node had to be left out there is a *gap* between the farthest
//! members of the two sides: beyond it are nodes that this one does not know.

use crate::point::Point;
use overlay::{Contact, Id};

/// Which way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Clockwise, to larger ids.
    Larger,
    /// Counter-clockwise, to smaller ids.
    Smaller,
}

impl Side {
    /// The other one.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Larger => Self::Smaller,
            Self::Smaller => Self::Larger,
        }
    }
}

/// The leaf set of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafSet {
    me: Contact,
    /// Most members on one side: |L| / 2.
    half: usize,
    /// All members, clockwise from this node.
    members: Vec<Contact>,
    /// How many of them are on the larger side; none while the set goes round the whole circle.
    gap_at: Option<usize>,
}

impl LeafSet {
    /// An empty set.
    #[must_use]
    pub const fn new(me: Contact, half: usize) -> Self {
        Self {
            me,
            half,
            members: Vec::new(),
            gap_at: None,
        }
    }

    /// All members, clockwise from this node.
    #[must_use]
    pub fn members(&self) -> &[Contact] {
        &self.members
    }

    /// Whether nobody is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether there are nodes that this one leaves out.
    #[must_use]
    pub const fn has_gap(&self) -> bool {
        self.gap_at.is_some()
    }

    /// When there are nodes that this one leaves out: how many members are on the larger side.
    #[must_use]
    pub fn gap_at(&self) -> Option<u8> {
        self.gap_at.map(|at| at as u8)
    }

    /// Whether the node is a member.
    #[must_use]
    pub fn contains(&self, id: Id) -> bool {
        self.members.iter().any(|member| member.id == id)
    }

    /// The members of one side, the nearest first.
    pub fn side(&self, side: Side) -> impl Iterator<Item = &Contact> {
        let count = self.count(side);
        let (front, back) = match side {
            Side::Larger => (Some(self.members.iter().take(count)), None),
            Side::Smaller => (None, Some(self.members.iter().rev().take(count))),
        };
        front
            .into_iter()
            .flatten()
            .chain(back.into_iter().flatten())
    }

    /// How many members are on one side.
    #[must_use]
    pub fn count(&self, side: Side) -> usize {
        let len = self.members.len();
        match (self.gap_at, side) {
            (None, _) => len.min(self.half),
            (Some(at), Side::Larger) => at,
            (Some(at), Side::Smaller) => len - at,
        }
    }

    /// Whether a side has room although there are nodes beyond the gap.
    #[must_use]
    pub fn is_short(&self, side: Side) -> bool {
        self.has_gap() && self.count(side) < self.half
    }

    /// Whether everybody on one side is gone and nobody knows who is next there.
    #[must_use]
    pub fn is_broken(&self, side: Side) -> bool {
        self.has_gap() && self.count(side) == 0
    }

    /// The nearest member on one side.
    #[must_use]
    pub fn nearest(&self, side: Side) -> Option<Contact> {
        self.side(side).next().copied()
    }

    /// The farthest member on one side.
    #[must_use]
    pub fn farthest(&self, side: Side) -> Option<Contact> {
        self.side(side).last().copied()
    }

    /// Where a contact stands among the members, clockwise; none for this node and for members.
    fn place(&self, contact: Contact) -> Option<usize> {
        let distance = self.distance(contact);
        let at = self
            .members
            .partition_point(|member| self.distance(*member) < distance);
        let taken = self
            .members
            .get(at)
            .is_some_and(|member| self.distance(*member) == distance);
        (distance != 0 && !taken).then_some(at)
    }

    fn distance(&self, contact: Contact) -> u128 {
        Point::of(self.me.id).clockwise_to(Point::of(contact.id))
    }

    /// On which side a contact would be a member; none when it would be left out.
    fn side_for(&self, contact: Contact) -> Option<(usize, Side)> {
        let at = self.place(contact)?;
        let Some(gap) = self.gap_at else {
            return Some((at, Side::Larger));
        };
        let side = match at.cmp(&gap) {
            std::cmp::Ordering::Less => Side::Larger,
            std::cmp::Ordering::Greater => Side::Smaller,
            std::cmp::Ordering::Equal => {
                let ahead = self.distance(contact) <= u128::MAX / 2;
                let near = if ahead { Side::Larger } else { Side::Smaller };
                [near, near.opposite()]
                    .into_iter()
                    .find(|side| self.is_short(*side))?
            }
        };
        Some((at, side))
    }

    /// Whether [`insert`](Self::insert) would take the contact in.
    #[must_use]
    pub fn wants(&self, contact: Contact) -> bool {
        let full = self.members.len() == 2 * self.half;
        self.side_for(contact).is_some_and(|(at, _)| {
            // A full circle that grows by one leaves the one in the middle out.
            self.has_gap() || !full || at != self.half
        })
    }

    /// Whether the contact is one node too many for a set that goes round the whole circle: it
    /// would be left out, and show that there is a gap.
    #[must_use]
    pub fn would_show_gap(&self, contact: Contact) -> bool {
        let full = self.members.len() == 2 * self.half;
        !self.has_gap() && full && self.place(contact).is_some()
    }

    /// Takes a contact in, and leaves out whoever is then too far; says whether the set changed.
    pub fn insert(&mut self, contact: Contact) -> bool {
        let before = self.members.len();
        let Some((at, side)) = self.side_for(contact) else {
            return false;
        };
        self.members.insert(at, contact);
        let Some(gap) = self.gap_at else {
            if before == 2 * self.half {
                self.members.remove(self.half);
                self.gap_at = Some(self.half);
                return at != self.half;
            }
            return true;
        };
        match side {
            Side::Larger if gap == self.half => {
                self.members.remove(self.half);
            }
            Side::Larger => self.gap_at = Some(gap + 1),
            Side::Smaller if before - gap == self.half => {
                self.members.remove(gap);
            }
            Side::Smaller => {}
        }
        true
    }

    /// Takes a member out; says whether it was one.
    pub fn remove(&mut self, id: Id) -> bool {
        let Some(at) = self.members.iter().position(|member| member.id == id) else {
            return false;
        };
        self.members.remove(at);
        self.gap_at = self.gap_at.map(|gap| gap - usize::from(at < gap));
        true
    }

    /// Takes everybody out.
    pub fn clear(&mut self) {
        self.members.clear();
        self.gap_at = None;
    }

    /// There are nodes beyond the farthest members: a live node of this network says so.
    pub fn note_gap(&mut self) {
        if self.has_gap() {
            return;
        }
        let ahead = |member: &Contact| self.distance(*member) <= u128::MAX / 2;
        let larger = self.members.partition_point(ahead);
        let smaller = self.members.len() - larger;
        // Whoever is too far on either side is next to the gap.
        let (from, to) = (
            larger.min(self.half),
            larger + smaller.saturating_sub(self.half),
        );
        self.members.drain(from..to);
        self.gap_at = Some(from);
    }

    /// A member said who comes before it and who after it: when the farthest members of the two sides
    /// are next to each other, nobody is between them, and the set goes round the whole circle. Where
    /// all of one side are gone, this node itself is its end.
    pub fn note_beside(&mut self, member: Id, before: Option<Id>, after: Option<Id>) {
        let is_farthest = |side, id| self.farthest(side).map_or(self.me.id, |far| far.id) == id;
        let joins = |larger, smaller| {
            is_farthest(Side::Larger, larger) && is_farthest(Side::Smaller, smaller)
        };
        if after.is_some_and(|after| joins(member, after))
            || before.is_some_and(|before| joins(before, member))
        {
            self.gap_at = None;
        }
    }

    /// Whether the key lies between the farthest members, so that the closest node is one of the
    /// set, or this node.
    #[must_use]
    pub fn covers(&self, key: Point) -> bool {
        let Some(_) = self.gap_at else { return true };
        let me = Point::of(self.me.id);
        let reach = |side| self.farthest(side).map(|far| Point::of(far.id));
        let larger =
            reach(Side::Larger).is_some_and(|far| me.clockwise_to(key) <= me.clockwise_to(far));
        let smaller =
            reach(Side::Smaller).is_some_and(|far| key.clockwise_to(me) <= far.clockwise_to(me));
        larger || smaller
    }

    /// Whether nobody in the set is closer to the key than this node.
    #[must_use]
    pub fn is_closest(&self, key: Point) -> bool {
        let mine = Point::of(self.me.id).closeness_to(key);
        [Side::Larger, Side::Smaller]
            .into_iter()
            .filter_map(|side| self.nearest(side))
            .all(|near| Point::of(near.id).closeness_to(key) > mine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn contact(point: u8) -> Contact {
        let mut id = [0; 20];
        id[0] = point;
        Contact {
            id: Id(id),
            addr: ([127, 0, 0, 1], u16::from(point)).into(),
        }
    }

    fn points<'a>(members: impl Iterator<Item = &'a Contact>) -> Vec<u8> {
        members.map(|member| member.id.0[0]).collect()
    }

    fn sides(set: &LeafSet) -> (Vec<u8>, Vec<u8>) {
        (
            points(set.side(Side::Larger)),
            points(set.side(Side::Smaller)),
        )
    }

    #[test]
    fn a_small_network_is_known_whole() {
        let mut set = LeafSet::new(contact(100), 2);
        for point in [120, 90, 200] {
            assert!(set.insert(contact(point)), "{point} is new");
        }
        assert!(!set.insert(contact(90)) && !set.insert(contact(100)));
        assert_eq!(sides(&set), (vec![120, 200], vec![90, 200]));
        assert!(!set.has_gap() && set.covers(Point::of(contact(180).id)));
    }

    #[test]
    fn the_farthest_are_left_out_and_make_a_gap() {
        let mut set = LeafSet::new(contact(100), 2);
        for point in [120, 90, 200, 80, 110] {
            set.insert(contact(point));
        }
        assert_eq!(sides(&set), (vec![110, 120], vec![90, 80]));
        assert!(set.has_gap() && !set.wants(contact(200)) && !set.insert(contact(200)));
        assert!(!set.covers(Point::of(contact(130).id)));
        set.remove(contact(110).id);
        assert_eq!(
            sides(&set),
            (vec![120], vec![90, 80]),
            "no wrapping over the gap"
        );
        assert!(set.is_short(Side::Larger) && set.wants(contact(200)));
        let (larger, smaller) = (contact(120).id, contact(80).id);
        let mut other = set.clone();
        set.note_beside(larger, Some(smaller), None);
        assert!(set.has_gap(), "that is the way round this node");
        set.note_beside(larger, None, Some(smaller));
        // Whoever is asked for a side that is short is the farthest there.
        other.note_beside(smaller, Some(larger), None);
        assert!(!other.has_gap());
        assert_eq!(sides(&set), (vec![120, 80], vec![90, 80]));
    }

    #[test]
    fn a_side_that_is_gone_is_broken() {
        let mut set = LeafSet::new(contact(100), 1);
        for point in [110, 90, 200] {
            set.insert(contact(point));
        }
        set.remove(contact(110).id);
        assert!(set.is_broken(Side::Larger) && !set.is_broken(Side::Smaller));
        // Its farthest leaf on the other side knows nobody between itself and this node.
        let (far, me) = (contact(90).id, contact(100).id);
        let mut other = set.clone();
        other.note_beside(far, Some(contact(50).id), None);
        assert!(other.has_gap());
        set.note_beside(far, Some(me), None);
        assert!(!set.has_gap() && !set.is_broken(Side::Larger));
    }

    proptest! {
        #[test]
        fn the_set_is_what_a_sorted_list_gives(
            me in any::<u8>(), others in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut set = LeafSet::new(contact(me), 3);
            for point in &others {
                let wanted = set.wants(contact(*point));
                prop_assert_eq!(set.insert(contact(*point)), wanted);
            }
            let distinct: BTreeSet<u8> =
                others.iter().filter(|point| **point != me).map(|point| point.wrapping_sub(me)).collect();
            let larger: Vec<u8> = distinct.iter().take(3).map(|ahead| ahead.wrapping_add(me)).collect();
            let smaller: Vec<u8> = distinct.iter().rev().take(3).map(|ahead| ahead.wrapping_add(me)).collect();
            prop_assert_eq!(sides(&set), (larger, smaller));
            prop_assert_eq!(set.has_gap(), distinct.len() > 6);
        }
    }
}
