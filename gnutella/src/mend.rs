//! What a get leaves behind: newer copies where old ones were found, and, with square-root replication, more
//! copies of what was hard to find.

use crate::config::Replication;
use crate::message::{Errand, Message};
use crate::node::{Due, Gnutella};
use crate::putting::{COPIES_LIMIT, Kind, MAX_PUTTINGS, Putting};
use crate::search::Find;
use overlay::{Consistency, Contact, Cx, Item, OpId, Record, Slot, Store};
use std::collections::{BTreeMap, BTreeSet};

/// Most nodes with an older version that are sent the one that was found.
const MAX_MENDED: usize = 4;
/// With square-root replication: one more copy for so many nodes that had to be asked.
const NODES_A_COPY: u32 = 32;
/// Most copies that one get leaves.
const MAX_COPIES_LEFT: u8 = 4;

impl<S: Store> Gnutella<S> {
    /// Sends what was found to nodes that were found to have an older version.
    pub(crate) fn mend(&mut self, cx: &mut Cx<'_, Self>, number: u64, record: Option<&Record>) {
        let Some(search) = self.searches.get(&number) else {
            return;
        };
        let key = search.key;
        let newest = search.newest(key, Slot::Value);
        let Some(newest) = newest.filter(|find| record.is_some() || find.hit.gone) else {
            return;
        };
        let version = newest.hit.version;
        let record = record.cloned().unwrap_or(Record {
            version,
            body: None,
            expires: None,
        });
        let text = newest.hit.text.clone();
        let old = |find: &&Find| find.hit.version < version && find.hit.slot == Slot::Value;
        let old: Vec<Contact> = search
            .finds
            .iter()
            .filter(old)
            .map(|find| find.from)
            .take(MAX_MENDED)
            .collect();
        for contact in old {
            let item = Item {
                key,
                slot: Slot::Value,
                record: record.clone(),
            };
            if contact.id == self.me.id {
                self.keep(item, &text);
                continue;
            }
            let req = self.draw_guid(cx);
            let text = text.clone();
            cx.send(contact, Message::Replicate { req, item, text });
        }
    }

    /// Square-root replication: the harder a value was to find, the more copies are left.
    pub(crate) fn leave_copies(&mut self, cx: &mut Cx<'_, Self>, number: u64, record: Record) {
        let Some(search) = self.searches.get(&number) else {
            return;
        };
        let copies = search.reach.nodes / NODES_A_COPY;
        let copies = u8::try_from(copies).unwrap_or(u8::MAX).min(MAX_COPIES_LEFT);
        if self.config.replication != Replication::SquareRoot || copies == 0 {
            return;
        }
        let newest = search.newest(search.key, Slot::Value);
        let text = newest.map_or_else(String::new, |find| find.hit.text.clone());
        let item = Item {
            key: search.key,
            slot: Slot::Value,
            record,
        };
        self.place_copies(cx, None, Kind::Copies, item, (text, copies));
    }

    /// Leaves copies of a record elsewhere, without one here.
    pub(crate) fn place_copies(
        &mut self,
        cx: &mut Cx<'_, Self>,
        op: Option<OpId>,
        kind: Kind,
        item: Item,
        (text, count): (String, u8),
    ) {
        if self.puttings.len() >= MAX_PUTTINGS {
            return;
        }
        let guid = self.draw_guid(cx);
        let errand = Errand::Place {
            key: item.key,
            version: item.record.version,
            slot: item.slot,
        };
        let putting = Putting {
            op,
            kind,
            consistency: Consistency::One,
            item,
            text,
            own: false,
            has_own: false,
            asked: BTreeMap::new(),
            walkers: BTreeSet::new(),
            deadline: cx.now + COPIES_LIMIT,
        };
        self.deadlines.set(Due::Putting(guid), putting.deadline);
        self.puttings.insert(guid, Box::new(putting));
        self.send_placers(cx, guid, count, &errand);
        self.putting_changed(cx, guid);
    }
}
