//! A full disk refuses new records, serves reads and deletes, and comes back without a loss.

use crate::handle::{Handle, PATIENCE, item, node};
use dht::{Store, StoreFull};
use overlay::{Id, Slot};
use p2pnode::store::StoreOptions;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What is reserved, and 48 MiB. The first has to be what ships: on a busy machine nearly all that
/// was written is in the engine's journals only, and finds no room in its tables if less is kept
/// free than the journals hold.
const DISK: &str = "112m";

/// A small file system in memory, as long as it lives.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None without the right to mount.
    fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(at)
            .output();
        mount
            .is_ok_and(|done| done.status.success())
            .then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Takes all that is free.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
}

#[test]
fn a_full_disk_is_waited_for() {
    let temp = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&temp.path().join("disk"), DISK) else {
        eprintln!("skipped: mounting a small file system needs privileges");
        return;
    };
    let dir = disk.0.join("store");
    let options = StoreOptions {
        cache: 0,
        ..StoreOptions::new(node())
    };
    let mut store = Handle::open_with(&dir, options.clone()).unwrap();
    let mut count = 0;
    let full = loop {
        if let Err(full) = store.store.room() {
            break full;
        }
        store
            .store
            .write(item(Id::from_u64(count), Slot::Value, 1, Some(4_000)));
        count += 1;
        if count % 20 == 0 {
            store.settle();
        }
    };
    assert!(matches!(full, StoreFull::Disk { .. }), "{full}");
    store.settle();
    let place = |key| (Id::from_u64(key), Slot::Value);
    let delete = |store: &mut Handle, key| {
        store
            .store
            .write(item(Id::from_u64(key), Slot::Value, 2, None))
    };

    // What is reserved lets a delete pass.
    delete(&mut store, 0);
    store.settle();
    assert!(store.fetch(place(1)).unwrap().is_some());

    // Now nothing is free at all.
    fill(&disk.0.join("filler"));
    let mut key = 1;
    let stuck = loop {
        let seq = delete(&mut store, key);
        key += 1;
        if store
            .wait(Duration::from_secs(1), |news| news.durable >= seq)
            .is_none()
        {
            break seq;
        }
        assert!(key < count, "the disk never became full");
    };
    assert!(matches!(store.store.room(), Err(StoreFull::Disk { .. })));
    assert!(store.fetch(place(key)).unwrap().is_some(), "reads go on");
    fs::remove_file(disk.0.join("filler")).unwrap();
    let news = store.wait(PATIENCE, |news| {
        news.durable >= stuck || news.fatal.is_some()
    });
    assert_eq!(news.unwrap().fatal, None);
    store.settle();
    store.store.close().unwrap();

    let mut store = Handle::open_with(&dir, options).unwrap();
    assert_eq!(store.store.counts().tombstones, key);
    assert_eq!(store.store.counts().values, count - key);
    assert!(store.fetch(place(key)).unwrap().is_some());
    drop(store);
}
