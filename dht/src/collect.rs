//! Collecting what has ended, at all replicas together.
//!
//! The root finds it (`sweep`), waits until each of its replicas has been compared with it since, so
//! that all have it, and then drops it and tells the others to. A replica that does not hear of it
//! keeps the records, and the next comparison brings them back to the root, where they wait to be
//! collected again: that costs a few messages and nothing else. Ended leases hide nothing that must
//! stay hidden, and are dropped without the wait. `horizon` says why what was deleted stays deleted.

use crate::checks::MAX_ITEMS;
use crate::message::SyncCollect;
use crate::planted::PlantedBug;
use crate::{Dht, Position, Store, StoreMessage};
use overlay::{Cx, Hlc, KeyRouter, Time, Version};

/// Most records that are collected together: one message.
pub(crate) const BATCH: usize = MAX_ITEMS;
/// Most batches that wait for their replicas: with a comparison every 30 s, that many together drop
/// 500 records a second.
pub(crate) const MAX_BATCHES: usize = 16;

/// Records that wait until every replica is known to have them.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) view: u64,
    pub(crate) since: Time,
    /// The largest clock value among those that hide older versions.
    pub(crate) upto: Hlc,
    pub(crate) entries: Vec<(Position, Version)>,
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// A replica has been compared: what it had to have for may be collected now.
    pub(crate) fn collect_ready(&mut self, cx: &mut Cx<'_, Self>) {
        let views = &self.views;
        let wall = cx.wall;
        let horizons = &self.horizons;
        let (mut ready, mut waiting) = (Vec::new(), Vec::new());
        for batch in self.batches.drain(..) {
            // Another set of replicas begins anew.
            let Some(view) = views.iter().find(|view| view.id == batch.view) else {
                continue;
            };
            let may = view.is_settled() && !horizons.is_barred(view.arc, wall);
            if may
                && view
                    .replicas()
                    .all(|member| member.since >= Some(batch.since))
            {
                ready.push(batch);
            } else {
                waiting.push(batch);
            }
        }
        self.batches = waiting;
        for batch in ready {
            self.collect(cx, batch);
        }
    }

    /// How many deletions this node has collected as a root: for simulations.
    #[must_use]
    pub const fn collected(&self) -> u64 {
        self.collected
    }

    /// A comparison has found what is dead, and leases that ended long ago. Dropped here alone, the
    /// other replicas would have more than their root until they are compared, and some give back
    /// what is dead by the word of one of them only.
    pub(crate) fn collect_gone(
        &mut self,
        cx: &mut Cx<'_, Self>,
        at: (usize, usize),
        gone: &[(Position, Version)],
    ) {
        let Some(view) = self.member(at).map(|(view, _)| view.id) else {
            return;
        };
        for entries in gone.chunks(BATCH) {
            let batch = Batch {
                view,
                since: cx.now,
                upto: Hlc::default(),
                entries: entries.to_vec(),
            };
            self.collect(cx, batch);
        }
    }

    /// Drops a batch here and at the replicas.
    pub(crate) fn collect(&mut self, cx: &mut Cx<'_, Self>, mut batch: Batch) {
        let Some(view) = self.views.iter().find(|view| view.id == batch.view) else {
            return;
        };
        let arc = view.arc;
        let others: Vec<_> = view.replicas().map(|member| member.contact).collect();
        let hides = batch.upto > Hlc::default();
        if self.config.has_bug(PlantedBug::ForgetHorizon) {
            batch.upto = Hlc::default();
        }
        if batch.upto > Hlc::default() {
            self.horizons.raise(arc, batch.upto);
            self.vouch(cx, arc);
        }
        let mut entries = Vec::new();
        for (position, version) in batch.entries {
            // It may have been written again.
            if self.store.version(position) == Some(version) {
                self.store.remove(position.0, position.1);
                entries.push((position.0, position.1, version));
            }
        }
        if hides {
            self.collected += entries.len() as u64;
        }
        for to in others {
            let collect = SyncCollect {
                view: batch.view,
                upto: batch.upto,
                entries: entries.clone(),
            };
            self.post(cx, to, StoreMessage::SyncCollect(Box::new(collect)));
        }
    }
}
