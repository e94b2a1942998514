//! A ring that knows all of its members, and a small world that drives nodes over it.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "each test file uses a part of it"
)]

mod calls;
mod disks;
pub mod ring;

pub use calls::*;

use dht::{Dht, DhtConfig, DhtMessage, MemoryStore, StoreMessage};
use overlay::{
    Contact, Cx, Duration, Effect, Fault, GetReport, Id, Input, LoadSeq, Locate, LookupReport,
    Machine, Notice, OpId, Outbox, Outcome, PutReport, Reply, Request, Time, WallMs, WriteSeq,
};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};
use ring::{Oracle, Ring};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

pub type Node = Dht<Ring, MemoryStore>;
pub type Message = <Node as Machine>::Message;
type Timer = <Node as Machine>::Timer;

/// The wall clock at the start of the world.
const EPOCH: WallMs = WallMs(1_800_000_000_000);

enum Event {
    Message {
        from: Contact,
        to: Id,
        message: Message,
    },
    Timer {
        node: Id,
        life: u32,
        timer: Timer,
    },
    Durable {
        node: Id,
        life: u32,
        seq: WriteSeq,
    },
    Loaded {
        node: Id,
        life: u32,
        seq: LoadSeq,
    },
}

struct Life {
    dht: Node,
    number: u32,
    flushing: WriteSeq,
    loading: LoadSeq,
}

pub struct World {
    pub oracle: Rc<RefCell<Oracle>>,
    pub config: DhtConfig,
    nodes: BTreeMap<Id, Life>,
    /// Stores of nodes that crashed.
    disks: BTreeMap<Id, MemoryStore>,
    durable: BTreeMap<Id, WriteSeq>,
    queue: BTreeMap<(Time, u64), Event>,
    pub now: Time,
    rng: Pcg64Mcg,
    next: u64,
    pub answers: BTreeMap<OpId, Reply>,
    /// Lookups that ended, and for which calls.
    pub lookups: Vec<(OpId, LookupReport)>,
    /// One message in so many is lost; zero for none.
    pub lose_one_in: u64,
    /// One message in so many arrives twice, and one in so many late; zero for none.
    pub duplicate_one_in: u64,
    pub delay_one_in: u64,
    /// Nodes whose disk does not finish any write.
    pub stalled: BTreeSet<Id>,
    /// Pairs of nodes between which no message passes.
    pub cut: BTreeSet<(Id, Id)>,
    /// Nodes that hear nothing; what they send arrives.
    pub deaf: BTreeSet<Id>,
    pub hung_up: Vec<(Id, Id, Fault)>,
    pub quotas: BTreeMap<Id, u64>,
    pub sent: u64,
    pub bytes: u64,
    /// Messages about records that were delivered, newest last, when wanted.
    pub log: Option<Vec<(Id, Id, StoreMessage)>>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        Self {
            oracle: Rc::default(),
            config: DhtConfig::default(),
            nodes: BTreeMap::new(),
            disks: BTreeMap::new(),
            durable: BTreeMap::new(),
            queue: BTreeMap::new(),
            now: Time::ZERO,
            rng: Pcg64Mcg::seed_from_u64(seed),
            next: 0,
            answers: BTreeMap::new(),
            lookups: Vec::new(),
            lose_one_in: 0,
            duplicate_one_in: 0,
            delay_one_in: 0,
            stalled: BTreeSet::new(),
            cut: BTreeSet::new(),
            deaf: BTreeSet::new(),
            hung_up: Vec::new(),
            quotas: BTreeMap::new(),
            sent: 0,
            bytes: 0,
            log: None,
        }
    }

    /// A settled network of so many nodes.
    pub fn of(nodes: u64, seed: u64) -> Self {
        let mut world = Self::new(seed);
        for number in 0..nodes {
            world.join(number);
        }
        world.run_for(Duration::from_secs(15));
        world
    }

    /// Starts node `number` and lets it found or join the network.
    pub fn join(&mut self, number: u64) -> Contact {
        let contact = self.start(number);
        let first = self.oracle.borrow().members().next();
        let call = first.map_or(Request::Create, |via| Request::Join { via });
        let op = self.call(contact.id, call);
        assert_eq!(self.reply(op), Reply::Joined);
        self.touch_all();
        contact
    }

    /// Kills a node; the ring still lists it.
    pub fn kill(&mut self, node: Id) {
        let life = self.nodes.remove(&node).expect("the node is alive");
        let mut store = life.dht.into_store();
        store.crash(self.durable.get(&node).copied().unwrap_or_default());
        self.disks.insert(node, store);
    }

    /// The ring notices that a node is dead.
    pub fn bury(&mut self, node: Id) {
        self.oracle.borrow_mut().remove(node);
        self.touch_all();
    }

    /// Every node sees the present ring: a real router would have told it.
    pub fn touch_all(&mut self) {
        for node in self.ids() {
            self.input(node, Input::Durable(WriteSeq(0)));
        }
    }

    pub fn ids(&self) -> Vec<Id> {
        self.nodes.keys().copied().collect()
    }

    pub fn node(&self, id: Id) -> &Node {
        &self.nodes[&id].dht
    }

    pub fn root_of(&self, key: Id) -> Id {
        self.oracle.borrow().replicas(key, 1)[0].id
    }

    pub fn replicas_of(&self, key: Id) -> Vec<Id> {
        self.replicas(key, 3)
    }

    pub fn replicas(&self, key: Id, count: usize) -> Vec<Id> {
        let found = self.oracle.borrow().replicas(key, count);
        found.iter().map(|peer| peer.id).collect()
    }

    /// A live node that is no replica of the key, if there is one.
    pub fn outsider(&self, key: Id) -> Id {
        let replicas = self.replicas_of(key);
        let ids = self.ids();
        *ids.iter()
            .find(|id| !replicas.contains(id))
            .unwrap_or(&ids[0])
    }

    pub fn wall(&self) -> WallMs {
        WallMs(EPOCH.0 + self.now.0 / 1_000)
    }

    pub fn call(&mut self, node: Id, call: Request) -> OpId {
        self.next += 1;
        let op = OpId(self.next);
        self.input(node, Input::Call { op, call });
        op
    }

    /// Runs until the call is answered.
    pub fn reply(&mut self, op: OpId) -> Reply {
        let end = self.now + Duration::from_secs(60);
        while !self.answers.contains_key(&op) {
            assert!(self.now < end, "call {op:?} is not answered");
            self.step(end);
        }
        self.answers[&op].clone()
    }

    pub fn ask(&mut self, node: Id, call: Request) -> Reply {
        let op = self.call(node, call);
        self.reply(op)
    }

    pub fn put(&mut self, node: Id, key: Id, value: &[u8]) -> PutReport {
        match self.ask(node, put(key, value)) {
            Reply::Put(report) => report,
            other => panic!("put {key}: {other:?}"),
        }
    }

    pub fn get(&mut self, node: Id, key: Id) -> GetReport {
        match self.ask(node, get(key)) {
            Reply::Got(report) => report,
            other => panic!("get {key}: {other:?}"),
        }
    }

    /// Asserts that the value is found.
    pub fn expect(&mut self, node: Id, key: Id, value: &[u8]) {
        let report = self.get(node, key);
        assert_eq!(report.outcome, Outcome::Found, "{report:?}");
        assert_eq!(report.value.as_deref(), Some(value), "{report:?}");
    }

    pub fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now < end {
            self.step(end);
        }
    }

    /// Hands in a message as if `from` had sent it.
    pub fn deliver(&mut self, from: Contact, to: Id, message: StoreMessage) {
        self.input(
            to,
            Input::Message {
                from,
                message: DhtMessage::Store(message),
            },
        );
    }

    pub fn peer_down(&mut self, node: Id, peer: Contact) {
        self.input(node, Input::PeerDown(peer));
    }

    fn step(&mut self, end: Time) {
        let Some(next) = self.queue.first_entry().filter(|next| next.key().0 <= end) else {
            self.now = end;
            return;
        };
        let ((at, _), event) = next.remove_entry();
        self.now = self.now.max(at);
        match event {
            Event::Message { from, to, message } => {
                if let (Some(log), DhtMessage::Store(message)) = (&mut self.log, &message) {
                    log.push((from.id, to, message.clone()));
                }
                let is_cut = self.cut.contains(&(from.id, to)) || self.cut.contains(&(to, from.id));
                let is_heard = !is_cut && !self.deaf.contains(&to);
                if self.nodes.contains_key(&to) && is_heard {
                    self.input(to, Input::Message { from, message });
                }
            }
            Event::Timer { node, life, timer } => {
                if self
                    .nodes
                    .get(&node)
                    .is_some_and(|alive| alive.number == life)
                {
                    self.input(node, Input::Timer(timer));
                }
            }
            Event::Durable { node, life, seq } => {
                let alive = self
                    .nodes
                    .get(&node)
                    .is_some_and(|alive| alive.number == life);
                if alive && !self.stalled.contains(&node) {
                    self.durable.insert(node, seq);
                    self.input(node, Input::Durable(seq));
                }
            }
            Event::Loaded { node, life, seq } => {
                let alive = self.nodes.get(&node);
                if alive.is_some_and(|alive| alive.number == life) {
                    self.input(node, Input::Loaded(seq));
                }
            }
        }
    }

    fn input(&mut self, node: Id, input: Input<Node>) {
        let (now, wall) = (self.now, self.wall());
        let Some(life) = self.nodes.get_mut(&node) else {
            return;
        };
        let mut out = Outbox::default();
        let mut cx = Cx {
            now,
            wall,
            rng: &mut self.rng,
            out: &mut out,
        };
        life.dht.handle(&mut cx, input);
        let (number, me) = (life.number, life.dht.me());
        let last = life.dht.last_write();
        if last > life.flushing && !self.stalled.contains(&node) {
            life.flushing = last;
            let at = now + Duration::from_millis(1);
            self.push(
                at,
                Event::Durable {
                    node,
                    life: number,
                    seq: last,
                },
            );
        }
        self.load(node);
        for effect in out.drain() {
            match effect {
                Effect::Send { to, message } => self.send(me, to, message),
                Effect::Arm { at, timer } => {
                    self.push(
                        at.max(now),
                        Event::Timer {
                            node,
                            life: number,
                            timer,
                        },
                    );
                }
                Effect::Emit(Notice::Done { op, reply }) => {
                    let before = self.answers.insert(op, reply);
                    assert!(before.is_none(), "{op:?} is answered twice");
                }
                Effect::Emit(Notice::Ring(_)) => {}
                Effect::Emit(Notice::Lookup { op, report }) => self.lookups.push((op, report)),
                Effect::HangUp { peer, fault } => self.hung_up.push((node, peer.id, fault)),
            }
        }
    }

    fn send(&mut self, from: Contact, to: Contact, message: Message) {
        let encoded = overlay::wire::encode(&message);
        assert!(
            encoded.len() <= overlay::wire::MAX_MESSAGE_BYTES,
            "{} bytes",
            encoded.len()
        );
        self.sent += 1;
        self.bytes += encoded.len() as u64;
        let message = overlay::wire::decode(&encoded).expect("it decodes to what was encoded");
        if self.lose_one_in > 0 && self.rng.next_u64().is_multiple_of(self.lose_one_in) {
            return;
        }
        let mut one_in = |many: u64| many > 0 && self.rng.next_u64().is_multiple_of(many);
        let copies = 1 + u32::from(one_in(self.duplicate_one_in));
        let late = u64::from(one_in(self.delay_one_in)) * 300_000;
        for _ in 0..copies {
            let at = self.now + Duration(1_000 + late + self.rng.next_u64() % 1_000);
            let (to, message) = (to.id, DhtMessage::clone(&message));
            self.push(at, Event::Message { from, to, message });
        }
    }

    fn push(&mut self, at: Time, event: Event) {
        self.next += 1;
        self.queue.insert((at, self.next), event);
    }
}
