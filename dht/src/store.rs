//! The boundary to whatever keeps the records.

use overlay::{Arc, Id, Item, Record, Slot, WriteSeq};
use std::net::SocketAddr;

/// What a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Values that are not deleted.
    pub values: u64,
    /// Holders that are not removed.
    pub holders: u64,
    /// Bytes of all bodies.
    pub bytes: u64,
}

/// Keeps records by key and slot.
///
/// A write is visible at once, and durable when the driver says so: it makes all writes up to
/// [`last_write`](Store::last_write) durable together and reports that to the machine with
/// `Input::Durable`, which passes it on to [`durable`](Store::durable). Writes become durable in
/// the order of their numbers.
pub trait Store {
    /// The record, deleted or expired ones included.
    fn get(&self, key: Id, slot: Slot) -> Option<Record>;

    /// Visits the holders of a key in order of address, removed and expired ones included, until
    /// `visit` returns false.
    fn holders(&self, key: Id, visit: &mut dyn FnMut(SocketAddr, &Record) -> bool);

    /// Visits the records in an arc, clockwise from its start and by slot within a key, those
    /// after the position `after` only, until `visit` returns false.
    fn range(
        &self,
        arc: Arc,
        after: Option<(Id, Slot)>,
        visit: &mut dyn FnMut(Id, Slot, &Record) -> bool,
    );

    /// Writes a record unless the one in its place is as new, and says which write it waits for:
    /// its own, or the last one when nothing was written.
    fn write(&mut self, item: Item) -> WriteSeq;

    /// Removes a record, without a trace.
    fn remove(&mut self, key: Id, slot: Slot) -> WriteSeq;

    /// What the store holds.
    fn counts(&self) -> Counts;

    /// The number of the last write.
    fn last_write(&self) -> WriteSeq;

    /// All writes up to this one are durable now.
    fn durable(&mut self, _seq: WriteSeq) {}
}
