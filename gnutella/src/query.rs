//! Queries on their way: passed on once, and ended by an echo that says how far they came.

use crate::asked::{Asked, Parent};
use crate::forward::Onward;
use crate::inbox::Misdeed;
use crate::message::{Guid, Header, Message, Query, QueryHit, Reach, Role, What};
use crate::node::{Due, Gnutella};
use crate::plan::Plan;
use crate::seen::Back;
use overlay::words::Query as WordQuery;
use overlay::{Contact, Cx, Duration, Id, Store};

/// Most queries that a node has passed on and that have not ended; one more is not passed on. At the
/// most that eight neighbours may send, with a round trip of a second, there are half as many.
pub const MAX_ASKED: usize = 8_192;
/// Most QueryHits that a node passes on for one query.
pub const MAX_HITS_PASSED: u32 = 512;
/// How long a round of a plan may take before the next links are asked too. The paper waits 2.4 s
/// for each hop; here a user waits for eight seconds in all, and the echoes that come later still
/// count.
const ROUND: Duration = Duration::from_millis(1_500);
/// The same for a leaf: its ultrapeer's whole search is one round to it, and the others have as
/// long.
const ROUND_OF_LEAF: Duration = Duration::from_millis(3_000);

impl<S: Store> Gnutella<S> {
    pub(crate) fn query(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        header: Header,
        query: Query,
    ) {
        let guid = header.guid;
        self.tally.queries += 1;
        if !query.what.fits() || query.wanted > crate::message::MAX_WANTED {
            self.tally.told.dropped_malformed += 1;
            return self.out_of_bounds(cx, from);
        }
        let words_fit = match &query.what {
            What::Words(text) => WordQuery::parse(text).is_ok(),
            _ => true,
        };
        if !header.is_sane() || !words_fit {
            self.tally.told.dropped_malformed += 1;
            cx.send(from, Message::not_reached(guid));
            let what = if words_fit {
                Misdeed::Hops
            } else {
                Misdeed::Words
            };
            return self.misdeed(cx, from, what);
        }
        let sum = header.ttl + header.hops;
        if !self.seen.insert(guid, Back::Link(from.id), sum, cx.now) {
            return self.duplicate(cx, from, header);
        }
        let (hits, is_cut) = self.matches(cx, Some(from.id), &query);
        let has_none = hits.is_empty();
        self.tally.told.matched += u64::from(!has_none);
        self.tally.told.ended_ttl += u64::from(header.ttl == 0);
        let of_leaf = self.links.get(&from.id).map(|link| link.role) == Some(Role::Leaf);
        let patience = self.config.patience_a_hop.times(u64::from(header.ttl) + 1);
        let patience = if of_leaf {
            crate::search::FOR_LEAF
        } else {
            patience
        };
        let mut asked = Asked::new(Parent::Link(from.id), query, cx.now + patience);
        asked.reach.nodes = 1;
        asked.reach.is_cut = is_cut;
        asked.count(&hits);
        asked.hits = self.answer(cx, hits, guid, header.hops, Back::Link(from.id));
        if self.asked.len() >= MAX_ASKED || self.role == Role::Leaf {
            self.tally.last_hop_vain += u64::from(header.ttl == 0 && has_none);
            self.tally.told.dropped_table_full += u64::from(self.asked.len() >= MAX_ASKED);
            return self.echo(cx, from, guid, &asked);
        }
        self.asked.insert(guid, Box::new(asked));
        if of_leaf && self.role == Role::Ultrapeer {
            self.search_for_leaf(cx, guid, header);
        } else {
            self.pass_on(cx, guid, Some(from.id), Onward::after(header), None);
        }
        let goes_on = self.asked.get(&guid).is_some_and(|it| it.is_waiting());
        self.tally.last_hop_vain += u64::from(header.ttl == 0 && has_none && !goes_on);
        self.watch(cx, guid);
        self.asked_changed(cx, guid);
    }

    /// A query that is known already: answered at once, and not passed on.
    fn duplicate(&mut self, cx: &mut Cx<'_, Self>, from: Contact, header: Header) {
        self.tally.duplicates += 1;
        cx.send(from, Message::not_reached(header.guid));
        let Some(first) = self.seen.get(header.guid) else {
            return;
        };
        // The same neighbour twice, or TTL and hops that have grown together: nobody of good will
        // sends that. But a leaf is sent its query with a TTL of 0, whatever was left of it; and a
        // leaf's query begins at each of its ultrapeers anew, of which one may have passed it on.
        let may_grow = self.role == Role::Leaf
            || self.links.get(&from.id).map(|link| link.role) == Some(Role::Leaf)
            || matches!(first.back, Back::Me | Back::Round(_));
        let has_grown = header.ttl + header.hops > first.sum;
        if first.back == Back::Link(from.id) {
            self.misdeed(cx, from, Misdeed::Duplicate);
        } else if has_grown && !may_grow {
            self.misdeed(cx, from, Misdeed::Hops);
        }
    }

    pub(crate) fn query_hit(&mut self, cx: &mut Cx<'_, Self>, from: Contact, hit: QueryHit) {
        if !hit.fits() {
            return self.out_of_bounds(cx, from);
        }
        // On its way home a hit's TTL falls as its hops rise.
        if !hit.header.is_sane() {
            return self.misdeed(cx, from, Misdeed::Hops);
        }
        let guid = hit.header.guid;
        let Some(back) = self.seen.get(guid).map(|entry| entry.back) else {
            return;
        };
        // What a walker found at a leaf is told straight, by an ultrapeer that may be no neighbour.
        let is_way = self.links.contains_key(&from.id) || back == Back::Me;
        if is_way && !matches!(back, Back::Round(_)) {
            let way = (from, guid);
            self.seen.note_way(guid, hit.from.id, way, cx.now);
        }
        let asked = self.asked.get_mut(&guid);
        let child = asked.and_then(|asked| asked.waiting.get_mut(&from.id));
        if let Some(child) = child {
            child.got = child.got.saturating_add(1);
        }
        match back {
            Back::Me => self.hit_for_me(cx, hit),
            Back::Link(id) => self.hit_for_link(cx, id, hit),
            Back::Round(of) => self.hit_for_plan(cx, of, from, hit),
            Back::Straight(origin) => cx.send(origin, Message::QueryHit(Box::new(hit))),
        }
        self.asked_changed(cx, guid);
    }

    pub(crate) fn hit_for_link(&mut self, cx: &mut Cx<'_, Self>, id: Id, mut hit: QueryHit) {
        let Some(header) = hit.header.forwarded() else {
            return;
        };
        let guid = header.guid;
        hit.header = header;
        if let Some(asked) = self.asked.get_mut(&guid) {
            if asked.hits >= MAX_HITS_PASSED {
                asked.reach.is_cut = true;
                return;
            }
            asked.hits += 1;
            if asked.plan.is_some() {
                asked.count(&hit.hits);
            }
        }
        if let Some(link) = self.links.get(&id) {
            self.tally.told.hits_passed += 1;
            cx.send(link.contact, Message::QueryHit(Box::new(hit)));
        }
    }

    pub(crate) fn reached(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        guid: Guid,
        reach: Reach,
        hits: u32,
    ) {
        let Some(asked) = self.asked.get_mut(&guid) else {
            return;
        };
        let Some(child) = asked.waiting.get_mut(&from.id) else {
            return;
        };
        if child.told.is_none() {
            child.told = Some(hits);
            asked.reach = asked.reach.and(reach);
        }
        self.asked_changed(cx, guid);
    }

    /// A neighbour is gone: nothing more comes from it.
    pub(crate) fn link_lost(&mut self, cx: &mut Cx<'_, Self>, id: Id) {
        let waits = |asked: &Asked| asked.waiting.contains_key(&id);
        let guids: Vec<Guid> = self
            .asked
            .iter()
            .filter(|(_, asked)| waits(asked))
            .map(|(guid, _)| *guid)
            .collect();
        for guid in guids {
            if let Some(asked) = self.asked.get_mut(&guid) {
                asked.waiting.remove(&id);
            }
            self.asked_changed(cx, guid);
        }
    }

    /// Ends a query when every neighbour has answered, or asks the next links of its plan.
    pub(crate) fn asked_changed(&mut self, cx: &mut Cx<'_, Self>, guid: Guid) {
        let Some(asked) = self.asked.get_mut(&guid) else {
            return;
        };
        asked.waiting.retain(|_, child| !child.is_done());
        if !asked.is_waiting() && !self.next_of_plan(cx, guid) {
            self.asked_ended(cx, guid);
        }
    }

    /// Sets when to look after a query again: at its end, or when a round of its plan is slow.
    pub(crate) fn watch(&mut self, cx: &Cx<'_, Self>, guid: Guid) {
        let Some(asked) = self.asked.get(&guid) else {
            return;
        };
        let round = |plan: &Plan| if plan.is_leaf { ROUND_OF_LEAF } else { ROUND };
        let round = asked.plan.as_ref().map(|plan| cx.now + round(plan));
        let at = round.map_or(asked.until, |round| round.min(asked.until));
        self.deadlines.set(Due::Asked(guid), at);
    }

    /// A query took too long: those that did not answer are not counted. Where only a round of a
    /// plan is slow, the next one begins meanwhile.
    pub(crate) fn asked_due(&mut self, cx: &mut Cx<'_, Self>, guid: Guid) {
        let Some(asked) = self.asked.get(&guid) else {
            return;
        };
        if asked.plan.is_some() && cx.now < asked.until {
            if !self.next_of_plan(cx, guid) {
                self.watch(cx, guid);
            }
            return;
        }
        for id in self.silent(guid) {
            if let Some(link) = self.links.get_mut(&id) {
                link.silences = link.silences.saturating_add(1);
            }
        }
        self.asked_ended(cx, guid);
    }

    fn asked_ended(&mut self, cx: &mut Cx<'_, Self>, guid: Guid) {
        let Some(asked) = self.take_asked(guid) else {
            return;
        };
        let reach = asked.reached();
        match asked.parent {
            Parent::Me(number) => self.round_ended(cx, number, guid, reach),
            Parent::Round(of) => self.round_of_plan_ended(cx, of, guid, reach),
            Parent::Nobody => self.learnt.flooded(reach),
            Parent::Link(id) => {
                if let Some(to) = self.links.get(&id).map(|link| link.contact) {
                    self.echo(cx, to, guid, &asked);
                }
            }
        }
    }

    fn echo(&self, cx: &mut Cx<'_, Self>, to: Contact, guid: Guid, asked: &Asked) {
        let message = Message::Reached {
            guid,
            reach: asked.reached(),
            hits: asked.hits,
        };
        cx.send(to, message);
    }

    /// Sends a query of this node on its way; false when there is nobody to ask.
    pub(crate) fn send_query(
        &mut self,
        cx: &mut Cx<'_, Self>,
        number: u64,
        header: Header,
        query: Query,
        by_plan: bool,
    ) {
        let guid = header.guid;
        let patience = self.config.patience_a_hop.times(u64::from(header.ttl) + 2);
        let patience = if by_plan {
            crate::search::FOR_LEAF
        } else {
            patience
        };
        let wanted = query.wanted;
        let asked = Asked::new(Parent::Me(number), query, cx.now + patience);
        self.asked.insert(guid, Box::new(asked));
        if by_plan {
            self.start_plan(cx, guid, wanted);
        } else {
            self.pass_on(cx, guid, None, Onward::first(header.ttl), None);
        }
        self.watch(cx, guid);
        self.asked_changed(cx, guid);
    }

    /// Ends a query of this node early: what still comes in is not waited for.
    pub(crate) fn stop_query(&mut self, guid: Guid) -> Reach {
        let asked = self.take_asked(guid);
        asked.map_or_else(Reach::default, |it| it.reached())
    }

    /// The same for a flood. Its echoes come anyway, and say how large the network is.
    pub(crate) fn stop_flood(&mut self, guid: Guid) -> Reach {
        if self.asked.len() >= MAX_ASKED {
            return self.stop_query(guid);
        }
        let Some(asked) = self.asked.get_mut(&guid) else {
            return Reach::default();
        };
        asked.parent = Parent::Nobody;
        asked.reach
    }
}
