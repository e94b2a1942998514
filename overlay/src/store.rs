//! The boundary to whatever keeps the records.

use crate::{Arc, Hlc, Id, Item, LoadSeq, Record, Slot, Version, WallMs, WriteSeq};
use smallvec::SmallVec;
use std::net::SocketAddr;

/// What a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Values that are not deleted.
    pub values: u64,
    /// Holders that are not removed.
    pub holders: u64,
    /// Entries of indexes, and texts of values.
    pub entries: u64,
    /// Bytes of all bodies.
    pub bytes: u64,
    /// Tombstones of all.
    pub tombstones: u64,
}

impl Counts {
    /// Whether there is no record at all, not even a tombstone.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.values == 0 && self.holders == 0 && self.entries == 0 && self.tombstones == 0
    }
}

/// What is known of a record without its body: what routing and comparing need, always in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Newest wins.
    pub version: Version,
    /// When it ends by itself.
    pub expires: Option<WallMs>,
    /// Bytes of the body; none for a tombstone.
    pub length: Option<u32>,
}

impl Meta {
    /// What is known of this record.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let length = record.body.as_ref().map(bytes::Bytes::len);
        Self {
            version: record.version,
            expires: record.expires,
            length: length.map(|length| u32::try_from(length).unwrap_or(u32::MAX)),
        }
    }

    /// Whether a reader sees the record: neither deleted nor ended.
    #[must_use]
    pub fn is_live(&self, now: WallMs) -> bool {
        self.length.is_some() && self.expires.is_none_or(|end| now < end)
    }

    /// Whether the record was deleted.
    #[must_use]
    pub const fn is_tombstone(&self) -> bool {
        self.length.is_none()
    }
}

/// What looking for a record with its body comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// There is none.
    Absent,
    /// Here it is.
    Here(Record),
    /// Its body is not in memory: ask for it with [`Store::load`].
    OnDisk,
}

/// Why a store takes no new records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreFull {
    /// The limit that the operator set.
    #[error(
        "the store of this node holds {used} bytes, its quota (--max-store) is {quota}; delete \
         something, raise the quota, or add nodes"
    )]
    Quota {
        /// Bytes in use.
        used: u64,
        /// Bytes allowed.
        quota: u64,
    },
    /// The file system.
    #[error(
        "the disk of this node is full ({free} bytes are free, {reserve} are kept for deletes); \
         make room on it, or add nodes"
    )]
    Disk {
        /// Bytes that are free.
        free: u64,
        /// Bytes that are kept so that deleting works.
        reserve: u64,
    },
    /// The disk does not keep up.
    #[error(
        "the disk of this node does not keep up ({waiting} bytes wait for it, the limit is \
         {limit}); try again later"
    )]
    Behind {
        /// Bytes that are not durable yet.
        waiting: u64,
        /// How many may be.
        limit: u64,
    },
}

/// By which part of a quota repairs may exceed it: enough for what replicas acknowledged while a
/// quota was being reached at different times, little enough to be planned for.
const QUOTA_MARGIN: u64 = 8;
/// Which part of what a disk keeps for deletes repairs leave alone.
const RESERVE_KEPT: u64 = 2;

impl StoreFull {
    /// Whether not even records are taken that other nodes hold already. Those were acknowledged:
    /// they are taken beyond a quota and from the reserve of a disk, but not without end. A disk
    /// that does not keep up stops no repair, since repairs wait for it.
    #[must_use]
    pub const fn stops_repairs(&self) -> bool {
        match *self {
            Self::Quota { used, quota } => used >= quota.saturating_add(quota / QUOTA_MARGIN),
            Self::Disk { free, reserve } => free < reserve / RESERVE_KEPT,
            Self::Behind { .. } => false,
        }
    }
}

/// Keeps records by key and slot.
///
/// A write is visible at once, and durable when the driver says so: it makes all writes up to
/// [`last_write`](Store::last_write) durable together and reports that to the machine with
/// `Input::Durable`, which passes it on to [`durable`](Store::durable). Writes become durable in
/// the order of their numbers. The body of a write that is not durable yet is in memory.
///
/// Bodies of other records may be on a disk, and no call here waits for one:
/// [`load`](Store::load) asks, and the driver says with `Input::Loaded` when they are there.
pub trait Store {
    /// What is known of a record, deleted or ended ones included.
    fn meta(&self, key: Id, slot: Slot) -> Option<Meta>;

    /// The record, deleted or ended ones included. A tombstone is never on disk only.
    fn read(&self, key: Id, slot: Slot) -> Found;

    /// Visits the holders of a key in order of address, removed and ended ones included, until
    /// `visit` returns false.
    fn holders(&self, key: Id, visit: &mut dyn FnMut(SocketAddr, &Meta) -> bool);

    /// Visits the records in an arc, clockwise from its start and by slot within a key, those
    /// after the position `after` only, until `visit` returns false.
    fn range(
        &self,
        arc: Arc,
        after: Option<(Id, Slot)>,
        visit: &mut dyn FnMut(Id, Slot, &Meta) -> bool,
    );

    /// Asks for bodies. Once [`loaded`](Store::loaded) was told of this request they are in
    /// memory, unless they were removed, until [`release`](Store::release).
    fn load(&mut self, places: &[(Id, Slot)]) -> LoadSeq;

    /// The last request for bodies.
    fn last_load(&self) -> LoadSeq;

    /// The driver says that the bodies of all requests up to this one can be had.
    fn loaded(&mut self, seq: LoadSeq);

    /// The bodies of a request are not needed any more.
    fn release(&mut self, seq: LoadSeq);

    /// Writes a record unless the one in its place is as new, and says which write it waits for:
    /// its own, or the last one when nothing was written.
    fn write(&mut self, item: Item) -> WriteSeq;

    /// Removes a record, without a trace.
    fn remove(&mut self, key: Id, slot: Slot) -> WriteSeq;

    /// Whether new records are taken. Tombstones are taken in any case.
    ///
    /// # Errors
    /// Why not, and what to do.
    fn room(&self) -> Result<(), StoreFull> {
        Ok(())
    }

    /// Whether records are taken that other nodes hold already.
    ///
    /// # Errors
    /// See [`StoreFull::stops_repairs`].
    fn room_for_repairs(&self) -> Result<(), StoreFull> {
        match self.room() {
            Err(full) if full.stops_repairs() => Err(full),
            _ => Ok(()),
        }
    }

    /// Whether the store has been part of a network with other nodes: then those may have records
    /// that this one lacks, and founding a network with it proves nothing.
    fn is_shared(&self) -> bool;

    /// The network has other nodes. Kept as durably as a record.
    fn set_shared(&mut self) -> WriteSeq;

    /// What the store vouches for: parts of the circle, each with the clock value up to which a
    /// live record that the store lacks there was deleted.
    fn vouched(&self) -> &[(Arc, Hlc)];

    /// Takes other parts to vouch for. Kept as durably as a record, and in the order of the writes.
    fn set_vouched(&mut self, parts: Vec<(Arc, Hlc)>) -> WriteSeq;

    /// What the store holds.
    fn counts(&self) -> Counts;

    /// The latest clock value among all records: new versions must be newer.
    fn newest(&self) -> Hlc {
        let mut newest = Hlc::default();
        self.range(Arc::whole(Id::MAX), None, &mut |_, _, known| {
            newest = newest.max(known.version.clock);
            true
        });
        newest
    }

    /// The number of the last write.
    fn last_write(&self) -> WriteSeq;

    /// All writes up to this one are durable now.
    fn durable(&mut self, _seq: WriteSeq) {}
}

/// Cuts an arc into one or two stretches of the number line, both ends included, for a store that
/// keeps its records in order of keys. `visit` gets those that are left after the position `after`,
/// clockwise, with the position in the stretch that it lies in, until it returns false.
pub fn each_stretch(
    arc: Arc,
    after: Option<(Id, Slot)>,
    visit: &mut dyn FnMut(Id, Id, Option<(Id, Slot)>) -> bool,
) {
    let first = arc.from.wrapping_add(Id::from_u64(1));
    let stretches: SmallVec<[(Id, Id); 2]> = if first <= arc.to {
        SmallVec::from_slice(&[(first, arc.to)])
    } else {
        SmallVec::from_slice(&[(first, Id::MAX), (Id::ZERO, arc.to)])
    };
    let begin = after.and_then(|(key, _)| {
        stretches
            .iter()
            .position(|(low, high)| *low <= key && key <= *high)
    });
    for (index, (low, high)) in stretches.iter().enumerate().skip(begin.unwrap_or(0)) {
        if !visit(*low, *high, after.filter(|_| begin == Some(index))) {
            return;
        }
    }
}
