//! The part of a replica in a comparison with its root.

use crate::checks::{MAX_ITEMS, is_garbage};
use crate::durable::Then;
use crate::horizon::{hides_others, is_dead};
use crate::items::MAX_WANTED;
use crate::message::{PartSum, RangeAnswer, RangeSum, SyncAsk, SyncCollect, SyncDone, SyncTold};
use crate::parked::Parked;
use crate::ranges::{FAN_OUT, LIST_RECORDS, MAX_ASKED, order};
use crate::{Dht, Meta, Position, Store, StoreMessage};
use overlay::{Arc, Contact, Cx, Fault, Hlc, Item, KeyRouter, Slot};

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// A root asks whether ranges are the same here.
    pub(crate) fn sync_asked(&mut self, cx: &mut Cx<'_, Self>, from: Contact, ask: &SyncAsk) {
        let SyncAsk {
            req,
            done,
            witness,
            first,
            ranges,
        } = ask;
        let sane = |range: &RangeSum| {
            let inside =
                |position: Option<Position>| position.is_none_or(|(key, _)| done.arc.contains(key));
            inside(range.after)
                && inside(range.upto)
                && match (range.after, range.upto) {
                    (Some(after), Some(upto)) => order(done.arc, after) < order(done.arc, upto),
                    _ => true,
                }
        };
        if ranges.is_empty() || ranges.len() > MAX_ASKED || !ranges.iter().all(sane) {
            return cx.hang_up(from, Fault::Protocol);
        }
        // That view is over, but in its time the root claimed the arc, and others must hear of that.
        let is_late = self.heard.is_late(from.id, (done.view, done.arc), *req);
        let answers: Vec<RangeAnswer> = ranges
            .iter()
            .map(|range| self.compare_range(done.arc, range))
            .collect();
        // What we know was true before this root compares anything.
        let evidence = if *first {
            let evidence = self.evidence_for(from.id, done.arc, cx.now);
            self.covers.fence(from.id, done.arc);
            evidence
        } else {
            Vec::new()
        };
        let collected = self.collected_in(cx, done.arc);
        if !witness || self.leaving.is_some() {
            self.askers.heard(from, cx.now);
        }
        if !witness && !is_late {
            self.covers.begin(from.id, done, cx.now);
        }
        if *first && !witness && !is_late && answers.first() == Some(&RangeAnswer::Same) {
            self.full_copy(cx, from, done);
        }
        let told = SyncTold {
            req: *req,
            answers,
            collected,
            evidence,
        };
        self.post(cx, from, StoreMessage::SyncTold(Box::new(told)));
    }

    fn compare_range(&self, arc: Arc, range: &RangeSum) -> RangeAnswer {
        let RangeSum { after, upto, sum } = *range;
        let own = self.store.sum(arc, (after, upto));
        if own == sum {
            return RangeAnswer::Same;
        }
        if own.count > LIST_RECORDS {
            return RangeAnswer::Parts(self.divide(arc, (after, upto), own.count));
        }
        let mut entries = Vec::new();
        self.store.range(arc, after, &mut |key, slot, record| {
            if (entries.len() as u64) < own.count {
                entries.push((key, slot, record.version));
            }
            (entries.len() as u64) < own.count
        });
        RangeAnswer::Versions(entries)
    }

    /// The parts of a range, with equally many records each.
    fn divide(
        &self,
        arc: Arc,
        (mut after, end): (Option<Position>, Option<Position>),
        count: u64,
    ) -> Vec<PartSum> {
        let from = after;
        let mut parts = Vec::with_capacity(FAN_OUT as usize);
        for part in 1..FAN_OUT {
            let upto = self.store.nth(arc, from, count * part / FAN_OUT - 1);
            let sum = self.store.sum(arc, (after, upto));
            parts.push(PartSum { upto, sum });
            after = upto;
        }
        let sum = self.store.sum(arc, (after, end));
        parts.push(PartSum { upto: None, sum });
        parts
    }

    /// A root sends what it has newer, and asks for what we have newer.
    pub(crate) fn sync_items_asked(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        req: u64,
        items: Vec<Item>,
        (want, dead): (&[Position], Hlc),
    ) {
        if want.len() > MAX_WANTED {
            return cx.hang_up(from, Fault::OutOfBounds);
        }
        if !self.takes(cx, from, &items) {
            return;
        }
        let dead = dead.min(self.latest_horizon(cx.wall));
        self.covers.receives(from.id, cx.now);
        let (batch, handled) = self.plan_batch(want);
        let again = || Parked::Message {
            from,
            message: Box::new(StoreMessage::SyncItems {
                req,
                items: items.clone(),
                want: want.to_vec(),
                dead,
            }),
        };
        if !self.have_bodies(&batch, again) {
            return;
        }
        let (mut seq, mut left_out) = (self.durable, false);
        for item in items {
            match self.write_if_it_fits(item) {
                Some(written) => seq = seq.max(written),
                None => left_out = true,
            }
        }
        for (key, slot) in want {
            let is_root = self.covers.has_root(from.id, *key);
            let over = self.store.meta(*key, *slot).is_some_and(|known| {
                self.need_not_travel(cx, *slot, &known) || is_root && is_dead(&known, dead)
            });
            if over {
                seq = seq.max(self.store.remove(*key, *slot));
            }
        }
        let items = self.batch(&batch);
        let handled = handled as u32;
        let message = StoreMessage::SyncItemsReply {
            req,
            items,
            handled,
            left_out,
        };
        self.when_durable(
            cx,
            seq,
            Then::Send {
                to: from,
                message: Box::new(message),
            },
        );
    }

    /// Whether a record that one side lacks is not worth sending: a lease that ended long ago.
    pub(crate) fn need_not_travel(&self, cx: &Cx<'_, Self>, slot: Slot, known: &Meta) -> bool {
        let grace_s = self.config.tombstone_grace_s;
        is_garbage(slot, known, cx.wall, grace_s) && !hides_others(slot, known, cx.wall)
    }

    /// A root says that this node is a full copy of its arc.
    pub(crate) fn sync_done_asked(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        done: &SyncDone,
    ) {
        if self.heard.is_late(from.id, (done.view, done.arc), done.req) {
            return;
        }
        self.askers.heard(from, cx.now);
        self.full_copy(cx, from, done);
        self.post(cx, from, StoreMessage::SyncDoneAck { req: done.req });
    }

    /// This node is a full copy; what its root has collected, it has not either.
    fn full_copy(&mut self, cx: &Cx<'_, Self>, from: Contact, done: &SyncDone) {
        if done.quorum > 0 {
            self.horizons.adopt(done.arc, &done.horizons);
        }
        if self.covers.complete(from.id, done, cx.now) {
            self.strays_changed(cx);
            self.farewells_soon(cx);
        }
        self.vouch(cx, done.arc);
    }

    /// A root says that every replica has these: they are dropped everywhere.
    pub(crate) fn collect_asked(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        collect: &SyncCollect,
    ) {
        if collect.entries.len() > MAX_ITEMS {
            return cx.hang_up(from, Fault::OutOfBounds);
        }
        let Some(arc) = self.covers.full_arc(from.id, collect.view, cx.now) else {
            return;
        };
        let latest = self.latest_horizon(cx.wall);
        if collect.upto > Hlc::default() {
            self.horizons.raise(arc, collect.upto.min(latest));
            self.vouch(cx, arc);
        }
        for (key, slot, version) in &collect.entries {
            let ended = self.store.meta(*key, *slot).is_some_and(|known| {
                // A root whose clock is wrong takes what is fresh for old.
                let is_due = !hides_others(*slot, &known, cx.wall) || known.version.clock <= latest;
                known.version == *version && !known.is_live(cx.wall) && is_due
            });
            if ended && arc.contains(*key) {
                self.store.remove(*key, *slot);
            }
        }
    }
}
