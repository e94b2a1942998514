//! Stores that take no new records: over their quota, or on a full disk.
//!
//! A root refuses a write at once. A replica says so to its root, which goes on with the others and
//! refuses the write as soon as too few of them are left. Tombstones are always taken, and reads
//! are answered: whoever has too much can delete. Records that come by comparison, or are handed
//! over to their root, are taken as well, beyond the quota: they were acknowledged, and to refuse
//! them would be to lose them.

use crate::coordinate::Asker;
use crate::message::WriteResult;
use crate::{Dht, Store, StoreMessage};
use overlay::{Contact, Cx, Item, KeyRouter};

/// Longest reason that is passed on.
const MAX_REASON_CHARS: usize = 256;

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Why these records are not taken, if they are not.
    pub(crate) fn no_room_for(&self, items: &[Item]) -> Option<String> {
        let is_new = |item: &Item| {
            let known = self.store.meta(item.key, item.slot);
            item.record.body.is_some()
                && known.is_none_or(|known| known.version < item.record.version)
        };
        let full = self.store.room().err()?;
        items.iter().any(is_new).then(|| full.to_string())
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
        let needed = write.needed(quorum, true);
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
