//! A query that was sent on: who is told how it ends, and what each neighbour owes.

use crate::message::{Guid, Hit, Message, Query, Reach};
use crate::plan::{ENOUGH_FOR_LEAF, Plan};
use overlay::{Id, Slot, Time};
use std::collections::{BTreeMap, BTreeSet};

/// Who is told how a query ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parent {
    /// A search of this node.
    Me(u64),
    /// The neighbour that it came from.
    Link(Id),
    /// The query of whose plan it is a round.
    Round(Guid),
    /// Nobody: a flood whose search has found enough; how far it comes is a lesson yet.
    Nobody,
}

/// What one neighbour owes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Child {
    /// QueryHits that came.
    pub(crate) got: u32,
    /// QueryHits that it says it sent.
    pub(crate) told: Option<u32>,
}

impl Child {
    pub(crate) fn is_done(self) -> bool {
        self.told.is_some_and(|told| self.got >= told)
    }
}

/// A query that was sent on.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) parent: Parent,
    pub(crate) waiting: BTreeMap<Id, Child>,
    pub(crate) reach: Reach,
    /// QueryHits sent to the parent, or taken by this node's search.
    pub(crate) hits: u32,
    /// Different live records in them, as far as a plan counts.
    pub(crate) results: u32,
    found: BTreeSet<(Id, Slot)>,
    pub(crate) query: Query,
    /// Which links are still to be asked, for a dynamic query.
    pub(crate) plan: Option<Plan>,
    /// When it ends, whoever has not answered.
    pub(crate) until: Time,
}

impl Asked {
    pub(crate) const fn new(parent: Parent, query: Query, until: Time) -> Self {
        Self {
            parent,
            waiting: BTreeMap::new(),
            reach: Reach::NONE,
            hits: 0,
            results: 0,
            found: BTreeSet::new(),
            query,
            plan: None,
            until,
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        let rounds = self.plan.as_ref().is_some_and(|it| !it.running.is_empty());
        rounds || !self.waiting.is_empty()
    }

    /// Counts records: each once, however many nodes have it, and none that was deleted.
    pub(crate) fn count(&mut self, hits: &[Hit]) {
        for hit in hits.iter().filter(|hit| !hit.gone) {
            if self.found.len() < ENOUGH_FOR_LEAF as usize {
                self.found.insert((hit.key, hit.slot));
            }
        }
        self.results = self.found.len() as u32;
    }
}

impl Message {
    /// The echo of a query that went no further.
    pub(crate) const fn not_reached(guid: Guid) -> Self {
        Self::Reached {
            guid,
            reach: Reach::NONE,
            hits: 0,
        }
    }
}
