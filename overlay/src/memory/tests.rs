//! The store in memory.

use super::*;
use crate::{Hlc, Version};
use bytes::Bytes;

fn item(key: u64, clock: u64, body: Option<&'static [u8]>) -> Item {
    let version = Version {
        clock: Hlc(clock),
        writer: Id::ZERO,
    };
    let record = Record {
        version,
        body: body.map(Bytes::from_static),
        expires: None,
    };
    Item {
        key: Id::from_u64(key),
        slot: Slot::Value,
        record,
    }
}

fn keys(store: &MemoryStore, arc: Arc, after: Option<(Id, Slot)>) -> Vec<Id> {
    let mut keys = Vec::new();
    store.range(arc, after, &mut |key, _, _| {
        keys.push(key);
        true
    });
    keys
}

#[test]
fn a_full_disk_takes_no_new_records_and_has_room_again() {
    let mut store = MemoryStore::on_disk();
    store.set_disk_full(true);
    assert!(matches!(store.room(), Err(StoreFull::Disk { .. })));
    store.set_disk_full(false);
    assert_eq!(store.room(), Ok(()));
}

#[test]
fn keeps_the_newest_and_counts() {
    let mut store = MemoryStore::new();
    assert_eq!(store.write(item(1, 5, Some(b"new"))), WriteSeq(1));
    assert_eq!(store.write(item(1, 4, Some(b"older"))), WriteSeq(1));
    assert_eq!(
        store.counts(),
        Counts {
            values: 1,
            bytes: 3,
            ..Counts::default()
        }
    );
    assert_eq!(store.write(item(1, 6, None)), WriteSeq(2));
    let deleted = Counts {
        tombstones: 1,
        ..Counts::default()
    };
    assert_eq!(store.counts(), deleted);
    let known = store.meta(Id::from_u64(1), Slot::Value);
    assert!(known.is_some_and(|known| known.is_tombstone()));
}

#[test]
fn a_crash_undoes_what_was_not_durable() {
    let mut store = MemoryStore::new();
    store.write(item(1, 1, Some(b"one")));
    let durable = store.write(item(2, 1, Some(b"two")));
    store.durable(durable);
    store.write(item(1, 2, Some(b"changed")));
    store.remove(Id::from_u64(2), Slot::Value);
    store.write(item(3, 1, Some(b"three")));
    store.crash(durable);
    assert_eq!(store.len(), 2);
    let body = |key| match store.read(Id::from_u64(key), Slot::Value) {
        Found::Here(record) => record.body,
        Found::Absent | Found::OnDisk => None,
    };
    assert_eq!(body(1).as_deref(), Some(&b"one"[..]));
    assert_eq!(body(2).as_deref(), Some(&b"two"[..]));
    assert_eq!(store.counts().bytes, 6);
}

#[test]
fn a_body_on_disk_is_there_once_it_is_loaded() {
    let mut store = MemoryStore::on_disk();
    let place = (Id::from_u64(1), Slot::Value);
    let seq = store.write(item(1, 1, Some(b"one")));
    assert!(matches!(store.read(place.0, place.1), Found::Here(_)));
    store.durable(seq);
    assert_eq!(store.read(place.0, place.1), Found::OnDisk);
    let load = store.load(&[place]);
    assert_eq!(store.read(place.0, place.1), Found::OnDisk);
    store.loaded(load);
    assert!(matches!(store.read(place.0, place.1), Found::Here(_)));
    store.release(load);
    assert_eq!(store.read(place.0, place.1), Found::OnDisk);
}

#[test]
fn a_range_walks_the_circle_in_order() {
    let mut store = MemoryStore::new();
    for key in [1, 2, 3, 4] {
        store.write(item(key, 1, Some(b"x")));
    }
    let id = Id::from_u64;
    let wrapped = Arc {
        from: id(2),
        to: id(1),
    };
    assert_eq!(keys(&store, wrapped, None), [id(3), id(4), id(1)]);
    assert_eq!(keys(&store, wrapped, Some((id(4), Slot::Value))), [id(1)]);
    assert_eq!(
        keys(&store, Arc::whole(id(2)), None),
        [id(3), id(4), id(1), id(2)]
    );
    assert_eq!(
        keys(
            &store,
            Arc {
                from: id(1),
                to: id(3)
            },
            None
        ),
        [id(2), id(3)]
    );
    assert_eq!(
        keys(&store, Arc::whole(id(2)), Some((id(2), Slot::Value))),
        Vec::<Id>::new()
    );
}
