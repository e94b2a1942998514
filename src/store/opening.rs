//! How a store on disk begins and ends: its threads.

use super::bodies::Bodies;
use super::commit::{Committer, FIRST_BACKOFF};
use super::disk::DiskStore;
use super::error::{CloseError, OpenError};
use super::load::Loader;
use super::queue::Queue;
use super::recover::{Recovered, recover};
use super::shared::Shared;
use super::{StoreOptions, space};
use overlay::{LoadSeq, WriteSeq};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

impl DiskStore {
    /// Opens the store in `dir`, or makes one where there is nothing, and starts its threads.
    ///
    /// `on_durable` is told of the last write of each commit, `on_loaded` of each request for
    /// bodies in their order, and `on_fatal`, once, why the store cannot go on: then nothing more
    /// is reported durable, and the node must stop.
    ///
    /// # Errors
    /// When the store is damaged, of a newer format, another node's or in use, or the file system
    /// refuses. Each says where and what to do.
    pub fn open(
        dir: &Path,
        options: StoreOptions,
        on_durable: impl FnMut(WriteSeq) + Send + 'static,
        on_loaded: impl FnMut(LoadSeq) + Send + 'static,
        on_fatal: impl Fn(String) + Send + Sync + 'static,
    ) -> Result<Self, OpenError> {
        let Recovered {
            engine,
            witness,
            seal,
            index,
            counts,
            newest,
            vouched,
            is_confirmed: _,
        } = recover(dir, options.node)?;
        let free = space::free_bytes(dir).map_err(|error| OpenError::io(dir, error))?;
        let shared = Arc::new(Shared {
            writes: Queue::new(),
            loads: Queue::new(),
            answers: Mutex::default(),
            engine: RwLock::new(Some(engine)),
            free: AtomicU64::new(free),
            reserved: options.reserved,
            committed: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            metrics: options.metrics,
            dir: dir.to_owned(),
            failed: AtomicBool::new(false),
            on_fatal: Box::new(on_fatal),
        });
        let committer = Committer {
            shared: Arc::clone(&shared),
            dir: dir.to_owned(),
            witness,
            commit: seal.commit,
            on_durable: Box::new(on_durable),
            looked: None,
            backoff: FIRST_BACKOFF,
        };
        let loader = Loader {
            shared: Arc::clone(&shared),
            on_loaded: Box::new(on_loaded),
        };
        let mut store = Self {
            shared,
            index,
            bodies: Bodies::new(options.cache),
            counts,
            sum: seal.sum,
            newest,
            vouched,
            quota: options.quota,
            last_write: WriteSeq(0),
            last_load: LoadSeq(0),
            loaded: LoadSeq(0),
            requests: BTreeMap::new(),
            threads: Vec::new(),
        };
        store.start("store-commit", dir, move || committer.run())?;
        store.start("store-load", dir, move || loader.run())?;
        Ok(store)
    }

    fn start(
        &mut self,
        name: &str,
        dir: &Path,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), OpenError> {
        let builder = std::thread::Builder::new().name(name.to_owned());
        let thread = builder
            .spawn(work)
            .map_err(|error| OpenError::io(dir, error))?;
        self.threads.push(thread);
        Ok(())
    }

    /// Commits what waits and ends the threads.
    ///
    /// # Errors
    /// When the last writes could not be made durable: the store had failed, or its disk is full.
    pub fn close(mut self) -> Result<(), CloseError> {
        let writes = self.end();
        if writes == 0 {
            return Ok(());
        }
        Err(CloseError::NotDurable {
            path: self.shared.dir.clone(),
            writes,
        })
    }

    /// Says how many writes were not committed.
    fn end(&mut self) -> u64 {
        self.shared.writes.close();
        self.shared.loads.close();
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing to say that its message did not.
            let _ = thread.join();
        }
        let engine = self.shared.engine.write();
        *engine.unwrap_or_else(PoisonError::into_inner) = None;
        self.last_write
            .0
            .saturating_sub(self.shared.committed.load(Ordering::Acquire))
    }
}

impl Drop for DiskStore {
    fn drop(&mut self) {
        self.end();
    }
}
