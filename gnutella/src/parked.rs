//! What waits for the disk: bodies to be read, and writes to be durable.

use crate::message::{Guid, Message};
use crate::node::Gnutella;
use overlay::{Contact, Cx, Found, Id, LoadSeq, Slot, Store, WriteSeq};

/// Most things that wait for bodies. One more is dropped, as if its message had been lost.
pub const MAX_PARKED: usize = 16_384;
/// Records whose texts are read together when a node starts.
const INDEX_PAGE: usize = 512;

/// What goes on when a body is there.
#[derive(Debug)]
pub(crate) enum Parked {
    /// A get of this node found it here.
    Own {
        /// The search.
        number: u64,
    },
    /// Somebody wants it.
    Body {
        /// Who.
        to: Contact,
        /// The name of the transfer.
        req: Guid,
        /// Of what.
        key: Id,
    },
    /// This node leaves.
    HandOver {
        /// What is handed over next.
        places: Vec<(Id, Slot)>,
    },
    /// The texts of what was stored in an earlier life.
    Index {
        /// Of which records.
        places: Vec<(Id, Slot)>,
    },
}

/// What goes on when a write is durable.
#[derive(Clone, Debug)]
pub(crate) enum Then {
    /// A write of this node counts its own copy.
    Own(Guid),
    /// Somebody is told that a copy is kept.
    Kept(Contact, Guid),
    /// Somebody is told that what it handed over is kept.
    Taken(Contact, Guid),
}

impl<S: Store> Gnutella<S> {
    pub(crate) fn park(&mut self, places: Vec<(Id, Slot)>, then: Parked) {
        if self.parked.len() < MAX_PARKED {
            let seq = self.store.load(&places);
            self.parked.insert(seq, then);
        }
    }

    pub(crate) fn loaded_now(&mut self, cx: &mut Cx<'_, Self>, seq: LoadSeq) {
        self.store.loaded(seq);
        while let Some(first) = self.parked.first_entry() {
            let at = *first.key();
            if at > seq {
                break;
            }
            let then = first.remove();
            match &then {
                Parked::Own { number } => {
                    if let Some(key) = self.searches.get(number).map(|it| it.key) {
                        let record = self.read_now(key, Slot::Value);
                        self.body_read(cx, record, &then);
                    }
                }
                Parked::Body { key, .. } => {
                    let record = self.read_now(*key, Slot::Value);
                    self.body_read(cx, record, &then);
                }
                Parked::HandOver { places } => self.hand_over_these(cx, places),
                Parked::Index { places } => self.index_these(places),
            }
            self.store.release(at);
        }
    }

    pub(crate) fn read_now(&self, key: Id, slot: Slot) -> Option<overlay::Record> {
        match self.store.read(key, slot) {
            Found::Here(record) => Some(record),
            Found::Absent | Found::OnDisk => None,
        }
    }

    /// Does `then` once a write is durable.
    pub(crate) fn when_durable(&mut self, cx: &mut Cx<'_, Self>, seq: WriteSeq, then: Then) {
        if seq <= self.durable {
            return self.durable_then(cx, then);
        }
        self.waiting.push_back((seq, then));
    }

    pub(crate) fn durable_now(&mut self, cx: &mut Cx<'_, Self>, seq: WriteSeq) {
        self.store.durable(seq);
        self.durable = self.durable.max(seq);
        while self.waiting.front().is_some_and(|(at, _)| *at <= seq) {
            if let Some((_, then)) = self.waiting.pop_front() {
                self.durable_then(cx, then);
            }
        }
    }

    fn durable_then(&mut self, cx: &mut Cx<'_, Self>, then: Then) {
        match then {
            Then::Own(guid) => self.own_copy_durable(cx, guid),
            Then::Kept(to, req) => cx.send(to, Message::Replicated { req, kept: true }),
            Then::Taken(to, req) => cx.send(to, Message::HandedOver { req, kept: true }),
        }
    }

    /// Reads the texts of all holders in the store, page by page.
    pub(crate) fn load_index(&mut self) {
        let whole = overlay::Arc::whole(Id::MAX);
        let mut places = Vec::new();
        self.store.range(whole, None, &mut |key, slot, meta| {
            let has_text = meta.length.is_some_and(|length| length > 0);
            if matches!(slot, Slot::Holder(_) | Slot::Text) && has_text {
                places.push((key, slot));
            }
            true
        });
        self.published.is_stale = true;
        for page in places.chunks(INDEX_PAGE) {
            let on_disk =
                |(key, slot): &(Id, Slot)| matches!(self.store.read(*key, *slot), Found::OnDisk);
            if page.iter().any(on_disk) {
                let places = page.to_vec();
                self.park(page.to_vec(), Parked::Index { places });
            } else {
                self.index_these(page);
            }
        }
    }

    fn index_these(&mut self, places: &[(Id, Slot)]) {
        for (key, slot) in places {
            let record = self.read_now(*key, *slot);
            if let Some(body) = record.and_then(|record| record.body)
                && let Ok(text) = std::str::from_utf8(&body)
            {
                let slot = if *slot == Slot::Text {
                    Slot::Value
                } else {
                    *slot
                };
                self.index.set((*key, slot), text);
            }
        }
        self.published.is_stale = true;
    }
}
