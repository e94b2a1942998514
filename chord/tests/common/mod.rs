//! A few Chord machines in one process: an event queue, random delays, and lookups answered by an
//! oracle that knows every member.

#![allow(dead_code, reason = "each test program uses a part of it")]

use chord::invariants::{Member, Violation, check_all};
use chord::{Chord, ChordConfig, ChordMessage, ChordTimer, tables};
use overlay::lookup::Located;
use overlay::{
    Arc, Contact, Cx, Duration, Effect, Fault, Id, Input, KeyRouter, Machine, OpId, Outbox,
    RingChange, RouterCall, RouterEvent, Time, WallMs,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};

/// The contact of node `number`.
pub(crate) fn contact(number: u16) -> Contact {
    Contact {
        id: Id::of(&number.to_be_bytes()),
        addr: ([127, 0, 0, 1], 4000 + number).into(),
    }
}

/// Something on its way.
#[derive(Debug)]
enum Due {
    Message {
        from: Contact,
        to: Id,
        message: ChordMessage,
    },
    Timer {
        to: Id,
        timer: ChordTimer,
    },
    Call {
        to: Id,
        call: RouterCall,
    },
}

/// The machines and what is between them.
pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) nodes: BTreeMap<Id, Chord>,
    pub(crate) events: BTreeMap<Id, Vec<RouterEvent>>,
    pub(crate) faults: Vec<(Contact, Fault)>,
    /// Messages between nodes of different groups are lost; nodes not listed are in group 0.
    pub(crate) groups: BTreeMap<Id, u8>,
    /// One message in so many is lost; 0: none.
    pub(crate) loss_one_in: u32,
    pub(crate) messages: u64,
    pub(crate) lookups: u64,
    queue: BTreeMap<(Time, u64), Due>,
    sequence: u64,
    rng: ChaCha8Rng,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            now: Time::ZERO,
            nodes: BTreeMap::new(),
            events: BTreeMap::new(),
            faults: Vec::new(),
            groups: BTreeMap::new(),
            loss_one_in: 0,
            messages: 0,
            lookups: 0,
            queue: BTreeMap::new(),
            sequence: 0,
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Founds a network, and lets `count - 1` more nodes join it, all at once.
    pub(crate) fn grown(seed: u64, count: u16, config: &ChordConfig) -> Self {
        let mut world = Self::new(seed);
        world.add(contact(0), config);
        world.call(contact(0).id, RouterCall::Create);
        for number in 1..count {
            world.join(number, contact(0), config);
        }
        world.run_for(Duration::from_secs(20));
        world
    }

    pub(crate) fn add(&mut self, me: Contact, config: &ChordConfig) {
        self.nodes.insert(me.id, Chord::new(me, config.clone()));
        self.events.remove(&me.id);
    }

    pub(crate) fn join(&mut self, number: u16, via: Contact, config: &ChordConfig) {
        self.add(contact(number), config);
        self.call(contact(number).id, RouterCall::Join { via });
    }

    pub(crate) fn call(&mut self, id: Id, call: RouterCall) {
        self.input(id, Input::Call { op: OpId(7), call });
    }

    pub(crate) fn crash(&mut self, number: u16) {
        self.nodes.remove(&contact(number).id);
    }

    /// Hands an input to a node and takes care of the effects.
    pub(crate) fn input(&mut self, id: Id, input: Input<Chord>) {
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        let mut out = Outbox::default();
        let (now, wall) = (self.now, WallMs(self.now.0 / 1000));
        let mut cx = Cx {
            now,
            wall,
            rng: &mut self.rng,
            out: &mut out,
        };
        node.handle(&mut cx, input);
        let from = node.me();
        for effect in out.drain() {
            match effect {
                Effect::Send { to, message } => self.send(from, to, message),
                Effect::Arm { at, timer } => {
                    self.push(at.max(self.now), Due::Timer { to: id, timer });
                }
                Effect::Emit(event) => self.emitted(id, event),
                Effect::HangUp { peer, fault } => self.faults.push((peer, fault)),
            }
        }
    }

    fn send(&mut self, from: Contact, to: Contact, message: ChordMessage) {
        self.messages += 1;
        let group = |id: &Id| self.groups.get(id).copied().unwrap_or(0);
        let lost = self.loss_one_in > 0 && self.rng.next_u32().is_multiple_of(self.loss_one_in);
        if lost || group(&from.id) != group(&to.id) {
            return;
        }
        let delay = Duration::from_micros(1_000 + self.rng.next_u64() % 4_000);
        self.push(
            self.now + delay,
            Due::Message {
                from,
                to: to.id,
                message,
            },
        );
    }

    fn emitted(&mut self, id: Id, event: RouterEvent) {
        if let RouterEvent::Lookup {
            token, key, via, ..
        } = &event
        {
            self.lookups += 1;
            let found = self.oracle(id, *key, *via);
            let call = RouterCall::Looked {
                token: *token,
                found,
            };
            let delay = Duration::from_millis(if via.is_some() { 20 } else { 10 });
            self.push(self.now + delay, Due::Call { to: id, call });
        }
        self.events.entry(id).or_default().push(event);
    }

    /// What a lookup would find among the members in the same ring as `via` (or the asking node).
    fn oracle(&self, asking: Id, key: Id, via: Option<Contact>) -> Option<Located> {
        let start = via.map_or(asking, |via| via.id);
        let group = |id: &Id| self.groups.get(id).copied().unwrap_or(0);
        if group(&start) != group(&asking) || !self.nodes.get(&start)?.is_member() {
            return None;
        }
        let members = self.reachable(start);
        let sorted: Vec<Contact> = members
            .iter()
            .filter_map(|id| self.nodes.get(id))
            .map(Chord::me_contact)
            .collect();
        let owner = tables::successor_of(&sorted, key);
        let at = sorted.iter().position(|c| c.id == owner.id)?;
        let previous = sorted[(at + sorted.len() - 1) % sorted.len()];
        Some(Located {
            key,
            owner,
            arc: Arc {
                from: previous.id,
                to: owner.id,
            },
            replicas: vec![owner],
            hops: 1,
            timeouts: 0,
            path: Vec::new(),
            previous: (previous.id != owner.id).then_some(previous),
            hop_times: Box::default(),
            from_cache: false,
        })
    }

    /// The live members that a walk along first live successors reaches.
    fn reachable(&self, start: Id) -> BTreeSet<Id> {
        let mut seen = BTreeSet::new();
        let mut at = start;
        while seen.insert(at) {
            let live = |c: &&Contact| self.nodes.get(&c.id).is_some_and(KeyRouter::is_member);
            let next = self
                .nodes
                .get(&at)
                .and_then(|n| n.ring().successors().iter().find(live));
            let Some(next) = next else { break };
            at = next.id;
        }
        seen
    }

    fn push(&mut self, at: Time, due: Due) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), due);
    }

    pub(crate) fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        while self.step(end) {}
    }

    /// Runs until the ring is ideal; says how long that took.
    pub(crate) fn run_until_ideal(&mut self, limit: Duration) -> Result<Duration, String> {
        let begin = self.now;
        loop {
            let state = self.ideal();
            if state.is_ok() {
                return Ok(self.now.since(begin));
            }
            if self.now.since(begin) >= limit {
                return state.map(|()| limit);
            }
            self.run_for(Duration::from_millis(10));
        }
    }

    /// Checks the invariants of the proven protocol over the members as they are, or as they
    /// would be without `without`.
    pub(crate) fn invariants(&self, length: usize, without: Option<Id>) -> Result<(), Violation> {
        let is_member = |node: &&Chord| node.is_member();
        let lists: Vec<(Id, Vec<Id>)> = self
            .nodes
            .values()
            .filter(is_member)
            .map(|node| {
                let list = node.ring().successors().iter().map(|entry| entry.id);
                (node.me().id, list.collect())
            })
            .collect();
        let members: Vec<Member<'_>> = lists
            .iter()
            .map(|(id, list)| Member {
                id: *id,
                alive: without != Some(*id),
                successors: list,
                predecessor: None,
            })
            .collect();
        check_all(&members, length)
    }

    /// Handles the next thing that is due before `end`; says whether there was one.
    pub(crate) fn step(&mut self, end: Time) -> bool {
        let Some(entry) = self
            .queue
            .first_entry()
            .filter(|entry| entry.key().0 <= end)
        else {
            self.now = end;
            return false;
        };
        let ((at, _), due) = entry.remove_entry();
        self.now = at;
        match due {
            Due::Message { from, to, message } => {
                self.input(to, Input::Message { from, message });
            }
            Due::Timer { to, timer } => self.input(to, Input::Timer(timer)),
            Due::Call { to, call } => self.call(to, call),
        }
        true
    }

    /// Draws a number below `limit`.
    pub(crate) fn draw(&mut self, limit: u64) -> u64 {
        self.rng.next_u64() % limit
    }

    /// Whether every node is a member with the right successors and predecessor.
    pub(crate) fn ideal(&self) -> Result<(), String> {
        let sorted: Vec<Contact> = self.nodes.values().map(Chord::me_contact).collect();
        for (index, node) in self.nodes.values().enumerate() {
            let right = tables::correct(&sorted, index, node.config().clone(), None);
            if !node.is_member() || node.ring() != right.ring() {
                return Err(format!(
                    "at {}: member {} with {:?}, should be {:?}",
                    self.now,
                    node.is_member(),
                    node.ring(),
                    right.ring()
                ));
            }
        }
        Ok(())
    }

    pub(crate) fn ring_changes(&self, number: u16) -> Vec<RingChange> {
        let events = self.events.get(&contact(number).id).into_iter().flatten();
        events
            .filter_map(|event| match event {
                RouterEvent::Ring(change) => Some(*change),
                _ => None,
            })
            .collect()
    }
}

/// `KeyRouter::me` without the trait in scope everywhere.
trait MeContact {
    fn me_contact(&self) -> Contact;
}

impl MeContact for Chord {
    fn me_contact(&self) -> Contact {
        self.me()
    }
}
