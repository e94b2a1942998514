//! Recursive forwarding: acknowledge at once, pass on, go round whoever is silent.

use super::message::{Answer, Forward};
use super::routing::{Due, Routing};
use super::{LookupMessage, MAX_AVOIDED, MAX_CHECKS, MAX_HOPS, MAX_RELAYED};
use crate::{Claim, Contact, Cx, Fault, Hop, Id, KeyRouter, Time};
use smallvec::SmallVec;

/// A request that was passed to a hop which has not acknowledged yet.
#[derive(Clone, Debug)]
pub(super) struct Relay {
    /// The request as it came here, with what was learnt since about silent nodes.
    forward: Forward,
    /// Who sent it; none at the origin.
    previous: Option<Contact>,
    /// Whom it was passed to, and whether as the root.
    asked: Contact,
    sent: Time,
    /// Everyone tried from here; unlike the list that travels, it is complete.
    tried: SmallVec<[Id; 4]>,
}

impl<R: KeyRouter> Routing<R> {
    /// A request came from another node.
    pub(super) fn forwarded(&mut self, cx: &mut Cx<'_, Self>, from: Contact, forward: Forward) {
        let path_len = forward.path.as_ref().map_or(0, Vec::len);
        if forward.hops == 0
            || forward.hops > MAX_HOPS
            || forward.avoid.len() > MAX_AVOIDED
            || path_len > usize::from(MAX_HOPS)
        {
            return cx.hang_up(from, Fault::OutOfBounds);
        }
        let hop = forward.hop;
        match self.router.claim(forward.key) {
            Claim::NotMember => self.send(cx, from, LookupMessage::Refused { hop }),
            Claim::Mine => {
                self.send(cx, from, LookupMessage::Taken { hop });
                self.answer(cx, Some(from), forward);
            }
            Claim::Elsewhere if self.relays.len() >= MAX_RELAYED || forward.hops == MAX_HOPS => {
                self.send(cx, from, LookupMessage::Refused { hop });
            }
            Claim::Elsewhere => {
                self.send(cx, from, LookupMessage::Taken { hop });
                self.pass_on(cx, Some(from), forward, SmallVec::new());
            }
        }
    }

    /// Passes a request on to the best candidate that was not tried, or ends it here: with an
    /// answer only when this node is supposed to be the root and that is good enough.
    /// `previous` is who sent it, none at the origin.
    pub(super) fn pass_on(
        &mut self,
        cx: &mut Cx<'_, Self>,
        previous: Option<Contact>,
        mut forward: Forward,
        tried: SmallVec<[Id; 4]>,
    ) {
        if let Some(next) = self.next_hop(&forward, &tried, cx.now) {
            return self.pass_to(cx, next, previous, forward, tried);
        }
        if forward.last && forward.checks < MAX_CHECKS && !tried.is_empty() {
            // The node before us is silent, but whoever sent this may not know of others between
            // it and the key: the node before the key does.
            forward.checks += 1;
            let towards = Forward {
                last: false,
                ..forward.clone()
            };
            if let Some(next) = self.next_hop(&towards, &tried, cx.now) {
                return self.pass_to(cx, next, previous, towards, tried);
            }
        }
        if forward.last && !forward.exact {
            // Whoever would be root in our place is dead as far as we know, so that makes it us. An
            // exact lookup waits until the tables say so: then this node claims the key.
            return self.answer(cx, previous, forward);
        }
        if forward.origin.id == self.router.me().id {
            return self.dead_end(cx, forward.lookup, forward.timeouts, forward.avoid);
        }
        let Forward {
            lookup,
            timeouts,
            origin,
            last,
            mut avoid,
            ..
        } = forward;
        if !last {
            // The next try goes round us. A supposed root is not gone round: it may become the root,
            // and whoever takes it for dead takes the node behind it for the root.
            note(&mut avoid, self.router.me().id);
        }
        self.send(
            cx,
            origin,
            LookupMessage::DeadEnd {
                lookup,
                timeouts,
                avoid,
            },
        );
    }

    fn next_hop(&self, forward: &Forward, tried: &[Id], now: Time) -> Option<Hop> {
        let mut hops = SmallVec::<[Hop; 8]>::new();
        // Told to be the root, we believe nobody that a node before us is dead: we ask it.
        let must_ask = forward.last && (forward.checks == 0 || forward.exact);
        let hearsay: &[Id] = if must_ask { &[] } else { &forward.avoid };
        let known = |id: Id| tried.contains(&id) || hearsay.contains(&id);
        let doubtful = |id: Id| known(id) || self.suspects.contains(id, now);
        self.router
            .next_hops(forward.key, forward.last, 1, &doubtful, &mut hops);
        if hops.is_empty() {
            self.router
                .next_hops(forward.key, forward.last, 1, &known, &mut hops);
        }
        hops.first().copied()
    }

    /// Passes a request to this hop and waits for its acknowledgement.
    pub(super) fn pass_to(
        &mut self,
        cx: &mut Cx<'_, Self>,
        next: Hop,
        previous: Option<Contact>,
        forward: Forward,
        tried: SmallVec<[Id; 4]>,
    ) {
        self.tally.hop_retries += u64::from(!tried.is_empty());
        let hop = self.draw_number(cx, forward.lookup.is_for_tables());
        let mut message = forward.clone();
        message.hop = hop;
        message.last = next.last;
        message.hops = forward.hops.saturating_add(1);
        if let Some(path) = &mut message.path {
            path.push(self.router.me());
        }
        self.send(cx, next.contact, LookupMessage::Forward(Box::new(message)));
        self.deadlines
            .set(Due::Hop(hop), cx.now + self.rtts.timeout(next.contact.id));
        let relay = Relay {
            forward,
            previous,
            asked: next.contact,
            sent: cx.now,
            tried,
        };
        self.relays.insert(hop, relay);
    }

    /// Answers the origin as the root.
    fn answer(&mut self, cx: &mut Cx<'_, Self>, previous: Option<Contact>, forward: Forward) {
        let (arc, replicas) = self.own_answer(forward.key);
        let path = forward.path.map(|mut path| {
            path.push(self.router.me());
            path
        });
        let previous = previous.filter(|from| from.id != forward.origin.id);
        let Forward {
            lookup,
            hops,
            timeouts,
            origin,
            ..
        } = forward;
        let answer = Answer {
            lookup,
            arc,
            replicas,
            hops,
            timeouts,
            previous,
            path,
        };
        if origin.id == self.router.me().id {
            return self.answered(cx, origin, answer, Vec::new());
        }
        self.send(cx, origin, LookupMessage::Answer(Box::new(answer)));
    }

    /// The hop took the request over.
    pub(super) fn taken(&mut self, cx: &mut Cx<'_, Self>, from: Contact, hop: u64) {
        if self
            .relays
            .get(&hop)
            .is_none_or(|relay| relay.asked.id != from.id)
        {
            return;
        }
        if let Some(relay) = self.relays.remove(&hop) {
            self.deadlines.clear(Due::Hop(hop));
            self.observe_rtt(from.id, cx.now.since(relay.sent), cx.now);
        }
    }

    /// The hop does not want the request.
    pub(super) fn refused(&mut self, cx: &mut Cx<'_, Self>, from: Contact, hop: u64) {
        if self
            .relays
            .get(&hop)
            .is_some_and(|relay| relay.asked.id == from.id)
        {
            self.go_round(cx, hop);
        }
    }

    /// The hop did not acknowledge in time.
    pub(super) fn hop_silent(&mut self, cx: &mut Cx<'_, Self>, hop: u64) {
        let Some(relay) = self.relays.get_mut(&hop) else {
            return;
        };
        relay.forward.timeouts = relay.forward.timeouts.saturating_add(1);
        self.tally.hop_timeouts += 1;
        let asked = relay.asked;
        note(&mut relay.forward.avoid, asked.id);
        self.suspect(cx, asked);
        self.go_round(cx, hop);
    }

    /// A peer cannot be reached: whatever was passed to it goes another way at once.
    pub(super) fn hops_down(&mut self, cx: &mut Cx<'_, Self>, peer: Contact) {
        let waiting = |(hop, relay): (&u64, &Relay)| (relay.asked.id == peer.id).then_some(*hop);
        let hops: Vec<u64> = self.relays.iter().filter_map(waiting).collect();
        if !hops.is_empty() {
            self.suspects.add(peer.id, cx.now, self.config.suspect_for);
        }
        self.tally.hop_timeouts += hops.len() as u64;
        for hop in hops {
            if let Some(relay) = self.relays.get_mut(&hop) {
                relay.forward.timeouts = relay.forward.timeouts.saturating_add(1);
                note(&mut relay.forward.avoid, peer.id);
            }
            self.go_round(cx, hop);
        }
    }

    fn go_round(&mut self, cx: &mut Cx<'_, Self>, hop: u64) {
        self.deadlines.clear(Due::Hop(hop));
        let Some(mut relay) = self.relays.remove(&hop) else {
            return;
        };
        relay.tried.push(relay.asked.id);
        let from_here = relay.forward.hops == 0;
        if from_here && !self.origins.contains_key(&relay.forward.lookup.0) {
            return; // Answered meanwhile by an earlier attempt.
        }
        self.pass_on(cx, relay.previous, relay.forward, relay.tried);
    }
}

/// Adds a silent node to the list that travels; the oldest goes when it is full.
pub(super) fn note(avoid: &mut SmallVec<[Id; 4]>, id: Id) {
    if avoid.contains(&id) {
        return;
    }
    if avoid.len() >= MAX_AVOIDED {
        avoid.remove(0);
    }
    avoid.push(id);
}
