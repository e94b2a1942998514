//! How much a node has under way, and what it holds: for those who check that nothing leaks, and
//! that replicas are equal.

use crate::due::Due;
use crate::{Dht, Store, Sum};
use overlay::{Arc, Contact, KeyRouter};

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// What is under way here, by name. Each is zero at rest, but for the moments in which periodic
    /// work (comparisons, renewals, stabilising, strays) is done.
    ///
    /// Not among them are the tables that remember: they have bounds, and forget by age.
    #[must_use]
    pub fn under_way(&self) -> Vec<(&'static str, usize)> {
        let passing = |due: &&Due| {
            !matches!(
                due,
                Due::Sync | Due::Strays | Due::Sweep | Due::Leases | Due::Keeper
            )
        };
        let members = self.views.iter().flat_map(|view| &view.members);
        let mut all = vec![
            ("calls", self.ops.len()),
            ("writes coordinated", self.coordinated.len()),
            ("conditions to decide", self.deciding.len()),
            ("renewals to answer", self.renewing.len()),
            ("batches of renewals", self.leases.under_way()),
            ("things waiting for a commit", self.waiting.len()),
            ("things waiting for bodies", self.parked.len()),
            ("messages to itself", self.local.len()),
            ("repairs", self.repairs.under_way.len()),
            (
                "comparisons",
                members.filter(|member| member.walk.is_some()).count(),
            ),
            ("batches to collect", self.batches.len()),
            ("hand-overs", self.strays.under_way()),
            ("searches by words", self.index.searches.under_way()),
            ("entries to place", self.index.publisher.under_way()),
            (
                "calls that wait for entries",
                self.index.publisher.held.len(),
            ),
            ("batches of entries to answer", self.index.answers.len()),
            ("deadlines", self.deadlines.keys().filter(passing).count()),
        ];
        all.extend(self.routing.under_way());
        all
    }

    /// The arcs of which this node is the root, with their replicas, itself first.
    pub fn arcs(&self) -> impl Iterator<Item = (Arc, &[Contact])> {
        let views = self.views.iter();
        views.map(|view| (view.arc, view.replicas.as_slice()))
    }

    /// The sum over all records in an arc that this node holds: equal stores have equal sums.
    #[must_use]
    pub fn sum_of(&self, arc: Arc) -> Sum {
        self.store.sum(arc, (None, None))
    }
}
