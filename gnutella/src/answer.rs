//! What this node has of what is searched for.

use crate::index::MAX_LOOKED;
use crate::message::{
    Guid, Header, Hit, MAX_ANSWERS, MAX_HIT_TEXT_BYTES, MAX_HITS, MAX_TTL, MAX_WANTED, Message,
    Query, QueryHit, What,
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
        if count > 0 {
            self.seen.note_hit(guid);
        }
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

    /// What this node has of what is asked for, as hits: so many live ones as are wanted, and what was
    /// deleted besides, so that no older copy of it counts. Says also whether there may be more,
    /// because not all texts were looked at.
    pub(crate) fn matches(
        &mut self,
        cx: &Cx<'_, Self>,
        asker: Option<Id>,
        query: &Query,
    ) -> (Vec<Hit>, bool) {
        let wall = cx.wall;
        let mut found = Found {
            live: Vec::new(),
            gone: Vec::new(),
            most: query.wanted.clamp(1, MAX_WANTED) as usize,
        };
        let mut is_cut = false;
        match &query.what {
            What::Value(key) => self.match_one(*key, Slot::Value, wall, &mut found),
            What::Holders(key) => self.match_holders(*key, wall, &mut found),
            What::Any(key) => {
                self.match_one(*key, Slot::Value, wall, &mut found);
                self.match_holders(*key, wall, &mut found);
            }
            What::Holder(key, addr) => self.match_one(*key, Slot::Holder(*addr), wall, &mut found),
            What::Words(text) => is_cut = self.match_words(cx, asker, text, &mut found),
        }
        found.live.append(&mut found.gone);
        (found.live, is_cut)
    }

    /// Looks at no more texts than the asker may have looked at; says whether there are more.
    fn match_words(
        &mut self,
        cx: &Cx<'_, Self>,
        asker: Option<Id>,
        text: &str,
        found: &mut Found,
    ) -> bool {
        let Ok(query) = WordQuery::parse(text) else {
            return false;
        };
        let asker = asker.and_then(|id| self.links.get_mut(&id));
        let mut conduct = asker.map(|link| &mut link.conduct);
        let looks = conduct.as_ref().map_or(MAX_LOOKED, |it| it.looks(cx.now));
        let looked = self.index.find(&query, found.most, looks);
        self.tally.looked += looked.texts as u64;
        if let Some(conduct) = &mut conduct {
            conduct.has_looked(cx.now, looked.texts);
        }
        for (key, slot) in looked.places {
            if let Some(meta) = self.store.meta(key, slot)
                && meta.is_live(cx.wall)
            {
                found.push(self.hit(key, slot, &meta, cx.wall));
            }
        }
        looked.is_cut
    }

    fn match_one(&self, key: Id, slot: Slot, wall: WallMs, found: &mut Found) {
        if let Some(meta) = self.store.meta(key, slot)
            && (meta.is_live(wall) || meta.is_tombstone())
        {
            found.push(self.hit(key, slot, &meta, wall));
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
