//! Dynamic querying: one link after another, with a TTL computed from what is still wanted.
//!
//! After Fisk, "Gnutella Dynamic Query Protocol" 0.1: probe three links with a TTL that reaches two
//! links away; then go on link by link, as far as the results seen so far say that is needed; stop at 150
//! results, or 50 for a leaf, or when no link is left.
//!
//! Deviation: a round ends with its echo, not after 2.4 s a hop, which is only its limit: the same
//! messages in less time. And as long as nothing is found, each round asks twice as many links as the
//! last, because a user waits for at most eight seconds.

use crate::message::{Guid, Header, Role};
use crate::node::Gnutella;
use crate::query::Asked;
use overlay::{Cx, Id, Store};

/// Links that are probed first.
const PROBES: usize = 3;
/// The TTL of a probe: it is forwarded once.
const PROBE_TTL: u8 = 1;
/// Results that end a dynamic query of this node, when its user wants more than that.
pub const ENOUGH: u32 = 150;
/// The same for a leaf's.
pub const ENOUGH_FOR_LEAF: u32 = 50;

/// What is left to do of a dynamic query.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Links that have not been asked, in random order.
    links: Vec<Id>,
    /// Rounds that have been begun.
    rounds: u32,
    /// Results after which it ends.
    enough: u32,
    /// Links in the last round.
    last: usize,
}

impl Plan {
    /// What the next round asks: how many links, and how far.
    fn next_round(&self, asked: &Asked, degree: usize, most: u8) -> (usize, u8) {
        if self.rounds == 0 {
            return (PROBES, PROBE_TTL.min(most));
        }
        if asked.results == 0 {
            return (self.last.max(PROBES) * 2, most);
        }
        let needed = u64::from(self.enough.saturating_sub(asked.results));
        let nodes = u64::from(asked.reach.nodes.max(1)) * needed / u64::from(asked.results);
        let each = nodes / self.links.len().max(1) as u64;
        let spread = degree.saturating_sub(1).max(2) as u64;
        let mut horizon = 1;
        let mut ttl = 0;
        while horizon < each && ttl < most {
            horizon *= spread;
            ttl += 1;
        }
        (1, ttl.max(PROBE_TTL.min(most)))
    }
}

impl<S: Store> Gnutella<S> {
    /// A plan over all links of this node.
    pub(crate) fn new_plan(&self, cx: &mut Cx<'_, Self>, wanted: u32) -> Plan {
        let mut ids: Vec<Id> = self.full_links().map(|link| link.contact.id).collect();
        let mut links = Vec::with_capacity(ids.len());
        while !ids.is_empty() {
            let at = crate::hosts::below(cx.rng, ids.len());
            links.push(ids.swap_remove(at));
        }
        Plan {
            links,
            rounds: 0,
            enough: wanted.clamp(1, ENOUGH),
            last: 0,
        }
    }

    /// A leaf's query: this node searches for it.
    pub(crate) fn search_for_leaf(&mut self, cx: &mut Cx<'_, Self>, guid: Guid) {
        let Some(asked) = self.asked.get(&guid) else {
            return;
        };
        let wanted = asked.query.wanted.min(ENOUGH_FOR_LEAF);
        let crate::query::Parent::Link(leaf) = asked.parent else {
            return;
        };
        let by_flood = self.config.way == crate::Way::Flood;
        if by_flood {
            let header = Header::new(guid, self.config.ttl);
            return self.pass_on(cx, guid, Some(leaf), Some(header), None);
        }
        let plan = self.new_plan(cx, wanted);
        if let Some(asked) = self.asked.get_mut(&guid) {
            asked.plan = Some(plan);
        }
        self.pass_on(cx, guid, Some(leaf), None, None);
    }

    /// Asks the next links of a plan; false when there is no plan or nothing is left of it.
    pub(crate) fn next_of_plan(&mut self, cx: &mut Cx<'_, Self>, guid: Guid) -> bool {
        let (most, degree) = (self.config.ttl, self.full_links().count());
        loop {
            let Some(asked) = self.asked.get_mut(&guid) else {
                return false;
            };
            let Some(mut plan) = asked.plan.take() else {
                return false;
            };
            if asked.results >= plan.enough || plan.links.is_empty() {
                return false;
            }
            let (count, ttl) = plan.next_round(asked, degree, most);
            let count = count.min(plan.links.len());
            let round: Vec<Id> = plan.links.drain(..count).collect();
            plan.rounds += 1;
            plan.last = count;
            asked.plan = Some(plan);
            let from = match asked.parent {
                crate::query::Parent::Link(id) => Some(id),
                crate::query::Parent::Me(_) => None,
            };
            let header = Header::new(guid, ttl);
            self.ask_equals(cx, guid, from, header, &round);
            let sent = self.asked.get(&guid).is_some_and(|it| it.is_waiting());
            if sent {
                return true;
            }
        }
    }

    /// Sends a query to these neighbours, none of which is a leaf.
    fn ask_equals(
        &mut self,
        cx: &mut Cx<'_, Self>,
        guid: Guid,
        from: Option<Id>,
        header: Header,
        round: &[Id],
    ) {
        let is_equal = |id: &&Id| self.links.get(id).is_some_and(|it| it.role != Role::Leaf);
        let round: Vec<Id> = round.iter().filter(is_equal).copied().collect();
        let leaves = self.asked.get(&guid).map_or(0, |asked| asked.reach.leaves);
        self.pass_on(cx, guid, from, Some(header), Some(&round));
        // Leaves were counted when they were asked.
        if let Some(asked) = self.asked.get_mut(&guid) {
            asked.reach.leaves = leaves;
        }
    }
}
