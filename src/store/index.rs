//! What is in memory of each record: where it is, its version, its end and its length.
//!
//! Ten million keys must fit, so that entries are packed without alignment: 61 bytes for a value,
//! 62 for a text or an entry of an index, 93 for a holder, plus what the trees leave free.

use super::record::Place;
use dht::{Meta, each_stretch};
use overlay::{Arc, Hlc, Id, Slot, Version, WallMs};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::ops::Bound;

const HAS_BODY: u8 = 1;
const HAS_END: u8 = 2;

/// The least address of a holder.
const FIRST_ADDR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// The greatest address of a holder.
const LAST_ADDR: SocketAddr = SocketAddr::V6(SocketAddrV6::new(
    Ipv6Addr::from_bits(u128::MAX),
    u16::MAX,
    u32::MAX,
    u32::MAX,
));

/// A [`Meta`] in 41 bytes instead of 64.
#[derive(Clone, Copy, Debug)]
struct Packed {
    clock: [u8; 8],
    writer: [u8; 20],
    end: [u8; 8],
    length: [u8; 4],
    flags: u8,
}

impl Packed {
    fn of(meta: &Meta) -> Self {
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        Self {
            clock: meta.version.clock.0.to_ne_bytes(),
            writer: meta.version.writer.0,
            end: meta.expires.unwrap_or_default().0.to_ne_bytes(),
            length: meta.length.unwrap_or_default().to_ne_bytes(),
            flags: flag(meta.length.is_some(), HAS_BODY) | flag(meta.expires.is_some(), HAS_END),
        }
    }

    fn meta(&self) -> Meta {
        let when = |flag: u8| self.flags & flag != 0;
        Meta {
            version: Version {
                clock: Hlc(u64::from_ne_bytes(self.clock)),
                writer: Id(self.writer),
            },
            expires: when(HAS_END).then(|| WallMs(u64::from_ne_bytes(self.end))),
            length: when(HAS_BODY).then(|| u32::from_ne_bytes(self.length)),
        }
    }
}

/// All records, by place.
#[derive(Debug, Default)]
pub(super) struct Index {
    values: BTreeMap<Id, Packed>,
    holders: BTreeMap<(Id, SocketAddr), Packed>,
    words: BTreeMap<(Id, Words), Packed>,
}

/// What there is beside values and holders, in the order of their slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Words {
    Text,
    Entry,
}

impl From<Words> for Slot {
    fn from(words: Words) -> Self {
        match words {
            Words::Text => Self::Text,
            Words::Entry => Self::Entry,
        }
    }
}

/// Collects an index from records in order, so that the trees are built full.
#[derive(Debug, Default)]
pub(super) struct IndexBuilder {
    values: Vec<(Id, Packed)>,
    holders: Vec<((Id, SocketAddr), Packed)>,
    words: Vec<((Id, Words), Packed)>,
}

impl IndexBuilder {
    pub(super) fn push(&mut self, place: Place, meta: &Meta) {
        match place.1 {
            Slot::Value => self.values.push((place.0, Packed::of(meta))),
            Slot::Holder(addr) => self.holders.push(((place.0, addr), Packed::of(meta))),
            Slot::Text => self.words.push(((place.0, Words::Text), Packed::of(meta))),
            Slot::Entry => self.words.push(((place.0, Words::Entry), Packed::of(meta))),
        }
    }

    pub(super) fn build(self) -> Index {
        Index {
            values: self.values.into_iter().collect(),
            holders: self.holders.into_iter().collect(),
            words: self.words.into_iter().collect(),
        }
    }
}

impl Index {
    pub(super) fn len(&self) -> u64 {
        (self.values.len() + self.holders.len() + self.words.len()) as u64
    }

    pub(super) fn get(&self, place: Place) -> Option<Meta> {
        match place.1 {
            Slot::Value => self.values.get(&place.0),
            Slot::Holder(addr) => self.holders.get(&(place.0, addr)),
            Slot::Text => self.words.get(&(place.0, Words::Text)),
            Slot::Entry => self.words.get(&(place.0, Words::Entry)),
        }
        .map(Packed::meta)
    }

    /// Puts a record, or nothing, into a place, and returns what was there.
    pub(super) fn set(&mut self, place: Place, meta: Option<&Meta>) -> Option<Meta> {
        let packed = meta.map(Packed::of);
        let before = match place.1 {
            Slot::Value => replace(&mut self.values, place.0, packed),
            Slot::Holder(addr) => replace(&mut self.holders, (place.0, addr), packed),
            Slot::Text => replace(&mut self.words, (place.0, Words::Text), packed),
            Slot::Entry => replace(&mut self.words, (place.0, Words::Entry), packed),
        };
        before.as_ref().map(Packed::meta)
    }

    /// Visits the holders of a key in order of address until `visit` returns false.
    pub(super) fn holders(&self, key: Id, visit: &mut dyn FnMut(SocketAddr, &Meta) -> bool) {
        for ((at, addr), packed) in self.holders.range((key, FIRST_ADDR)..) {
            if *at != key || !visit(*addr, &packed.meta()) {
                return;
            }
        }
    }

    /// Visits the records in an arc, clockwise, those after the position `after` only, until
    /// `visit` returns false.
    pub(super) fn range(
        &self,
        arc: Arc,
        after: Option<Place>,
        visit: &mut dyn FnMut(Id, Slot, &Meta) -> bool,
    ) {
        each_stretch(arc, after, &mut |low, high, after| {
            self.stretch(low, high, after, visit)
        });
    }

    /// Merges all records from `low` to `high`; false when the visitor had enough.
    fn stretch(
        &self,
        low: Id,
        high: Id,
        after: Option<Place>,
        visit: &mut dyn FnMut(Id, Slot, &Meta) -> bool,
    ) -> bool {
        use Bound::{Excluded, Included, Unbounded};
        let (value, holder, words) = match after {
            None => (
                Included(low),
                Included((low, FIRST_ADDR)),
                Included((low, Words::Text)),
            ),
            Some((key, slot)) => (
                Excluded(key),
                match slot {
                    Slot::Value => Included((key, FIRST_ADDR)),
                    Slot::Holder(addr) => Excluded((key, addr)),
                    Slot::Text | Slot::Entry => Excluded((key, LAST_ADDR)),
                },
                match slot {
                    Slot::Value | Slot::Holder(_) => Included((key, Words::Text)),
                    Slot::Text => Excluded((key, Words::Text)),
                    Slot::Entry => Excluded((key, Words::Entry)),
                },
            ),
        };
        let values = self.values.range((value, Unbounded));
        let values = values.map(|(key, packed)| ((*key, Slot::Value), packed));
        let holders = self.holders.range((holder, Unbounded));
        let holders = holders.map(|((key, addr), packed)| ((*key, Slot::Holder(*addr)), packed));
        let words = self.words.range((words, Unbounded));
        let words = words.map(|((key, words), packed)| ((*key, Slot::from(*words)), packed));
        let (mut values, mut holders, mut words) =
            (values.peekable(), holders.peekable(), words.peekable());
        loop {
            let value = values.peek().map(|(place, _)| *place);
            let holder = holders.peek().map(|(place, _)| *place);
            let word = words.peek().map(|(place, _)| *place);
            let Some(first) = [value, holder, word].into_iter().flatten().min() else {
                return true;
            };
            let next = if value == Some(first) {
                values.next()
            } else if holder == Some(first) {
                holders.next()
            } else {
                words.next()
            };
            let Some(((key, slot), packed)) = next else {
                return true;
            };
            if key > high {
                return true;
            }
            if !visit(key, slot, &packed.meta()) {
                return false;
            }
        }
    }
}

/// Puts something or nothing into a map, and returns what was there.
fn replace<K: Ord>(map: &mut BTreeMap<K, Packed>, key: K, new: Option<Packed>) -> Option<Packed> {
    match new {
        Some(packed) => map.insert(key, packed),
        None => map.remove(&key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_small() {
        assert_eq!(size_of::<(Id, Packed)>(), 61);
        assert_eq!(size_of::<((Id, Words), Packed)>(), 62);
        assert!(size_of::<((Id, SocketAddr), Packed)>() <= 96);
    }

    #[test]
    fn what_is_packed_comes_back() {
        let version = Version {
            clock: Hlc(u64::MAX),
            writer: Id::MAX,
        };
        for (expires, length) in [
            (None, None),
            (Some(WallMs(0)), Some(0)),
            (Some(WallMs(9)), None),
        ] {
            let meta = Meta {
                version,
                expires,
                length,
            };
            assert_eq!(Packed::of(&meta).meta(), meta);
        }
    }
}
