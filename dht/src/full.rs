//! Stores that take no new records: over their quota, or on a full disk.
//!
//! A root refuses a write at once. A replica says so to its root, which goes on with the others and
//! refuses the write as soon as too few of them are left. Tombstones are always taken, and reads
//! are answered: whoever has too much can delete.
//!
//! Records that come by comparison, or are handed over to their root, were acknowledged, and are
//! taken beyond the quota, up to a margin. Beyond that a replica leaves them out and says so: it is
//! no full copy then, and the comparison goes on with the tombstones alone, which make room. A root
//! without room takes tombstones and leaves the rest where it is, and has not everything. Either
//! way nothing is dropped anywhere, and the comparison is repeated after [`ROOM_PAUSE`].

use crate::coordinate::Asker;
use crate::message::WriteResult;
use crate::sync::Walk;
use crate::{Dht, Store, StoreMessage};
use overlay::{Contact, Cx, Duration, Item, KeyRouter, WaitsFor, WriteSeq};

/// The pause before records are compared again that a store had no room for. As soon as one would
/// come by itself if an operator makes room, and rare enough that a batch which is refused again
/// costs little.
pub(crate) const ROOM_PAUSE: Duration = Duration::from_secs(30);

/// Longest reason that is passed on.
const MAX_REASON_CHARS: usize = 256;

impl Walk {
    /// Whose store has no room for all, if one has none.
    pub(crate) const fn no_room(&self) -> Option<WaitsFor> {
        match (self.left_out, self.left_out_here) {
            (false, false) => None,
            (true, _) => Some(WaitsFor::PeerRoom),
            (false, true) => Some(WaitsFor::OwnRoom),
        }
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Whether a record needs room that its place does not have yet.
    pub(crate) fn is_new(&self, item: &Item) -> bool {
        let known = self.store.meta(item.key, item.slot);
        item.record.body.is_some() && known.is_none_or(|known| known.version < item.record.version)
    }

    /// Why these records are not taken, if they are not; those of a user's write must fit the
    /// quota.
    pub(crate) fn no_room_for(&self, items: &[Item], is_write: bool) -> Option<String> {
        let room = match is_write {
            true => self.store.room(),
            false => self.store.room_for_repairs(),
        };
        let full = room.err()?;
        let any = items.iter().any(|item| self.is_new(item));
        any.then(|| full.to_string())
    }

    /// Writes a record that another node holds already, unless there is no room for it.
    pub(crate) fn write_if_it_fits(&mut self, item: Item) -> Option<WriteSeq> {
        let has_room = !self.is_new(&item) || self.store.room_for_repairs().is_ok();
        has_room.then(|| self.store.write(item))
    }

    /// Goes on with what needs no room: tombstones for a replica, and what may be a tombstone for
    /// a record here.
    pub(crate) fn skip_without_room(&mut self, at: (usize, usize)) {
        let Some(walk) = self.walk_mut(at) else {
            return;
        };
        let (left_out, left_out_here) = (walk.left_out, walk.left_out_here);
        let mut push = std::mem::take(&mut walk.push);
        let mut want = std::mem::take(&mut walk.want);
        if left_out {
            push.retain(|(key, slot)| {
                let known = self.store.meta(*key, *slot);
                known.is_some_and(|known| known.is_tombstone())
            });
        }
        if left_out_here {
            want.retain(|(key, slot)| self.store.meta(*key, *slot).is_some());
        }
        if let Some(walk) = self.walk_mut(at) {
            walk.push = push;
            walk.want = want;
        }
    }

    /// A replica is full.
    pub(crate) fn not_replicated(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        number: u64,
        why: &str,
    ) {
        let (quorum, me) = (self.config.write_quorum, self.my().id);
        let Some(write) = self.coordinated.get_mut(&number) else {
            return;
        };
        let Some(at) = write.waiting.iter().position(|peer| peer.id == from.id) else {
            return;
        };
        write.waiting.swap_remove(at);
        let own = usize::from(!write.durable.contains(&me));
        let possible = write.durable.len() + write.waiting.len() + own;
        let needed = write.needed(quorum, write.total, true);
        let (answered, durable, asker) = (write.answered, write.durable.len(), write.asker);
        let version = write.version;
        if answered || possible >= needed {
            return self.answer_if_safe(cx, number);
        }
        let Asker::Write {
            origin,
            req,
            number: name,
        } = asker
        else {
            // Whoever hands over or renews is told by the time-out.
            return;
        };
        self.forget_coordinated(number);
        self.remembered.given_up(origin.id, name, version);
        let why: String = why.chars().take(MAX_REASON_CHARS).collect();
        let result = WriteResult::Full(format!(
            "of {needed} replicas that must hold it {durable} do, and a replica is full, so that it \
             may still appear: {why}"
        ));
        self.post(cx, origin, StoreMessage::WriteReply { req, result });
    }
}
