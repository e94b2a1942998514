//! Moving the records in which ranges differ, in both directions, at a bounded pace.

use crate::checks::{BATCH_BYTES, batch_cost};
use crate::horizon::is_dead;
use crate::member::Member;
use crate::message::SyncDone;
use crate::parked::Parked;
use crate::sync::Stage;
use crate::{Dht, DhtConfig, Meta, Position, Store, StoreMessage};
use overlay::{Contact, Cx, Duration, Fault, Hlc, Item, KeyRouter};

/// Most records that are asked for in one message. Of small ones so many fill it, and far away the
/// pace is that of one message a round trip.
pub(crate) const MAX_WANTED: usize = 512;
/// Shorter pauses are not worth a timer.
const LEAST_PAUSE: Duration = Duration::from_millis(2);

impl DhtConfig {
    /// How long to wait after so much was exchanged with one peer.
    pub(crate) fn pause_after(&self, records: usize, bytes: usize) -> Duration {
        let by_bytes = bytes as u64 * 1_000_000 / self.repair_bytes_per_s;
        let by_records = records as u64 * 1_000_000 / self.repair_records_per_s;
        Duration(by_bytes.max(by_records))
    }
}

/// What items take of the budget.
pub(crate) fn bytes_of(items: &[Item]) -> usize {
    let metas = items.iter().map(|item| Meta::of(&item.record));
    metas.map(|meta| batch_cost(&meta)).sum()
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Goes on with the records of the ranges compared so far, then with the next ranges.
    pub(crate) fn next_items(&mut self, cx: &mut Cx<'_, Self>, at: (usize, usize)) {
        let Some(walk) = self.walk_mut(at) else {
            return;
        };
        walk.attempts = 0;
        if !walk.push.is_empty() || !walk.want.is_empty() {
            return self.send_items(cx, at);
        }
        if !walk.pending.is_empty() {
            return self.send_ask(cx, at);
        }
        let is_copy = walk.no_room().is_none();
        if is_copy && self.member(at).is_some_and(|(_, member)| member.replica) {
            self.send_done(cx, at);
        } else {
            self.finish_walk(cx, at);
        }
    }

    pub(crate) fn send_items(&mut self, cx: &mut Cx<'_, Self>, at: (usize, usize)) {
        let Some((
            view,
            Member {
                walk: Some(walk), ..
            },
        )) = self.member(at)
        else {
            return;
        };
        // A root that has everything knows what is dead: what it does not have; any other, what its
        // store vouches for. Since it asked, another replica may have sent the record.
        let complete = view.is_complete();
        let collected = |position: &Position| match self.spares(*position, cx.wall) {
            true => Hlc::default(),
            false if complete => self.collected_at(position.0),
            false => self.vouched.at(position.0),
        };
        let dead = walk.want.front().map(collected).unwrap_or_default();
        let alike = |position: &&Position| collected(position) == dead;
        let want: Vec<Position> = walk
            .want
            .iter()
            .take(MAX_WANTED)
            .take_while(alike)
            .copied()
            .collect();
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
            walk.pushed_bytes = bytes_of(&items);
            walk.wanted = want.len();
            walk.sent = cx.now;
        }
        let message = StoreMessage::SyncItems {
            req,
            items,
            want,
            dead,
        };
        self.post(cx, with, message);
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
        (from, req): (Contact, u64),
        items: Vec<Item>,
        handled: u32,
        left_out: bool,
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
        let handled = handled as usize;
        if handled > walk.wanted || handled == 0 && walk.wanted > 0 {
            return cx.hang_up(from, Fault::Protocol);
        }
        let moved = (
            walk.pushed + items.len(),
            walk.pushed_bytes + bytes_of(&items),
        );
        let done = (walk.pushed + handled) as u64;
        self.moved.add(moved.0 as u64, moved.1 as u64);
        let mut left_out_here = false;
        for item in items.into_iter().filter(|item| arc.contains(item.key)) {
            // What this root has learnt since it asked counts too.
            let collected = self.of_missing(cx, item.key).collected;
            let spared = self.spares((item.key, item.slot), cx.wall);
            if spared || !is_dead(&Meta::of(&item.record), collected) {
                left_out_here |= self.write_if_it_fits(item).is_none();
            }
        }
        let pause = self.config.pause_after(moved.0, moved.1);
        let Some(walk) = self.walk_mut(at) else {
            return;
        };
        walk.want.drain(..handled.min(walk.want.len()));
        walk.push.drain(..walk.pushed.min(walk.push.len()));
        walk.pushed = 0;
        walk.wanted = 0;
        walk.left_out |= left_out;
        walk.left_out_here |= left_out_here;
        walk.tally.add(done, moved.1 as u64);
        // What the journey and the other disk took counts: far away it is longer than the pause.
        let taken = cx.now.since(walk.sent);
        let pause = Duration(pause.0.saturating_sub(taken.0));
        self.skip_without_room(at);
        if pause < LEAST_PAUSE {
            return self.next_items(cx, at);
        }
        let Some(walk) = self.walk_mut(at) else {
            return;
        };
        walk.stage = Stage::Pause;
        walk.attempts = 0;
        walk.until = cx.now + pause;
        self.schedule_sync(cx);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repair_has_a_pace() {
        let config = DhtConfig::default();
        assert!(config.pause_after(1, 200) < LEAST_PAUSE);
        assert_eq!(config.pause_after(10_000, 0), Duration::from_secs(1));
        assert_eq!(config.pause_after(1, 4 << 20), Duration::from_secs(1));
    }
}
