//! A process that is killed in the middle of commits has on disk whatever it reported durable.

use crate::handle::{Handle, item, metas, node};
use dht::{MemoryStore, Store};
use overlay::{Id, Slot};
use p2pnode::store::{DiskStore, StoreOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const DIR_VARIABLE: &str = "P2P_STORE_TEST_DIR";
const FIRST_VARIABLE: &str = "P2P_STORE_TEST_FIRST";
/// Writes that the child lets wait.
const AHEAD: u64 = 300;

/// The write number `number`: mostly new records, some newer versions, deletions and removals.
fn apply(store: &mut impl Store, number: u64) {
    let key = |number: u64| Id::of(&number.to_le_bytes());
    let before = store.last_write();
    let (old, lengths) = (number / 2, [0, 7, 100, 256, 257, 900, 4_000]);
    let length = lengths[(number % 7) as usize];
    match number % 10 {
        3 => store.write(item(key(old), Slot::Value, number, None)),
        6 => store.remove(key(old), Slot::Value),
        9 => store.write(item(key(old), Slot::Value, number, Some(length))),
        _ => store.write(item(key(number), Slot::Value, number, Some(length))),
    };
    if store.last_write() == before {
        // Each number is one write.
        store.write(item(key(number), Slot::Value, number, Some(1)));
    }
}

/// Not a test: what the child process does.
#[test]
#[ignore = "the child process of the test below"]
fn child() {
    let dir = std::env::var(DIR_VARIABLE).unwrap();
    let first: u64 = std::env::var(FIRST_VARIABLE).unwrap().parse().unwrap();
    let (tell, durable) = std::sync::mpsc::sync_channel(1 << 12);
    let mut store = DiskStore::open(
        Path::new(&dir),
        StoreOptions::new(node()),
        move |seq| {
            println!("durable {}", first + seq.0 - 1);
            std::io::stdout().flush().unwrap();
            tell.send(seq).unwrap();
        },
        |_| {},
        |message| panic!("{message}"),
    )
    .unwrap();
    for number in first.. {
        apply(&mut store, number);
        while store.last_write().0 > AHEAD {
            let seq = durable.recv().unwrap();
            store.durable(seq);
            if store.last_write().0 - seq.0 < AHEAD {
                break;
            }
        }
    }
}

/// Runs the child for a while, kills it, and says what it reported last.
fn run_and_kill(dir: &Path, first: u64, lifetime: Duration) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--ignored", "--nocapture"])
        .env(DIR_VARIABLE, dir)
        .env(FIRST_VARIABLE, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let number = |line: String| {
        line.rsplit_once("durable ")
            .map(|(_, text)| text.parse().unwrap())
    };
    let mut last = lines
        .by_ref()
        .find_map(|line| number(line.unwrap()))
        .unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(lifetime);
            child.kill().unwrap();
        });
        for line in lines.map_while(Result::ok) {
            last = number(line).unwrap_or(last);
        }
    });
    child.wait().unwrap();
    last
}

#[test]
fn what_was_reported_durable_survives_a_kill() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("store");
    let mut model = MemoryStore::new();
    let mut next = 1;
    for round in 0..6 {
        let reported = run_and_kill(&dir, next, Duration::from_millis(50 + 170 * round));
        let mut disk = Handle::open(&dir).unwrap();
        let found = disk.metas();
        while next <= reported {
            apply(&mut model, next);
            next += 1;
        }
        // A commit may have been complete before it was reported.
        while metas(&model) != found {
            assert!(
                next <= reported + AHEAD,
                "round {round}: {reported} were reported durable"
            );
            apply(&mut model, next);
            next += 1;
        }
        assert_eq!(disk.store.counts(), model.counts());
        for ((key, slot), record) in model.iter() {
            assert_eq!(disk.fetch((*key, *slot)).unwrap().as_ref(), Some(record));
        }
    }
    assert!(next > 500, "only {next} writes were tried");
}
