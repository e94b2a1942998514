//! What the common lookup asks of the tables: whose key is it, and who is next on the way.

use crate::node::{Chord, Doubt, Phase};
use overlay::{Arc, Claim, Contact, Duration, Hop, Id, KeyRouter, Neighbours, OwnedArc, Time};
use smallvec::SmallVec;

impl Chord {
    fn is_alone(&self) -> bool {
        self.ring.successors().is_empty()
    }

    /// Names the predecessor when it would be root of `key` in our place. One that never gave a
    /// sign of life is not named: then we answer, but for an exact lookup. One that died since is:
    /// its silence tells the lookup that others may stand between it and the key.
    fn hop_back(&self, key: Id, chosen: &mut Chosen<'_>) {
        let Some(predecessor) = self.ring.predecessor() else {
            return;
        };
        let between = predecessor.id == key || predecessor.id.is_between(key, self.me.id);
        if between && self.doubt != Doubt::Unheard {
            chosen.push(&predecessor, true);
        }
    }

    /// The successors at or after the key, nearest first, and then those before it as a way out.
    fn hops_within_list(&self, distance: Id, chosen: &mut Chosen<'_>) {
        let successors = self.ring.successors();
        let root =
            successors.partition_point(|contact| self.me.id.distance_to(contact.id) < distance);
        let (before, after) = successors.split_at(root);
        let roots = after.iter().map(|contact| (contact, true));
        for (contact, last) in roots.chain(before.iter().rev().map(|contact| (contact, false))) {
            if chosen.is_full() {
                return;
            }
            chosen.push(contact, last);
        }
    }

    /// All nodes known before the key, the closest to it first: two sorted tables merged from
    /// their far ends.
    fn hops_before(&self, distance: Id, chosen: &mut Chosen<'_>) {
        let far = |contact: &Contact| self.me.id.distance_to(contact.id);
        let fingers = self.fingers.entries();
        let end = fingers.partition_point(|finger| far(&finger.peer.contact) < distance);
        let mut fingers = fingers[..end]
            .iter()
            .map(|finger| &finger.peer.contact)
            .rev()
            .peekable();
        let mut successors = self.ring.successors().iter().rev().peekable();
        let mut last = None;
        while !chosen.is_full() {
            let take_finger = match (fingers.peek(), successors.peek()) {
                (None, None) => return,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (Some(finger), Some(successor)) => far(finger) > far(successor),
            };
            let next = if take_finger {
                fingers.next()
            } else {
                successors.next()
            };
            let Some(contact) = next else { return };
            if last != Some(contact.id) {
                last = Some(contact.id);
                chosen.push(contact, false);
            }
        }
    }
}

/// The next hops found so far, and which are wanted.
struct Chosen<'a> {
    hops: &'a mut SmallVec<[Hop; 8]>,
    limit: usize,
    skip: &'a dyn Fn(Id) -> bool,
}

impl Chosen<'_> {
    fn is_full(&self) -> bool {
        self.hops.len() >= self.limit
    }

    fn push(&mut self, contact: &Contact, last: bool) {
        let is_new = self.hops.iter().all(|hop| hop.contact.id != contact.id);
        if is_new && !self.is_full() && !(self.skip)(contact.id) {
            self.hops.push(Hop {
                contact: *contact,
                last,
            });
        }
    }
}

impl KeyRouter for Chord {
    const NAME: &'static str = "chord";

    fn me(&self) -> Contact {
        self.me
    }

    fn is_member(&self) -> bool {
        matches!(self.phase, Phase::Member)
    }

    /// A node alone has every key. A member to which nothing was [ceded](crate::cession) yet
    /// answers for its own id only.
    fn claim(&self, key: Id) -> Claim {
        if !self.is_member() {
            return Claim::NotMember;
        }
        let mine = match self.part_start() {
            _ if self.is_alone() || key == self.me.id => true,
            Some(start) => key.in_arc(start, self.me.id),
            None => false,
        };
        if mine { Claim::Mine } else { Claim::Elsewhere }
    }

    fn next_hops(
        &self,
        key: Id,
        last: bool,
        limit: usize,
        skip: &dyn Fn(Id) -> bool,
        hops: &mut SmallVec<[Hop; 8]>,
    ) {
        let Some(farthest) = self.ring.successors().last() else {
            return;
        };
        if !self.is_member() {
            return;
        }
        let mut chosen = Chosen { hops, limit, skip };
        if last && self.claim(key) == Claim::Elsewhere {
            self.hop_back(key, &mut chosen);
            return;
        }
        let distance = self.me.id.distance_to(key);
        if distance == Id::ZERO {
            // Our own id: everybody else comes before it.
            self.hops_before(Id::MAX, &mut chosen);
        } else if distance <= self.me.id.distance_to(farthest.id) {
            self.hops_within_list(distance, &mut chosen);
        } else {
            // Then the others, should that one be in doubt.
            if self.config.proximity
                && let Some(contact) = self.cheapest_before(distance, skip)
            {
                chosen.push(&contact, false);
            }
            self.hops_before(distance, &mut chosen);
        }
    }

    fn owned(&self, replicas: usize) -> Vec<OwnedArc> {
        if !self.is_member() || replicas == 0 {
            return Vec::new();
        }
        let arc = match self.part_start() {
            _ if self.is_alone() => Arc::whole(self.me.id),
            Some(from) => Arc {
                from,
                to: self.me.id,
            },
            None => return Vec::new(),
        };
        let mut set = vec![self.me];
        set.extend(self.ring.successors().iter().take(replicas - 1));
        vec![OwnedArc { arc, replicas: set }]
    }

    fn observe_rtt(&mut self, peer: Id, rtt: Duration, now: Time) {
        self.measured(peer, rtt, now);
    }

    fn neighbours(&self) -> Neighbours {
        let mut fingers: Vec<Contact> = self.fingers.contacts().copied().collect();
        fingers.dedup_by_key(|contact| contact.id);
        Neighbours::Ring {
            predecessor: self.ring.predecessor(),
            successors: self.ring.successors().to_vec(),
            fingers,
        }
    }

    fn contacts(&self) -> Vec<Contact> {
        let mut contacts: Vec<Contact> = self.ring.successors().to_vec();
        contacts.extend(self.ring.predecessor());
        contacts.extend(self.fingers.contacts());
        contacts.sort_unstable();
        contacts.dedup_by_key(|contact| contact.id);
        contacts
    }

    fn generation(&self) -> u64 {
        self.generation
    }
}
