//! The part of a replica: answering reads, and holding what roots send.

use crate::checks::is_garbage;
use crate::durable::Then;
use crate::message::{
    ArcNews, Body, Confirmation, HolderSeen, Read, ReadData, ReadReply, Replicate, Seen, Standing,
    Wanted,
};
use crate::parked::Parked;
use crate::{Dht, Position, Store, StoreMessage};
use overlay::{Contact, Cx, Fault, Hlc, Id, KeyRouter, MAX_HOLDERS_PER_KEY, Slot, WallMs};
use smallvec::SmallVec;

/// A value up to this length travels with every answer; of a longer one, only the root sends the
/// bytes, unless another replica turns out to have a newer version. One small frame.
const INLINE_BYTES: usize = 1 << 10;
/// Most records of holders in one answer, tombstones included.
const MAX_HOLDERS_LISTED: usize = 2 * MAX_HOLDERS_PER_KEY;

/// Where the bodies of an answer are: mostly one.
type Places = SmallVec<[Position; 1]>;

/// A mark by which an origin and a root notice that they mean different replica sets.
pub(crate) fn set_mark(replicas: &[Contact]) -> u64 {
    replicas.iter().fold(replicas.len() as u64, |mark, peer| {
        let (_, low) = peer.id.parts();
        (mark ^ low as u64)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29)
    })
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    pub(crate) fn read_asked(&mut self, cx: &mut Cx<'_, Self>, from: Contact, read: &Read) {
        let places = match &read.what {
            Wanted::Value => self.value_wanted(read.key, read.full),
            Wanted::Holders { limit } => self.holders_wanted(read.key, *limit, cx.wall),
            Wanted::Entries { .. } => self.entries_wanted(read.key, read.full, cx.wall),
        };
        let again = || Parked::Message {
            from,
            message: Box::new(StoreMessage::Read(read.clone())),
        };
        if !self.have_bodies(&places, again) {
            return;
        }
        let data = match &read.what {
            Wanted::Value => ReadData::Value(self.value_seen(read.key, read.full)),
            Wanted::Holders { .. } => ReadData::Holders(self.holders_seen(&places)),
            Wanted::Entries { filter, limit } => {
                let wanted = (filter, *limit);
                match self.entries_seen(read.key, wanted, read.full, &places, cx.wall) {
                    Some(data) => data,
                    None => return cx.hang_up(from, Fault::OutOfBounds),
                }
            }
        };
        let standing = self.standing(cx, read.key, read.set);
        // A list that was cut short proves nothing about those that are not in it.
        let whole = match (&data, &read.what) {
            (ReadData::Holders(seen), Wanted::Holders { limit }) => {
                seen.len() < MAX_HOLDERS_PER_KEY.min(*limit as usize)
            }
            _ => true,
        };
        let mut missing = self.of_missing(cx, read.key);
        if !whole {
            missing.collected = Hlc::default();
        }
        let reply = ReadReply {
            req: read.req,
            standing,
            data,
            missing,
        };
        self.post(cx, from, StoreMessage::ReadReply(reply));
    }

    /// What this node is to a key.
    fn standing(&self, cx: &Cx<'_, Self>, key: Id, set: u64) -> Standing {
        let Some(view) = self.views.iter().find(|view| view.arc.contains(key)) else {
            return Standing::Other {
                covered: self.covers.of(key, cx.now),
            };
        };
        let news = (view.mark != set).then(|| {
            Box::new(ArcNews {
                arc: view.arc,
                replicas: view.replicas.clone(),
            })
        });
        Standing::Root {
            complete: view.is_complete(),
            view: view.id,
            news,
        }
    }

    /// Where the body is that goes with the answer, if one does.
    fn value_wanted(&self, key: Id, full: bool) -> Places {
        let known = self.store.meta(key, Slot::Value);
        let length = known.and_then(|known| known.length);
        let travels = length.is_some_and(|length| full || length as usize <= INLINE_BYTES);
        travels.then_some((key, Slot::Value)).into_iter().collect()
    }

    fn value_seen(&self, key: Id, full: bool) -> Option<Seen> {
        let known = self.store.meta(key, Slot::Value)?;
        let body = match known.length {
            None => Body::Tombstone,
            Some(length) if full || length as usize <= INLINE_BYTES => {
                Body::Bytes(self.record_here((key, Slot::Value))?.body?)
            }
            Some(_) => Body::Withheld,
        };
        Some(Seen {
            version: known.version,
            expires: known.expires,
            body,
        })
    }

    /// The holders that go with the answer, removed ones that still matter included.
    fn holders_wanted(&self, key: Id, limit: u32, wall: WallMs) -> Places {
        let limit = (limit as usize).min(MAX_HOLDERS_PER_KEY);
        let grace_s = self.config.tombstone_grace_s;
        let (mut places, mut live) = (Places::new(), 0);
        self.store.holders(key, &mut |addr, known| {
            let slot = Slot::Holder(addr);
            if known.is_tombstone() || !is_garbage(slot, known, wall, grace_s) {
                live += usize::from(known.is_live(wall));
                places.push((key, slot));
            }
            live < limit && places.len() < MAX_HOLDERS_LISTED
        });
        places
    }

    fn holders_seen(&self, places: &[Position]) -> Vec<HolderSeen> {
        let seen = |(key, slot): &Position| {
            let Slot::Holder(addr) = *slot else {
                return None;
            };
            let record = self.record_here((*key, *slot))?;
            Some(HolderSeen {
                addr,
                version: record.version,
                expires: record.expires,
                text: record.body,
            })
        };
        places.iter().filter_map(seen).collect()
    }

    /// A root asks to hold records: newest wins, and durable before it is acknowledged.
    pub(crate) fn replicate_asked(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        replicate: Replicate,
    ) {
        let Replicate {
            req,
            items,
            under,
            name,
        } = replicate;
        if !self.takes(cx, from, &items) {
            return;
        }
        if let Some(why) = self.no_room_for(&items, name.is_some()) {
            return self.post(cx, from, StoreMessage::NotReplicated { req, why });
        }
        if let (Some(view), Some(item)) = (under, items.first()) {
            // The root decided about a condition: it must not count on a copy that is no longer its.
            let standing = self.covers.confirmation(from.id, view, item.key, cx.now);
            let is_mine = self.views.iter().any(|view| view.arc.contains(item.key));
            if is_mine || standing != Confirmation::Copy {
                return;
            }
        }
        if let (Some((origin, number)), Some(item)) = (name, items.first()) {
            let version = item.record.version;
            self.remembered.replicated(origin, number, version, cx.now);
        }
        // Only the report on a deletion asks whether there was something.
        let existed = items.first().is_some_and(|first| {
            first.record.body.is_none()
                && self
                    .store
                    .meta(first.key, first.slot)
                    .is_some_and(|known| known.is_live(cx.wall))
        });
        self.askers.heard(from, cx.now);
        let mut seq = self.durable;
        for item in items {
            self.clock.observe(item.record.version.clock, cx.wall);
            seq = seq.max(self.store.write(item));
        }
        self.when_durable(
            cx,
            seq,
            Then::Acknowledge {
                to: from,
                req,
                existed,
            },
        );
    }
}
