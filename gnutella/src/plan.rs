//! Dynamic querying: one link after another, with a TTL computed from what is still wanted.
//!
//! After Fisk, "Gnutella Dynamic Query Protocol" 0.1: the leaves first; then those neighbours whose
//! tables say that they may have it, a few at a time and no further; then probe three links with a
//! TTL that reaches two links away; then go on link by link, as far as the results seen so far say
//! that is needed; stop at 150 results, or 50 for a leaf, or when no link is left.
//!
//! Deviation: a round ends with its echo, not after 2.4 s a hop: the same messages in less time. As
//! long as nothing is found, each round asks twice as many links as the last, because a user waits
//! for at most eight seconds. And a leaf asks one ultrapeer first, not all of its three, since each
//! of them searches the same network: the others when that one has nothing, or is slow.

use crate::message::{Guid, Header, Role};
use crate::node::Gnutella;
use crate::query::Asked;
use overlay::{Cx, Id, Store};

/// Links that are probed first.
const PROBES: usize = 3;
/// Ultrapeers that a leaf asks first.
const PROBES_OF_LEAF: usize = 1;
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
    /// Rounds that have been begun, those of likely neighbours not counted.
    rounds: u32,
    /// Results after which it ends.
    enough: u32,
    /// Links in the first round.
    probes: usize,
    /// Links in the last round.
    last: usize,
    /// Likely neighbours in the last round of them.
    last_likely: usize,
}

impl Plan {
    /// Takes the links of the next round out of the plan, with the TTL that they get. `likely` are
    /// those that may have it themselves.
    fn next_round(
        &mut self,
        asked: &Asked,
        likely: &[Id],
        degree: usize,
        most: u8,
    ) -> (Vec<Id>, u8) {
        if !likely.is_empty() {
            let needed = self.enough.saturating_sub(asked.results) as usize;
            let first = needed.clamp(1, PROBES);
            let count = (self.last_likely * 2).max(first).min(likely.len());
            let round = likely[..count].to_vec();
            self.links.retain(|id| !round.contains(id));
            self.last_likely = count;
            return (round, 0);
        }
        let (count, ttl) = self.wide_round(asked, degree, most);
        let count = count.min(self.links.len());
        self.rounds += 1;
        self.last = count;
        (self.links.drain(..count).collect(), ttl)
    }

    /// How many links the next round asks that tables say nothing of, and how far.
    fn wide_round(&self, asked: &Asked, degree: usize, most: u8) -> (usize, u8) {
        if self.rounds == 0 {
            return (self.probes, PROBE_TTL.min(most));
        }
        if asked.results == 0 {
            return (self.last.max(self.probes) * 2, most);
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
            probes: if self.role == Role::Leaf {
                PROBES_OF_LEAF
            } else {
                PROBES
            },
            last: 0,
            last_likely: 0,
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
            let what = asked.query.what.clone();
            let likely = self.likely(&what, &plan.links);
            let Some(asked) = self.asked.get_mut(&guid) else {
                return false;
            };
            let (round, ttl) = plan.next_round(asked, &likely, degree, most);
            asked.plan = Some(plan);
            let from = match asked.parent {
                crate::query::Parent::Link(id) => Some(id),
                crate::query::Parent::Me(_) => None,
            };
            let header = Header::new(guid, ttl);
            self.ask_equals(cx, guid, from, header, &round);
            let sent = self.asked.get(&guid).is_some_and(|it| it.is_waiting());
            if sent {
                self.watch(cx, guid);
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
        self.pass_on(cx, guid, from, Some(header), Some(&round));
    }
}
