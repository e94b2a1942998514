//! A disk that fails: nothing is acknowledged that may not be there, and the node does not go on.
//!
//! The failures are injected into the system calls of a child process by `strace`, so that engine,
//! standard library and threads are those that ship. A device that fails (dm-error) needs a kernel
//! with device mapper, which machines for tests often lack; a layer of our own would have to be
//! built into the engine, whose calls are what is tested.

use crate::handle::{Handle, PATIENCE, item, node};
use dht::Store;
use overlay::{Id, Slot};
use p2pnode::store::{DiskStore, StoreOptions, inspect};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::sync_channel;

/// What commits are appended to.
pub(crate) const JOURNAL: &str = "engine/0.jnl";
pub(crate) const DIR_VARIABLE: &str = "P2P_STORE_FAILING_DIR";
/// The call of its kind that fails first; each commit makes one, and opening a few.
pub(crate) const BEFORE: u64 = 20;
/// Commits that it tries.
const TRIED: u64 = 60;

/// Not a test: what the child process does. It writes one record a commit and says what it hears.
#[test]
#[ignore = "the child process of the tests below"]
fn child() {
    let dir = std::env::var(DIR_VARIABLE).unwrap();
    let (tell, heard) = sync_channel(1 << 12);
    let fatal = tell.clone();
    let mut store = DiskStore::open(
        Path::new(&dir),
        StoreOptions::new(node()),
        move |seq| tell.send(Ok(seq)).unwrap(),
        |_| {},
        move |message| fatal.send(Err(message)).unwrap(),
    )
    .unwrap();
    for number in 1..=TRIED {
        let seq = store.write(item(Id::from_u64(number), Slot::Value, number, Some(100)));
        match heard.recv_timeout(PATIENCE).unwrap() {
            Ok(durable) => {
                assert_eq!(durable, seq);
                println!("durable {number}");
            }
            Err(message) => {
                println!("fatal {message}");
                // It must not change its mind.
                store.write(item(Id::from_u64(9_999), Slot::Value, 1, Some(1)));
                let more = heard.recv_timeout(std::time::Duration::from_millis(700));
                assert!(more.is_err(), "{more:?}");
                println!("silent since");
                break;
            }
        }
        std::io::stdout().flush().unwrap();
    }
    // The process ends here as one does that is told to stop.
    let closed = store.close();
    println!("closed {}", closed.is_ok());
}

/// What the child said.
struct Said {
    durable: u64,
    fatal: Option<String>,
    text: String,
}

/// Runs the child while calls of a kind on its journal fail from the one of this number on; nothing
/// without `strace`, or the right to use it.
fn run(dir: &Path, call: &str, error: &str) -> Option<Said> {
    let output = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-P"])
        .arg(dir.join(JOURNAL))
        .args(["-e", &format!("trace={call}"), "-e"])
        .arg(format!("inject={call}:error={error}:when={BEFORE}+"))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "failing::child", "--ignored", "--nocapture"])
        .env(DIR_VARIABLE, dir)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    if !text.contains("durable ") && !text.contains("fatal ") {
        eprintln!("skipped, strace cannot trace here: {errors}");
        return None;
    }
    assert!(output.status.success(), "{text}{errors}");
    let after = |name: &str| {
        let mut found = text.lines().filter_map(|line| line.split_once(name));
        found.next_back().map(|(_, rest)| rest.to_owned())
    };
    let durable = text.lines().filter_map(|line| {
        let (_, number) = line.split_once("durable ")?;
        number.parse().ok()
    });
    Some(Said {
        durable: durable.max().unwrap_or(0),
        fatal: after("fatal "),
        text,
    })
}

/// The store has everything that was reported, and at most one commit more.
fn check(dir: &Path, said: &Said) {
    let mut disk = Handle::open(dir).unwrap();
    let values = disk.store.counts().values;
    assert!(
        (said.durable..=said.durable + 1).contains(&values),
        "{} were reported, {values} are there",
        said.durable
    );
    for number in 1..=said.durable {
        let wanted = item(Id::from_u64(number), Slot::Value, number, Some(100));
        let found = disk.fetch((wanted.key, wanted.slot)).unwrap();
        assert_eq!(found, Some(wanted.record), "record {number}");
    }
    disk.store
        .write(item(Id::from_u64(7_777), Slot::Value, 1, Some(9)));
    disk.settle();
    disk.store.close().unwrap();
    assert_eq!(inspect(dir).unwrap().counts.values, values + 1);
}

fn journal(dir: &Path) -> u64 {
    dir.join(JOURNAL).metadata().unwrap().ino()
}

pub(crate) fn a_store(temp: &Path) -> std::path::PathBuf {
    let dir = temp.join("store");
    Handle::open(&dir).unwrap().store.close().unwrap();
    dir
}

#[test]
fn a_failed_fdatasync_stops_the_store_whatever_its_error() {
    for error in ["EIO", "ENOSPC", "EDQUOT"] {
        let temp = tempfile::tempdir().unwrap();
        let dir = a_store(temp.path());
        let before = journal(&dir);
        let Some(said) = run(&dir, "fdatasync", error) else {
            return;
        };
        let fatal = said
            .fatal
            .clone()
            .unwrap_or_else(|| panic!("{error}: {}", said.text));
        assert!(
            said.durable >= 1 && said.durable < BEFORE,
            "{error}: {}",
            said.text
        );
        assert!(said.text.contains("silent since"), "{error}: {}", said.text);
        for part in [dir.to_str().unwrap(), "durable", "start the node again"] {
            assert!(fatal.contains(part), "{error}: no {part:?} in {fatal:?}");
        }
        assert_eq!(fatal.lines().count(), 1);
        // What could not be made durable is not built upon: the journal is another file.
        check(&dir, &said);
        assert_ne!(
            journal(&dir),
            before,
            "{error}: the journal was written anew"
        );
        let whole = journal(&dir);
        Handle::open(&dir).unwrap().store.close().unwrap();
        assert_eq!(journal(&dir), whole, "{error}: only once");
    }
}

#[test]
fn a_failed_write_stops_the_store() {
    let temp = tempfile::tempdir().unwrap();
    let dir = a_store(temp.path());
    let Some(said) = run(&dir, "write", "EIO") else {
        return;
    };
    let fatal = said.fatal.as_ref();
    let fatal = fatal.unwrap_or_else(|| panic!("{}", said.text));
    assert!(fatal.contains(dir.to_str().unwrap()), "{fatal}");
    assert!(said.durable >= 1, "{}", said.text);
    check(&dir, &said);
}
