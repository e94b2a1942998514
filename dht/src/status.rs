//! What the node shows of itself.

use crate::former::Former;
use crate::op::MAX_OPERATIONS;
use crate::parked::MAX_PARKED;
use crate::view::View;
use crate::words::MAX_SEARCHES;
use crate::{Dht, Store};
use overlay::{Contact, KeyRouter, Locate, PeerInfo, Promise, RepairTally, Status, Tally};

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// How it stands about the copies of what is in this node's arcs. Where a replica has not confirmed
    /// that it is a full copy, none of its records counts as copied.
    fn repair_tally(&self) -> RepairTally {
        let mut all = self.compared;
        all.arcs = self.views.len() as u64;
        all.replicas_wanted = self.config.replicas as u64;
        all.replicas_possible = all.replicas_wanted;
        for view in &self.views {
            let records = self.sum_of(view.arc).count;
            all.records += records;
            all.replicas_possible = all.replicas_possible.min(view.replicas.len() as u64);
            all.arcs_incomplete += u64::from(!view.is_complete());
            if !view.replicas().all(|member| member.covered) {
                all.copying += records;
            } else if view.replicas.len() < self.config.replicas {
                all.short_of_nodes += records;
            }
        }
        all
    }
}

impl<R: KeyRouter, S: Store> Locate for Dht<R, S> {
    const OVERLAY: &'static str = R::NAME;

    fn promise(&self) -> Promise {
        Promise::Replicated
    }

    fn me(&self) -> Contact {
        self.my()
    }

    fn status(&self) -> Status {
        let router = self.routing.router();
        let counts = self.store.counts();
        let contacts = router.contacts();
        Status {
            me: router.me(),
            overlay: R::NAME.to_owned(),
            member: router.is_member(),
            promise: Promise::Replicated,
            peers: contacts.len() as u32,
            values: counts.values,
            holders: counts.holders,
            entries: counts.entries,
            stored_bytes: counts.bytes,
            renewed_leases: self.leases.len() as u64,
            clocks_refused: self.clocks_refused,
            settled: router.is_member()
                && !self.views.is_empty()
                && self.views.iter().all(View::is_settled)
                && !self.former.iter().any(Former::is_untold),
            neighbours: router.neighbours(),
            leaving: self.leaving.is_some(),
            moving: self.movements(),
            moved_records: self.moved.records(),
            moved_bytes: self.moved.bytes(),
        }
    }

    fn tally(&self) -> Tally {
        Tally {
            lookups: self.routing.tally().clone(),
            records: self.store.counts(),
            neighbour_changes: self.routing.router().generation(),
            repair: Some(self.repair_tally()),
            queries: None,
            clock_ahead_ms: self.clocks.ahead.furthest_ms(self.seen),
            clock_behind_ms: Some(self.clocks.behind.furthest_ms(self.seen)),
            under_way: self.tables(),
            most_calls: MAX_OPERATIONS + MAX_SEARCHES,
            most_loads: MAX_PARKED,
        }
    }

    fn peers(&self) -> Vec<PeerInfo> {
        let router = self.routing.router();
        let neighbours = router.neighbours();
        router
            .contacts()
            .into_iter()
            .map(|contact| PeerInfo {
                contact,
                rtt_us: self.routing.rtt(contact.id).map(|rtt| rtt.as_micros()),
                role: neighbours.role(contact),
            })
            .collect()
    }
}
