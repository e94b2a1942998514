//! A ring whose tables never change, and a driver with a queue, virtual time and dead nodes.

use overlay::lookup::{
    LookupConfig, LookupMessage, Routing, RoutingCall, RoutingEvent, RoutingMessage,
};
use overlay::{
    Arc, Claim, Contact, Cx, Duration, Effect, Hop, Id, Input, KeyRouter, Machine, Neighbours,
    OpId, Outbox, OwnedArc, RouterCall, RouterEvent, Time, WallMs,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};

/// Knows its predecessor, `reach` successors and nobody else.
#[derive(Debug)]
pub(crate) struct StaticRing {
    me: Contact,
    predecessor: Contact,
    successors: Vec<Contact>,
    /// Whether the predecessor is not named to whoever takes this node for the root.
    unheard: bool,
}

impl Machine for StaticRing {
    type Message = ();
    type Timer = ();
    type Call = RouterCall;
    type Event = RouterEvent;

    fn handle(&mut self, _: &mut Cx<'_, Self>, _: Input<Self>) {}
}

impl KeyRouter for StaticRing {
    const NAME: &'static str = "static";

    fn me(&self) -> Contact {
        self.me
    }

    fn is_member(&self) -> bool {
        true
    }

    fn claim(&self, key: Id) -> Claim {
        if key.in_arc(self.predecessor.id, self.me.id) {
            Claim::Mine
        } else {
            Claim::Elsewhere
        }
    }

    fn next_hops(
        &self,
        key: Id,
        last: bool,
        limit: usize,
        skip: &dyn Fn(Id) -> bool,
        hops: &mut SmallVec<[Hop; 8]>,
    ) {
        if last && self.unheard {
            return;
        }
        if last {
            hops.extend([Hop {
                contact: self.predecessor,
                last: true,
            }]);
        } else {
            let owners = self
                .successors
                .iter()
                .filter(|next| key.in_arc(self.me.id, next.id));
            hops.extend(owners.map(|contact| Hop {
                contact: *contact,
                last: true,
            }));
            let before = self.successors.iter().rev();
            let before = before.filter(|next| next.id.is_between(self.me.id, key));
            hops.extend(before.map(|contact| Hop {
                contact: *contact,
                last: false,
            }));
        }
        hops.retain(|hop| !skip(hop.contact.id));
        hops.truncate(limit);
    }

    fn owned(&self, replicas: usize) -> Vec<OwnedArc> {
        let arc = Arc {
            from: self.predecessor.id,
            to: self.me.id,
        };
        let all = [self.me].into_iter().chain(self.successors.iter().copied());
        vec![OwnedArc {
            arc,
            replicas: all.take(replicas).collect(),
        }]
    }

    fn neighbours(&self) -> Neighbours {
        Neighbours::Ring {
            predecessor: None,
            successors: Vec::new(),
            fingers: Vec::new(),
        }
    }

    fn contacts(&self) -> Vec<Contact> {
        self.successors.clone()
    }

    fn generation(&self) -> u64 {
        0
    }
}

pub(crate) type Node = Routing<StaticRing>;

/// One thing that will happen.
#[derive(Debug)]
struct Event {
    node: usize,
    input: Input<Node>,
}

/// Nodes 0, 100, 200, … on the ring, each message taking one millisecond.
pub(crate) struct World {
    pub(crate) nodes: Vec<Node>,
    pub(crate) dead: BTreeSet<usize>,
    /// Whether a message to a dead node is reported to its sender.
    pub(crate) reports_dead: bool,
    pub(crate) answers: Vec<RoutingEvent>,
    pub(crate) sent: u64,
    pub(crate) hung_up: Vec<(usize, Contact)>,
    /// Who was named as silent to an origin whose request came to a dead end.
    pub(crate) named_silent: BTreeSet<Id>,
    now: Time,
    queue: BTreeMap<(Time, u64), Event>,
    sequence: u64,
    rng: ChaCha8Rng,
}

pub(crate) fn contact(index: usize) -> Contact {
    let addr = SocketAddr::from((
        Ipv4Addr::LOCALHOST,
        1 + u16::try_from(index).expect("small"),
    ));
    Contact {
        id: Id::from_u64(100 * index as u64),
        addr,
    }
}

impl World {
    pub(crate) fn new(count: usize, reach: usize, config: &LookupConfig) -> Self {
        let node = |index: usize| {
            let after = |step: usize| contact((index + step) % count);
            let ring = StaticRing {
                me: contact(index),
                predecessor: after(count - 1),
                successors: (1..=reach).map(after).collect(),
                unheard: false,
            };
            Routing::new(ring, config.clone())
        };
        Self {
            nodes: (0..count).map(node).collect(),
            dead: BTreeSet::new(),
            reports_dead: false,
            answers: Vec::new(),
            sent: 0,
            hung_up: Vec::new(),
            named_silent: BTreeSet::new(),
            now: Time::ZERO,
            queue: BTreeMap::new(),
            sequence: 0,
            rng: ChaCha8Rng::seed_from_u64(7),
        }
    }

    /// This node has never heard of the node before it, and does not ask it.
    pub(crate) fn forget_predecessor(&mut self, node: usize) {
        self.nodes[node].router_mut().unheard = true;
    }

    /// This node has learnt that the one before it is dead, and who is before that.
    pub(crate) fn take_over(&mut self, node: usize, predecessor: usize) {
        self.nodes[node].router_mut().predecessor = contact(predecessor);
    }

    pub(crate) fn call(&mut self, node: usize, op: u64, call: RoutingCall) {
        self.feed(node, Input::Call { op: OpId(op), call });
        self.run();
    }

    pub(crate) fn feed(&mut self, node: usize, input: Input<Node>) {
        let mut out = Outbox::default();
        let mut cx = Cx {
            now: self.now,
            wall: WallMs(0),
            rng: &mut self.rng,
            out: &mut out,
        };
        self.nodes[node].handle(&mut cx, input);
        for effect in out.drain() {
            match effect {
                Effect::Send { to, message } => self.deliver(node, to, message),
                Effect::Arm { at, timer } => self.queue(at, node, Input::Timer(timer)),
                Effect::Emit(event) => self.answers.push(event),
                Effect::HangUp { peer, .. } => self.hung_up.push((node, peer)),
            }
        }
    }

    fn deliver(&mut self, from: usize, to: Contact, message: <Node as Machine>::Message) {
        self.sent += 1;
        if let RoutingMessage::Lookup(LookupMessage::DeadEnd { avoid, .. }) = &message {
            self.named_silent.extend(avoid);
        }
        let target = usize::from(to.addr.port()) - 1;
        let at = self.now + Duration::from_millis(1);
        if !self.dead.contains(&target) {
            self.queue(
                at,
                target,
                Input::Message {
                    from: contact(from),
                    message,
                },
            );
        } else if self.reports_dead {
            self.queue(at, from, Input::PeerDown(to));
        }
    }

    fn queue(&mut self, at: Time, node: usize, input: Input<Node>) {
        self.sequence += 1;
        self.queue
            .insert((at.max(self.now), self.sequence), Event { node, input });
    }

    fn run(&mut self) {
        while let Some(((at, _), event)) = self.queue.pop_first() {
            self.now = at;
            if !self.dead.contains(&event.node) {
                self.feed(event.node, event.input);
            }
        }
    }
}
