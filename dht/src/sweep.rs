//! Finding what has ended: tombstones and ended values past the grace period, ended leases.
//!
//! In the arcs of this node it is collected (`collect`); in those of other roots they say when; and
//! elsewhere it is a stray like any other, but for leases, which are dropped.

use crate::checks::is_garbage;
use crate::collect::{BATCH, Batch, MAX_BATCHES};
use crate::due::Due;
use crate::horizon::hides_others;
use crate::planted::PlantedBug;
use crate::{Dht, Position, Store};
use overlay::{Arc, Cx, Duration, Hlc, Id, KeyRouter, Version};

/// The time between two steps of the sweep.
const STEP: Duration = Duration::from_secs(30);
/// Records that one step looks at: a store of a million is swept every eight hours or so, which
/// suits a grace period of a day, and a step takes about a millisecond.
const STEP_RECORDS: usize = BATCH;
/// The time to the next step when the last one found much: ended leases come in crowds.
const STEP_BUSY: Duration = Duration::from_secs(1);

/// A record that has ended.
struct Ended {
    position: Position,
    version: Version,
    /// Whether it keeps older versions hidden.
    hides: bool,
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    pub(crate) fn start_sweeping(&mut self, cx: &Cx<'_, Self>) {
        if !self.sweeping {
            self.sweeping = true;
            self.deadlines.set(Due::Sweep, cx.now + STEP);
        }
    }

    pub(crate) fn sweep_due(&mut self, cx: &mut Cx<'_, Self>) {
        if self.leaving.is_none() && self.covers.expire(cx.now) {
            self.strays_changed(cx);
        }
        // What a root has learnt about the past of its arc.
        self.vouch(cx, Arc::whole(Id::MAX));
        if self.batches.len() >= MAX_BATCHES {
            // Enough waits already.
            return self.deadlines.set(Due::Sweep, cx.now + STEP);
        }
        let (wall, grace_s) = (cx.wall, self.config.tombstone_grace_s);
        let drops_tombstones = self.config.has_bug(PlantedBug::DropTombstones);
        let (mut ended, mut looked, mut last) = (Vec::new(), 0, None);
        self.store
            .range(Arc::whole(Id::MAX), self.swept, &mut |key, slot, record| {
                looked += 1;
                last = Some((key, slot));
                let early = record.is_tombstone() && drops_tombstones;
                let hides = hides_others(slot, record, wall) && !early;
                // No horizon may pass what was written within the grace period.
                let old = record.version.clock.wall().plus_secs(grace_s) < wall;
                if early || is_garbage(slot, record, wall, grace_s) && (old || !hides) {
                    ended.push(Ended {
                        position: (key, slot),
                        version: record.version,
                        hides,
                    });
                }
                looked < STEP_RECORDS
            });
        let busy = ended.len() > STEP_RECORDS / 4;
        self.swept = if looked < STEP_RECORDS { None } else { last };
        self.sort_out(cx, &ended);
        self.deadlines
            .set(Due::Sweep, cx.now + if busy { STEP_BUSY } else { STEP });
    }

    /// Gives what has ended to whoever decides about it.
    fn sort_out(&mut self, cx: &mut Cx<'_, Self>, ended: &[Ended]) {
        let (mut leases, mut hiding) = (Vec::new(), Vec::new());
        for view in self.views.iter().filter(|view| view.is_settled()) {
            // What may not be collected yet does not wait here: it is found again.
            let barred = self.horizons.is_barred(view.arc, cx.wall);
            for hides in [false, true]
                .into_iter()
                .filter(|hides| !(*hides && barred))
            {
                let those = ended
                    .iter()
                    .filter(|ended| ended.hides == hides && view.arc.contains(ended.position.0));
                let entries: Vec<(Position, Version)> =
                    those.map(|ended| (ended.position, ended.version)).collect();
                if entries.is_empty() {
                    continue;
                }
                let clocks = entries.iter().map(|(_, version)| version.clock);
                let batch = Batch {
                    view: view.id,
                    since: cx.now,
                    upto: clocks.filter(|_| hides).max().unwrap_or(Hlc::default()),
                    entries,
                };
                if hides {
                    hiding.push(batch);
                } else {
                    leases.push(batch);
                }
            }
        }
        for batch in leases {
            self.collect(cx, batch);
        }
        self.batches.extend(hiding);
        // With a network of one there is nobody to wait for.
        self.collect_ready(cx);
        let stray = |ended: &&Ended| {
            let key = ended.position.0;
            !ended.hides
                && !self.views.iter().any(|view| view.arc.contains(key))
                && !self.covers.arcs().any(|arc| arc.contains(key))
        };
        let strays: Vec<Position> = ended
            .iter()
            .filter(stray)
            .map(|ended| ended.position)
            .collect();
        for (key, slot) in strays {
            self.store.remove(key, slot);
        }
    }
}
