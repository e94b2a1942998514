//! Making durable what an earlier process left.
//!
//! A process that is killed leaves writes, renames and removals that only the memory of the
//! operating system has. Whoever opens the store reads them, compares and answers by them, as if
//! they were on the disk, and they are gone after a loss of power. So all files and directories are
//! synchronised before anything is read from them. Where nothing waits, that costs microseconds for
//! each file.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Directories inside each other that are looked into: the engine has four levels.
const MAX_DEPTH: usize = 8;

/// Synchronises everything in a store.
pub(super) fn settle(dir: &Path) -> io::Result<()> {
    settle_below(dir, MAX_DEPTH)
}

fn settle_below(dir: &Path, depth: usize) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_file() {
            sync(&entry.path())?;
        } else if kind.is_dir() && depth > 0 {
            settle_below(&entry.path(), depth - 1)?;
        }
    }
    // What it lists comes last, as it does when a file is made.
    sync(dir)
}

/// A file that is gone meanwhile was removed by another process, which has the store open: that is
/// found out soon.
fn sync(path: &Path) -> io::Result<()> {
    match File::open(path).and_then(|file| file.sync_all()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
