//! What is in memory of each record: where it is, its version, its end and its length.
//!
//! Ten million keys must fit, so that entries are packed without alignment: 61 bytes for a value,
//! 93 for a holder, plus what the trees leave free.

use super::record::Place;
use dht::{Meta, each_stretch};
use overlay::{Arc, Hlc, Id, Slot, Version, WallMs};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Bound;

const HAS_BODY: u8 = 1;
const HAS_END: u8 = 2;

/// The least address of a holder.
const FIRST_ADDR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

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
}

/// Collects an index from records in order, so that the trees are built full.
#[derive(Debug, Default)]
pub(super) struct IndexBuilder {
    values: Vec<(Id, Packed)>,
    holders: Vec<((Id, SocketAddr), Packed)>,
}

impl IndexBuilder {
    pub(super) fn push(&mut self, place: Place, meta: &Meta) {
        match place.1 {
            Slot::Value => self.values.push((place.0, Packed::of(meta))),
            Slot::Holder(addr) => self.holders.push(((place.0, addr), Packed::of(meta))),
        }
    }

    pub(super) fn build(self) -> Index {
        Index {
            values: self.values.into_iter().collect(),
            holders: self.holders.into_iter().collect(),
        }
    }
}

impl Index {
    pub(super) fn len(&self) -> u64 {
        self.values.len() as u64 + self.holders.len() as u64
    }

    pub(super) fn get(&self, place: Place) -> Option<Meta> {
        match place.1 {
            Slot::Value => self.values.get(&place.0),
            Slot::Holder(addr) => self.holders.get(&(place.0, addr)),
        }
        .map(Packed::meta)
    }

    /// Puts a record, or nothing, into a place, and returns what was there.
    pub(super) fn set(&mut self, place: Place, meta: Option<&Meta>) -> Option<Meta> {
        let packed = meta.map(Packed::of);
        let before = match (place.1, packed) {
            (Slot::Value, Some(packed)) => self.values.insert(place.0, packed),
            (Slot::Value, None) => self.values.remove(&place.0),
            (Slot::Holder(addr), Some(packed)) => self.holders.insert((place.0, addr), packed),
            (Slot::Holder(addr), None) => self.holders.remove(&(place.0, addr)),
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

    /// Merges values and holders from `low` to `high`; false when the visitor had enough.
    fn stretch(
        &self,
        low: Id,
        high: Id,
        after: Option<Place>,
        visit: &mut dyn FnMut(Id, Slot, &Meta) -> bool,
    ) -> bool {
        let (first_value, first_holder) = match after {
            None => (Bound::Included(low), Bound::Included((low, FIRST_ADDR))),
            Some((key, Slot::Value)) => (Bound::Excluded(key), Bound::Included((key, FIRST_ADDR))),
            Some((key, Slot::Holder(addr))) => (Bound::Excluded(key), Bound::Excluded((key, addr))),
        };
        let mut values = self
            .values
            .range((first_value, Bound::Unbounded))
            .peekable();
        let mut holders = self
            .holders
            .range((first_holder, Bound::Unbounded))
            .peekable();
        loop {
            let value = values.peek().map(|(key, _)| **key);
            let holder = holders.peek().map(|((key, _), _)| *key);
            // A value comes before the holders of its key.
            let is_value = match (value, holder) {
                (Some(value), Some(holder)) => value <= holder,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => return true,
            };
            let next = if is_value {
                values
                    .next()
                    .map(|(key, packed)| (*key, Slot::Value, packed))
            } else {
                let next = holders.next();
                next.map(|((key, addr), packed)| (*key, Slot::Holder(*addr), packed))
            };
            let Some((key, slot, packed)) = next else {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_small() {
        assert_eq!(size_of::<(Id, Packed)>(), 61);
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
