//! The root's part in renewing many leases at once: one replicated group.

use crate::checks::renewal_fits;
use crate::coordinate::{Asker, MAX_COORDINATED, Task};
use crate::message::{RenewMany, RenewResult, Renewal};
use crate::{Dht, Meta, Store, StoreMessage};
use overlay::{Consistency, Contact, Cx, Fault, Hlc, Item, KeyRouter, Record, Slot, Version};

/// Most leases in one message: with short texts 30 to 60 KB, which does not hold up the small
/// messages of users.
pub(crate) const MAX_RENEWALS: usize = 512;

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// A node renews leases of which this node should be the root.
    pub(crate) fn renew_asked(&mut self, cx: &mut Cx<'_, Self>, from: Contact, asked: RenewMany) {
        let RenewMany { req, items, seen } = asked;
        if items.len() > MAX_RENEWALS || !items.iter().all(renewal_fits) {
            return cx.hang_up(from, Fault::OutOfBounds);
        }
        let clocks = items.iter().map(|renewal| renewal.clock);
        if !self.trusts(cx, from, clocks.fold(seen, Hlc::max)) {
            return;
        }
        let view = items
            .first()
            .and_then(|first| self.views.iter().find(|view| view.arc.contains(first.key)));
        let Some(arc) = view.map(|view| view.arc) else {
            let result = RenewResult::NotResponsible;
            return self.post(cx, from, StoreMessage::Renewed { req, result });
        };
        if self.coordinated.len() >= MAX_COORDINATED {
            let result = RenewResult::Busy;
            return self.post(cx, from, StoreMessage::Renewed { req, result });
        }
        self.clock.observe(seen, cx.wall);
        let (mut removed, mut not_mine, mut full) = (Vec::new(), Vec::new(), Vec::new());
        let mut records = Vec::with_capacity(items.len());
        let has_room = self.store.room_for_repairs().is_ok();
        for (at, renewal) in (0_u32..).zip(items) {
            let (key, slot) = (renewal.key, Slot::Holder(renewal.holder));
            if !arc.contains(key) {
                not_mine.push(at);
                continue;
            }
            let known = self.store.meta(key, slot);
            let deleted = known.filter(Meta::is_tombstone);
            if deleted.is_some_and(|known| known.version.clock >= renewal.clock) {
                // A renewal does not undo a deletion.
                removed.push(at);
                continue;
            }
            let is_new = known.is_none_or(|known| !known.is_live(cx.wall));
            let has_room = !is_new || has_room && !self.has_most_holders(key, cx.wall);
            let version = self.renewed_version(cx, &renewal, known.as_ref());
            let Some(version) = version.filter(|_| has_room) else {
                full.push(at);
                continue;
            };
            let record = Record {
                version,
                body: Some(renewal.text),
                expires: Some(cx.wall.plus_secs(u64::from(renewal.lease_s))),
            };
            records.push(Item { key, slot, record });
        }
        let result = RenewResult::Done {
            removed,
            not_mine,
            full,
        };
        if records.is_empty() {
            return self.post(cx, from, StoreMessage::Renewed { req, result });
        }
        let task = Task {
            asker: Asker::Renewals { from, req },
            version: Version::default(),
            items: records,
            consistency: Consistency::Quorum,
            existed: None,
            conditional: false,
        };
        let number = self.draw_number(cx);
        self.renewing.insert(number, result);
        self.coordinate_as(cx, number, task);
    }

    /// The version of a lease that goes on: the next one, whatever the time, so that a deletion of
    /// which this root has not heard is newer. Where a deletion as old as that may have been
    /// collected, a root that has everything knows that the lease ended long ago, and this is a new
    /// one. Any other may just not have it: none.
    fn renewed_version(
        &mut self,
        cx: &mut Cx<'_, Self>,
        renewal: &Renewal,
        known: Option<&Meta>,
    ) -> Option<Version> {
        let last = known.map(|known| known.version.clock);
        let next = last.map_or(renewal.clock, |last| last.following().max(renewal.clock));
        let is_live = known.is_some_and(|known| known.is_live(cx.wall));
        let clock = match is_live || next > self.collected_at(renewal.key) {
            true => next,
            false if self.is_complete_for(renewal.key) => self.clock.next(cx.wall, last),
            false => return None,
        };
        Some(self.version(cx, clock))
    }
}
