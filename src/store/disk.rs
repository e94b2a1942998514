//! The store that the machine is handed.

use super::bodies::Bodies;
use super::commit::{Change, Op, RecordChange};
use super::index::Index;
use super::load::Request;
use super::record::{Place, RECORD_OVERHEAD_BYTES, is_apart};
use super::recover::count;
use super::seal::Sum;
use super::shared::Shared;
use super::{WAITING_BYTES, vouched};
use bytes::Bytes;
use dht::{Counts, Found, Meta, Store, StoreFull};
use overlay::{Arc as RingArc, Hlc, Id, Item, LoadSeq, Record, Slot, WriteSeq};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

/// Records on disk, what routing and comparing need of them in memory.
///
/// Writes are visible at once and durable when `on_durable` says so; bodies that are not in memory
/// are loaded when `on_loaded` says so. Both come from threads of the store. Dropping the store
/// closes it.
pub struct DiskStore {
    pub(super) shared: Arc<Shared>,
    pub(super) index: Index,
    pub(super) bodies: Bodies,
    pub(super) counts: Counts,
    pub(super) sum: Sum,
    pub(super) newest: Hlc,
    pub(super) vouched: Vec<(RingArc, Hlc)>,
    pub(super) quota: Option<u64>,
    pub(super) last_write: WriteSeq,
    pub(super) last_load: LoadSeq,
    pub(super) loaded: LoadSeq,
    /// Requests that are not released yet.
    pub(super) requests: BTreeMap<LoadSeq, Vec<Place>>,
    pub(super) threads: Vec<JoinHandle<()>>,
}

impl fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskStore")
            .field("dir", &self.shared.dir)
            .field("counts", &self.counts)
            .field("last_write", &self.last_write)
            .finish_non_exhaustive()
    }
}

impl DiskStore {
    /// Bytes that count for the quota: keys, bodies and what each record costs beside.
    fn used(&self) -> u64 {
        let overhead = self.index.len().saturating_mul(RECORD_OVERHEAD_BYTES);
        self.counts.bytes.saturating_add(overhead)
    }

    /// Shows in the metrics what is looked at when somebody asks, and costs nothing otherwise.
    fn show(&self) {
        let gauge = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let metrics = &self.shared.metrics;
        metrics.used_bytes.set(gauge(self.used()));
        metrics.quota_bytes.set(gauge(self.quota.unwrap_or(0)));
        metrics.reserved_bytes.set(gauge(self.shared.reserved));
        let waiting = self.shared.waiting.load(Ordering::Relaxed);
        metrics.waiting_bytes.set(gauge(waiting));
        // From two numbers that are there anyway: a counter would be one that two threads share, for
        // each write.
        let committed = self.shared.committed.load(Ordering::Relaxed);
        let writes = self.last_write.0.saturating_sub(committed);
        metrics.writes_waiting.set(gauge(writes));
        let loads = self.last_load.0.saturating_sub(self.loaded.0);
        metrics.loads_waiting.set(gauge(loads));
    }

    /// Puts a record, or nothing, into a place.
    fn change(&mut self, place: Place, record: Option<(Meta, Bytes)>) -> WriteSeq {
        let seq = WriteSeq(self.last_write.0.saturating_add(1));
        let after = record.as_ref().map(|(meta, _)| meta);
        let before = self.index.set(place, after);
        self.sum.replace(place, before.as_ref(), after);
        if let Some(before) = &before {
            count(&mut self.counts, place.1, before, u64::saturating_sub);
        }
        if let Some(after) = after {
            count(&mut self.counts, place.1, after, u64::saturating_add);
        }
        match &record {
            Some((_, body)) if !body.is_empty() => {
                self.bodies.write(place, body.clone(), seq);
            }
            _ => self.bodies.forget(place),
        }
        let leaves_apart = before.as_ref().is_some_and(is_apart) && !after.is_some_and(is_apart);
        self.push(Change::Record(RecordChange {
            place,
            record,
            leaves_apart,
        }))
    }

    /// Hands a change over to the thread that commits.
    fn push(&mut self, change: Change) -> WriteSeq {
        self.last_write = WriteSeq(self.last_write.0.saturating_add(1));
        let op = Op {
            seq: self.last_write,
            change,
            sum: self.sum,
        };
        let waiting = &self.shared.waiting;
        waiting.fetch_add(op.weight() as u64, Ordering::Relaxed);
        self.shared.writes.push(op);
        self.last_write
    }

    /// Whether reading this body takes a disk.
    fn is_on_disk(&self, place: Place) -> bool {
        let length = self.index.get(place).and_then(|meta| meta.length);
        length.is_some_and(|length| length > 0) && self.bodies.get(place).is_none()
    }

    /// Takes over what the loader has read up to this request.
    fn take_answers(&mut self, seq: LoadSeq) {
        let answers = self.shared.answers.lock();
        let mut answers = answers.unwrap_or_else(PoisonError::into_inner);
        while answers.front().is_some_and(|answer| answer.seq <= seq) {
            let found = answers.pop_front().map(|answer| answer.found);
            for (place, meta, body) in found.unwrap_or_default() {
                let wanted = self.index.get(place) == Some(meta);
                if wanted && !body.is_empty() && self.bodies.get(place).is_none() {
                    self.bodies.read(place, body);
                }
            }
        }
    }
}

impl Store for DiskStore {
    fn meta(&self, key: Id, slot: Slot) -> Option<Meta> {
        self.index.get((key, slot))
    }

    fn read(&self, key: Id, slot: Slot) -> Found {
        let Some(meta) = self.index.get((key, slot)) else {
            return Found::Absent;
        };
        let body = match meta.length {
            None => None,
            Some(0) => Some(Bytes::new()),
            Some(_) => match self.bodies.get((key, slot)) {
                Some(body) => Some(body.clone()),
                None => return Found::OnDisk,
            },
        };
        Found::Here(Record {
            version: meta.version,
            body,
            expires: meta.expires,
        })
    }

    fn holders(&self, key: Id, visit: &mut dyn FnMut(SocketAddr, &Meta) -> bool) {
        self.index.holders(key, visit);
    }

    fn range(
        &self,
        arc: RingArc,
        after: Option<(Id, Slot)>,
        visit: &mut dyn FnMut(Id, Slot, &Meta) -> bool,
    ) {
        self.index.range(arc, after, visit);
    }

    fn load(&mut self, places: &[(Id, Slot)]) -> LoadSeq {
        self.last_load = LoadSeq(self.last_load.0.saturating_add(1));
        let seq = self.last_load;
        for place in places {
            self.bodies.pin(*place);
        }
        let missing = places
            .iter()
            .copied()
            .filter(|place| self.is_on_disk(*place));
        let missing = missing.collect();
        self.requests.insert(seq, places.to_vec());
        self.shared.loads.push(Request {
            seq,
            places: missing,
        });
        seq
    }

    fn last_load(&self) -> LoadSeq {
        self.last_load
    }

    fn loaded(&mut self, seq: LoadSeq) {
        self.take_answers(seq);
        // Whatever was written since a request is in memory, because its place is pinned: what
        // is still missing should have been on the disk.
        let first = LoadSeq(self.loaded.0.saturating_add(1));
        if first <= seq {
            let mut places = self
                .requests
                .range(first..=seq)
                .flat_map(|(_, places)| places);
            if let Some((key, _)) = places.find(|place| self.is_on_disk(**place)) {
                self.shared
                    .fail_damaged(&format!("the body of a record at {key} is missing"));
            }
            self.loaded = seq;
        }
    }

    fn release(&mut self, seq: LoadSeq) {
        for place in self.requests.remove(&seq).unwrap_or_default() {
            self.bodies.unpin(place);
        }
    }

    fn write(&mut self, item: Item) -> WriteSeq {
        let place = (item.key, item.slot);
        let meta = Meta::of(&item.record);
        let known = self.index.get(place);
        if known.is_some_and(|known| known.version >= meta.version) {
            return self.last_write;
        }
        self.newest = self.newest.max(meta.version.clock);
        self.change(place, Some((meta, item.record.body.unwrap_or_default())))
    }

    fn remove(&mut self, key: Id, slot: Slot) -> WriteSeq {
        if self.index.get((key, slot)).is_none() {
            return self.last_write;
        }
        self.change((key, slot), None)
    }

    fn room(&self) -> Result<(), StoreFull> {
        // A quota may be exceeded by repairs, and must not hide that the disk is full.
        let free = self.shared.free.load(Ordering::Relaxed);
        let reserve = self.shared.reserved;
        if free < reserve {
            return Err(StoreFull::Disk { free, reserve });
        }
        let used = self.used();
        if let Some(quota) = self.quota
            && used >= quota
        {
            return Err(StoreFull::Quota { used, quota });
        }
        let (waiting, limit) = (self.shared.waiting.load(Ordering::Relaxed), WAITING_BYTES);
        if waiting >= limit {
            return Err(StoreFull::Behind { waiting, limit });
        }
        Ok(())
    }

    fn is_shared(&self) -> bool {
        self.sum.shared
    }

    fn set_shared(&mut self) -> WriteSeq {
        if self.sum.shared {
            return self.last_write;
        }
        self.sum.shared = true;
        self.push(Change::Sum)
    }

    fn vouched(&self) -> &[(RingArc, Hlc)] {
        &self.vouched
    }

    fn set_vouched(&mut self, parts: Vec<(RingArc, Hlc)>) -> WriteSeq {
        let (before, after) = (vouched::encode(&self.vouched), vouched::encode(&parts));
        self.sum.vouch(&before, &after);
        self.vouched = parts;
        self.push(Change::Vouched(after))
    }

    fn counts(&self) -> Counts {
        self.show();
        self.counts
    }

    /// Of all that were ever seen since the store was opened, removed ones included.
    fn newest(&self) -> Hlc {
        self.newest
    }

    fn last_write(&self) -> WriteSeq {
        self.last_write
    }

    fn durable(&mut self, seq: WriteSeq) {
        self.bodies.durable(seq);
    }
}
