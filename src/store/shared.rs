//! What the store and its threads share.

use super::commit::Op;
use super::engine::Engine;
use super::error::OpenError;
use super::load::{Answer, Request};
use super::metrics::StoreMetrics;
use super::queue::Queue;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, RwLock};

/// The queues to the threads, what comes back, and the engine.
pub(super) struct Shared {
    pub(super) writes: Queue<Op>,
    pub(super) loads: Queue<Request>,
    pub(super) answers: Mutex<VecDeque<Answer>>,
    /// None while it is being opened again after the disk was full.
    pub(super) engine: RwLock<Option<Engine>>,
    /// Bytes that are free on the file system, as far as is known.
    pub(super) free: AtomicU64,
    pub(super) reserved: u64,
    /// The last write that was committed.
    pub(super) committed: AtomicU64,
    /// Bytes of writes that are not committed yet.
    pub(super) waiting: AtomicU64,
    pub(super) metrics: StoreMetrics,
    pub(super) dir: PathBuf,
    pub(super) failed: AtomicBool,
    pub(super) on_fatal: Box<dyn Fn(String) + Send + Sync>,
}

impl Shared {
    /// The store has failed: nothing more is written, read or reported. Only the first cause is.
    pub(super) fn fail(&self, message: String) {
        self.writes.stop();
        self.loads.stop();
        if !self.failed.swap(true, Ordering::Relaxed) {
            (self.on_fatal)(message);
        }
    }

    /// The same, because of what was read.
    pub(super) fn fail_damaged(&self, cause: &str) {
        let damaged = OpenError::Damaged {
            path: self.dir.clone(),
            cause: cause.to_owned(),
        };
        self.fail(damaged.to_string());
    }

    /// Remembers how much room the file system has.
    pub(super) fn set_free(&self, free: u64) {
        self.free.store(free, Ordering::Relaxed);
        let gauge = &self.metrics.free_bytes;
        gauge.set(i64::try_from(free).unwrap_or(i64::MAX));
    }

    /// Whether new records are refused for want of room.
    pub(super) fn is_disk_full(&self) -> bool {
        self.free.load(Ordering::Relaxed) < self.reserved
    }
}
