//! Three nodes whose messages, timers and writes wait until somebody picks them, and what must
//! hold after each input.

use chord::{Chord, ChordConfig};
use dht::{Dht, DhtConfig, MemoryStore};
use overlay::lookup::LookupConfig;
use overlay::{
    Contact, Cx, Duration, Effect, Id, Input, Locate, Machine, Notice, OpId, Outbox, Request, Time,
    WallMs, wire,
};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::SeedableRng;
use std::collections::{BTreeMap, VecDeque};

type Node = Dht<Chord, MemoryStore>;
pub(crate) type Message = <Node as Machine>::Message;
type Timer = <Node as Machine>::Timer;

/// Nodes that are machines; the contacts after them are strangers.
pub(crate) const NODES: usize = 3;
/// Contacts in all.
const CONTACTS: usize = 8;
/// The wall clock at the start.
const EPOCH_MS: u64 = 1_800_000_000_000;
/// Most effects of one input: what may follow from a change of all neighbours while a few hundred
/// calls are under way. One message of a peer must not set off more.
const MAX_EFFECTS: usize = 1_024;
/// Most messages under way; the oldest is lost beyond it.
const MAX_UNDER_WAY: usize = 512;
/// Most steps until the network has formed.
const MAX_FORMING: usize = 5_000;

/// A message under way.
#[derive(Clone)]
pub(crate) struct Letter {
    pub(crate) from: Contact,
    pub(crate) to: Contact,
    pub(crate) message: Message,
}

pub(crate) struct Network {
    nodes: Vec<Node>,
    rng: Pcg64Mcg,
    now: Time,
    armed: u64,
    timers: BTreeMap<(Time, u64), (usize, Timer)>,
    pub(crate) letters: VecDeque<Letter>,
    /// Calls, and whether they were answered.
    calls: BTreeMap<OpId, bool>,
}

/// Contact `number`, whose id is spread over the circle.
pub(crate) fn contact(number: u8) -> Contact {
    let number = usize::from(number) % CONTACTS;
    let mut id = [number as u8; 20];
    id[0] = (number * 37) as u8;
    Contact {
        id: Id(id),
        addr: ([127, 0, 0, 1], 4000 + number as u16).into(),
    }
}

impl Network {
    pub(crate) fn new() -> Self {
        let node = |number| {
            let router = Chord::new(contact(number), ChordConfig::default());
            let (store, config) = (MemoryStore::new(), DhtConfig::default());
            Dht::new(router, store, config, LookupConfig::default())
        };
        Self {
            nodes: (0..NODES as u8).map(node).collect(),
            rng: Pcg64Mcg::seed_from_u64(1),
            now: Time::ZERO,
            armed: 0,
            timers: BTreeMap::new(),
            letters: VecDeque::new(),
            calls: BTreeMap::new(),
        }
    }

    /// Lets the first node found a network that the others join.
    pub(crate) fn form(&mut self) {
        self.call(0, Request::Create);
        let via = contact(0);
        for node in 1..NODES {
            self.call(node, Request::Join { via });
        }
        for _ in 0..MAX_FORMING {
            if self.nodes.iter().all(|node| node.status().settled) {
                return;
            }
            self.go_on();
        }
        panic!("three nodes did not form a network in {MAX_FORMING} steps");
    }

    /// What happens next when nothing goes wrong.
    pub(crate) fn go_on(&mut self) {
        match self.letters.pop_front() {
            Some(letter) => self.deliver(letter),
            None => self.fire(),
        }
    }

    pub(crate) fn deliver(&mut self, letter: Letter) {
        let Letter { from, to, message } = letter;
        if let Some(node) = self.nodes.iter().position(|node| node.me().id == to.id) {
            self.input(node, Input::Message { from, message });
        }
    }

    /// The next timer is due.
    pub(crate) fn fire(&mut self) {
        if let Some(((at, _), (node, timer))) = self.timers.pop_first() {
            self.now = self.now.max(at);
            self.input(node, Input::Timer(timer));
        }
    }

    /// Time passes, whatever is due by then: timers fire late.
    pub(crate) fn pass(&mut self, span: Duration) {
        self.now = self.now + span;
    }

    pub(crate) fn call(&mut self, node: usize, call: Request) {
        let op = OpId(self.calls.len() as u64 + 1);
        self.calls.insert(op, false);
        self.input(node % NODES, Input::Call { op, call });
    }

    pub(crate) fn down(&mut self, node: usize, peer: Contact) {
        self.input(node % NODES, Input::PeerDown(peer));
    }

    fn input(&mut self, number: usize, input: Input<Node>) {
        let mut next = Some(input);
        while let Some(input) = next.take() {
            let before = self.nodes[number].last_write();
            self.step(number, input);
            let last = self.nodes[number].last_write();
            assert!(last >= before, "writes are numbered upwards");
            next = (last > before).then_some(Input::Durable(last));
        }
    }

    fn step(&mut self, number: usize, input: Input<Node>) {
        let mut out = Outbox::default();
        let mut cx = Cx {
            now: self.now,
            wall: WallMs(EPOCH_MS + self.now.0 / 1_000),
            rng: &mut self.rng,
            out: &mut out,
        };
        let node = &mut self.nodes[number];
        node.handle(&mut cx, input);
        let me = node.me();
        let effects = out.effects().len();
        assert!(effects <= MAX_EFFECTS, "{effects} effects of one input");
        for effect in out.drain() {
            match effect {
                Effect::Send { to, message } => self.send(me, to, message),
                Effect::Arm { at, timer } => {
                    self.armed += 1;
                    self.timers.insert((at, self.armed), (number, timer));
                }
                Effect::Emit(Notice::Done { op, reply }) => {
                    let answered = self.calls.insert(op, true);
                    assert_eq!(answered, Some(false), "{op:?} is answered with {reply:?}");
                }
                Effect::Emit(Notice::Ring(_)) | Effect::HangUp { .. } => {}
            }
        }
    }

    fn send(&mut self, from: Contact, to: Contact, message: Message) {
        let length = wire::encode(&message).len();
        let most = wire::MAX_MESSAGE_BYTES;
        assert!(length <= most, "a message of {length} bytes: {message:?}");
        if self.letters.len() >= MAX_UNDER_WAY {
            self.letters.pop_front();
        }
        self.letters.push_back(Letter { from, to, message });
    }
}
