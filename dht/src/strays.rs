//! Records that this node need not hold: handed to their root, then deleted.
//!
//! This is what moves keys after a join, a leave, a partition, or a restart on an old disk. It keeps
//! the pace that repairs have.

use crate::arcs::subtract_all;
use crate::checks::batch_cost;
use crate::due::Due;
use crate::message::HandOffResult;
use crate::parked::Parked;
use crate::progress::Tally;
use crate::{Dht, Position, Store, StoreMessage};
use overlay::lookup::{Located, LookupRequest};
use overlay::{
    Arc, Contact, Cx, Duration, Id, KeyRouter, Movement, Purpose, Time, Version, WaitsFor,
};

/// How long nothing must have changed before strays are looked for: a record may have come a
/// moment before its root says that this node is to be a copy.
const QUIET: Duration = Duration::from_secs(10);
/// The same for a node that leaves.
const QUIET_LEAVING: Duration = Duration::from_millis(200);
/// How often to look when there was nothing.
const IDLE: Duration = Duration::from_secs(30);
/// The pause after a hand-over that failed.
const RETRY: Duration = Duration::from_secs(1);
/// Most records in one hand-over.
const MAX_HANDED: usize = 256;

/// The hand-over under way, of which there is one at a time.
#[derive(Debug, Default)]
pub(crate) struct Strays {
    /// Whether the last look found none.
    pub(crate) idle: bool,
    stage: Stage,
    /// Records whose hand-over failed: the next look begins after as many.
    passed: usize,
    /// How many times in a row it failed and was tried with half as many: one root may keep them
    /// under several views, of which it takes records of one at a time.
    halved: u32,
    /// What was handed over since there were none, and since when.
    tally: Tally,
    began: Time,
}

impl Strays {
    /// Whether a hand-over is under way, as a number.
    pub(crate) const fn under_way(&self) -> usize {
        !matches!(self.stage, Stage::Resting) as usize
    }
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Resting,
    /// Their root is looked up.
    Looking {
        number: u64,
        batch: Vec<Position>,
        until: Time,
    },
    /// They are on their way.
    Handing {
        req: u64,
        owner: Contact,
        items: Vec<(Position, Version)>,
        until: Time,
    },
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// What this node must hold has changed: look for strays once it is quiet.
    pub(crate) fn strays_changed(&mut self, cx: &Cx<'_, Self>) {
        self.strays.idle = false;
        if matches!(self.strays.stage, Stage::Resting) {
            let quiet = if self.leaving.is_some() {
                QUIET_LEAVING
            } else {
                QUIET
            };
            self.deadlines.set(Due::Strays, cx.now + quiet);
        }
    }

    pub(crate) fn strays_due(&mut self, cx: &mut Cx<'_, Self>) {
        match &self.strays.stage {
            Stage::Looking { until, .. } | Stage::Handing { until, .. } if *until > cx.now => {
                let until = *until;
                return self.deadlines.set(Due::Strays, until);
            }
            Stage::Looking { .. } | Stage::Handing { .. } => return self.stray_failed(cx),
            Stage::Resting => {}
        }
        if self.leaving.is_none() {
            self.covers.expire(cx.now);
        }
        let rest = if self.leaving.is_some() { RETRY } else { IDLE };
        if !self.routing.router().is_member() || self.views.is_empty() {
            return self.deadlines.set(Due::Strays, cx.now + rest);
        }
        let batch = self.find_strays(cx);
        let Some((key, _)) = batch.first().copied() else {
            // Those passed over get another chance.
            self.strays.idle = self.strays.passed == 0;
            self.strays.passed = 0;
            self.strays.tally = Tally::default();
            return self.deadlines.set(Due::Strays, cx.now + rest);
        };
        self.strays.idle = false;
        if self.strays.tally.records() == 0 {
            self.strays.began = cx.now;
        }
        let number = self.draw_number(cx);
        let until = cx.now + self.config.op_timeout;
        self.strays.stage = Stage::Looking {
            number,
            batch,
            until,
        };
        self.deadlines.set(Due::Strays, until);
        self.look_up(cx, number, LookupRequest::new(key));
    }

    /// The arcs that this node has nothing to do with, or will not have once it has left.
    fn elsewhere(&self) -> Vec<Arc> {
        let whole = vec![Arc::whole(Id::MAX)];
        let rest = subtract_all(whole, self.views.iter().map(|view| view.arc));
        if self.leaving.is_some() {
            return subtract_all(rest, self.accounted_for());
        }
        subtract_all(rest, self.covers.arcs())
    }

    /// What is being handed over.
    pub(crate) fn stray_movement(&self) -> Option<Movement> {
        let Strays {
            idle,
            stage,
            passed,
            tally,
            began,
            ..
        } = &self.strays;
        let resting = matches!(stage, Stage::Resting);
        if *idle || resting && tally.records() == 0 && *passed == 0 {
            return None;
        }
        let left = self.elsewhere().into_iter();
        let left: u64 = left
            .map(|arc| self.store.sum(arc, (None, None)).count)
            .sum();
        let (peer, waits_for) = match stage {
            Stage::Resting if *passed > 0 => (None, WaitsFor::Retry),
            Stage::Resting => (None, WaitsFor::Pace),
            Stage::Looking { .. } => (None, WaitsFor::Peer),
            Stage::Handing { owner, .. } => (Some(*owner), WaitsFor::Peer),
        };
        Some(Movement {
            purpose: Purpose::HandOver,
            peer,
            arc: None,
            records: tally.records().saturating_add(left),
            moved: tally.records(),
            bytes: tally.bytes(),
            bytes_per_s: tally.rate(*began, self.seen),
            waits_for,
        })
    }

    /// The next records outside all arcs that this node has to do with.
    fn find_strays(&self, cx: &Cx<'_, Self>) -> Vec<Position> {
        let (mut found, mut passed) = (Vec::new(), 0);
        for part in self.elsewhere() {
            self.store.range(part, None, &mut |key, slot, record| {
                // An old tombstone goes to its root too: only that knows when it is over.
                if !self.need_not_travel(cx, slot, record) {
                    if passed < self.strays.passed {
                        passed += 1;
                    } else {
                        found.push((key, slot));
                    }
                }
                found.len() < (MAX_HANDED >> self.strays.halved)
            });
            if !found.is_empty() {
                break;
            }
        }
        found
    }

    /// The root of the first stray is found.
    pub(crate) fn strays_located(
        &mut self,
        cx: &mut Cx<'_, Self>,
        number: u64,
        found: Option<Located>,
    ) {
        let Stage::Looking {
            number: expected,
            batch,
            ..
        } = &mut self.strays.stage
        else {
            return;
        };
        if *expected != number {
            return;
        }
        let mut batch = std::mem::take(batch);
        let owner = found.as_ref().map(|found| found.owner);
        let Some((found, owner)) = found
            .zip(owner)
            .filter(|(_, owner)| owner.id != self.my().id)
        else {
            return self.stray_failed(cx);
        };
        let first = batch.first().copied();
        batch.retain(|position| found.arc.contains(position.0) || Some(*position) == first);
        let (batch, _) = self.plan_batch(&batch);
        let version = |position: Position| {
            let known = self.store.meta(position.0, position.1)?;
            Some((position, known.version))
        };
        let items = batch.into_iter().filter_map(version).collect();
        let req = self.draw_number(cx);
        let until = cx.now + self.config.write_timeout.times(2);
        self.strays.stage = Stage::Handing {
            req,
            owner,
            items,
            until,
        };
        self.deadlines.set(Due::Strays, until);
        self.strays_loaded(cx, req);
    }

    /// Sends the strays as soon as their bodies are in memory.
    pub(crate) fn strays_loaded(&mut self, cx: &mut Cx<'_, Self>, req: u64) {
        let Stage::Handing {
            req: expected,
            owner,
            items,
            ..
        } = &self.strays.stage
        else {
            return;
        };
        if *expected != req {
            return;
        }
        let owner = *owner;
        let places: Vec<Position> = items.iter().map(|(position, _)| *position).collect();
        if self.have_bodies(&places, || Parked::Strays { req }) {
            let items = self.batch(&places);
            self.post(cx, owner, StoreMessage::HandOff { req, items });
        }
    }

    fn stray_failed(&mut self, cx: &Cx<'_, Self>) {
        if let Stage::Handing { items, .. } = std::mem::take(&mut self.strays.stage) {
            if let Some(((key, _), _)) = items.first() {
                self.routing.forget(*key);
            }
            if items.len() > 1 {
                let fewer = MAX_HANDED / (items.len() / 2);
                self.strays.halved = fewer.ilog2();
            } else {
                self.strays.passed += items.len();
                self.strays.halved = 0;
            }
        } else {
            self.strays.passed += 1;
        }
        self.deadlines.set(Due::Strays, cx.now + RETRY);
    }

    pub(crate) fn hand_off_answered(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        req: u64,
        result: HandOffResult,
    ) {
        match &mut self.strays.stage {
            Stage::Handing {
                req: expected,
                owner,
                items,
                ..
            } if *expected == req && owner.id == from.id => {
                if result != HandOffResult::Stored {
                    return self.stray_failed(cx);
                }
                let items = std::mem::take(items);
                self.strays.stage = Stage::Resting;
                self.strays.halved = self.strays.halved.saturating_sub(1);
                let (count, mut bytes) = (items.len(), 0);
                let mut left = self.elsewhere();
                left.retain(|part| items.iter().any(|((key, _), _)| part.contains(*key)));
                self.stop_vouching(&left);
                left.iter().for_each(|part| self.covers.outlived(*part));
                for ((key, slot), version) in items {
                    let known = self.store.meta(key, slot);
                    bytes += known.as_ref().map_or(0, batch_cost);
                    // It may have become ours again in the meantime, or changed.
                    let needed = !left.iter().any(|part| part.contains(key));
                    let same = known.is_some_and(|known| known.version == version);
                    if same && !needed {
                        self.store.remove(key, slot);
                        self.former.iter_mut().for_each(|former| former.drops(key));
                    }
                }
                self.strays.tally.add(count as u64, bytes as u64);
                self.moved.add(count as u64, bytes as u64);
                let pause = self.config.pause_after(count, bytes);
                self.deadlines.set(Due::Strays, cx.now + pause);
            }
            _ => {}
        }
    }
}
