//! What waits for bodies that are on disk.
//!
//! A machine never waits for a disk. Whatever needs a body that is not in memory asks the store
//! for it and is parked; when the driver says that the body is there, it is taken up again from
//! its beginning, as if it had come only now. Between the two everything may have changed: a body
//! that is missing again is asked for again.

use crate::{Dht, Found, Position, Store, StoreMessage};
use overlay::{Contact, Cx, KeyRouter, LoadSeq, Record};

/// Most things that wait for the disk. One more is dropped, as if its message had been lost: who
/// sent it asks again. A disk that is that far behind is not made faster by a longer queue.
pub(crate) const MAX_PARKED: usize = 16_384;

/// What goes on when the bodies are there.
#[derive(Debug)]
pub(crate) enum Parked {
    /// A message is handled.
    Message {
        from: Contact,
        message: Box<StoreMessage>,
    },
    /// A comparison sends its next records.
    Walk { with: Contact, req: u64 },
    /// Strays are handed to their root.
    Strays { req: u64 },
    /// Texts of values are published again.
    Texts(Vec<Position>),
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Whether the bodies at these places are in memory. If not, they are asked for, and `then`
    /// is done when they are.
    pub(crate) fn have_bodies(
        &mut self,
        places: &[Position],
        then: impl FnOnce() -> Parked,
    ) -> bool {
        let is_on_disk =
            |(key, slot): &Position| matches!(self.store.read(*key, *slot), Found::OnDisk);
        if !places.iter().any(is_on_disk) {
            return true;
        }
        if self.parked.len() < MAX_PARKED {
            // All of them: those that are in memory now may not be when the others have come.
            let seq = self.store.load(places);
            self.parked.insert(seq, then());
        }
        false
    }

    /// The record at a place, when its body is in memory.
    pub(crate) fn record_here(&self, (key, slot): Position) -> Option<Record> {
        match self.store.read(key, slot) {
            Found::Here(record) => Some(record),
            Found::Absent | Found::OnDisk => None,
        }
    }

    /// Bodies have come: goes on with what waited for them.
    pub(crate) fn loaded_now(&mut self, cx: &mut Cx<'_, Self>, seq: LoadSeq) {
        self.store.loaded(seq);
        while let Some(first) = self.parked.first_entry() {
            let at = *first.key();
            if at > seq {
                break;
            }
            match first.remove() {
                Parked::Message { from, message } => {
                    if !self.left {
                        self.store_message(cx, from, *message);
                    }
                }
                Parked::Walk { with, req } => self.walk_loaded(cx, with, req),
                Parked::Strays { req } => self.strays_loaded(cx, req),
                Parked::Texts(texts) => self.keep_texts(cx, texts),
            }
            self.store.release(at);
        }
    }
}
