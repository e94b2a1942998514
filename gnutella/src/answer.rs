//! What this node has of what is searched for.

use crate::message::{
    Guid, Header, Hit, MAX_HIT_TEXT_BYTES, MAX_HITS, MAX_TTL, Message, QueryHit, What,
};
use crate::node::Gnutella;
use crate::seen::Back;
use overlay::words::Query as WordQuery;
use overlay::{Cx, Id, Meta, Slot, Store, WallMs};

impl<S: Store> Gnutella<S> {
    /// Sends what this node has; says in how many messages.
    pub(crate) fn answer(
        &self,
        cx: &mut Cx<'_, Self>,
        hits: Vec<Hit>,
        guid: Guid,
        hops: u8,
        back: Back,
    ) -> u32 {
        if hits.is_empty() {
            return 0;
        }
        // "The TTL of a QueryHit is at least the hops of its query, plus 2" (0.6).
        let ttl = hops.saturating_add(2).min(MAX_TTL);
        let hit = Message::QueryHit(Box::new(QueryHit {
            header: Header::new(guid, ttl),
            from: self.me,
            hits,
        }));
        match back {
            Back::Link(id) => {
                if let Some(link) = self.links.get(&id) {
                    cx.send(link.contact, hit);
                }
            }
            Back::Straight(origin) => cx.send(origin, hit),
            Back::Me | Back::Round(_) => {}
        }
        1
    }

    /// The records that match, as hits.
    pub(crate) fn matches(&self, what: &What, wanted: u32, wall: WallMs) -> Vec<Hit> {
        let most = (wanted.max(1) as usize).min(MAX_HITS);
        let mut found = Found {
            hits: Vec::new(),
            most,
            bytes: 0,
        };
        match what {
            What::Value(key) => self.match_value(*key, wall, &mut found),
            What::Holders(key) => self.match_holders(*key, wall, &mut found),
            What::Any(key) => {
                self.match_value(*key, wall, &mut found);
                self.match_holders(*key, wall, &mut found);
            }
            What::Words(text) => {
                let Ok(query) = WordQuery::parse(text) else {
                    return Vec::new();
                };
                for (key, slot) in self.index.find(&query, most) {
                    if let Some(meta) = self.store.meta(key, slot)
                        && meta.is_live(wall)
                    {
                        found.push(self.hit(key, slot, &meta, wall));
                    }
                }
            }
        }
        found.hits
    }

    fn match_value(&self, key: Id, wall: WallMs, found: &mut Found) {
        if let Some(meta) = self.store.meta(key, Slot::Value)
            && (meta.is_live(wall) || meta.is_tombstone())
        {
            found.push(self.hit(key, Slot::Value, &meta, wall));
        }
    }

    fn match_holders(&self, key: Id, wall: WallMs, found: &mut Found) {
        self.store.holders(key, &mut |addr, meta| {
            if meta.is_live(wall) || meta.is_tombstone() {
                found.push(self.hit(key, Slot::Holder(addr), meta, wall));
            }
            !found.is_full()
        });
    }

    fn hit(&self, key: Id, slot: Slot, meta: &Meta, wall: WallMs) -> Hit {
        let life_s = meta.expires.map(|end| end.secs_after(wall));
        Hit {
            key,
            slot,
            version: meta.version,
            gone: meta.is_tombstone(),
            life_s: life_s.map(|life| u32::try_from(life).unwrap_or(u32::MAX)),
            bytes: match slot {
                Slot::Value => meta.length.unwrap_or(0),
                _ => 0,
            },
            text: self.index.text((key, slot)).to_owned(),
        }
    }
}

/// Hits up to the limits of a message.
struct Found {
    hits: Vec<Hit>,
    most: usize,
    bytes: usize,
}

impl Found {
    fn is_full(&self) -> bool {
        self.hits.len() >= self.most
    }

    fn push(&mut self, hit: Hit) {
        if !self.is_full() && self.bytes + hit.text.len() <= MAX_HIT_TEXT_BYTES {
            self.bytes += hit.text.len();
            self.hits.push(hit);
        }
    }
}
