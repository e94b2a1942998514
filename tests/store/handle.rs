//! A store with ears: it waits for what its threads report.

use bytes::Bytes;
use dht::{Found, Meta, Store};
use overlay::{Arc as RingArc, Hlc, Id, Item, LoadSeq, Record, Slot, Version, WallMs, WriteSeq};
use p2pnode::store::{DiskStore, OpenError, StoreOptions};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// How long a report may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What was reported.
#[derive(Clone, Debug, Default)]
pub(crate) struct News {
    pub(crate) durable: WriteSeq,
    pub(crate) loaded: LoadSeq,
    pub(crate) fatal: Option<String>,
}

/// A store and its reports.
pub(crate) struct Handle {
    pub(crate) store: DiskStore,
    news: Arc<(Mutex<News>, Condvar)>,
}

pub(crate) fn node() -> Id {
    Id::of(b"the node of the tests")
}

impl Handle {
    pub(crate) fn open(dir: &Path) -> Result<Self, OpenError> {
        Self::open_with(dir, StoreOptions::new(node()))
    }

    pub(crate) fn open_with(dir: &Path, options: StoreOptions) -> Result<Self, OpenError> {
        let news: Arc<(Mutex<News>, Condvar)> = Arc::default();
        let tell = |news: &Arc<(Mutex<News>, Condvar)>| {
            let news = Arc::clone(news);
            move |change: &dyn Fn(&mut News)| {
                change(&mut news.0.lock().unwrap());
                news.1.notify_all();
            }
        };
        let (durable, loaded, fatal) = (tell(&news), tell(&news), tell(&news));
        let store = DiskStore::open(
            dir,
            options,
            move |seq| durable(&|news| news.durable = seq),
            move |seq| loaded(&|news| news.loaded = seq),
            move |message| fatal(&|news| news.fatal = Some(message.clone())),
        )?;
        Ok(Self { store, news })
    }

    /// Waits until something was reported; none when it took too long.
    pub(crate) fn wait(&self, patience: Duration, done: impl Fn(&News) -> bool) -> Option<News> {
        let end = Instant::now() + patience;
        let mut news = self.news.0.lock().unwrap();
        while !done(&news) {
            let left = end.checked_duration_since(Instant::now())?;
            news = self.news.1.wait_timeout(news, left).unwrap().0;
        }
        Some(news.clone())
    }

    /// Waits until everything that was written is durable, and tells the store.
    pub(crate) fn settle(&mut self) {
        let last = self.store.last_write();
        let news = self
            .wait(PATIENCE, |news| {
                news.durable >= last || news.fatal.is_some()
            })
            .expect("writes become durable");
        assert_eq!(news.fatal, None);
        self.store.durable(last);
    }

    /// Reads a record, from the disk if need be; an error when the store found it damaged.
    pub(crate) fn fetch(&mut self, place: (Id, Slot)) -> Result<Option<Record>, String> {
        if let Some(known) = known(self.store.read(place.0, place.1)) {
            return Ok(known);
        }
        let seq = self.store.load(&[place]);
        let news = self
            .wait(PATIENCE, |news| news.loaded >= seq || news.fatal.is_some())
            .expect("a body is loaded");
        if let Some(fatal) = news.fatal {
            return Err(fatal);
        }
        self.store.loaded(seq);
        let found = known(self.store.read(place.0, place.1)).expect("the body was loaded");
        self.store.release(seq);
        Ok(found)
    }

    /// All places and what is known of them.
    pub(crate) fn metas(&self) -> Vec<(Id, Slot, Meta)> {
        metas(&self.store)
    }
}

fn known(found: Found) -> Option<Option<Record>> {
    match found {
        Found::Absent => Some(None),
        Found::Here(record) => Some(Some(record)),
        Found::OnDisk => None,
    }
}

/// All places and what is known of them.
pub(crate) fn metas(store: &impl Store) -> Vec<(Id, Slot, Meta)> {
    let mut all = Vec::new();
    store.range(RingArc::whole(Id::MAX), None, &mut |key, slot, meta| {
        all.push((key, slot, *meta));
        true
    });
    all
}

/// A record whose body follows from its length and clock.
pub(crate) fn item(key: Id, slot: Slot, clock: u64, length: Option<usize>) -> Item {
    let record = Record {
        version: Version {
            clock: Hlc(clock),
            writer: node(),
        },
        body: length.map(|length| Bytes::from(vec![clock as u8; length])),
        expires: clock.is_multiple_of(3).then_some(WallMs(clock)),
    };
    Item { key, slot, record }
}
