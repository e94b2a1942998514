//! The store on disk: group commit by size, loading bodies, opening a million records.

#![allow(missing_docs)] // what criterion_group! makes
#![allow(clippy::disallowed_methods, reason = "a benchmark is a driver")]

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dht::Store;
use overlay::{Hlc, Id, Item, LoadSeq, Record, Slot, Version, WriteSeq};
use p2pnode::store::{DiskStore, StoreOptions};
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

const RECORDS: u64 = 1_000_000;
const BODY_BYTES: usize = 100;
/// Writes that wait while the large store is filled.
const AHEAD: u64 = 4_096;

struct Disk {
    store: DiskStore,
    durable: Receiver<WriteSeq>,
    loaded: Receiver<LoadSeq>,
}

fn open(dir: &Path) -> Disk {
    // Reports come no faster than writes and loads, and those are waited for.
    let (tell_durable, durable) = sync_channel(1 << 16);
    let (tell_loaded, loaded) = sync_channel(1 << 16);
    let mut options = StoreOptions::new(Id::ZERO);
    options.cache = 0;
    let store = DiskStore::open(
        dir,
        options,
        move |seq| tell_durable.send(seq).unwrap_or_default(),
        move |seq| tell_loaded.send(seq).unwrap_or_default(),
        |message| panic!("{message}"),
    );
    Disk {
        store: store.expect("the store opens"),
        durable,
        loaded,
    }
}

fn key(number: u64) -> Id {
    Id::of(&number.to_le_bytes())
}

fn item(number: u64) -> Item {
    let record = Record {
        version: Version {
            clock: Hlc(number),
            writer: Id::ZERO,
        },
        body: Some(Bytes::from(vec![number as u8; BODY_BYTES])),
        expires: None,
    };
    Item {
        key: key(number),
        slot: Slot::Value,
        record,
    }
}

impl Disk {
    fn wait(&mut self, until: WriteSeq) {
        while let Ok(seq) = self.durable.recv() {
            self.store.durable(seq);
            if seq >= until {
                return;
            }
        }
    }
}

/// One group of so many records, from the first write to its report.
fn commits(criterion: &mut Criterion) {
    let temp = tempfile::tempdir().expect("a directory");
    let mut disk = open(&temp.path().join("store"));
    let mut group = criterion.benchmark_group("store/commit");
    group.measurement_time(Duration::from_secs(5));
    let mut number = 0;
    for size in [1u64, 8, 64, 512] {
        group.throughput(Throughput::Elements(size));
        group.bench_function(size.to_string(), |bencher| {
            bencher.iter(|| {
                for _ in 0..size {
                    number += 1;
                    disk.store.write(item(number));
                }
                let last = disk.store.last_write();
                disk.wait(last);
            });
        });
    }
    group.finish();
}

/// A million records: how long opening takes, and loading bodies at random.
fn large(criterion: &mut Criterion) {
    let temp = tempfile::tempdir().expect("a directory");
    let dir = temp.path().join("store");
    let mut disk = open(&dir);
    for number in 0..RECORDS {
        let seq = disk.store.write(item(number));
        if seq.0.is_multiple_of(AHEAD) {
            disk.wait(seq);
        }
    }
    disk.store.close().expect("closed");
    let mut group = criterion.benchmark_group("store");
    group.sample_size(10);
    group.bench_function("open 1,000,000 records", |bencher| {
        bencher.iter(|| drop(open(&dir)));
    });
    let mut disk = open(&dir);
    let mut number = 0;
    group.bench_function("load 16 bodies", |bencher| {
        bencher.iter(|| {
            let places: Vec<_> = (0..16)
                .map(|step| (key((number + step * 62_501) % RECORDS), Slot::Value))
                .collect();
            number += 7_919;
            let seq = disk.store.load(&places);
            while disk.loaded.recv().is_ok_and(|loaded| loaded < seq) {}
            disk.store.loaded(seq);
            disk.store.release(seq);
        });
    });
    group.finish();
}

criterion_group!(store, commits, large);
criterion_main!(store);
