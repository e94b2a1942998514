//! How long a node takes to start with many records, and what they take of its memory.

use crate::handle::{Handle, item, node};
use chord::{Chord, ChordConfig};
use dht::{Dht, DhtConfig, Store};
use overlay::lookup::LookupConfig;
use overlay::{Contact, Id, Slot};
use std::time::Instant;

const RECORDS: u64 = 1_000_000;

/// Bytes of memory that this process uses.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.unwrap().split_whitespace().nth(1).unwrap();
    number.parse::<u64>().unwrap() * 1_024
}

/// Writes the store, then does again, in a fresh process, what a node does with it before it joins.
#[test]
#[ignore = "a measurement: cargo nextest run --release --test store --run-ignored all starting"]
fn starting_with_a_million_records() {
    let kept = std::env::var_os("P2P_STORE_START_DIR");
    let Some(dir) = kept else {
        let temp = tempfile::tempdir().unwrap();
        let mut disk = Handle::open(temp.path().join("store").as_path()).unwrap();
        for number in 0..RECORDS {
            let key = Id::of(&number.to_le_bytes());
            disk.store.write(item(key, Slot::Value, number, Some(100)));
            if number % 10_000 == 0 {
                disk.settle();
            }
        }
        disk.store.close().unwrap();
        let again = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "start::starting_with_a_million_records"])
            .args(["--ignored", "--nocapture"])
            .env("P2P_STORE_START_DIR", temp.path().join("store"))
            .status();
        return assert!(again.unwrap().success());
    };
    let (before, began) = (resident(), Instant::now());
    let disk = Handle::open(dir.as_ref()).unwrap();
    let opened = began.elapsed();
    assert_eq!(disk.store.counts().values, RECORDS);
    let me = Contact {
        id: node(),
        addr: ([127, 0, 0, 1], 4000).into(),
    };
    let router = Chord::new(me, ChordConfig::default());
    let config = DhtConfig::default();
    let made = Instant::now();
    let dht = Dht::new(router, disk.store, config, LookupConfig::default());
    let made = made.elapsed();
    let bytes = (resident() - before) / RECORDS;
    println!("opened in {opened:?}, the machine made in {made:?}, {bytes} bytes a record");
    drop(dht);
}
