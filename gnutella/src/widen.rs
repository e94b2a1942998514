//! The rounds of a dynamic query, each under a GUID of its own.
//!
//! A node forwards a GUID once, and takes a TTL that has grown for a misdeed. So a wider round has a new
//! GUID, or those that saw the last one would stop it. Only rounds with a TTL of 0 share one: they
//! go to different neighbours, and no further. What comes back under it is told to the search as an
//! answer to the query that began it all, whose asker knows of no rounds.

use crate::asked::{Asked, Parent};
use crate::config::Way;
use crate::forward::Onward;
use crate::message::{Guid, Header, QueryHit, Reach, Role};
use crate::node::{Due, Gnutella};
use crate::plan::{ENOUGH, ENOUGH_FOR_LEAF, Plan, Round, SoFar};
use crate::query::MAX_ASKED;
use crate::seen::Back;
use overlay::{Contact, Cx, Id, Store};

impl Asked {
    /// The neighbour that the query came from.
    const fn asker(&self) -> Option<Id> {
        match self.parent {
            Parent::Link(id) => Some(id),
            Parent::Me(_) | Parent::Round(_) | Parent::Nobody => None,
        }
    }

    /// How far it came, with all of its rounds.
    pub(crate) fn reached(&self) -> Reach {
        let mut reach = self.reach;
        if let Some(plan) = &self.plan {
            reach = reach.and(plan.reach());
            reach.is_cut |= plan.stops_short(self.results, self.query.wanted);
        }
        reach
    }
}

impl<S: Store> Gnutella<S> {
    /// A leaf's query: this node searches for it.
    pub(crate) fn search_for_leaf(&mut self, cx: &mut Cx<'_, Self>, guid: Guid, header: Header) {
        let Some(asked) = self.asked.get(&guid) else {
            return;
        };
        let (leaf, wanted) = (asked.asker(), asked.query.wanted);
        if self.config.way == Way::Flood {
            // No further than the leaf said: its other ultrapeers would take that for a misdeed.
            let next = Onward::first(self.config.ttl.min(header.ttl));
            return self.pass_on(cx, guid, leaf, next, None);
        }
        self.start_plan(cx, guid, wanted.min(ENOUGH_FOR_LEAF));
    }

    /// Gives a query a plan over all links of this node.
    pub(crate) fn start_plan(&mut self, cx: &mut Cx<'_, Self>, guid: Guid, wanted: u32) {
        let Some(asked) = self.asked.get(&guid) else {
            return;
        };
        let (what, asker) = (asked.query.what.clone(), asked.asker());
        let equals = self.full_links().map(|link| link.contact.id);
        let equals: Vec<Id> = equals.filter(|id| Some(*id) != asker).collect();
        let links = shuffled(cx, equals);
        let (leaves, ruled_out) = self.leaves_by_tables(&what, asker);
        let likely = self.likely(&what, &links);
        let near = self.draw_guid(cx);
        let is_leaf = self.role == Role::Leaf;
        let mut plan = Plan::new(near, links, wanted.clamp(1, ENOUGH), is_leaf);
        plan.leaves = shuffled(cx, leaves);
        plan.likely = likely;
        if let Some(asked) = self.asked.get_mut(&guid) {
            asked.reach.leaves = asked.reach.leaves.saturating_add(ruled_out);
            asked.plan = Some(plan);
        }
    }

    /// Begins the next round of a plan; false when there is no plan or nothing is left of it.
    pub(crate) fn next_of_plan(&mut self, cx: &mut Cx<'_, Self>, guid: Guid) -> bool {
        let (most, degree) = (self.config.ttl, self.full_links().count());
        while self.asked.len() < MAX_ASKED {
            let Some(asked) = self.asked.get_mut(&guid) else {
                return false;
            };
            let so_far = SoFar {
                results: asked.results,
                reached: asked.reached().nodes,
                degree,
                most,
            };
            let round = asked.plan.as_mut().and_then(|it| it.next_round(so_far));
            let Some(round) = round else {
                return false;
            };
            if self.send_round(cx, guid, &round) {
                self.watch(cx, guid);
                return true;
            }
        }
        false
    }

    /// Asks the neighbours of a round; false when none of them can be asked.
    fn send_round(&mut self, cx: &mut Cx<'_, Self>, of: Guid, round: &Round) -> bool {
        let fresh = self.draw_guid(cx);
        let Some(asked) = self.asked.get_mut(&of) else {
            return false;
        };
        let (asker, until, query) = (asked.asker(), asked.until, asked.query.clone());
        let Some(plan) = &mut asked.plan else {
            return false;
        };
        let guid = if round.is_near { plan.near } else { fresh };
        plan.running.insert(guid);
        self.seen.insert(guid, Back::Round(of), 0, cx.now);
        let under_way = self.asked.entry(guid);
        under_way.or_insert_with(|| Box::new(Asked::new(Parent::Round(of), query, until)));
        let next = Onward::first(round.ttl);
        self.pass_on(cx, guid, asker, next, Some(&round.to));
        if self.asked.get(&guid).is_some_and(|it| it.is_waiting()) {
            self.deadlines.set(Due::Asked(guid), until);
            return true;
        }
        self.asked.remove(&guid);
        if let Some(plan) = self.asked.get_mut(&of).and_then(|it| it.plan.as_mut()) {
            plan.running.remove(&guid);
        }
        false
    }

    /// A round has ended: the next one, or the end of the query.
    pub(crate) fn round_of_plan_ended(
        &mut self,
        cx: &mut Cx<'_, Self>,
        of: Guid,
        round: Guid,
        reach: Reach,
    ) {
        if let Some(plan) = self.asked.get_mut(&of).and_then(|it| it.plan.as_mut()) {
            plan.ended(round, reach);
        }
        self.asked_changed(cx, of);
    }

    /// Takes a query out, with all rounds of it that are under way.
    pub(crate) fn take_asked(&mut self, guid: Guid) -> Option<Box<Asked>> {
        self.deadlines.clear(Due::Asked(guid));
        let mut asked = self.asked.remove(&guid)?;
        if let Some(plan) = &mut asked.plan {
            for round in std::mem::take(&mut plan.running) {
                self.deadlines.clear(Due::Asked(round));
                if let Some(under_way) = self.asked.remove(&round) {
                    plan.ended(round, under_way.reach);
                }
            }
        }
        Some(asked)
    }

    /// The neighbours that owe an answer to a query or to a round of it.
    pub(crate) fn silent(&self, guid: Guid) -> Vec<Id> {
        let Some(asked) = self.asked.get(&guid) else {
            return Vec::new();
        };
        let rounds = asked.plan.iter().flat_map(|plan| plan.running.iter());
        let rounds = rounds.filter_map(|round| self.asked.get(round));
        let waiting = rounds.flat_map(|round| round.waiting.keys());
        waiting.chain(asked.waiting.keys()).copied().collect()
    }

    /// A hit under the GUID of a round.
    pub(crate) fn hit_for_plan(
        &mut self,
        cx: &mut Cx<'_, Self>,
        of: Guid,
        from: Contact,
        mut hit: QueryHit,
    ) {
        let round = std::mem::replace(&mut hit.header.guid, of);
        if self.links.contains_key(&from.id) {
            let way = (from, round);
            self.seen.note_way(of, hit.from.id, way, cx.now);
        }
        let plan = self.asked.get_mut(&of).and_then(|it| it.plan.as_mut());
        if plan.is_some_and(|plan| !plan.is_news(hit.from.id, round)) {
            return;
        }
        match self.seen.get(of).map(|entry| entry.back) {
            Some(Back::Me) => self.hit_for_me(cx, hit),
            Some(Back::Link(id)) => self.hit_for_link(cx, id, hit),
            _ => {}
        }
    }
}

/// In random order, so that it is not always the same who are asked first.
fn shuffled<S: Store>(cx: &mut Cx<'_, Gnutella<S>>, mut ids: Vec<Id>) -> Vec<Id> {
    let mut order = Vec::with_capacity(ids.len());
    while !ids.is_empty() {
        let at = crate::hosts::below(cx.rng, ids.len());
        order.push(ids.swap_remove(at));
    }
    order
}
