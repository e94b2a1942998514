//! Random walkers: each goes from neighbour to neighbour, and asks its origin every few steps whether to go
//! on.
//!
//! After Lv et al., "Search and replication in unstructured peer-to-peer networks" (ICS 2002): k
//! walkers, checking back every four steps, and nodes that remember which neighbours walkers of the
//! same search were sent to, so that the next goes elsewhere.
//!
//! Deviation: hits and the questions of walkers go straight to the origin, whose address the
//! walker carries: the way back of a walk is as long as the walk.

use crate::inbox::Misdeed;
use crate::limits::Kind;
use crate::link::Link;
use crate::message::{Errand, Guid, Header, Message, Query, Reach, Role, Walk, What};
use crate::node::{Due, Gnutella};
use crate::seen::{Back, Steps};
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

/// A walker that waits for the word of its origin.
#[derive(Debug)]
pub(crate) struct Waiting {
    walk: Walk,
    /// The neighbour that it came from.
    from: Option<Id>,
}

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
            if !self.step(cx, walk, None, true) {
                break;
            }
            self.deadlines.set(Due::Out(guid, walker), cx.now + SILENCE);
            left += 1;
        }
        left
    }

    /// Sends a walker to the next neighbour that can take one more; false when there is none.
    fn step(
        &mut self,
        cx: &mut Cx<'_, Self>,
        mut walk: Walk,
        except: Option<Id>,
        fair: bool,
    ) -> bool {
        let has_room = |link: &&Link| link.conduct.has_room(Kind::Walk, fair, cx.now);
        let all: Vec<Contact> = self
            .full_links()
            .filter(has_room)
            .map(|link| link.contact)
            .collect();
        let others: Vec<Contact> = all
            .iter()
            .filter(|contact| Some(contact.id) != except)
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
            let is_short = self.full_links().next().is_some();
            self.tally.held_back += u64::from(is_short);
            return self.step_to_leaf(cx, walk, except);
        };
        walk.ttl = walk.ttl.saturating_sub(1);
        self.send_walker(cx, next, walk)
    }

    /// Sends a walker that found no place for a copy to a leaf, its last chance: where there are not
    /// enough ultrapeers, as in a directory, leaves keep each other's records.
    fn step_to_leaf(&mut self, cx: &mut Cx<'_, Self>, mut walk: Walk, except: Option<Id>) -> bool {
        if self.role != Role::Ultrapeer || !matches!(walk.errand, Errand::Place { .. }) {
            return false;
        }
        let walked = self.seen.get(walk.guid).map(|entry| &entry.walked);
        let suits = |link: &&Link| {
            let id = link.contact.id;
            link.role == Role::Leaf
                && Some(id) != except
                && id != walk.origin.id
                && walked.is_none_or(|list| !list.contains(&id))
                && link.conduct.has_room(Kind::Walk, true, cx.now)
        };
        let leaves = self.links.values().filter(suits);
        let leaves: Vec<Contact> = leaves.map(|link| link.contact).collect();
        let Some(next) = crate::hosts::pick(&leaves, cx.rng).copied() else {
            return false;
        };
        walk.ttl = 0;
        self.send_walker(cx, next, walk)
    }

    fn send_walker(&mut self, cx: &mut Cx<'_, Self>, next: Contact, walk: Walk) -> bool {
        if !self.may_send(Kind::Walk, next.id, true, cx.now) {
            return false;
        }
        if let Some(entry) = self.seen.get_mut(walk.guid) {
            entry.note_walked(next.id);
            entry.walker_goes(walk.walker, walk.ttl, next.id);
        }
        cx.send(next, Message::Walk(Box::new(walk)));
        true
    }

    /// Whether a walker may have come so: it falls with each step, and begins at its origin.
    fn is_walk_true(&mut self, cx: &mut Cx<'_, Self>, from: Contact, walk: &Walk) -> bool {
        if walk.hops == 0 && walk.origin.id != from.id {
            self.misdeed(cx, from, Misdeed::Forged);
            return false;
        }
        let place = matches!(walk.errand, Errand::Place { .. });
        if self.role == Role::Leaf && !(place && walk.ttl == 0) {
            self.misdeed(cx, from, Misdeed::Role);
            return false;
        }
        let entry = self.seen.get_mut(walk.guid);
        match entry.map(|entry| entry.walker_came(walk.walker, walk.ttl, from.id)) {
            None | Some(Steps::Fewer) => true,
            // Somebody else on its way may have given it more.
            Some(Steps::More) => false,
            Some(Steps::MoreOnLink) => {
                self.misdeed(cx, from, Misdeed::Hops);
                false
            }
        }
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
        if !self.is_walk_true(cx, from, &walk) {
            return;
        }
        walk.hops = walk.hops.saturating_add(1);
        let is_over = walk.ttl == 0;
        let errand = walk.errand.clone();
        match errand {
            Errand::Search(query) => self.visit(cx, from.id, &mut walk, &query),
            Errand::Place { key, slot, version } => {
                let known = self.store.meta(key, slot);
                let has = known.is_some_and(|known| known.version >= version);
                if self.may_keep(&walk, has) {
                    return self.offer_to_keep(cx, &walk);
                }
                if is_over && self.step_to_leaf(cx, walk.clone(), Some(from.id)) {
                    return;
                }
            }
        }
        let must_ask = walk.hops.is_multiple_of(self.config.check_every.max(1));
        let asks = matches!(walk.errand, Errand::Search(_)) && must_ask;
        if is_over || asks {
            return self.ask_origin(cx, walk, Some(from.id), is_over);
        }
        let ended = walk.clone();
        let fair = self.has_share(Kind::Walk, Some(from.id), cx.now);
        if !self.step(cx, walk, Some(from.id), fair) {
            self.ask_origin(cx, ended, None, true);
        }
    }

    /// A walker looks around here.
    fn visit(&mut self, cx: &mut Cx<'_, Self>, from: Id, walk: &mut Walk, query: &Query) {
        let back = Back::Straight(walk.origin);
        if walk.origin.id == self.me.id || !self.seen.insert(walk.guid, back, 0, cx.now) {
            return;
        }
        if let Some(entry) = self.seen.get_mut(walk.guid) {
            entry.walker_came(walk.walker, walk.ttl, from);
        }
        walk.fresh.nodes = walk.fresh.nodes.saturating_add(1);
        let (hits, is_cut) = self.matches(cx, Some(from), query);
        let may_tell = hits.is_empty() || {
            let link = self.links.get_mut(&from);
            link.is_none_or(|link| link.conduct.may_tell(cx.now))
        };
        walk.fresh.is_cut |= is_cut || !may_tell;
        if may_tell {
            self.answer(cx, hits, walk.guid, 0, back);
        }
        if self.role == Role::Ultrapeer {
            let leaves = self.ask_leaves(cx, Some(from), walk.guid, query);
            walk.fresh.leaves = walk.fresh.leaves.saturating_add(leaves);
        }
    }

    /// Asks the leaves that may have it, for a walker that came from a neighbour or for this node; their
    /// hits are passed straight on. Says how many tables spoke.
    pub(crate) fn ask_leaves(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Option<Id>,
        guid: Guid,
        query: &Query,
    ) -> u32 {
        let targets = self.targets(None, None, &query.what, None);
        if targets.to.is_empty() {
            return targets.leaves;
        }
        let fair = self.has_share(Kind::Query, from, cx.now);
        for (contact, ttl) in targets.to {
            if !self.may_send(Kind::Query, contact.id, fair, cx.now) {
                self.tally.held_back += 1;
                self.tally.told.dropped_link_full += 1;
                continue;
            }
            let header = Header { guid, ttl, hops: 0 };
            let query = query.clone();
            cx.send(contact, Message::Query { header, query });
        }
        targets.leaves
    }

    /// Whether a copy may be left here: after some steps, or where a walk can go no further.
    fn may_keep(&self, walk: &Walk, has: bool) -> bool {
        let is_end = walk.ttl == 0 || self.full_links().next().is_none();
        let is_mixed = walk.hops >= MIX || is_end;
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
    fn ask_origin(
        &mut self,
        cx: &mut Cx<'_, Self>,
        mut walk: Walk,
        from: Option<Id>,
        is_over: bool,
    ) {
        let origin = walk.origin;
        let (guid, walker) = (walk.guid, walk.walker);
        let ended = is_over || self.walkers.len() >= MAX_WAITING;
        let fresh = std::mem::take(&mut walk.fresh);
        if !ended {
            self.deadlines.set(Due::Walker(guid, walker), cx.now + WAIT);
            let waiting = Waiting { walk, from };
            self.walkers.insert((guid, walker), Box::new(waiting));
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
        let is_origin = |waiting: &Waiting| waiting.walk.origin.id == from.id;
        if !self.walkers.get(&place).is_some_and(|it| is_origin(it)) {
            return;
        }
        self.deadlines.clear(Due::Walker(guid, walker));
        let Some(waiting) = self.walkers.remove(&place) else {
            return;
        };
        let Waiting { walk, from } = *waiting;
        if !go {
            return;
        }
        let fair = self.has_share(Kind::Walk, from, cx.now);
        if !self.step(cx, walk.clone(), None, fair) {
            self.ask_origin(cx, walk, None, true);
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
