//! The owner of nodes of the index takes entries in: as one replicated group.

use super::place::{Child, MAX_NODE_ENTRIES, base_of, is_place, low_of, stretch};
use crate::clock::MAX_CLOCK_DRIFT_MS;
use crate::coordinate::{Asker, MAX_COORDINATED, Task};
use crate::message::{IndexItem, IndexMany, IndexResult};
use crate::renewals::MAX_RENEWALS;
use crate::{Dht, Store, StoreMessage};
use bytes::Bytes;
use overlay::{
    Consistency, Contact, Cx, Fault, Id, Item, KeyRouter, MAX_ENTRY_BYTES, MAX_LEASE_S, Meta,
    Record, Slot, Version, WallMs,
};
use std::collections::BTreeMap;

/// Most records of a node that are looked at: its entries, its markers, and what a few publishers
/// added at once.
pub(super) const MAX_LOOKED_AT: usize = 8 * MAX_NODE_ENTRIES;

/// A node as its owner has it.
#[derive(Debug, Default)]
pub(super) struct Filling {
    /// Live markers.
    pub(super) children: Vec<Child>,
    /// Live entries besides them.
    pub(super) entries: usize,
    /// Whether some entry of a batch was sent on to a child.
    passes_on: bool,
}

/// What is decided about a batch.
#[derive(Debug, Default)]
struct Sorted {
    records: Vec<Item>,
    nodes: BTreeMap<Id, Filling>,
    deeper: Vec<u32>,
    not_mine: Vec<u32>,
    full: Vec<u32>,
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// A publisher has entries for nodes that this node should own.
    pub(crate) fn index_asked(&mut self, cx: &mut Cx<'_, Self>, from: Contact, asked: IndexMany) {
        let IndexMany { req, items, seen } = asked;
        if items.len() > MAX_RENEWALS || !items.iter().all(|item| item_fits(item, cx.wall)) {
            return cx.hang_up(from, Fault::OutOfBounds);
        }
        if !self.trusts(cx, from, seen) {
            return;
        }
        let first = items.first().map(|item| item.place);
        let is_mine =
            first.is_some_and(|first| self.views.iter().any(|view| view.arc.contains(first)));
        let busy = self.coordinated.len() >= MAX_COORDINATED;
        if !is_mine || busy {
            let result = if is_mine {
                IndexResult::Busy
            } else {
                IndexResult::NotResponsible
            };
            return self.post(cx, from, StoreMessage::Indexed { req, result });
        }
        self.clock.observe(seen, cx.wall);
        let Sorted {
            records,
            nodes,
            deeper,
            not_mine,
            full,
        } = self.sort_entries(cx, first.unwrap_or_default(), items);
        let passing = nodes.into_iter().filter(|(_, node)| node.passes_on);
        let result = IndexResult::Done {
            nodes: passing.map(|(base, node)| (base, node.children)).collect(),
            deeper,
            not_mine,
            full,
        };
        if records.is_empty() {
            return self.post(cx, from, StoreMessage::Indexed { req, result });
        }
        let task = Task {
            asker: Asker::Index { from, req },
            version: Version::default(),
            items: records,
            consistency: Consistency::Quorum,
            existed: None,
            conditional: false,
        };
        let number = self.draw_number(cx);
        self.index.answers.insert(number, result);
        self.coordinate_as(cx, number, task);
    }

    /// Decides about each entry of a batch.
    fn sort_entries(&mut self, cx: &mut Cx<'_, Self>, first: Id, items: Vec<IndexItem>) -> Sorted {
        let mut sorted = Sorted::default();
        let view = self.views.iter().find(|view| view.arc.contains(first));
        let Some(arc) = view.map(|view| view.arc) else {
            return sorted;
        };
        let has_room = self.store.room().is_ok();
        for (at, item) in (0_u32..).zip(items) {
            if !arc.contains(item.place) {
                sorted.not_mine.push(at);
                continue;
            }
            let base = base_of(item.place);
            let known = self.store.meta(item.place, Slot::Entry);
            let is_live = known.is_some_and(|known| known.is_live(cx.wall));
            let marker = Child::of(low_of(item.place));
            if marker.is_none() && !sorted.nodes.contains_key(&base) {
                let filling = self.filling(base, cx.wall);
                sorted.nodes.insert(base, filling);
            }
            let node = sorted.nodes.get_mut(&base);
            if let Some(before) = item.removes {
                if let Some(node) = node.filter(|node| !node.children.is_empty()) {
                    node.passes_on = true;
                    sorted.deeper.push(at);
                }
                if is_live && known.is_some_and(|known| known.version.clock < before) {
                    let record = self.removed(cx, known);
                    sorted.records.push(entry(item.place, record));
                }
                continue;
            }
            match (marker, node) {
                (Some(child), Some(node)) if !node.children.contains(&child) => {
                    node.children.push(child);
                }
                (None, Some(node)) => {
                    let is_full = !is_live && node.entries >= MAX_NODE_ENTRIES;
                    if is_full || !node.children.is_empty() {
                        node.passes_on = true;
                        sorted.deeper.push(at);
                        continue;
                    }
                    node.entries += usize::from(!is_live);
                }
                _ => {}
            }
            if !is_live && !has_room {
                sorted.full.push(at);
            } else if item.until > cx.wall {
                let record = self.going_on(cx, known, item.until, item.body);
                sorted.records.push(entry(item.place, record));
            }
        }
        sorted
    }

    fn going_on(
        &mut self,
        cx: &mut Cx<'_, Self>,
        known: Option<Meta>,
        until: WallMs,
        body: Bytes,
    ) -> Record {
        Record {
            version: self.next_version(cx, known.map(|known| known.version.clock)),
            body: Some(body),
            expires: Some(until),
        }
    }

    /// An entry that is removed. It leaves a tombstone as a holder does: an ended lease is collected
    /// without a wait, and then a replica that was away could bring the entry back.
    fn removed(&mut self, cx: &mut Cx<'_, Self>, known: Option<Meta>) -> Record {
        Record {
            version: self.next_version(cx, known.map(|known| known.version.clock)),
            body: None,
            expires: None,
        }
    }

    /// How full a node is.
    pub(super) fn filling(&self, base: Id, wall: WallMs) -> Filling {
        let (mut filling, mut looked) = (Filling::default(), 0);
        self.store
            .range(stretch(base), None, &mut |place, slot, known| {
                looked += 1;
                if slot == Slot::Entry && known.is_live(wall) {
                    match Child::of(low_of(place)) {
                        Some(child) => filling.children.push(child),
                        None => filling.entries += 1,
                    }
                }
                looked < MAX_LOOKED_AT
            });
        filling
    }
}

fn entry(key: Id, record: Record) -> Item {
    let slot = Slot::Entry;
    Item { key, slot, record }
}

/// Whether a peer may ask for this.
fn item_fits(item: &IndexItem, wall: WallMs) -> bool {
    let low = low_of(item.place);
    let longest = wall.plus_secs(u64::from(MAX_LEASE_S)).0;
    let fits = match Child::of(low) {
        Some(_) => item.body.is_empty(),
        None => item.body.len() <= MAX_ENTRY_BYTES,
    };
    fits && is_place(low) && item.until.0 <= longest.saturating_add(MAX_CLOCK_DRIFT_MS)
}
