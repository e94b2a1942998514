//! Random walkers: each goes from neighbour to neighbour, and asks its origin every few steps whether to go
//! on.
//!
//! After Lv et al., "Search and replication in unstructured peer-to-peer networks" (ICS 2002): k
//! walkers, checking back every four steps, and nodes that remember which neighbours walkers of the
//! same search were sent to, so that the next goes elsewhere.
//!
//! Deviation: hits and the questions of walkers go straight to the origin, whose address the
//! walker carries: the way back of a walk is as long as the walk.

use crate::message::{Errand, Guid, Header, Message, Query, Reach, Role, Walk, What};
use crate::node::{Due, Gnutella};
use crate::seen::Back;
use overlay::{Contact, Cx, Duration, Id, Store};

/// Most walkers that wait here for the word of their origin; one more dies.
pub const MAX_WAITING: usize = 4_096;
/// How long a walker waits for it: a handshake and a round trip.
const WAIT: Duration = Duration::from_secs(3);
/// How long a walker may be silent before its origin takes it for lost.
const SILENCE: Duration = Duration::from_secs(3);
/// Steps before a walker that places a copy may do so: after that many a walk on a random graph is nearly
/// anywhere.
const MIX: u16 = 6;

impl<S: Store> Gnutella<S> {
    /// Sends walkers out from here; says how many left.
    pub(crate) fn send_walkers(
        &mut self,
        cx: &mut Cx<'_, Self>,
        guid: Guid,
        count: u8,
        ttl: u16,
        errand: &Errand,
    ) -> u8 {
        self.seen.insert(guid, Back::Me, 0, cx.now);
        let mut left = 0;
        for walker in 0..count {
            let walk = Walk {
                guid,
                walker,
                origin: self.me,
                ttl,
                hops: 0,
                fresh: Reach::default(),
                errand: errand.clone(),
            };
            if !self.step(cx, walk, None) {
                break;
            }
            self.deadlines.set(Due::Out(guid, walker), cx.now + SILENCE);
            left += 1;
        }
        left
    }

    /// Sends a walker to the next neighbour; false when there is none.
    fn step(&mut self, cx: &mut Cx<'_, Self>, mut walk: Walk, from: Option<Id>) -> bool {
        let all: Vec<Contact> = self.full_links().map(|link| link.contact).collect();
        let others: Vec<Contact> = all
            .iter()
            .filter(|contact| Some(contact.id) != from)
            .copied()
            .collect();
        let walked = self.seen.get(walk.guid).map(|entry| &entry.walked);
        let is_new = |contact: &&Contact| walked.is_none_or(|list| !list.contains(&contact.id));
        let new: Vec<Contact> = others.iter().filter(is_new).copied().collect();
        let choice = [&new, &others, &all]
            .into_iter()
            .find(|list| !list.is_empty());
        let Some(next) = choice
            .and_then(|list| crate::hosts::pick(list, cx.rng))
            .copied()
        else {
            return false;
        };
        if let Some(entry) = self.seen.get_mut(walk.guid) {
            entry.note_walked(next.id);
        }
        walk.ttl = walk.ttl.saturating_sub(1);
        cx.send(next, Message::Walk(Box::new(walk)));
        true
    }

    pub(crate) fn walk(&mut self, cx: &mut Cx<'_, Self>, from: Contact, mut walk: Walk) {
        let fits = match &walk.errand {
            Errand::Search(query) => {
                query.what.fits() && query.wanted <= crate::message::MAX_WANTED
            }
            Errand::Place { .. } => true,
        };
        if !fits || walk.ttl > crate::MAX_WALK {
            return self.out_of_bounds(cx, from);
        }
        if self.role == Role::Leaf {
            return self.misdeed(cx, from);
        }
        walk.hops = walk.hops.saturating_add(1);
        let errand = walk.errand.clone();
        match errand {
            Errand::Search(query) => self.visit(cx, &mut walk, &query),
            Errand::Place { key, slot, version } => {
                let known = self.store.meta(key, slot);
                let has = known.is_some_and(|known| known.version >= version);
                if self.may_keep(&walk, has) {
                    return self.offer_to_keep(cx, &walk);
                }
            }
        }
        let is_over = walk.ttl == 0;
        let must_ask = walk.hops.is_multiple_of(self.config.check_every.max(1));
        let asks = matches!(walk.errand, Errand::Search(_)) && must_ask;
        if is_over || asks {
            return self.ask_origin(cx, walk, is_over);
        }
        let ended = walk.clone();
        if !self.step(cx, walk, Some(from.id)) {
            self.ask_origin(cx, ended, true);
        }
    }

    /// A walker looks around here.
    fn visit(&mut self, cx: &mut Cx<'_, Self>, walk: &mut Walk, query: &Query) {
        let back = Back::Straight(walk.origin);
        if walk.origin.id == self.me.id || !self.seen.insert(walk.guid, back, 0, cx.now) {
            return;
        }
        walk.fresh.nodes = walk.fresh.nodes.saturating_add(1);
        let hits = self.matches(&query.what, query.wanted, cx.wall);
        self.answer(cx, hits, walk.guid, 0, back);
        if self.role == Role::Ultrapeer {
            let leaves = self.ask_leaves(cx, walk.guid, query);
            walk.fresh.leaves = walk.fresh.leaves.saturating_add(leaves);
        }
    }

    /// Asks the leaves that may have it; their hits are passed straight on. Says how many tables spoke.
    fn ask_leaves(&mut self, cx: &mut Cx<'_, Self>, guid: Guid, query: &Query) -> u32 {
        let targets = self.targets(None, None, &query.what, None);
        for (contact, ttl) in targets.to {
            let header = Header { guid, ttl, hops: 0 };
            let query = query.clone();
            cx.send(contact, Message::Query { header, query });
        }
        targets.leaves
    }

    /// Whether a copy may be left here.
    fn may_keep(&self, walk: &Walk, has: bool) -> bool {
        let is_mixed = walk.hops >= MIX || walk.ttl == 0;
        let offered = self.seen.get(walk.guid).is_some_and(|entry| entry.offered);
        !has && is_mixed && walk.origin.id != self.me.id && !offered && self.store.room().is_ok()
    }

    fn offer_to_keep(&mut self, cx: &mut Cx<'_, Self>, walk: &Walk) {
        let back = Back::Straight(walk.origin);
        self.seen.insert(walk.guid, back, 0, cx.now);
        if let Some(entry) = self.seen.get_mut(walk.guid) {
            entry.offered = true;
        }
        let message = Message::Offer {
            guid: walk.guid,
            walker: walk.walker,
        };
        cx.send(walk.origin, message);
    }

    /// A walker asks whether to go on, or says that it has ended.
    fn ask_origin(&mut self, cx: &mut Cx<'_, Self>, mut walk: Walk, is_over: bool) {
        let origin = walk.origin;
        let (guid, walker) = (walk.guid, walk.walker);
        let ended = is_over || self.walkers.len() >= MAX_WAITING;
        let fresh = std::mem::take(&mut walk.fresh);
        if !ended {
            self.deadlines.set(Due::Walker(guid, walker), cx.now + WAIT);
            self.walkers.insert((guid, walker), Box::new(walk));
        }
        if origin.id == self.me.id {
            return self.check_back(cx, origin, (guid, walker), fresh, ended);
        }
        let message = Message::CheckBack {
            guid,
            walker,
            fresh,
            ended,
        };
        cx.send(origin, message);
    }

    /// A walker of this node asks.
    pub(crate) fn check_back(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        (guid, walker): (Guid, u8),
        fresh: Reach,
        ended: bool,
    ) {
        if ended {
            return self.walker_ended(cx, guid, walker, fresh);
        }
        let go = self.walker_asks(guid, walker, fresh);
        if go {
            self.deadlines.set(Due::Out(guid, walker), cx.now + SILENCE);
        }
        if from.id == self.me.id {
            return self.go_on(cx, from, guid, walker, go);
        }
        cx.send(from, Message::GoOn { guid, walker, go });
    }

    pub(crate) fn go_on(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        guid: Guid,
        walker: u8,
        go: bool,
    ) {
        let place = (guid, walker);
        let is_origin = |walk: &Walk| walk.origin.id == from.id;
        if !self.walkers.get(&place).is_some_and(|walk| is_origin(walk)) {
            return;
        }
        self.deadlines.clear(Due::Walker(guid, walker));
        let Some(walk) = self.walkers.remove(&place) else {
            return;
        };
        if go && !self.step(cx, (*walk).clone(), None) {
            self.ask_origin(cx, *walk, true);
        }
    }

    pub(crate) fn walker_lost(&mut self, cx: &mut Cx<'_, Self>, guid: Guid, walker: u8) {
        self.walker_ended(cx, guid, walker, Reach::default());
    }

    fn walker_ended(&mut self, cx: &mut Cx<'_, Self>, guid: Guid, walker: u8, fresh: Reach) {
        self.deadlines.clear(Due::Out(guid, walker));
        if self.puttings.contains_key(&guid) {
            return self.placer_ended(cx, guid, walker);
        }
        self.search_walker_ended(cx, guid, walker, fresh);
    }

    /// What a walker is sent out for by a search.
    pub(crate) fn search_errand(what: &What, wanted: u32) -> Errand {
        Errand::Search(Query {
            what: what.clone(),
            wanted,
        })
    }
}
