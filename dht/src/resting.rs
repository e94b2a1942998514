//! How much a node has under way, and what it holds: for those who check that nothing leaks, and
//! that replicas are equal.

use crate::coordinate::MAX_COORDINATED;
use crate::due::Due;
use crate::op::MAX_OPERATIONS;
use crate::parked::MAX_PARKED;
use crate::repair::MAX_REPAIRING;
use crate::words::{MAX_JOBS, MAX_SEARCHES};
use crate::{Dht, Store, Sum, collect, leases};
use overlay::{Arc, Contact, KeyRouter, UnderWay};

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// What is under way here, by name. Each is zero at rest, but for the moments in which periodic
    /// work (comparisons, renewals, stabilising, strays) is done.
    ///
    /// Not among them are the tables that remember: they have bounds, and forget by age.
    #[must_use]
    pub fn under_way(&self) -> Vec<(&'static str, usize)> {
        let all = self.tables().into_iter();
        all.map(|one| (one.table, one.count)).collect()
    }

    /// The same, with what each table holds at most.
    pub(crate) fn tables(&self) -> Vec<UnderWay> {
        let passing = |due: &&Due| {
            !matches!(
                due,
                Due::Sync | Due::Strays | Due::Sweep | Due::Leases | Due::Keeper
            )
        };
        let (mut members, mut compared) = (0, 0);
        for member in self.views.iter().flat_map(|view| &view.members) {
            members += 1;
            compared += usize::from(member.walk.is_some());
        }
        let (publisher, answers) = (&self.index.publisher, self.index.answers.len());
        let (coordinated, deciding) = (self.coordinated.len(), self.deciding.len());
        let (renewals, collecting) = (self.leases.under_way(), self.batches.len());
        let searches = self.index.searches.under_way();
        let deadlines = self.deadlines.keys().filter(passing).count();
        let mut all = vec![
            UnderWay::of("calls", self.ops.len(), MAX_OPERATIONS),
            UnderWay::of("writes coordinated", coordinated, MAX_COORDINATED),
            UnderWay::of("conditions to decide", deciding, MAX_COORDINATED),
            // Each batch is a write that is coordinated.
            UnderWay::of("renewals to answer", self.renewing.len(), MAX_COORDINATED),
            UnderWay::of("batches of renewals", renewals, leases::MAX_BATCHES),
            UnderWay::bounded_elsewhere("things waiting for a commit", self.waiting.len()),
            UnderWay::of("things waiting for bodies", self.parked.len(), MAX_PARKED),
            UnderWay::bounded_elsewhere("messages to itself", self.local.len()),
            UnderWay::of("repairs", self.repairs.under_way.len(), MAX_REPAIRING),
            // One with each replica.
            UnderWay::of("comparisons", compared, members),
            UnderWay::of("batches to collect", collecting, collect::MAX_BATCHES),
            UnderWay::of("hand-overs", self.strays.under_way(), 1),
            UnderWay::of("searches by words", searches, MAX_SEARCHES),
            UnderWay::of("entries to place", publisher.under_way(), MAX_JOBS),
            // Together with the calls.
            UnderWay::of(
                "calls that wait for entries",
                publisher.held.len(),
                MAX_OPERATIONS,
            ),
            // Each batch is a write that is coordinated.
            UnderWay::of("batches of entries to answer", answers, MAX_COORDINATED),
            UnderWay::bounded_elsewhere("deadlines", deadlines),
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
