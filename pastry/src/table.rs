//! The routing table: for each row r and digit d one node that shares r digits with this one and
//! has d as its next, the nearest by round-trip time of those that were measured.
//!
//! Pure state. Only filled slots take memory: a network of N nodes fills about log16 N rows of 15.

use crate::point::Point;
use overlay::proximity::Nearest;
use overlay::{Contact, Duration, Id, Time};

/// One filled slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Digits shared with this node.
    pub row: u8,
    /// The digit after them.
    pub digit: u8,
    /// Who.
    pub peer: Nearest,
}

impl Entry {
    const fn slot(&self) -> (u8, u8) {
        (self.row, self.digit)
    }

    /// Who.
    #[must_use]
    pub const fn contact(&self) -> Contact {
        self.peer.contact
    }
}

/// The routing table of one node.
#[derive(Clone, Debug)]
pub struct Table {
    me: Point,
    bits: u32,
    /// In order of row and digit.
    entries: Vec<Entry>,
}

impl Table {
    /// An empty table for digits of `bits` bits.
    #[must_use]
    pub fn new(me: Id, bits: u32) -> Self {
        Self {
            me: Point::of(me),
            bits,
            entries: Vec::new(),
        }
    }

    /// The filled slots, in order of row and digit.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The slot of an id; none for this node's own.
    #[must_use]
    pub fn slot_of(&self, id: Id) -> Option<(u8, u8)> {
        let other = Point::of(id);
        let row = self.me.shared_digits(other, self.bits);
        (other != self.me).then(|| (row as u8, other.digit(row, self.bits)))
    }

    fn find(&self, slot: (u8, u8)) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&slot, Entry::slot)
    }

    /// The entry in a slot.
    #[must_use]
    pub fn get(&self, slot: (u8, u8)) -> Option<&Entry> {
        self.find(slot).ok().and_then(|at| self.entries.get(at))
    }

    /// The entry that is this node.
    #[must_use]
    pub fn entry_of(&self, id: Id) -> Option<&Entry> {
        self.get(self.slot_of(id)?)
            .filter(|entry| entry.peer.contact.id == id)
    }

    /// The entry on the way to a key.
    #[must_use]
    pub fn towards(&self, key: Id) -> Option<&Entry> {
        self.get(self.slot_of(key)?)
    }

    /// The entries of one row.
    pub fn row(&self, row: u8) -> impl Iterator<Item = &Entry> {
        let from = self.entries.partition_point(|entry| entry.row < row);
        self.entries
            .iter()
            .skip(from)
            .take_while(move |entry| entry.row == row)
    }

    /// The longest row that has an entry.
    #[must_use]
    pub fn last_row(&self) -> u8 {
        self.entries.last().map_or(0, |entry| entry.row)
    }

    /// Whether a contact would fill an empty slot.
    #[must_use]
    pub fn lacks(&self, id: Id) -> bool {
        self.slot_of(id)
            .is_some_and(|slot| self.find(slot).is_err())
    }

    /// Offers a node that was heard at `now`. It fills an empty slot, and takes the place of one
    /// that is farther. Says whether the table has another node now.
    pub fn offer(&mut self, contact: Contact, rtt: Option<Duration>, now: Time) -> bool {
        let Some((row, digit)) = self.slot_of(contact.id) else {
            return false;
        };
        match self.find((row, digit)) {
            Err(at) => {
                let peer = Nearest::new(contact, rtt, now);
                self.entries.insert(at, Entry { row, digit, peer });
                true
            }
            Ok(at) => {
                let entry = self.entries.get_mut(at);
                entry.is_some_and(|entry| entry.peer.offer(contact, rtt, now))
            }
        }
    }

    /// Notes a sign of life of an entry, and its round trip.
    pub fn heard(&mut self, id: Id, rtt: Option<Duration>, now: Time) {
        let Some(at) = self.slot_of(id).and_then(|slot| self.find(slot).ok()) else {
            return;
        };
        if let Some(entry) = self.entries.get_mut(at)
            && entry.peer.contact.id == id
        {
            entry.peer.heard(rtt, now);
        }
    }

    /// Takes a node out; says whether it was an entry.
    pub fn remove(&mut self, id: Id) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.peer.contact.id != id);
        self.entries.len() < before
    }

    /// Moves the first entry one row down: only a planted bug does that.
    pub(crate) fn misplace_first(&mut self) {
        if let Some(first) = self.entries.first_mut() {
            first.row = first.row.saturating_add(1);
        }
    }

    /// Takes everybody out.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(digits: &str) -> Contact {
        let id = format!("{digits:0<40}").parse().expect("an id");
        Contact {
            id,
            addr: ([127, 0, 0, 1], 1).into(),
        }
    }

    #[test]
    fn a_slot_is_named_by_the_shared_digits_and_the_next() {
        let table = Table::new(contact("65a1fc").id, 4);
        assert_eq!(table.slot_of(contact("d13da3").id), Some((0, 0xd)));
        assert_eq!(table.slot_of(contact("65b000").id), Some((2, 0xb)));
        assert_eq!(table.slot_of(contact("65a1fc").id), None);
    }

    #[test]
    fn the_nearer_node_takes_the_slot() {
        let mut table = Table::new(contact("65a1fc").id, 4);
        let ms = |ms| Some(Duration::from_millis(ms));
        assert!(table.offer(contact("d1"), None, Time(1)));
        assert!(
            !table.offer(contact("d2"), None, Time(2)),
            "nothing says that it is nearer"
        );
        assert!(table.offer(contact("d2"), ms(50), Time(3)));
        assert!(
            !table.offer(contact("d3"), ms(48), Time(4)),
            "hardly nearer"
        );
        assert!(table.offer(contact("d3"), ms(20), Time(5)));
        assert_eq!(
            table.towards(contact("dfff").id).map(Entry::contact),
            Some(contact("d3"))
        );
        assert!(table.remove(contact("d3").id) && table.lacks(contact("d9").id));
    }
}
