//! What a search has found: each record once for each node, and which of them is the newest. A search
//! looks at it with every hit, so that nothing here goes through all of it.

use crate::message::{Guid, Hit};
use overlay::{Contact, Id, Slot};
use std::collections::{BTreeMap, BTreeSet};

/// Most records that one search keeps: four messages full of them from each of eight nodes.
pub const MAX_FINDS: usize = 4_096;

/// A record that was found.
#[derive(Clone, Debug)]
pub(crate) struct Find {
    pub(crate) from: Contact,
    /// Under which GUID, for Push.
    pub(crate) guid: Guid,
    pub(crate) hops: u8,
    pub(crate) hit: Hit,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Finds {
    all: Vec<Find>,
    /// Which node told of which record.
    known: BTreeSet<(Id, Slot, Id)>,
    /// Where the newest version of each record is.
    newest: BTreeMap<(Id, Slot), usize>,
    /// Records whose newest version was not deleted.
    live: usize,
    responders: BTreeSet<Id>,
}

impl Finds {
    /// In the order in which they came.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Find> {
        self.all.iter()
    }

    /// Whether nothing more is kept.
    pub(crate) const fn is_full(&self) -> bool {
        self.all.len() >= MAX_FINDS
    }

    /// Whether a node told of a record before.
    pub(crate) fn knows(&self, from: Id, hit: &Hit) -> bool {
        self.known.contains(&(hit.key, hit.slot, from))
    }

    pub(crate) fn add(&mut self, find: Find) {
        let place = (find.hit.key, find.hit.slot);
        if self.is_full() || !self.known.insert((place.0, place.1, find.from.id)) {
            return;
        }
        self.responders.insert(find.from.id);
        let before = self.newest.get(&place).and_then(|at| self.all.get(*at));
        let (version, is_live) = (find.hit.version, !find.hit.gone);
        if before.is_none_or(|before| before.hit.version <= version) {
            let was_live = before.is_some_and(|before| !before.hit.gone);
            self.live = self.live + usize::from(is_live) - usize::from(was_live);
            self.newest.insert(place, self.all.len());
        }
        self.all.push(find);
    }

    /// The newest version of a record.
    pub(crate) fn newest(&self, key: Id, slot: Slot) -> Option<&Find> {
        self.all.get(*self.newest.get(&(key, slot))?)
    }

    /// Different records, the newest version of each, without the deleted ones.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Find> {
        let newest = self.newest.values().filter_map(|at| self.all.get(*at));
        newest.filter(|find| !find.hit.gone)
    }

    /// How many these are.
    pub(crate) const fn live_count(&self) -> usize {
        self.live
    }

    /// How many nodes hit.
    pub(crate) fn responders(&self) -> u32 {
        self.responders.len() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay::{Hlc, Version, WallMs};

    fn find(node: u64, key: u64, clock: u64, gone: bool) -> Find {
        let addr = std::net::SocketAddr::from(([127, 0, 0, 1], 4_000));
        let id = Id::from_u64(node);
        Find {
            from: Contact { id, addr },
            guid: Guid::default(),
            hops: 0,
            hit: Hit {
                key: Id::from_u64(key),
                slot: Slot::Value,
                version: Version {
                    clock: Hlc::at(WallMs(clock)),
                    writer: Id::ZERO,
                },
                gone,
                life_s: None,
                bytes: 1,
                text: String::new(),
            },
        }
    }

    /// What is counted with each find is what going through all of them counts.
    #[test]
    fn counts_are_those_of_all_finds() {
        let mut finds = Finds::default();
        let (mut number, mut told) = (1_u64, BTreeSet::new());
        for _ in 0..2_000 {
            number = number.wrapping_mul(6_364_136_223_846_793_005) + 1;
            let (node, key) = (number >> 33 & 15, number >> 37 & 63);
            told.insert((node, key));
            finds.add(find(node, key, number >> 43 & 3, number >> 45 & 1 == 0));
        }
        let mut live = 0;
        for key in 0..64 {
            let of_it = finds.iter().filter(|it| it.hit.key == Id::from_u64(key));
            let newest = of_it.max_by_key(|it| it.hit.version);
            let newest = newest.map(|it| (it.from.id, it.hit.gone));
            let told = finds.newest(Id::from_u64(key), Slot::Value);
            assert_eq!(told.map(|it| (it.from.id, it.hit.gone)), newest);
            live += usize::from(newest.is_some_and(|(_, gone)| !gone));
        }
        assert_eq!((finds.live_count(), finds.live().count()), (live, live));
        assert_eq!(finds.responders(), 16);
        assert_eq!(finds.iter().count(), told.len(), "each once");
    }
}
