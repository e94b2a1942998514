//! The thread that makes writes durable, group by group.
//!
//! When it cannot, one of two things happens.
//!
//! *The disk is full* when the group is handed to the operating system: nothing of it is reported,
//! and it is committed again when there is room, with the engine opened anew. Meanwhile reads and,
//! as long as what is reserved lasts, deletes are served.
//!
//! *Anything else fails*, above all the `fdatasync`, with whatever error: the node stops and says
//! why. It is not tried again, because a file system that failed once may forget what it could not
//! write and report success the next time (Rebello et al., "Can applications recover from fsync
//! failures?", USENIX ATC 2020). Nor does the node serve reads only: what it has in memory includes
//! writes that are on no disk, so that it would report values as found that are gone after a
//! restart; it could neither take deletions nor count for a quorum; and while it answered at all,
//! its neighbours would not make another copy of what it has. They do when it is gone. When it is
//! started again, the last commits that were not reported are written to another file before
//! anything is added to them (`recover`).

use super::engine::{Engine, EngineError};
use super::queue::Taken;
use super::record::{Place, RECORD_OVERHEAD_BYTES};
use super::recover::engine_dir;
use super::seal::{Seal, Sum, Witness};
use super::shared::Shared;
use super::space::{BELIEVED_FOR, FULL_PAUSE, free_bytes};
use bytes::Bytes;
use dht::Meta;
use overlay::WriteSeq;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// Bytes of one group: some 8,000 small records or two of the largest values. A larger one would
/// make those wait that came just after it, and win nothing.
const GROUP_BYTES: usize = 2 << 20;

/// Bytes that must be free before an engine that ran into a full disk is opened again: its files
/// are rearranged then. Less than what is reserved.
const REOPEN_BYTES: u64 = 16 << 20;

/// How long with less than that it is left as it is, at first and at most: reads wait meanwhile.
pub(super) const FIRST_BACKOFF: Duration = Duration::from_secs(2);
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// One change of the store.
#[derive(Clone, Debug)]
pub(super) struct Op {
    pub(super) seq: WriteSeq,
    pub(super) change: Change,
    /// All records after this change.
    pub(super) sum: Sum,
}

/// What changes.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// One record.
    Record(RecordChange),
    /// What the store vouches for, encoded.
    Vouched(Box<[u8]>),
    /// The sum only.
    Sum,
}

/// What happens to one record.
#[derive(Clone, Debug)]
pub(super) struct RecordChange {
    pub(super) place: Place,
    /// What is there from now on.
    pub(super) record: Option<(Meta, Bytes)>,
    /// A body that was kept apart is not needed any more.
    pub(super) leaves_apart: bool,
}

impl Op {
    fn body_bytes(&self) -> usize {
        match &self.change {
            Change::Record(change) => {
                let record = change.record.as_ref();
                record.map_or(0, |(_, body)| body.len())
            }
            Change::Vouched(parts) => parts.len(),
            Change::Sum => 0,
        }
    }

    /// About how much memory it takes.
    pub(super) fn weight(&self) -> usize {
        self.body_bytes() + 2 * RECORD_OVERHEAD_BYTES as usize
    }
}

/// The thread's state.
pub(super) struct Committer {
    pub(super) shared: Arc<Shared>,
    pub(super) dir: PathBuf,
    pub(super) witness: Witness,
    /// The number of the last commit.
    pub(super) commit: u64,
    pub(super) on_durable: Box<dyn FnMut(WriteSeq) + Send>,
    /// When the disk was looked at.
    pub(super) looked: Option<Instant>,
    /// How long a full disk is waited for before the engine is opened again all the same.
    pub(super) backoff: Duration,
}

/// What an error of the engine means.
enum Verdict {
    Full,
    Fatal(String),
}

impl Committer {
    /// Works until the queue ends or the store fails.
    pub(super) fn run(mut self) {
        loop {
            let patience = self.shared.is_disk_full().then_some(FULL_PAUSE);
            match self.shared.writes.take(GROUP_BYTES, Op::weight, patience) {
                Taken::Group(group) => {
                    if !self.make_durable(&group) {
                        return;
                    }
                }
                Taken::Idle => self.look_at_disk(),
                Taken::Ended => return,
            }
        }
    }

    /// Commits a group, however long a full disk takes; false when the thread must end.
    #[allow(clippy::disallowed_methods)] // What a commit costs is measured by the real clock.
    fn make_durable(&mut self, group: &[Op]) -> bool {
        let Some(last) = group.last() else {
            return true;
        };
        let begin = Instant::now();
        if self
            .looked
            .is_none_or(|at| begin.duration_since(at) > BELIEVED_FOR)
        {
            self.looked = Some(begin);
            self.look_at_disk();
        }
        let seal = Seal {
            commit: self.commit + 1,
            sum: last.sum,
        };
        loop {
            match self.commit(group, seal) {
                Ok(()) => break,
                Err(error) => match self.judge(&error) {
                    Verdict::Full => {
                        if !self.wait_for_room() {
                            return false;
                        }
                    }
                    Verdict::Fatal(message) => {
                        self.shared.fail(message);
                        return false;
                    }
                },
            }
        }
        self.commit = seal.commit;
        self.backoff = FIRST_BACKOFF;
        self.count(group, begin);
        let committed = &self.shared.committed;
        committed.store(last.seq.0, Ordering::Release);
        // A witness that lags behind is a weaker one, not a wrong one.
        let _ = self.witness.write(seal.commit);
        (self.on_durable)(last.seq);
        true
    }

    fn commit(&self, group: &[Op], seal: Seal) -> Result<(), EngineError> {
        let engine = self.shared.engine.read();
        let engine = engine.unwrap_or_else(PoisonError::into_inner);
        let Some(engine) = engine.as_ref() else {
            return Err(EngineError::Poisoned);
        };
        let sync = engine.commit(group, seal)?;
        let metrics = &self.shared.metrics;
        metrics.sync_seconds.observe(sync.as_secs_f64());
        Ok(())
    }

    fn count(&self, group: &[Op], begin: Instant) {
        let metrics = &self.shared.metrics;
        metrics
            .commit_seconds
            .observe(begin.elapsed().as_secs_f64());
        metrics.group_records.observe(group.len() as f64);
        let bytes: usize = group.iter().map(Op::body_bytes).sum();
        metrics.bytes_written.inc_by(bytes as u64);
        let weight: usize = group.iter().map(Op::weight).sum();
        let waiting = &self.shared.waiting;
        waiting.fetch_sub(weight as u64, Ordering::Relaxed);
    }

    /// A full disk is waited for; after any other failure nothing that is in memory can be
    /// trusted to be on disk.
    fn judge(&self, error: &EngineError) -> Verdict {
        let free = free_bytes(&self.dir).unwrap_or(u64::MAX);
        let full = error.is_full()
            || matches!(error, EngineError::Poisoned) && free < self.shared.reserved;
        if full {
            return Verdict::Full;
        }
        Verdict::Fatal(format!(
            "the store in {} cannot be written: {error}. Nothing of these writes was acknowledged, \
             and what was before is not affected; the node stops. Look at the disk, then start the \
             node again, or move it to another disk",
            self.dir.display()
        ))
    }

    /// Waits until the disk has room and the engine could be opened anew; false when the store is
    /// being closed before.
    ///
    /// The room may be taken by what the engine could not finish, and opening it again clears that
    /// away: so that is tried now and then, whatever is free.
    fn wait_for_room(&mut self) -> bool {
        self.shared.set_free(0);
        let mut waited = Duration::ZERO;
        loop {
            if self.shared.writes.pause(FULL_PAUSE) {
                return false;
            }
            waited += FULL_PAUSE;
            let free = free_bytes(&self.dir).unwrap_or(0);
            if free < REOPEN_BYTES.min(self.shared.reserved) && waited < self.backoff {
                continue;
            }
            waited = Duration::ZERO;
            self.backoff = (self.backoff * 2).min(MAX_BACKOFF);
            let slot = self.shared.engine.write();
            let mut slot = slot.unwrap_or_else(PoisonError::into_inner);
            // The old one must let go of its files first.
            *slot = None;
            match self.reopen() {
                Ok(engine) => {
                    *slot = Some(engine);
                    drop(slot);
                    self.look_at_disk();
                    return true;
                }
                Err(error) => {
                    drop(slot);
                    if let Verdict::Fatal(message) = self.judge(&error) {
                        self.shared.fail(message);
                        return false;
                    }
                }
            }
        }
    }

    /// The engine again, if it has what was committed; the group that failed may be there too.
    fn reopen(&self) -> Result<Engine, EngineError> {
        let engine = Engine::open(&engine_dir(&self.dir))?;
        let found = engine.seal()?.commit;
        if found < self.commit {
            let lost = self.commit - found;
            let cause = format!("the last {lost} commits are missing after the disk was full");
            return Err(EngineError::Damaged(cause));
        }
        Ok(engine)
    }

    fn look_at_disk(&self) {
        if let Ok(free) = free_bytes(&self.dir) {
            self.shared.set_free(free);
        }
    }
}
