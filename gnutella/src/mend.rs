//! What a get leaves behind: newer copies where old ones were found, and, with square-root replication, more
//! copies of what was hard to find.

use crate::checks::MAX_CLOCK_DRIFT_MS;
use crate::config::Replication;
use crate::finds::Find;
use crate::message::{Errand, Message};
use crate::node::{Due, Gnutella};
use crate::putting::{COPIES_LIMIT, Kind, MAX_PUTTINGS, Putting};

use overlay::{Consistency, Contact, Cx, Item, OpId, Record, Slot, Store};
use std::collections::{BTreeMap, BTreeSet};

/// Most nodes with an older version that are sent the one that was found.
const MAX_MENDED: usize = 4;
/// With square-root replication: one more copy for so many nodes that had to be asked.
const NODES_A_COPY: u32 = 32;
/// Most copies that one get leaves.
const MAX_COPIES_LEFT: u8 = 4;
/// How long such a copy is kept at most. Gets leave copies as often as they come and in proportion to
/// how far they had to search, which is inverse to the number of copies; with copies that end after a
/// time their number settles in proportion to the square root of the gets. An hour is as long as what
/// is asked for today, and not for ever.
const COPY_LIFE_S: u64 = 3_600;

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
        // A copy that square-root replication has left is as good as the value, but ends within the hour:
        // whoever has an older version for good would have none then. What ends so soon by itself
        // need not be spread either.
        let soon = cx.wall.plus_secs(COPY_LIFE_S + MAX_CLOCK_DRIFT_MS / 1_000);
        if record.expires.is_some_and(|end| end <= soon) {
            return;
        }
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

    /// Square-root replication: the harder a value was to find, the more copies are left. What counts is
    /// how many nodes had to be asked for each copy, since a flood asks all, however many have it.
    pub(crate) fn leave_copies(&mut self, cx: &mut Cx<'_, Self>, number: u64, record: Record) {
        let Some(search) = self.searches.get(&number) else {
            return;
        };
        let has_it =
            |find: &&Find| find.hit.slot == Slot::Value && find.hit.version == record.version;
        let having: BTreeSet<_> = search
            .finds
            .iter()
            .filter(has_it)
            .map(|it| it.from.id)
            .collect();
        let asked_for_each = search.reach.nodes / (having.len() as u32).max(1);
        let copies = asked_for_each / NODES_A_COPY;
        let copies = u8::try_from(copies).unwrap_or(u8::MAX).min(MAX_COPIES_LEFT);
        if self.config.replication != Replication::SquareRoot || copies == 0 {
            return;
        }
        let newest = search.newest(search.key, Slot::Value);
        let text = newest.map_or_else(String::new, |find| find.hit.text.clone());
        let end = cx.wall.plus_secs(COPY_LIFE_S);
        let item = Item {
            key: search.key,
            slot: Slot::Value,
            record: Record {
                expires: Some(record.expires.map_or(end, |own| own.min(end))),
                ..record
            },
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
