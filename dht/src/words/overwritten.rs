//! The root of a value or a holder writes over it: the text beside a value, and the entries that the
//! old text had.

use super::document::{Described, Document, Subject};
use crate::{Dht, Position, Store};
use bytes::Bytes;
use overlay::{Cx, Id, Item, KeyRouter, Record, Slot};
use smallvec::SmallVec;

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// The record of the text that goes with a value: a new one, the end of the one that is there,
    /// or none.
    pub(crate) fn text_beside(&self, value: &Item, text: Option<Bytes>) -> Option<Item> {
        if value.slot != Slot::Value {
            return None;
        }
        let known = self.store.meta(value.key, Slot::Text);
        let has_text = known.is_some_and(|known| !known.is_tombstone());
        (text.is_some() || has_text).then(|| Item {
            key: value.key,
            slot: Slot::Text,
            record: Record {
                version: value.record.version,
                expires: value.record.expires.filter(|_| text.is_some()),
                body: text,
            },
        })
    }

    /// Where the text is that a write of this slot overwrites.
    pub(crate) fn texts_before(key: Id, slot: Slot) -> SmallVec<[Position; 1]> {
        let place = match slot {
            Slot::Value => Slot::Text,
            other => other,
        };
        SmallVec::from_slice(&[(key, place)])
    }

    /// Ends the entries of what these records are written over, where their words are gone.
    pub(crate) fn withdraw_before(&mut self, cx: &mut Cx<'_, Self>, items: &[Item]) {
        for item in items {
            let before = self.record_here((item.key, item.slot));
            let before = before.filter(|record| record.is_live(cx.wall));
            let Some(old) = before.as_ref().and_then(|record| document(item, record)) else {
                continue;
            };
            let new = document(item, &item.record);
            self.withdraw(cx, &old, new.as_ref());
        }
    }
}

/// What the index says of a record in the place of this one. The name of a holder is known to the
/// node that renews its lease.
fn document(place: &Item, record: &Record) -> Option<Document> {
    let body = record.body.as_ref()?;
    match place.slot {
        Slot::Text => Some(Described::decode(body)?.document(place.key, record.version)),
        Slot::Holder(addr) => Some(Document {
            key: place.key,
            subject: Subject::Holder(addr),
            text: std::str::from_utf8(body).ok()?.to_owned(),
            indexed: None,
        }),
        Slot::Value | Slot::Entry => None,
    }
}
