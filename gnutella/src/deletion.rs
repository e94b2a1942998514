//! Deleting: all copies that a flood finds are replaced by tombstones, which are newer than any of them.

use crate::finds::Find;
use crate::message::What;
use crate::node::{Due, Gnutella};
use crate::putting::Kind;
use crate::search::Purpose;
use overlay::{Consistency, Cx, Id, Item, OpId, Outcome, Record, Slot, Store};
use std::net::SocketAddr;

impl<S: Store> Gnutella<S> {
    /// Everything that a search for something to delete has found: a deletion is newer than all.
    pub(crate) fn delete_found(&mut self, cx: &mut Cx<'_, Self>, number: u64, slot: Slot) {
        let Some(search) = self.searches.get(&number) else {
            return;
        };
        let (op, key, consistency) = (search.op, search.key, search.consistency);
        let finds: Vec<Find> = search
            .finds
            .iter()
            .filter(|find| find.hit.slot == slot)
            .cloned()
            .collect();
        let is_found = search.newest(key, slot).is_some_and(|it| !it.hit.gone);
        let newest = finds.iter().map(|find| find.hit.version.clock).max();
        let version = self.next_version(cx, newest);
        let item = Item {
            key,
            slot,
            record: Record {
                version,
                body: None,
                expires: None,
            },
        };
        let outcome = if is_found {
            Outcome::Found
        } else {
            Outcome::Unknown
        };
        self.deadlines.clear(Due::Search(number));
        self.search_of.retain(|_, of| *of != number);
        self.searches.remove(&number);
        // Those that had copies when it was written here are told, found or not.
        let known = self.copies.get(&(key, slot)).into_iter().flatten();
        let found = finds.iter().map(|find| find.from);
        let holders = found.chain(known.copied()).collect();
        self.begin_writing(
            cx,
            Some(op),
            Kind::Delete(outcome),
            item,
            (String::new(), consistency, holders),
        );
    }

    /// Begins the search for what a user wants to delete.
    pub(crate) fn delete(
        &mut self,
        cx: &mut Cx<'_, Self>,
        op: OpId,
        key: Id,
        holder: Option<SocketAddr>,
        consistency: Consistency,
    ) {
        let (slot, what) = match holder {
            Some(addr) => (Slot::Holder(addr), What::Holder(key, addr)),
            None => (Slot::Value, What::Value(key)),
        };
        if let Slot::Holder(addr) = slot {
            self.leases.forget(key, addr);
            self.deadlines.clear(Due::Lease(key, addr));
        }
        self.start_search(cx, op, Purpose::Delete { slot }, what, consistency);
    }
}
