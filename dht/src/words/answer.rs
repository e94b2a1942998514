//! A replica says what it has of a node of the index.

use super::accept::MAX_LOOKED_AT;
use super::document::{Document, Entry};
use super::place::{Child, MAX_NODE_ENTRIES, low_of, stretch};
use crate::message::{EntriesSeen, EntrySeen, Filter, ReadData};
use crate::{Dht, Position, Store};
use overlay::words::{MAX_QUERY_BYTES, Query};
use overlay::{Id, KeyRouter, MAX_KEY_BYTES, Slot, WallMs};
use smallvec::SmallVec;

/// What a filter comes to.
enum Wanted {
    Query(Query),
    Names(bytes::Bytes),
    Words(String),
}

impl Wanted {
    /// Nothing when a peer made the filter up.
    fn of(filter: &Filter) -> Option<Self> {
        match filter {
            Filter::Query(text) => Query::parse(text).ok().map(Self::Query),
            Filter::Names(name) => (name.len() <= MAX_KEY_BYTES).then(|| Self::Names(name.clone())),
            Filter::Words(word) => {
                (word.len() <= MAX_QUERY_BYTES).then(|| Self::Words(word.clone()))
            }
        }
    }

    fn takes(&self, body: &[u8]) -> bool {
        match (self, Entry::decode(body)) {
            (Self::Query(query), Some(Entry::Document(Document { text, .. }))) => {
                query.matches_text(&text)
            }
            (
                Self::Names(begin),
                Some(Entry::Document(Document {
                    indexed: Some(name),
                    ..
                })),
            ) => name.starts_with(begin),
            (Self::Words(begin), Some(Entry::Word(word))) => word.starts_with(begin.as_str()),
            _ => false,
        }
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// The live entries of a node whose bodies an answer in full needs.
    pub(crate) fn entries_wanted(
        &self,
        base: Id,
        full: bool,
        wall: WallMs,
    ) -> SmallVec<[Position; 1]> {
        let (mut places, mut looked) = (SmallVec::new(), 0);
        if !full {
            return places;
        }
        self.store
            .range(stretch(base), None, &mut |place, slot, known| {
                looked += 1;
                if slot == Slot::Entry && known.is_live(wall) && Child::of(low_of(place)).is_none()
                {
                    places.push((place, slot));
                }
                looked < MAX_LOOKED_AT && places.len() < 4 * MAX_NODE_ENTRIES
            });
        places
    }

    /// What is here of a node; nothing when the question makes no sense.
    pub(crate) fn entries_seen(
        &self,
        base: Id,
        (filter, limit): (&Filter, u32),
        full: bool,
        places: &[Position],
        wall: WallMs,
    ) -> Option<ReadData> {
        let wanted = Wanted::of(filter)?;
        let mut more = places.len() >= 4 * MAX_NODE_ENTRIES;
        let limit = (limit as usize).min(4 * MAX_NODE_ENTRIES);
        let entries = full.then(|| {
            let mut entries = Vec::new();
            for position in places {
                let Some(record) = self.record_here(*position) else {
                    continue;
                };
                let body = record.body.unwrap_or_default();
                if !wanted.takes(&body) {
                    continue;
                }
                if entries.len() >= limit {
                    more = true;
                    break;
                }
                entries.push(EntrySeen {
                    low: low_of(position.0),
                    version: record.version,
                    expires: record.expires.unwrap_or_default(),
                    body,
                });
            }
            entries
        });
        let seen = EntriesSeen {
            sum: self.store.sum(stretch(base), (None, None)),
            children: self.filling(base, wall).children,
            entries,
            more,
            load: self.store.counts().entries,
        };
        Some(ReadData::Entries(Box::new(seen)))
    }
}
