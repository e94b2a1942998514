//! Moving the records in which a range differs, in both directions.

use crate::checks::{BATCH_BYTES, batch_cost};
use crate::message::SyncDone;
use crate::parked::Parked;
use crate::sync::Stage;
use crate::view::Member;
use crate::{Dht, Position, Store, StoreMessage};
use overlay::{Contact, Cx, Fault, Item, KeyRouter};

/// Most records that are asked for in one message.
pub(crate) const MAX_WANTED: usize = 256;
impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Goes on with the records of this range, then with the next range.
    pub(crate) fn next_items(&mut self, cx: &mut Cx<'_, Self>, at: (usize, usize)) {
        let Some(walk) = self.walk_mut(at) else {
            return;
        };
        walk.attempts = 0;
        if !walk.push.is_empty() || !walk.want.is_empty() {
            return self.send_items(cx, at);
        }
        let upto = walk.upto;
        match upto {
            None if self.member(at).is_some_and(|(_, member)| !member.replica) => {
                self.finish_walk(cx, at);
            }
            None => self.send_done(cx, at),
            Some(upto) => {
                if let Some(walk) = self.walk_mut(at) {
                    walk.after = Some(upto);
                }
                self.send_range(cx, at);
            }
        }
    }

    pub(crate) fn send_items(&mut self, cx: &mut Cx<'_, Self>, at: (usize, usize)) {
        let Some((
            _,
            Member {
                walk: Some(walk), ..
            },
        )) = self.member(at)
        else {
            return;
        };
        let want: Vec<Position> = walk.want.iter().take(MAX_WANTED).copied().collect();
        let positions: Vec<Position> = walk.push.iter().take(MAX_WANTED).copied().collect();
        let (batch, handled) = self.plan_batch(&positions);
        let req = self.draw_number(cx);
        let Some(with) = self.sync_wait(cx, at, Stage::Items, req) else {
            return;
        };
        if !self.have_bodies(&batch, || Parked::Walk { with, req }) {
            return;
        }
        let items = self.batch(&batch);
        if let Some(walk) = self.walk_mut(at) {
            walk.pushed = handled;
        }
        self.post(cx, with, StoreMessage::SyncItems { req, items, want });
    }

    /// Goes on with a comparison whose next records have come from the disk.
    pub(crate) fn walk_loaded(&mut self, cx: &mut Cx<'_, Self>, with: Contact, req: u64) {
        if let Some(at) = self.walk_of(with, req, Stage::Items) {
            self.send_items(cx, at);
        }
    }

    /// Those of these positions whose records fit one message, and how many positions that
    /// covers: where there is no record any more, nothing is to be sent.
    pub(crate) fn plan_batch(&self, positions: &[Position]) -> (Vec<Position>, usize) {
        let (mut batch, mut bytes, mut handled) = (Vec::new(), 0, 0);
        for (key, slot) in positions {
            if let Some(known) = self.store.meta(*key, *slot) {
                bytes += batch_cost(&known);
                if bytes > BATCH_BYTES && !batch.is_empty() {
                    break;
                }
                batch.push((*key, *slot));
            }
            handled += 1;
        }
        (batch, handled)
    }

    /// The records at these places.
    pub(crate) fn batch(&self, places: &[Position]) -> Vec<Item> {
        let item = |(key, slot): &Position| {
            let record = self.record_here((*key, *slot))?;
            Some(Item {
                key: *key,
                slot: *slot,
                record,
            })
        };
        places.iter().filter_map(item).collect()
    }

    pub(crate) fn sync_items_answered(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        req: u64,
        items: Vec<Item>,
        handled: u32,
    ) {
        let Some(at) = self.walk_of(from, req, Stage::Items) else {
            return;
        };
        if !self.takes(cx, from, &items) {
            return;
        }
        let Some((
            view,
            Member {
                walk: Some(walk), ..
            },
        )) = self.member(at)
        else {
            return;
        };
        let arc = view.arc;
        let handled = (handled as usize).min(walk.want.len());
        if handled == 0 && !walk.want.is_empty() {
            return cx.hang_up(from, Fault::Protocol);
        }
        for item in items.into_iter().filter(|item| arc.contains(item.key)) {
            self.store.write(item);
        }
        let Some(walk) = self.walk_mut(at) else {
            return;
        };
        walk.want.drain(..handled);
        walk.push.drain(..walk.pushed.min(walk.push.len()));
        walk.pushed = 0;
        self.next_items(cx, at);
    }

    pub(crate) fn send_done(&mut self, cx: &mut Cx<'_, Self>, at: (usize, usize)) {
        let Some((
            view,
            Member {
                walk: Some(walk), ..
            },
        )) = self.member(at)
        else {
            return;
        };
        let done = self.done_message(view, walk.quorum);
        self.sync_send(cx, at, Stage::Done, |req| {
            StoreMessage::SyncDone(SyncDone { req, ..done })
        });
    }

    pub(crate) fn sync_done_answered(&mut self, cx: &mut Cx<'_, Self>, from: Contact, req: u64) {
        if let Some(at) = self.walk_of(from, req, Stage::Done) {
            self.finish_walk(cx, at);
        }
    }
}
