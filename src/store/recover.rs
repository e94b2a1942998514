//! Opening a store: making a new one, or checking that an old one is whole.

use super::engine::{Engine, EngineError};
use super::error::OpenError;
use super::format;
use super::index::{Index, IndexBuilder};
use super::record::Place;
use super::seal::{Seal, Sum, Witness};
use super::settle::settle;
use super::vouched;
use dht::{Counts, Meta};
use overlay::{Arc, Hlc, Id, Slot};
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Name of the engine's directory.
const ENGINE_DIR: &str = "engine";

/// A store that is whole.
pub(super) struct Recovered {
    pub(super) engine: Engine,
    pub(super) witness: Witness,
    pub(super) seal: Seal,
    pub(super) index: Index,
    pub(super) counts: Counts,
    pub(super) newest: Hlc,
    /// What it vouches for.
    pub(super) vouched: Vec<(Arc, Hlc)>,
    /// Whether the last commit is one that was reported durable.
    pub(super) is_confirmed: bool,
}

/// What a look at a store shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The node that it belongs to.
    pub node: Id,
    /// Commits since it was made.
    pub commits: u64,
    /// What it holds.
    pub counts: Counts,
}

/// Checks a store as opening it does, whosever it is, and closes it again: the entry for tools and
/// for fuzzing. Only what the engine does when it is opened is done to the files.
///
/// # Errors
/// When there is none, it is damaged, in use or of a newer format.
pub fn inspect(dir: &Path) -> Result<Inspection, OpenError> {
    let node = format::check(dir, None)?;
    let recovered = check(dir)?;
    Ok(Inspection {
        node,
        commits: recovered.seal.commit,
        counts: recovered.counts,
    })
}

/// The engine's directory of a store.
pub(super) fn engine_dir(dir: &Path) -> PathBuf {
    dir.join(ENGINE_DIR)
}

/// Counts or discounts a record.
pub(super) fn count(counts: &mut Counts, slot: Slot, meta: &Meta, sign: fn(u64, u64) -> u64) {
    let Some(length) = meta.length else {
        counts.tombstones = sign(counts.tombstones, 1);
        return;
    };
    counts.bytes = sign(counts.bytes, u64::from(length));
    let kind = match slot {
        Slot::Value => &mut counts.values,
        Slot::Holder(_) => &mut counts.holders,
        Slot::Text | Slot::Entry => &mut counts.entries,
    };
    *kind = sign(*kind, 1);
}

/// Opens the store of `node` in `dir`, or makes one where there is nothing.
pub(super) fn recover(dir: &Path, node: Id) -> Result<Recovered, OpenError> {
    if is_vacant(dir).map_err(|error| OpenError::io(dir, error))? {
        create(dir, node)?;
    }
    format::check(dir, Some(node))?;
    // What is seen from now on counts, so it must be on the disk.
    settle(dir).map_err(|error| OpenError::io(dir, error))?;
    let found = check(dir)?;
    // Only what is whole is said to be of this version.
    format::renew(dir, node).map_err(|error| OpenError::io(dir, error))?;
    if found.is_confirmed {
        return Ok(found);
    }
    // The process ended between a commit and its report, or because the file system could not make
    // it durable. In the second case what is read now may be in the memory of the system only, and
    // what is appended to the same file could be lost with it: it is written anew before anything
    // is built on it.
    drop(found);
    Engine::rewrite_journal(&engine_dir(dir)).map_err(|error| refusal(dir, error))?;
    check(dir)
}

fn is_vacant(dir: &Path) -> io::Result<bool> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Makes a store beside its place and moves it there when it is complete, so that a crash leaves
/// either none or a whole one.
fn create(dir: &Path, node: Id) -> Result<(), OpenError> {
    let failed = |error| OpenError::io(dir, error);
    let new = dir.with_extension("new");
    match fs::remove_dir_all(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    fs::create_dir_all(engine_dir(&new)).map_err(failed)?;
    Engine::create(&engine_dir(&new)).map_err(|error| refusal(dir, error))?;
    Witness::create(&new).map_err(failed)?;
    format::write(&new, node).map_err(failed)?;
    sync_dir(&new).map_err(failed)?;
    fs::rename(&new, dir).map_err(failed)?;
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    sync_dir(parent.unwrap_or(Path::new("."))).map_err(failed)
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn refusal(dir: &Path, error: EngineError) -> OpenError {
    let path = dir.to_owned();
    match error {
        EngineError::InUse => OpenError::InUse { path },
        EngineError::Io(source) | EngineError::NotSynced(source) => OpenError::Io { path, source },
        error => OpenError::Damaged {
            path,
            cause: error.to_string(),
        },
    }
}

/// Opens the engine and compares what it has with seal and witness. An engine that panics over
/// its files is one more way to find them damaged.
fn check(dir: &Path) -> Result<Recovered, OpenError> {
    let damaged = |cause: String| OpenError::Damaged {
        path: dir.to_owned(),
        cause,
    };
    let (witness, reported) = Witness::open(dir).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => damaged("its file `witness` is missing".to_owned()),
        _ => OpenError::io(dir, error),
    })?;
    let reported = reported.ok_or_else(|| damaged("its file `witness` is broken".to_owned()))?;
    let opened = catch_unwind(AssertUnwindSafe(|| read_all(&engine_dir(dir))));
    let found = opened
        .map_err(|_| damaged(format!("the engine cannot read `{ENGINE_DIR}`")))?
        .map_err(|error| refusal(dir, error))?;
    let (seal, mut sum) = (found.seal, found.sum);
    sum.shared = seal.sum.shared;
    if seal.commit < reported {
        let lost = reported - seal.commit;
        return Err(damaged(format!(
            "commit {reported} was reported durable, and the last {lost} commits are missing"
        )));
    }
    if seal.sum != sum {
        return Err(damaged(format!(
            "it should hold {} records and holds {}, or others than those",
            seal.sum.records, sum.records
        )));
    }
    Ok(Recovered {
        engine: found.engine,
        witness,
        seal,
        index: found.builder.build(),
        counts: found.counts,
        newest: found.newest,
        vouched: found.vouched,
        is_confirmed: seal.commit == reported,
    })
}

struct AllRecords {
    engine: Engine,
    seal: Seal,
    sum: Sum,
    counts: Counts,
    newest: Hlc,
    vouched: Vec<(Arc, Hlc)>,
    builder: IndexBuilder,
}

fn read_all(dir: &Path) -> Result<AllRecords, EngineError> {
    let engine = Engine::open(dir)?;
    let seal = engine.seal()?;
    let (mut sum, mut counts) = (Sum::default(), Counts::default());
    let (mut newest, mut builder) = (Hlc::default(), IndexBuilder::default());
    engine.scan(&mut |key: &[u8], place: Place, meta: &Meta| {
        sum.add_encoded(key, meta);
        count(&mut counts, place.1, meta, u64::saturating_add);
        newest = newest.max(meta.version.clock);
        builder.push(place, meta);
    })?;
    let encoded = engine.vouched()?;
    sum.vouch(b"", &encoded);
    let vouched = vouched::decode(&encoded)
        .ok_or_else(|| EngineError::Damaged("what it vouches for is broken".to_owned()))?;
    Ok(AllRecords {
        engine,
        seal,
        sum,
        counts,
        newest,
        vouched,
        builder,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::format::FORMAT_FILE;

    #[test]
    fn a_store_that_was_half_made_is_made_again() {
        let temp = tempfile::tempdir().unwrap();
        let (dir, node) = (temp.path().join("store"), Id::of(b"node"));
        fs::create_dir_all(temp.path().join("store.new/engine")).unwrap();
        fs::write(temp.path().join("store.new/engine/0.jnl"), "half").unwrap();
        recover(&dir, node).unwrap();
        let seen = inspect(&dir).unwrap();
        assert_eq!((seen.node, seen.counts), (node, Counts::default()));
        assert!(!temp.path().join("store.new").exists());
    }

    #[test]
    fn a_directory_without_a_format_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let (dir, node) = (temp.path().join("store"), Id::of(b"node"));
        drop(recover(&dir, node).unwrap());
        fs::remove_file(dir.join(FORMAT_FILE)).unwrap();
        let error = recover(&dir, node).err().unwrap();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(dir.to_str().unwrap()), "{error}");
    }
}
