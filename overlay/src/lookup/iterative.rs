//! Iterative lookup: the origin asks one hop after another.

use super::message::{Answer, NextStep};
use super::origin::is_plausible;
use super::routing::{Due, Routing, that_only};
use super::{LookupId, LookupMessage, MAX_AVOIDED, MAX_HOPS, NAMED_HOPS};
use crate::{Arc, Claim, Contact, Cx, Duration, Fault, Hop, Id, KeyRouter, Time};
use smallvec::SmallVec;

/// A question to one hop, and where to go on when it stays silent.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    pub(super) lookup: u64,
    asked: Hop,
    sent: Time,
    /// Further candidates, best first, [`MAX_CANDIDATES`] at most.
    candidates: Vec<Hop>,
    /// The nodes that answered so far, the origin first.
    path: Vec<Contact>,
    /// What each of those took to answer, but for the origin.
    hop_times: Vec<Duration>,
    /// Silent nodes.
    avoid: SmallVec<[Id; 4]>,
    pub(super) timeouts: u16,
    /// Questions asked so far, the current one included.
    questions: u8,
}

/// Most candidates that an origin keeps; the worst are dropped.
const MAX_CANDIDATES: usize = 64;

impl<R: KeyRouter> Routing<R> {
    /// Starts from this node's own tables, or from `direct`.
    pub(super) fn start_walk(&mut self, cx: &mut Cx<'_, Self>, lookup: u64, direct: Option<Hop>) {
        let Some(origin) = self.origins.get(&lookup) else {
            return;
        };
        let mut candidates: Vec<Hop> = direct.into_iter().collect();
        if origin.via.is_none() {
            let avoid = origin.avoid.clone();
            let skip = |id: Id| avoid.contains(&id) || self.suspects.contains(id, cx.now);
            let mut hops = SmallVec::new();
            self.router
                .next_hops(origin.request.key, false, NAMED_HOPS, &skip, &mut hops);
            candidates.extend(hops);
        }
        let Some(asked) = candidates.first().copied() else {
            return self.dead_end(cx, LookupId(lookup), 0, SmallVec::new());
        };
        let walk = Walk {
            lookup,
            asked,
            sent: cx.now,
            candidates,
            path: vec![self.router.me()],
            hop_times: Vec::new(),
            avoid: origin.avoid.clone(),
            timeouts: 0,
            questions: 0,
        };
        self.walk_on(cx, walk);
    }

    /// Asks the best candidate that is left, and says whether there was one.
    fn walk_on(&mut self, cx: &mut Cx<'_, Self>, mut walk: Walk) -> bool {
        walk.candidates
            .retain(|hop| !walk.avoid.contains(&hop.contact.id));
        if walk.candidates.is_empty() || walk.questions >= MAX_HOPS {
            self.dead_end(cx, LookupId(walk.lookup), walk.timeouts, walk.avoid);
            return false;
        }
        let Some(key) = self
            .origins
            .get(&walk.lookup)
            .map(|origin| origin.request.key)
        else {
            return false;
        };
        walk.asked = walk.candidates.remove(0);
        walk.sent = cx.now;
        walk.questions += 1;
        let hop = self.draw_number(cx, LookupId(walk.lookup).is_for_tables());
        let ask = LookupMessage::Ask {
            hop,
            key,
            last: walk.asked.last,
            avoid: walk.avoid.clone(),
        };
        self.send(cx, walk.asked.contact, ask);
        let deadline = cx.now + self.rtts.timeout(walk.asked.contact.id);
        self.deadlines.set(Due::Hop(hop), deadline);
        self.walks.insert(hop, walk);
        true
    }

    /// An origin asks for the next step.
    pub(super) fn asked(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        hop: u64,
        key: Id,
        last: bool,
        avoid: &[Id],
    ) {
        if avoid.len() > MAX_AVOIDED {
            return cx.hang_up(from, Fault::OutOfBounds);
        }
        let step = match self.router.claim(key) {
            Claim::NotMember => NextStep::Nowhere,
            Claim::Mine => self.step_here(key),
            Claim::Elsewhere => {
                let mut hops = SmallVec::new();
                let skip = |id: Id| avoid.contains(&id);
                self.router
                    .next_hops(key, last, NAMED_HOPS, &skip, &mut hops);
                match (hops.is_empty(), last) {
                    (false, _) => NextStep::Ask(hops.into_vec()),
                    (true, true) => self.step_here(key),
                    (true, false) => NextStep::Nowhere,
                }
            }
        };
        self.send(cx, from, LookupMessage::Told { hop, step });
    }

    fn step_here(&self, key: Id) -> NextStep {
        let (arc, replicas) = self.own_answer(key);
        NextStep::Here { arc, replicas }
    }

    /// A hop named the next step.
    pub(super) fn told(&mut self, cx: &mut Cx<'_, Self>, from: Contact, hop: u64, step: NextStep) {
        if self
            .walks
            .get(&hop)
            .is_none_or(|walk| walk.asked.contact.id != from.id)
        {
            return;
        }
        let Some(mut walk) = self.walks.remove(&hop) else {
            return;
        };
        self.deadlines.clear(Due::Hop(hop));
        let took = cx.now.since(walk.sent);
        self.observe_rtt(from.id, took, cx.now);
        walk.path.push(from);
        walk.hop_times.push(took);
        match step {
            NextStep::Here { arc, replicas } => self.walk_done(cx, from, walk, arc, replicas),
            NextStep::Ask(hops) if hops.len() > NAMED_HOPS => {
                cx.hang_up(from, Fault::OutOfBounds);
                self.walk_on(cx, walk);
            }
            NextStep::Ask(hops) => {
                // A node that passes the root's part back is asked again when those are dead.
                let again = walk.asked.last.then_some(walk.asked);
                let older = std::mem::take(&mut walk.candidates);
                walk.candidates = hops.into_iter().chain(again).chain(older).collect();
                walk.candidates.truncate(MAX_CANDIDATES);
                self.walk_on(cx, walk);
            }
            NextStep::Nowhere => {
                super::relay::note(&mut walk.avoid, from.id);
                walk.path.pop();
                walk.hop_times.pop();
                self.walk_on(cx, walk);
            }
        }
    }

    fn walk_done(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        walk: Walk,
        arc: Arc,
        replicas: Vec<Contact>,
    ) {
        let Some(origin) = self.origins.get(&walk.lookup) else {
            return;
        };
        let (key, exact) = (origin.request.key, origin.request.exact);
        if !is_plausible(key, from, arc, &replicas, None) {
            cx.hang_up(from, Fault::Protocol);
            self.walk_on(cx, walk);
            return;
        }
        if exact && arc == that_only(key) && from.id != key {
            // It does not claim the key: those that would be root in its place are silent.
            return self.dead_end(cx, LookupId(walk.lookup), walk.timeouts, walk.avoid);
        }
        let hops = u8::try_from(walk.path.len() - 1).unwrap_or(u8::MAX);
        let previous = walk.path.iter().rev().nth(1).copied().filter(|_| hops > 1);
        let answer = Answer {
            lookup: LookupId(walk.lookup),
            arc,
            replicas,
            hops,
            timeouts: walk.timeouts,
            previous,
            path: Some(walk.path),
        };
        self.answered(cx, from, answer, walk.hop_times);
    }

    /// A hop did not tell in time.
    pub(super) fn walk_silent(&mut self, cx: &mut Cx<'_, Self>, hop: u64) {
        let Some(mut walk) = self.walks.remove(&hop) else {
            return;
        };
        self.deadlines.clear(Due::Hop(hop));
        walk.timeouts = walk.timeouts.saturating_add(1);
        self.tally.hop_timeouts += 1;
        super::relay::note(&mut walk.avoid, walk.asked.contact.id);
        self.suspect(cx, walk.asked.contact);
        self.tally.hop_retries += u64::from(self.walk_on(cx, walk));
    }

    /// A peer cannot be reached: its questions go to the next candidates at once.
    pub(super) fn walks_down(&mut self, cx: &mut Cx<'_, Self>, peer: Contact) {
        let of_peer =
            |(hop, walk): (&u64, &Walk)| (walk.asked.contact.id == peer.id).then_some(*hop);
        let hops: Vec<u64> = self.walks.iter().filter_map(of_peer).collect();
        for hop in hops {
            self.walk_silent(cx, hop);
        }
    }
}
