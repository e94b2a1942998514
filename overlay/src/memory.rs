//! A store in memory, that can forget what was not durable.

use crate::store::{Counts, Found, Meta, Store, StoreFull, each_stretch};
use crate::{Arc, Hlc, Id, Item, LoadSeq, Record, Slot, WriteSeq};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::ops::Bound;

/// Records in a sorted map.
///
/// For tests and simulations it remembers how to undo writes that are not durable yet; the
/// driver's pace bounds how many that are.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    records: BTreeMap<(Id, Slot), Record>,
    counts: Counts,
    last: WriteSeq,
    undo: VecDeque<Undo>,
    shared: bool,
    vouched: Vec<(Arc, Hlc)>,
    quota: Option<u64>,
    disk_full: bool,
    /// When it plays a store on disk: who asked for what.
    disk: Option<Disk>,
}

/// Makes a store in memory behave as one on a disk does.
#[derive(Clone, Debug, Default)]
struct Disk {
    last: LoadSeq,
    /// Asked for, and how far the answers have come.
    asked: BTreeMap<LoadSeq, Vec<(Id, Slot)>>,
    loaded: LoadSeq,
}

impl Disk {
    /// Whether the body at a place has been loaded for somebody.
    fn has_loaded(&self, place: (Id, Slot)) -> bool {
        let answered = self.asked.range(..=self.loaded);
        answered
            .into_iter()
            .any(|(_, places)| places.contains(&place))
    }
}

/// What was there before a write.
#[derive(Clone, Debug)]
struct Undo {
    seq: WriteSeq,
    before: Before,
}

#[derive(Clone, Debug)]
enum Before {
    Record((Id, Slot), Option<Record>),
    Vouched(Vec<(Arc, Hlc)>),
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store that plays one on a disk: the bodies of durable writes must be loaded.
    #[must_use]
    pub fn on_disk() -> Self {
        Self {
            disk: Some(Disk::default()),
            ..Self::default()
        }
    }

    /// Takes no new records once all bodies together have as many bytes.
    #[must_use]
    pub const fn with_quota(mut self, bytes: u64) -> Self {
        self.quota = Some(bytes);
        self
    }

    /// Lets the disk that this store plays run full, or have room again.
    pub const fn set_disk_full(&mut self, full: bool) {
        self.disk_full = full;
    }

    /// Number of records, tombstones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no record at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Every record with its place.
    pub fn iter(&self) -> impl Iterator<Item = (&(Id, Slot), &Record)> {
        self.records.iter()
    }

    /// Loses everything after the write `durable`, as a machine does that loses power.
    pub fn crash(&mut self, durable: WriteSeq) {
        while self.undo.back().is_some_and(|undo| undo.seq > durable) {
            let Some(undo) = self.undo.pop_back() else {
                break;
            };
            match undo.before {
                Before::Record(place, record) => {
                    self.set(place, record);
                }
                Before::Vouched(parts) => self.vouched = parts,
            }
        }
        self.undo.clear();
        self.last = self.last.min(durable);
        if let Some(disk) = &mut self.disk {
            *disk = Disk::default();
        }
    }

    fn count(&mut self, slot: Slot, record: &Record, sign: impl Fn(u64, u64) -> u64) {
        let Some(body) = &record.body else {
            self.counts.tombstones = sign(self.counts.tombstones, 1);
            return;
        };
        self.counts.bytes = sign(self.counts.bytes, body.len() as u64);
        let kind = match slot {
            Slot::Value => &mut self.counts.values,
            Slot::Holder(_) => &mut self.counts.holders,
            Slot::Text | Slot::Entry => &mut self.counts.entries,
        };
        *kind = sign(*kind, 1);
    }

    /// Puts a record, or nothing, into a place, and returns what was there.
    fn set(&mut self, place: (Id, Slot), record: Option<Record>) -> Option<Record> {
        if let Some(record) = &record {
            self.count(place.1, record, u64::saturating_add);
        }
        let before = match record {
            Some(record) => self.records.insert(place, record),
            None => self.records.remove(&place),
        };
        if let Some(before) = &before {
            self.count(place.1, before, u64::saturating_sub);
        }
        before
    }

    fn change(&mut self, place: (Id, Slot), record: Option<Record>) -> WriteSeq {
        let before = self.set(place, record);
        self.can_undo(Before::Record(place, before))
    }

    /// A new write, and what takes it back.
    fn can_undo(&mut self, before: Before) -> WriteSeq {
        self.last = WriteSeq(self.last.0.saturating_add(1));
        let seq = self.last;
        self.undo.push_back(Undo { seq, before });
        seq
    }
}

impl Store for MemoryStore {
    fn meta(&self, key: Id, slot: Slot) -> Option<Meta> {
        self.records.get(&(key, slot)).map(Meta::of)
    }

    fn read(&self, key: Id, slot: Slot) -> Found {
        let place = (key, slot);
        let Some(record) = self.records.get(&place) else {
            return Found::Absent;
        };
        let in_memory = record.body.is_none()
            || self.disk.as_ref().is_none_or(|disk| disk.has_loaded(place))
            || self.undo.iter().any(
                |undo| matches!(&undo.before, Before::Record(written, _) if *written == place),
            );
        if in_memory {
            Found::Here(record.clone())
        } else {
            Found::OnDisk
        }
    }

    fn holders(&self, key: Id, visit: &mut dyn FnMut(SocketAddr, &Meta) -> bool) {
        let from = Bound::Excluded((key, Slot::Value));
        for ((at, slot), record) in self.records.range((from, Bound::Unbounded)) {
            let Slot::Holder(addr) = slot else { return };
            if *at != key || !visit(*addr, &Meta::of(record)) {
                return;
            }
        }
    }

    fn range(
        &self,
        arc: Arc,
        after: Option<(Id, Slot)>,
        visit: &mut dyn FnMut(Id, Slot, &Meta) -> bool,
    ) {
        each_stretch(arc, after, &mut |low, high, after| {
            let from = after.map_or(Bound::Included((low, Slot::Value)), Bound::Excluded);
            let records = self.records.range((from, Bound::Unbounded));
            let mut records = records.take_while(|((key, _), _)| *key <= high);
            records.all(|((key, slot), record)| visit(*key, *slot, &Meta::of(record)))
        });
    }

    fn load(&mut self, places: &[(Id, Slot)]) -> LoadSeq {
        let Some(disk) = &mut self.disk else {
            return LoadSeq(0);
        };
        disk.last = LoadSeq(disk.last.0.saturating_add(1));
        disk.asked.insert(disk.last, places.to_vec());
        disk.last
    }

    fn last_load(&self) -> LoadSeq {
        self.disk.as_ref().map_or(LoadSeq(0), |disk| disk.last)
    }

    fn loaded(&mut self, seq: LoadSeq) {
        if let Some(disk) = &mut self.disk {
            disk.loaded = seq;
        }
    }

    fn release(&mut self, seq: LoadSeq) {
        if let Some(disk) = &mut self.disk {
            disk.asked.remove(&seq);
        }
    }

    fn write(&mut self, item: Item) -> WriteSeq {
        let place = (item.key, item.slot);
        let known = self.records.get(&place);
        if known.is_some_and(|known| known.version >= item.record.version) {
            return self.last;
        }
        self.change(place, Some(item.record))
    }

    fn remove(&mut self, key: Id, slot: Slot) -> WriteSeq {
        if self.records.contains_key(&(key, slot)) {
            return self.change((key, slot), None);
        }
        self.last
    }

    fn room(&self) -> Result<(), StoreFull> {
        if self.disk_full {
            let (free, reserve) = (0, 2);
            return Err(StoreFull::Disk { free, reserve });
        }
        let used = self.counts.bytes;
        match self.quota {
            Some(quota) if used >= quota => Err(StoreFull::Quota { used, quota }),
            _ => Ok(()),
        }
    }

    fn is_shared(&self) -> bool {
        self.shared
    }

    fn set_shared(&mut self) -> WriteSeq {
        self.shared = true;
        self.last
    }

    fn vouched(&self) -> &[(Arc, Hlc)] {
        &self.vouched
    }

    fn set_vouched(&mut self, parts: Vec<(Arc, Hlc)>) -> WriteSeq {
        let before = std::mem::replace(&mut self.vouched, parts);
        self.can_undo(Before::Vouched(before))
    }

    fn counts(&self) -> Counts {
        self.counts
    }

    fn last_write(&self) -> WriteSeq {
        self.last
    }

    fn durable(&mut self, seq: WriteSeq) {
        while self.undo.front().is_some_and(|undo| undo.seq <= seq) {
            self.undo.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
