//! Writes that come together share a commit; a directory serves one store.

use crate::handle::{Handle, item, node};
use dht::{Store, StoreFull};
use overlay::{Id, Slot};
use p2pnode::store::{OpenError, StoreOptions, WAITING_BYTES};

#[test]
fn groups_grow_with_the_load() {
    let temp = tempfile::tempdir().unwrap();
    let options = StoreOptions::new(node());
    let groups = options.metrics.group_records.clone();
    let mut disk = Handle::open_with(&temp.path().join("store"), options).unwrap();
    let mut clock = 0;
    let mut write = |disk: &mut Handle| {
        clock += 1;
        let key = Id::of(&u64::to_le_bytes(clock));
        disk.store.write(item(key, Slot::Value, clock, Some(100)));
    };
    for _ in 0..20 {
        write(&mut disk);
        disk.settle();
    }
    assert_eq!(
        groups.get_sample_count(),
        20,
        "one at a time: a commit each"
    );
    for _ in 0..5_000 {
        write(&mut disk);
    }
    disk.settle();
    assert_eq!(groups.get_sample_sum(), 5_020.0);
    let commits = groups.get_sample_count() - 20;
    assert!(
        commits <= 500,
        "5,000 writes at once took {commits} commits"
    );
}

#[test]
fn what_is_committed_does_not_wait_any_more() {
    let temp = tempfile::tempdir().unwrap();
    let mut disk = Handle::open(&temp.path().join("store")).unwrap();
    // All together weigh more than may wait at one time.
    for clock in 0..=WAITING_BYTES >> 20 {
        assert_eq!(disk.store.room(), Ok(()), "after {clock} MiB");
        let key = Id::from_u64(clock % 4);
        let value = item(key, Slot::Value, clock + 1, Some(1 << 20));
        disk.store.write(value);
        disk.settle();
    }
    assert_eq!(disk.store.room(), Ok(()));
}

#[test]
fn one_directory_serves_one_store() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("store");
    let held = Handle::open(&dir).unwrap();
    let error = Handle::open(&dir).err().unwrap();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    assert!(error.to_string().contains(dir.to_str().unwrap()), "{error}");
    held.store.close().unwrap();
    Handle::open(&dir).unwrap();
}

#[test]
fn a_quota_refuses_new_records_and_lets_deletes_pass() {
    let temp = tempfile::tempdir().unwrap();
    let options = StoreOptions {
        quota: Some(10_000),
        ..StoreOptions::new(node())
    };
    let dir = temp.path().join("store");
    let mut disk = Handle::open_with(&dir, options.clone()).unwrap();
    let mut keys = 0;
    let full = loop {
        match disk.store.room() {
            Ok(()) => {
                disk.store
                    .write(item(Id::from_u64(keys), Slot::Value, 1, Some(100)));
                keys += 1;
            }
            Err(full) => break full,
        }
    };
    assert!(
        (40..70).contains(&keys),
        "{keys} records of 100 bytes fit 10,000 bytes"
    );
    assert!(
        matches!(full, StoreFull::Quota { quota: 10_000, .. }),
        "{full}"
    );
    assert!(full.to_string().contains("--max-store"), "{full}");
    disk.settle();
    disk.store.close().unwrap();
    let mut disk = Handle::open_with(&dir, options).unwrap();
    assert_eq!(
        disk.store.room().unwrap_err(),
        full,
        "the same after opening it again"
    );
    for key in 0..keys {
        disk.store
            .write(item(Id::from_u64(key), Slot::Value, 2, None));
    }
    disk.settle();
    assert_eq!(disk.store.room(), Ok(()));
}
