//! The peers of one swarm and one address family, in one dense vector: seeds first, then everybody
//! else, so that either group is drawn from without looking at the other.

use super::entry::{Address, Entry, PAUSED, REMOTE, SEED, TWIN, Tick};
use super::index::Index;

/// Up to so many peers are searched one by one, which is quicker than hashing and needs no memory.
const SCAN_UP_TO: usize = 16;

/// How many there are of each kind, of one family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) seeds: u32,
    pub(crate) others: u32,
    pub(crate) paused: u32,
}

/// Peers of one family.
#[derive(Clone, Debug)]
pub(crate) struct Family<A> {
    entries: Vec<Entry<A>>,
    seeds: u32,
    /// Those that announced here and are not counted in the other family.
    own: Tally,
    /// Those that were heard of from other nodes.
    heard: Tally,
    indexes: Option<Box<Indexes>>,
}

/// Where peers are in the vector.
#[derive(Clone, Debug)]
struct Indexes {
    by_endpoint: Index,
    by_identity: Index,
}

impl<A> Default for Family<A> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            seeds: 0,
            own: Tally::default(),
            heard: Tally::default(),
            indexes: None,
        }
    }
}

/// Mixes an endpoint with a seed that nobody else knows.
fn endpoint_hash(octets: &[u8], port: u16, seed: u64) -> u64 {
    let fold = |state: u64, word: u64| {
        let product = u128::from(state ^ word) * u128::from(seed | 1);
        (product >> 64) as u64 ^ product as u64
    };
    octets
        .chunks(8)
        .fold(fold(seed.rotate_left(32), port.into()), |state, chunk| {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            fold(
                state.wrapping_add(0x9e37_79b9_7f4a_7c15),
                u64::from_le_bytes(word),
            )
        })
}

impl<A: Address> Family<A> {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many announced here, each client once.
    pub(crate) const fn own(&self) -> Tally {
        self.own
    }

    /// How many were heard of from other nodes.
    pub(crate) const fn heard(&self) -> Tally {
        self.heard
    }

    /// The seeds, and the others.
    pub(crate) fn groups(&self) -> (&[Entry<A>], &[Entry<A>]) {
        self.entries.split_at(self.seeds as usize)
    }

    /// All of them, seeds first.
    pub(crate) fn entries(&self) -> &[Entry<A>] {
        &self.entries
    }

    /// How many of them are seeds.
    pub(crate) const fn seeds(&self) -> usize {
        self.seeds as usize
    }

    pub(crate) fn get(&self, at: usize) -> Option<&Entry<A>> {
        self.entries.get(at)
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        let indexes = self.indexes.as_deref().map_or(0, |indexes| {
            size_of::<Indexes>()
                + indexes.by_endpoint.heap_bytes()
                + indexes.by_identity.heap_bytes()
        });
        self.entries.capacity() * size_of::<Entry<A>>() + indexes
    }

    /// What is known of who has this endpoint.
    pub(crate) fn flags_of(&self, ip: A, port: u16, seed: u64) -> Option<u8> {
        let entry = self.get(self.find_endpoint(ip, port, seed)?)?;
        Some(entry.flags)
    }

    pub(crate) fn find_endpoint(&self, ip: A, port: u16, seed: u64) -> Option<usize> {
        let is = |entry: &Entry<A>| entry.ip == ip && entry.port == port;
        match &self.indexes {
            None => self.entries.iter().position(is),
            Some(indexes) => {
                let hash = endpoint_hash(ip.octets(), port, seed);
                let found = indexes
                    .by_endpoint
                    .find(hash, |place| self.at(place).is_some_and(is));
                found.map(|place| place as usize)
            }
        }
    }

    pub(crate) fn find_identity(&self, identity: u64) -> Option<usize> {
        let is = |entry: &Entry<A>| entry.identity() == identity;
        match &self.indexes {
            None => self.entries.iter().position(is),
            Some(indexes) => {
                let found = indexes
                    .by_identity
                    .find(identity, |place| self.at(place).is_some_and(is));
                found.map(|place| place as usize)
            }
        }
    }

    /// Adds a peer whose endpoint is not there.
    pub(crate) fn insert(&mut self, entry: Entry<A>, seed: u64) {
        if self.entries.len() == self.entries.capacity() {
            // A quarter, where vectors double: a million peers must not reserve room for two.
            self.entries.reserve_exact(self.entries.len() / 4 + 2);
        }
        self.count(entry.flags, 1);
        let last = self.entries.len();
        self.entries.push(entry);
        if let Some(mut indexes) = self.indexes.take() {
            self.link(&mut indexes, last, seed);
            self.indexes = Some(indexes);
        } else if self.entries.len() > SCAN_UP_TO {
            self.build_indexes(seed);
        }
        if entry.has(SEED) {
            self.swap(last, self.seeds as usize, seed);
            self.seeds += 1;
        }
    }

    /// Removes the peer at this place.
    pub(crate) fn remove(&mut self, at: usize, seed: u64) -> Option<Entry<A>> {
        let entry = *self.entries.get(at)?;
        let mut gap = at;
        if entry.has(SEED) {
            self.seeds -= 1;
            self.swap(gap, self.seeds as usize, seed);
            gap = self.seeds as usize;
        }
        let last = self.entries.len() - 1;
        self.swap(gap, last, seed);
        if let Some(mut indexes) = self.indexes.take() {
            let place = last as u32;
            let hash = endpoint_hash(entry.ip.octets(), entry.port, seed);
            indexes
                .by_endpoint
                .remove(hash, place, |place| self.endpoint_hash_at(place, seed));
            indexes
                .by_identity
                .remove(entry.identity(), place, |place| self.identity_at(place));
            self.indexes = Some(indexes);
        }
        self.entries.pop();
        self.count(entry.flags, -1);
        if self.entries.len() < SCAN_UP_TO / 2 {
            self.indexes = None;
        }
        Some(entry)
    }

    /// The peer at this place announced again, or was heard of again.
    pub(crate) fn set_place(&mut self, at: usize, place: u8) {
        if let Some(entry) = self.entries.get_mut(at) {
            entry.place = place;
        }
    }

    /// Changes what an entry is, and when it was seen.
    pub(crate) fn update(&mut self, at: usize, flags: u8, seen: Tick, seed: u64) {
        let Some(entry) = self.entries.get_mut(at) else {
            return;
        };
        let before = entry.flags;
        entry.flags = flags;
        entry.seen = seen;
        if before == flags {
            return;
        }
        self.count(before, -1);
        self.count(flags, 1);
        match (before & SEED != 0, flags & SEED != 0) {
            (false, true) => {
                self.swap(at, self.seeds as usize, seed);
                self.seeds += 1;
            }
            (true, false) => {
                self.seeds -= 1;
                self.swap(at, self.seeds as usize, seed);
            }
            _ => {}
        }
    }

    /// Gives back room that a swarm which has shrunk does not need.
    pub(crate) fn shrink(&mut self, seed: u64) {
        if self.entries.len() * 2 + 8 < self.entries.capacity() {
            self.entries
                .shrink_to(self.entries.len() + self.entries.len() / 4);
            if self.indexes.take().is_some() && self.entries.len() > SCAN_UP_TO {
                self.build_indexes(seed);
            }
        }
    }

    fn count(&mut self, flags: u8, by: i32) {
        if flags & TWIN != 0 {
            return;
        }
        let tally = if flags & REMOTE == 0 {
            &mut self.own
        } else {
            &mut self.heard
        };
        let add = |number: &mut u32| *number = number.saturating_add_signed(by);
        if flags & SEED != 0 {
            add(&mut tally.seeds);
        } else {
            add(&mut tally.others);
            if flags & PAUSED != 0 {
                add(&mut tally.paused);
            }
        }
    }

    fn build_indexes(&mut self, seed: u64) {
        let room = self.entries.len() + self.entries.len() / 4;
        let mut indexes = Box::new(Indexes {
            by_endpoint: Index::with_room(room),
            by_identity: Index::with_room(room),
        });
        for at in 0..self.entries.len() {
            self.link(&mut indexes, at, seed);
        }
        self.indexes = Some(indexes);
    }

    fn link(&self, indexes: &mut Indexes, at: usize, seed: u64) {
        let place = at as u32;
        let endpoint = self.endpoint_hash_at(place, seed);
        let hash_of = |place| self.endpoint_hash_at(place, seed);
        indexes.by_endpoint.insert(endpoint, place, hash_of);
        let identity = self.identity_at(place);
        indexes
            .by_identity
            .insert(identity, place, |place| self.identity_at(place));
    }

    /// Exchanges two peers' places.
    fn swap(&mut self, one: usize, two: usize, seed: u64) {
        if one == two {
            return;
        }
        self.entries.swap(one, two);
        if let Some(mut indexes) = self.indexes.take() {
            // What is at `two` now was at `one`. A number that nobody has keeps them apart meanwhile.
            let (one, two) = (one as u32, two as u32);
            let free = u32::MAX - 1;
            for (from, to, holder) in [(one, free, two), (two, one, one), (free, two, two)] {
                let endpoint = self.endpoint_hash_at(holder, seed);
                indexes.by_endpoint.renumber(endpoint, from, to);
                indexes
                    .by_identity
                    .renumber(self.identity_at(holder), from, to);
            }
            self.indexes = Some(indexes);
        }
    }

    fn at(&self, place: u32) -> Option<&Entry<A>> {
        self.entries.get(place as usize)
    }

    fn endpoint_hash_at(&self, place: u32, seed: u64) -> u64 {
        let entry = self.at(place);
        entry.map_or(0, |entry| {
            endpoint_hash(entry.ip.octets(), entry.port, seed)
        })
    }

    fn identity_at(&self, place: u32) -> u64 {
        self.at(place).map_or(0, Entry::identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const KEY: u64 = 0x1234_5678_9abc_def1;

    proptest! {
        #[test]
        fn a_family_is_a_map_with_its_seeds_in_front(
            steps in prop::collection::vec((0_u8..40, 0_u8..8, any::<bool>()), 0..300)
        ) {
            let mut family = Family::<[u8; 4]>::default();
            let mut oracle: BTreeMap<u8, u8> = BTreeMap::new();
            for (who, flags, stays) in steps {
                let found = family.find_endpoint([10, 0, 0, who], 80, KEY);
                prop_assert_eq!(found.is_some(), oracle.contains_key(&who));
                match found {
                    Some(at) if stays => family.update(at, flags, Tick(1), KEY),
                    Some(at) => {
                        family.remove(at, KEY);
                    }
                    None if stays => {
                        let entry = Entry::new([10, 0, 0, who], 80, flags, Tick(0), u64::from(who) + 7);
                        family.insert(entry, KEY);
                    }
                    None => continue,
                }
                if stays { oracle.insert(who, flags); } else { oracle.remove(&who); }
                let (seeds, others) = family.groups();
                prop_assert!(seeds.iter().all(|entry| entry.has(SEED)));
                prop_assert!(others.iter().all(|entry| !entry.has(SEED)));
                prop_assert_eq!(family.len(), oracle.len());
                for (who, flags) in &oracle {
                    let at = family.find_endpoint([10, 0, 0, *who], 80, KEY);
                    prop_assert_eq!(at, family.find_identity(u64::from(*who) + 7));
                    let entry = at.and_then(|at| family.get(at));
                    prop_assert_eq!(entry.map(|entry| entry.flags), Some(*flags));
                }
                let own = oracle.values().filter(|flags| **flags & REMOTE == 0);
                prop_assert_eq!(own.clone().filter(|flags| **flags & SEED != 0).count(), family.own().seeds as usize);
                prop_assert_eq!(own.count() as u32, family.own().seeds + family.own().others);
            }
            family.shrink(KEY);
            for who in oracle.keys() {
                prop_assert!(family.find_endpoint([10, 0, 0, *who], 80, KEY).is_some());
            }
        }
    }
}
