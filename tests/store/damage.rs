//! Damaged files are found and named; nothing is lost in silence.

use crate::handle::{Handle, item, node};
use dht::Store;
use overlay::{Id, Item, Slot};
use p2pnode::store::{OpenError, StoreOptions, inspect};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const RECORDS: u64 = 16_000;

/// Bodies with their records and apart from them, enough that the engine writes tables of both.
fn record(number: u64) -> Item {
    let length = if number.is_multiple_of(4) { 2_000 } else { 250 };
    item(
        Id::of(&number.to_le_bytes()),
        Slot::Value,
        number,
        Some(length),
    )
}

fn make(dir: &Path) {
    let mut disk = Handle::open(dir).unwrap();
    for number in 0..RECORDS {
        disk.store.write(record(number));
        if number % 500 == 0 {
            disk.settle();
        }
    }
    disk.store.close().unwrap();
}

fn files(dir: &Path, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, into);
        } else {
            into.push(path);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    let mut all = Vec::new();
    files(from, &mut all);
    for path in all {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&path, &target).unwrap();
    }
}

/// What became of the damage.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    FoundAtOpening,
    FoundAtLoading,
    Harmless,
}

/// Opens a damaged store; panics when it gives wrong records.
fn look(dir: &Path, what: &str) -> Outcome {
    let options = StoreOptions {
        cache: 0,
        ..StoreOptions::new(node())
    };
    let mut disk = match Handle::open_with(dir, options) {
        Err(error) => {
            let text = error.to_string();
            assert!(
                matches!(
                    error,
                    OpenError::Damaged { .. } | OpenError::Newer { .. } | OpenError::Foreign { .. }
                ),
                "{what}: {text}"
            );
            assert!(text.contains(dir.to_str().unwrap()), "{what}: {text}");
            return Outcome::FoundAtOpening;
        }
        Ok(disk) => disk,
    };
    assert_eq!(disk.store.counts().values, RECORDS, "{what}");
    for number in 0..RECORDS {
        let item = record(number);
        match disk.fetch((item.key, item.slot)) {
            Ok(found) => assert_eq!(found, Some(item.record), "{what}"),
            Err(fatal) => {
                assert!(fatal.contains(dir.to_str().unwrap()), "{what}: {fatal}");
                return Outcome::FoundAtLoading;
            }
        }
    }
    Outcome::Harmless
}

/// Bytes of a file up to its last one that is not zero: a journal is longer than what it holds.
fn used(path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap();
    bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |at| at as u64 + 1)
}

#[test]
fn damage_is_found_or_harmless() {
    let temp = tempfile::tempdir().unwrap();
    let (whole, dir) = (temp.path().join("whole"), temp.path().join("store"));
    make(&whole);
    let mut all = Vec::new();
    files(&whole, &mut all);
    assert!(
        all.iter()
            .any(|path| path.to_str().unwrap().contains("tables")),
        "{all:?}"
    );
    copy(&whole, &dir);
    assert_eq!(look(&dir, "nothing"), Outcome::Harmless);
    let mut seen = Vec::new();
    for path in &all {
        let name = path.strip_prefix(&whole).unwrap();
        let length = used(path);
        if length == 0 {
            continue;
        }
        for part in [0, 37, 81] {
            let at = length.saturating_sub(1) * part / 100;
            for is_cut in [false, true] {
                copy(&whole, &dir);
                let file = OpenOptions::new()
                    .read(true)
                    .write(true)
                    .open(dir.join(name))
                    .unwrap();
                if is_cut {
                    file.set_len(at).unwrap();
                } else {
                    let mut byte = [0];
                    file.read_exact_at(&mut byte, at).unwrap();
                    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
                }
                let what = format!(
                    "{} {} at {at}",
                    name.display(),
                    if is_cut { "cut" } else { "flipped" }
                );
                let outcome = look(&dir, &what);
                seen.push((what, outcome));
            }
        }
    }
    let count = |wanted: Outcome| {
        seen.iter()
            .filter(|(_, outcome)| *outcome == wanted)
            .count()
    };
    println!(
        "of {} damages: {} found at opening, {} at loading, {} harmless",
        seen.len(),
        count(Outcome::FoundAtOpening),
        count(Outcome::FoundAtLoading),
        count(Outcome::Harmless)
    );
    let journals = |(what, _): &&(String, Outcome)| what.contains(".jnl");
    assert!(
        seen.iter()
            .filter(journals)
            .any(|(_, outcome)| *outcome == Outcome::FoundAtOpening),
        "a journal that was cut off: {seen:#?}"
    );
    assert!(
        seen.iter()
            .any(|(_, outcome)| *outcome == Outcome::FoundAtLoading),
        "{seen:#?}"
    );
}

#[test]
fn a_missing_part_is_found() {
    let temp = tempfile::tempdir().unwrap();
    let (whole, dir) = (temp.path().join("whole"), temp.path().join("store"));
    let mut disk = Handle::open(&whole).unwrap();
    for number in 0..10 {
        disk.store.write(record(number));
    }
    disk.store.close().unwrap();
    assert_eq!(inspect(&whole).unwrap().counts.values, 10);
    for part in [
        "witness",
        "format",
        "engine/version",
        "engine/0.jnl",
        "engine/keyspaces",
        "engine",
    ] {
        copy(&whole, &dir);
        let path = dir.join(part);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
        for attempt in 0..2 {
            let error = Handle::open(&dir).err();
            let error = error.unwrap_or_else(|| panic!("without {part}, attempt {attempt}"));
            assert!(
                matches!(error, OpenError::Damaged { .. }),
                "without {part}: {error}"
            );
        }
    }
}

#[test]
fn the_store_of_another_node_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("store");
    drop(Handle::open(&dir).unwrap());
    let other = StoreOptions::new(Id::of(b"another node"));
    let error = Handle::open_with(&dir, other).err().unwrap();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
}
