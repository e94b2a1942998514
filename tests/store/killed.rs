//! What a killed process had written, and not made durable, is on the disk before it counts.
//!
//! The memory of the operating system outlives the process, so that no test without a loss of power
//! can lose such a write; what can be seen is whether it is synchronised in time.

use crate::failing::{BEFORE, DIR_VARIABLE, JOURNAL, a_store};
use crate::handle::Handle;
use dht::Store;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the child says when the store is open.
const OPENED: &str = "opened, records: ";

/// Not a test: what the second child does. It ends without closing what it opened.
#[test]
#[ignore = "the child process of the test below"]
fn opener() {
    let dir = std::env::var(DIR_VARIABLE).unwrap();
    let disk = Handle::open(Path::new(&dir)).unwrap();
    println!("{OPENED}{}", disk.store.counts().values);
    std::process::exit(0);
}

/// A child of this file or of `failing`, under `strace` with these arguments.
fn strace(dir: &Path, arguments: &[&str], child: &str) -> Option<String> {
    let output = Command::new("strace")
        .args(["-f", "-qq"])
        .args(arguments)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", child, "--ignored", "--nocapture"])
        .env(DIR_VARIABLE, dir)
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// All files and directories in a store, and itself.
fn everything(dir: &Path, found: &mut BTreeSet<PathBuf>) {
    found.insert(dir.to_owned());
    for entry in dir.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            everything(&path, found);
        } else {
            found.insert(path);
        }
    }
}

/// The files that were synchronised before the child said that the store is open.
fn synchronised(log: &str) -> BTreeSet<PathBuf> {
    let before = log.lines().take_while(|line| !line.contains(OPENED));
    let synced = before.filter(|line| line.contains("fsync(") || line.contains("fdatasync("));
    let path = |line: &str| {
        let (_, rest) = line.split_once('<')?;
        Some(PathBuf::from(rest.split_once('>')?.0))
    };
    synced.filter_map(path).collect()
}

#[test]
fn what_a_killed_process_left_is_synchronised_before_the_store_is_open() {
    let temp = tempfile::tempdir().unwrap();
    let dir = a_store(temp.path()).canonicalize().unwrap();
    // Killed when a commit is written, at the door of its `fdatasync`.
    let journal = dir.join(JOURNAL);
    let kill = format!("inject=fdatasync:signal=SIGKILL:when={BEFORE}");
    let on_journal = ["-o", "/dev/null", "-P", journal.to_str().unwrap()];
    let arguments = [&on_journal[..], &["-e", "trace=fdatasync", "-e", &kill]].concat();
    let said = strace(&dir, &arguments, "failing::child").unwrap_or_default();
    let durable = said.matches("durable ").count();
    if durable == 0 {
        return eprintln!("skipped, strace cannot trace here");
    }
    assert!(!said.contains("closed"), "it was not killed: {said}");
    let mut left = BTreeSet::new();
    everything(&dir, &mut left);

    let log = temp.path().join("log");
    let trace = ["-y", "-s", "256", "-e", "trace=fsync,fdatasync,write", "-o"];
    let arguments = [&trace[..], &[log.to_str().unwrap()]].concat();
    let said = strace(&dir, &arguments, "killed::opener").unwrap();
    let visible = format!("{OPENED}{}", durable + 1);
    assert!(said.contains(&visible), "{visible:?} not in {said}");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains(OPENED), "the moment is in the log");
    let synced = synchronised(&log);
    let waiting: Vec<_> = left.difference(&synced).collect();
    assert!(
        waiting.is_empty(),
        "visible, maybe not durable: {waiting:?}"
    );
}
