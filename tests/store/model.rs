//! Under any operations the store on disk is what the store in memory is, also when it is closed
//! and opened again.

use crate::handle::{Handle, item, metas, node};
use dht::{Found, MemoryStore, Store};
use overlay::{Arc, Hlc, Id, Slot};
use p2pnode::store::StoreOptions;
use proptest::prelude::*;
use std::net::SocketAddr;

#[derive(Clone, Debug)]
enum Step {
    Write(u64, Slot, u64, Option<usize>),
    Remove(u64, Slot),
    Fetch(u64, Slot),
    Holders(u64),
    Range(u64, u64, Option<(u64, Slot)>),
    Share,
    Vouch(u64, u64, u64),
    Settle,
    Reopen,
}

fn slots() -> impl Strategy<Value = Slot> {
    let addr = |text: &str| Slot::Holder(text.parse::<SocketAddr>().unwrap());
    prop_oneof![
        3 => Just(Slot::Value),
        1 => Just(addr("10.0.0.1:80")),
        1 => Just(addr("10.0.0.1:81")),
        1 => Just(addr("[fe80::1%3]:80")),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let key = 0u64..6;
    let length =
        proptest::option::weighted(0.8, prop_oneof![0usize..4, 250usize..260, Just(5_000)]);
    prop_oneof![
        12 => (key.clone(), slots(), 0u64..40, length)
            .prop_map(|(key, slot, clock, length)| Step::Write(key, slot, clock, length)),
        3 => (key.clone(), slots()).prop_map(|(key, slot)| Step::Remove(key, slot)),
        6 => (key.clone(), slots()).prop_map(|(key, slot)| Step::Fetch(key, slot)),
        2 => key.clone().prop_map(Step::Holders),
        4 => (key.clone(), key.clone(), proptest::option::of((key.clone(), slots())))
            .prop_map(|(from, to, after)| Step::Range(from, to, after)),
        1 => Just(Step::Share),
        1 => (key.clone(), key.clone(), 0u64..40)
            .prop_map(|(from, to, clock)| Step::Vouch(from, to, clock)),
        2 => Just(Step::Settle),
        1 => Just(Step::Reopen),
    ]
}

fn options() -> StoreOptions {
    // Room for one small body only, so that most must be loaded.
    StoreOptions {
        cache: 200,
        ..StoreOptions::new(node())
    }
}

fn ranged(store: &impl Store, arc: Arc, after: Option<(Id, Slot)>) -> Vec<(Id, Slot)> {
    let mut places = Vec::new();
    store.range(arc, after, &mut |key, slot, _| {
        places.push((key, slot));
        places.len() < 5
    });
    places
}

fn held(store: &impl Store, key: Id) -> Vec<SocketAddr> {
    let mut holders = Vec::new();
    store.holders(key, &mut |addr, _| {
        holders.push(addr);
        holders.len() < 2
    });
    holders
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_disk_is_as_good_as_memory(steps in proptest::collection::vec(steps(), 1..80)) {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("store");
        let mut disk = Handle::open_with(&dir, options()).unwrap();
        let mut memory = MemoryStore::new();
        let id = Id::from_u64;
        for step in steps {
            match step {
                Step::Write(key, slot, clock, length) => {
                    disk.store.write(item(id(key), slot, clock, length));
                    memory.write(item(id(key), slot, clock, length));
                }
                Step::Remove(key, slot) => {
                    disk.store.remove(id(key), slot);
                    memory.remove(id(key), slot);
                }
                Step::Fetch(key, slot) => {
                    let expected = match memory.read(id(key), slot) {
                        Found::Here(record) => Some(record),
                        _ => None,
                    };
                    prop_assert_eq!(disk.fetch((id(key), slot)).unwrap(), expected);
                }
                Step::Holders(key) => {
                    prop_assert_eq!(held(&disk.store, id(key)), held(&memory, id(key)));
                }
                Step::Range(from, to, after) => {
                    let arc = Arc { from: id(from), to: id(to) };
                    let after = after.map(|(key, slot)| (id(key), slot));
                    prop_assert_eq!(ranged(&disk.store, arc, after), ranged(&memory, arc, after));
                }
                Step::Share => {
                    disk.store.set_shared();
                    memory.set_shared();
                }
                Step::Vouch(from, to, clock) => {
                    let mut parts = memory.vouched().to_vec();
                    parts.push((Arc { from: id(from), to: id(to) }, Hlc(clock)));
                    disk.store.set_vouched(parts.clone());
                    memory.set_vouched(parts);
                }
                Step::Settle => disk.settle(),
                Step::Reopen => {
                    disk.store.close().unwrap();
                    disk = Handle::open_with(&dir, options()).unwrap();
                }
            }
            prop_assert_eq!(disk.store.counts(), memory.counts());
            prop_assert_eq!(disk.store.is_shared(), memory.is_shared());
            prop_assert_eq!(disk.store.vouched(), memory.vouched());
            prop_assert!(disk.store.newest() >= memory.newest());
        }
        disk.store.close().unwrap();
        let mut disk = Handle::open_with(&dir, options()).unwrap();
        prop_assert_eq!(disk.metas(), metas(&memory));
        prop_assert_eq!(disk.store.counts(), memory.counts());
        for ((key, slot), record) in memory.iter() {
            let found = disk.fetch((*key, *slot)).unwrap();
            prop_assert_eq!(found.as_ref(), Some(record));
        }
    }
}

/// A body that somebody waits for stays in memory, also the one that replaces it meanwhile.
#[test]
fn a_loaded_body_stays_until_it_is_released() {
    let temp = tempfile::tempdir().unwrap();
    let options = StoreOptions {
        cache: 0,
        ..options()
    };
    let mut disk = Handle::open_with(&temp.path().join("store"), options).unwrap();
    let place = (Id::from_u64(1), Slot::Value);
    disk.store.write(item(place.0, place.1, 1, Some(10)));
    disk.settle();
    assert_eq!(disk.store.read(place.0, place.1), Found::OnDisk);
    let seq = disk.store.load(&[place, (Id::from_u64(2), Slot::Value)]);
    disk.store.write(item(place.0, place.1, 2, Some(20)));
    disk.settle();
    disk.wait(crate::handle::PATIENCE, |news| news.loaded >= seq)
        .unwrap();
    disk.store.loaded(seq);
    let expected = item(place.0, place.1, 2, Some(20)).record;
    assert_eq!(disk.store.read(place.0, place.1), Found::Here(expected));
    disk.store.release(seq);
    assert_eq!(disk.store.read(place.0, place.1), Found::OnDisk);
}
