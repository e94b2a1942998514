//! The embedded engine: the one place that knows which it is.
//!
//! fjall, a log-structured merge tree. A commit appends to a journal and synchronises it, so that
//! its cost does not grow with the store; see ARCHITECTURE.md, "Decisions".

use super::commit::{Change, Op};
use super::record::{
    Malformed, Place, decode_place, decode_record, encode_place, encode_record, is_apart,
};
use super::seal::Seal;
use super::tables;
use bytes::Bytes;
use dht::Meta;
use fjall::compaction::Leveled;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Blocks of the engine in memory. Bodies are cached above it and the index is in memory, so that
/// only what reads of many cold bodies share is worth keeping.
const BLOCK_CACHE_BYTES: u64 = 2 << 20;
/// What a table of the engine collects before it writes a file. Two or three of them exist at a
/// time, more under a load that the disk does not follow.
const MEMTABLE_BYTES: u64 = 4 << 20;
/// Size of the engine's files, and a quarter of its first level. Merging needs room for what it
/// merges, here less than what is reserved on the disk; the engine's default needs 500 MiB.
const TABLE_BYTES: u64 = 8 << 20;
/// All journals: the least that the engine allows. They are read when a store is opened.
const JOURNAL_BYTES: u64 = 64 << 20;
/// Threads that write and merge files. With two, one of them only writes what commits collected,
/// so that memory does not fill while the other merges; commits need neither.
const WORKERS: usize = 2;
/// Open files of the engine: a node also needs sockets.
const OPEN_FILES: usize = 64;

/// How the engine's journals are named: a number and this.
const JOURNAL_SUFFIX: &str = ".jnl";
/// How much of a journal is copied at a time.
const COPY_BYTES: usize = 64 << 10;

const RECORDS: &str = "records";
const BODIES: &str = "bodies";
const SEAL: &str = "seal";
const SEAL_KEY: &[u8] = b"seal";
const VOUCHED_KEY: &[u8] = b"vouched";

/// Name of a file that the engine has always; without it, it would begin anew.
const ENGINE_VERSION_FILE: &str = "version";

/// What went wrong in the engine.
#[derive(Debug, thiserror::Error)]
pub(super) enum EngineError {
    /// Another process has it open.
    #[error("in use by another process")]
    InUse,
    /// The file system refused.
    #[error("{0}")]
    Io(io::Error),
    /// The file system could not make durable what it had taken. Whether it is on the disk is
    /// unknown from now on, and asking again would prove nothing.
    #[error("what was written cannot be made durable ({0})")]
    NotSynced(io::Error),
    /// What was read is not what was written.
    #[error("{0}")]
    Damaged(String),
    /// An earlier failure, maybe in the background, made further commits impossible.
    #[error("an earlier write of the engine failed")]
    Poisoned,
}

impl From<fjall::Error> for EngineError {
    fn from(error: fjall::Error) -> Self {
        match error {
            fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => {
                Self::from(error)
            }
            fjall::Error::Locked => Self::InUse,
            fjall::Error::Poisoned => Self::Poisoned,
            other => Self::Damaged(format!("the engine says `{other}`")),
        }
    }
}

impl From<io::Error> for EngineError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::NotFound => Self::Damaged(format!("the engine's files: {error}")),
            _ => Self::Io(error),
        }
    }
}

impl EngineError {
    /// Whether a full disk is the cause, as far as the error itself shows.
    pub(super) fn is_full(&self) -> bool {
        matches!(self, Self::Io(error) if matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        ))
    }
}

/// An open engine.
pub(super) struct Engine {
    database: Database,
    records: Keyspace,
    bodies: Keyspace,
    seal: Keyspace,
}

impl Engine {
    /// Makes an engine for a new store.
    pub(super) fn create(dir: &Path) -> Result<(), EngineError> {
        let engine = Self::with(Self::database(dir)?)?;
        engine.commit(&[], Seal::default())?;
        Ok(())
    }

    /// Opens what was made before.
    pub(super) fn open(dir: &Path) -> Result<Self, EngineError> {
        let lacks = |what: &str| EngineError::Damaged(format!("its {what} is missing"));
        if !dir.join(ENGINE_VERSION_FILE).is_file() {
            return Err(lacks("file `engine/version`"));
        }
        tables::check(dir)?;
        let database = Self::database(dir)?;
        for name in [RECORDS, BODIES, SEAL] {
            if !database.keyspace_exists(name) {
                return Err(lacks(&format!("part `{name}`")));
            }
        }
        Self::with(database)
    }

    fn database(dir: &Path) -> Result<Database, EngineError> {
        let builder = Database::builder(dir)
            .cache_size(BLOCK_CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .max_cached_files(Some(OPEN_FILES))
            .worker_threads(WORKERS)
            .manual_journal_persist(true);
        Ok(builder.open()?)
    }

    fn with(database: Database) -> Result<Self, EngineError> {
        // All keys that are asked for are there: filters would only take memory.
        let levels = Leveled::default().with_table_target_size(TABLE_BYTES);
        let options = || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(MEMTABLE_BYTES)
                .compaction_strategy(Arc::new(levels.clone()))
                .expect_point_read_hits(true)
        };
        Ok(Self {
            records: database.keyspace(RECORDS, options)?,
            bodies: database.keyspace(BODIES, options)?,
            seal: database.keyspace(SEAL, options)?,
            database,
        })
    }

    /// Writes a group, with its seal, and returns when it is durable; says how long the file
    /// system took to make it so.
    #[allow(clippy::disallowed_methods)] // What a commit costs is measured by the real clock.
    pub(super) fn commit(&self, group: &[Op], seal: Seal) -> Result<Duration, EngineError> {
        let mut batch = self.database.batch();
        for change in group.iter().map(|op| &op.change) {
            let change = match change {
                Change::Record(change) => change,
                Change::Vouched(parts) => {
                    batch.insert(&self.seal, VOUCHED_KEY, &parts[..]);
                    continue;
                }
                Change::Sum => continue,
            };
            let place = encode_place(change.place);
            match &change.record {
                None => batch.remove(&self.records, &place[..]),
                Some((meta, body)) if is_apart(meta) => {
                    let whole = encode_record(&place, meta, body);
                    batch.insert(&self.bodies, &place[..], whole);
                    batch.insert(&self.records, &place[..], encode_record(&place, meta, b""));
                }
                Some((meta, body)) => {
                    batch.insert(&self.records, &place[..], encode_record(&place, meta, body));
                }
            }
            if change.leaves_apart {
                batch.remove(&self.bodies, &place[..]);
            }
        }
        batch.insert(&self.seal, SEAL_KEY, &seal.encode()[..]);
        batch.commit()?;
        // First everything goes to the operating system, where a full disk shows; what fails after
        // that is the disk itself.
        self.database.persist(PersistMode::Buffer)?;
        let begin = Instant::now();
        let synced = self.database.persist(PersistMode::SyncData);
        synced.map_err(|error| match EngineError::from(error) {
            EngineError::Io(error) => EngineError::NotSynced(error),
            other => other,
        })?;
        Ok(begin.elapsed())
    }

    /// Writes the journal that commits are appended to anew, in a file of its own, and puts that in
    /// its place. No engine may have it open.
    pub(super) fn rewrite_journal(dir: &Path) -> Result<(), EngineError> {
        let number = |path: &Path| -> Option<u64> {
            let stem = path.file_name()?.to_str()?.strip_suffix(JOURNAL_SUFFIX)?;
            stem.parse().ok()
        };
        let mut newest: Option<(u64, PathBuf)> = None;
        for entry in std::fs::read_dir(dir)? {
            let path = entry?.path();
            if let Some(number) = number(&path) {
                newest = newest.max(Some((number, path)));
            }
        }
        let Some((_, journal)) = newest else {
            return Ok(());
        };
        let copy = journal.with_extension("new");
        copy_bytes(&journal, &copy)?;
        std::fs::rename(&copy, &journal)?;
        Ok(File::open(dir)?.sync_all()?)
    }

    /// What the last commit said of the whole store.
    pub(super) fn seal(&self) -> Result<Seal, EngineError> {
        let bytes = self.seal.get(SEAL_KEY)?;
        bytes
            .and_then(|bytes| Seal::decode(&bytes))
            .ok_or_else(|| EngineError::Damaged("its seal is missing or broken".to_owned()))
    }

    /// What the store vouches for, encoded; empty when it never was said.
    pub(super) fn vouched(&self) -> Result<Bytes, EngineError> {
        let bytes = self.seal.get(VOUCHED_KEY)?;
        Ok(bytes.map_or_else(Bytes::new, |bytes| Bytes::copy_from_slice(&bytes)))
    }

    /// Visits all records in order, without the bodies that are kept apart.
    pub(super) fn scan(
        &self,
        visit: &mut dyn FnMut(&[u8], Place, &Meta),
    ) -> Result<(), EngineError> {
        for entry in self.records.iter() {
            let (key, value) = entry.into_inner()?;
            let place = decode_place(&key).map_err(|cause| malformed(&key, cause))?;
            let (meta, body) =
                decode_record(&key, &value).map_err(|cause| malformed(&key, cause))?;
            if !is_apart(&meta) && body.len() != meta.length.unwrap_or(0) as usize {
                return Err(malformed(&key, Malformed::Shape));
            }
            visit(&key, place, &meta);
        }
        Ok(())
    }

    /// Reads a record with its body. None when it is not there, or changes at this moment.
    pub(super) fn load(&self, place: Place) -> Result<Option<(Meta, Bytes)>, EngineError> {
        let key = encode_place(place);
        let decode =
            |value: &[u8]| decode_record(&key, value).map_err(|cause| malformed(&key, cause));
        let Some(value) = self.records.get(&key[..])? else {
            return Ok(None);
        };
        let (meta, body) = decode(&value)?;
        if !is_apart(&meta) {
            return Ok(Some((meta, body)));
        }
        let Some(value) = self.bodies.get(&key[..])? else {
            return Ok(None);
        };
        let (apart, body) = decode(&value)?;
        let whole = body.len() == meta.length.unwrap_or(0) as usize;
        Ok((apart == meta && whole).then_some((meta, body)))
    }
}

/// Copies a file byte by byte and makes the copy durable: a copy by reference would share what may
/// not be on the disk. Zeros are left out: a journal has room for what comes.
fn copy_bytes(from: &Path, to: &Path) -> io::Result<()> {
    let (mut source, target) = (File::open(from)?, File::create(to)?);
    let (mut buffer, mut at) = (vec![0; COPY_BYTES], 0);
    loop {
        let count = source.read(&mut buffer)?;
        if count == 0 {
            target.set_len(at)?;
            return target.sync_all();
        }
        let bytes = buffer.get(..count).unwrap_or_default();
        if bytes.iter().any(|byte| *byte != 0) {
            target.write_all_at(bytes, at)?;
        }
        at += count as u64;
    }
}

fn malformed(key: &[u8], cause: Malformed) -> EngineError {
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    EngineError::Damaged(format!("the record at {hex} is broken: {cause}"))
}
