//! Keeping records here: one's own, and copies of others'.

use crate::message::{Guid, Message};
use crate::node::Gnutella;
use crate::parked::Then;
use bytes::Bytes;
use overlay::{Contact, Cx, Hlc, Item, Record, Slot, Store, Version};

impl<S: Store> Gnutella<S> {
    /// A version after all that were seen.
    pub(crate) fn next_version(&mut self, cx: &mut Cx<'_, Self>, after: Option<Hlc>) -> Version {
        self.clock = self.clock.max(after.unwrap_or_default());
        Version::given(self.tick_clock(cx.wall), self.me.id, cx.rng.next_u64())
    }

    /// Keeps a record here, if it is newer than what is here.
    pub(crate) fn keep(&mut self, item: Item, text: &str) -> overlay::WriteSeq {
        let place = (item.key, item.slot);
        self.clock = self.clock.max(item.record.version.clock);
        let known = self.store.meta(item.key, item.slot);
        if known.is_some_and(|known| known.version >= item.record.version) {
            return self.store.last_write();
        }
        match (&item.slot, &item.record.body) {
            (Slot::Value, body) => self.keep_text(&item, body.as_ref().map(|_| text)),
            (Slot::Text, Some(body)) => {
                let text = std::str::from_utf8(body).unwrap_or_default();
                self.index.set((item.key, Slot::Value), text);
            }
            (_, None) => self.index.remove(place),
            (_, Some(body)) => {
                let text = std::str::from_utf8(body).unwrap_or_default();
                self.index.set(place, text);
            }
        }
        self.published.is_stale = true;
        self.store.write(item)
    }

    /// The words of a value live as long as it does, in a record of their own.
    pub(crate) fn keep_text(&mut self, value: &Item, text: Option<&str>) {
        let key = value.key;
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            self.index.remove((key, Slot::Value));
            self.store.remove(key, Slot::Text);
            return;
        };
        self.index.set((key, Slot::Value), text);
        let body = Bytes::copy_from_slice(text.as_bytes());
        self.store.write(Item {
            key,
            slot: Slot::Text,
            record: Record {
                body: Some(body),
                ..value.record
            },
        });
    }

    /// Somebody asks this node to keep a copy: one that it offered to keep, or a newer version of
    /// what it has.
    pub(crate) fn replicate_asked(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        req: Guid,
        item: Item,
        text: String,
    ) {
        self.hear_clocks(cx, std::slice::from_ref(&item));
        if !crate::checks::item_fits(&item, cx.wall) || text.len() > overlay::MAX_TEXT_BYTES {
            return self.out_of_bounds(cx, from);
        }
        let offered = self.seen.get(req).is_some_and(|entry| entry.offered);
        let has = self.store.meta(item.key, item.slot).is_some();
        let is_tombstone = item.record.body.is_none();
        let room = is_tombstone || self.store.room().is_ok();
        if !(offered || has) || !room {
            return cx.send(from, Message::Replicated { req, kept: false });
        }
        let seq = self.keep(item, &text);
        self.when_durable(cx, seq, Then::Kept(from, req));
    }
}
