//! What this node has of what is searched for.

use crate::message::{
    Guid, Header, Hit, MAX_ANSWERS, MAX_HIT_TEXT_BYTES, MAX_HITS, MAX_TTL, MAX_WANTED, Message,
    QueryHit, What,
};
use crate::node::Gnutella;
use crate::seen::Back;
use overlay::words::Query as WordQuery;
use overlay::{Cx, Id, Meta, Slot, Store, WallMs};

impl<S: Store> Gnutella<S> {
    /// Sends what this node has, in [`MAX_ANSWERS`] messages at most; says in how many.
    pub(crate) fn answer(
        &mut self,
        cx: &mut Cx<'_, Self>,
        hits: Vec<Hit>,
        guid: Guid,
        hops: u8,
        back: Back,
    ) -> u32 {
        // "The TTL of a QueryHit is at least the hops of its query, plus 2" (0.6).
        let ttl = hops.saturating_add(2).min(MAX_TTL);
        let to = match back {
            Back::Link(id) => self.links.get(&id).map(|link| link.contact),
            Back::Straight(origin) => Some(origin),
            Back::Me | Back::Round(_) => None,
        };
        let messages = in_messages(hits);
        let count = messages.len() as u32;
        self.tally.told.hits_sent += to.map_or(0, |_| u64::from(count));
        for hits in messages {
            let hit = Message::QueryHit(Box::new(QueryHit {
                header: Header::new(guid, ttl),
                from: self.me,
                hits,
            }));
            if let Some(to) = to {
                cx.send(to, hit);
            }
        }
        count
    }

    /// The records that match, as hits: so many live ones as are wanted, and what was deleted besides,
    /// so that no older copy of it counts.
    pub(crate) fn matches(&self, what: &What, wanted: u32, wall: WallMs) -> Vec<Hit> {
        let most = wanted.clamp(1, MAX_WANTED) as usize;
        let mut found = Found {
            live: Vec::new(),
            gone: Vec::new(),
            most,
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
        found.live.append(&mut found.gone);
        found.live
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
            if found.has_room(meta.is_tombstone()) && (meta.is_live(wall) || meta.is_tombstone()) {
                found.push(self.hit(key, Slot::Holder(addr), meta, wall));
            }
            found.has_room(false) || found.has_room(true)
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

/// Hits within the limits of an answer.
struct Found {
    live: Vec<Hit>,
    /// Deleted. They take no place of a live one.
    gone: Vec<Hit>,
    /// Most live ones.
    most: usize,
}

impl Found {
    const fn has_room(&self, gone: bool) -> bool {
        if gone {
            self.gone.len() < MAX_HITS
        } else {
            self.live.len() < self.most
        }
    }

    fn push(&mut self, hit: Hit) {
        if self.has_room(hit.gone) {
            let list = if hit.gone {
                &mut self.gone
            } else {
                &mut self.live
            };
            list.push(hit);
        }
    }
}

/// Hits in messages, each within its limits; the rest is left out.
fn in_messages(hits: Vec<Hit>) -> Vec<Vec<Hit>> {
    let mut messages: Vec<Vec<Hit>> = Vec::new();
    let mut bytes = 0;
    for hit in hits {
        let is_full = messages.len() >= MAX_ANSWERS as usize;
        let fits = bytes + hit.text.len() <= MAX_HIT_TEXT_BYTES;
        match messages.last_mut() {
            Some(last) if fits && last.len() < MAX_HITS => {
                bytes += hit.text.len();
                last.push(hit);
            }
            _ if is_full => break,
            _ => {
                bytes = hit.text.len();
                messages.push(vec![hit]);
            }
        }
    }
    messages
}
