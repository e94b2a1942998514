//! What a root takes over: records that others hand to it, and writes under way when its replica
//! set changes.

use crate::coordinate::{Asker, MAX_COORDINATED, Task};
use crate::horizon::{hides_others, is_dead};
use crate::message::HandOffResult;
use crate::parked::Parked;
use crate::planted::PlantedBug;
use crate::view::View;
use crate::{Dht, Meta, Position, Store, StoreMessage};
use overlay::{Consistency, Contact, Cx, Item, KeyRouter, Version};
use smallvec::SmallVec;

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// A node hands records over that belong to this root.
    pub(crate) fn hand_off_asked(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        req: u64,
        items: Vec<Item>,
    ) {
        if !self.takes(cx, from, &items) {
            return;
        }
        let view = items
            .first()
            .and_then(|first| self.views.iter().find(|view| view.arc.contains(first.key)));
        let is_mine = view.is_some_and(|view| items.iter().all(|item| view.arc.contains(item.key)));
        let has_room =
            self.coordinated.len() < MAX_COORDINATED && self.no_room_for(&items, false).is_none();
        if !is_mine || !has_room {
            let result = if is_mine {
                HandOffResult::Busy
            } else {
                HandOffResult::NotResponsible
            };
            return self.post(cx, from, StoreMessage::HandedOff { req, result });
        }
        let Some(items) = self.alive(cx, items) else {
            let result = HandOffResult::Busy;
            return self.post(cx, from, StoreMessage::HandedOff { req, result });
        };
        if items.is_empty() || self.config.has_bug(PlantedBug::SkipHandOver) {
            let result = HandOffResult::Stored;
            return self.post(cx, from, StoreMessage::HandedOff { req, result });
        }
        // What we have may be newer: then that is what the replicas must hold.
        let is_newer_here = |item: &&Item| {
            let known = self.store.meta(item.key, item.slot);
            known.is_some_and(|known| known.version > item.record.version)
        };
        let newer = items.iter().filter(is_newer_here);
        let newer: Vec<Position> = newer.map(|item| (item.key, item.slot)).collect();
        let again = || Parked::Message {
            from,
            message: Box::new(StoreMessage::HandOff {
                req,
                items: items.clone(),
            }),
        };
        if !self.have_bodies(&newer, again) {
            return;
        }
        let newest = items.into_iter().map(|item| {
            let place = (item.key, item.slot);
            let known = newer.contains(&place).then(|| self.record_here(place));
            match known.flatten() {
                Some(record) => Item { record, ..item },
                None => item,
            }
        });
        let task = Task {
            asker: Asker::HandOff { from, req },
            version: Version::default(),
            items: newest.collect(),
            consistency: Consistency::Quorum,
            existed: None,
            conditional: false,
        };
        self.coordinate(cx, task);
    }

    /// Those of the records that were not deleted long ago; nothing while this root does not know.
    fn alive(&self, cx: &Cx<'_, Self>, items: Vec<Item>) -> Option<Vec<Item>> {
        let grace_s = self.config.tombstone_grace_s;
        let mut alive = Vec::with_capacity(items.len());
        for item in items {
            let meta = Meta::of(&item.record);
            let is_old = meta.version.clock.wall().plus_secs(grace_s) < cx.wall;
            let mut views = self.views.iter();
            let mine = views.find(|view| view.arc.contains(item.key));
            let complete = mine.is_some_and(View::is_complete);
            if is_old && !complete && !hides_others(item.slot, &meta, cx.wall) {
                return None;
            }
            let collected = self.of_missing(cx, item.key).collected;
            let spared = self.spares((item.key, item.slot), cx.wall);
            if spared || !is_dead(&meta, collected) {
                alive.push(item);
            }
        }
        Some(alive)
    }

    /// The replica set of an arc has changed: writes under way go to the present one, which may
    /// be able to make them safe where the one before was not.
    pub(crate) fn recoordinate(&mut self, cx: &mut Cx<'_, Self>, arc: overlay::Arc) {
        let Some(view) = self.views.iter().find(|view| view.arc == arc) else {
            return;
        };
        let replicas = view.replicas.clone();
        let me = self.my().id;
        let under_way: Vec<u64> = self
            .coordinated
            .iter()
            .filter(|(_, write)| !write.answered && write.is_in(arc))
            .map(|(number, _)| *number)
            .collect();
        for number in under_way {
            let Some(write) = self.coordinated.get_mut(&number) else {
                continue;
            };
            let before = std::mem::take(&mut write.waiting);
            let held = std::mem::take(&mut write.durable);
            write.total = replicas.len();
            let mut new: SmallVec<[Contact; 3]> = SmallVec::new();
            for peer in &replicas {
                if held.contains(&peer.id) {
                    write.durable.push(peer.id);
                } else if peer.id != me {
                    write.waiting.push(*peer);
                    if !before.iter().any(|known| known.id == peer.id) {
                        new.push(*peer);
                    }
                }
            }
            self.send_replicas(cx, number, &new);
            self.answer_if_safe(cx, number);
        }
    }
}
