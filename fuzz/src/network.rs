//! Three nodes whose messages, timers, commits and loads wait until somebody picks them, and what
//! must hold after each input. Bodies are on disk: a node has them once they were loaded.

use chord::{Chord, ChordConfig};
use dht::{Dht, DhtConfig, MemoryStore};
use overlay::lookup::LookupConfig;
use overlay::{
    Contact, Cx, Duration, Effect, Id, Input, Locate, Machine, Notice, OpId, Outbox, Request, Time,
    LoadSeq, WallMs, WriteSeq, wire,
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
/// Most commits and loads under way; more than any input asks for, and each is reported in turn.
const MAX_DISK_NEWS: usize = 4_096;
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

/// What a disk reports.
#[derive(Clone, Copy)]
enum DiskNews {
    Durable(WriteSeq),
    Loaded(LoadSeq),
}

pub(crate) struct Network {
    nodes: Vec<Node>,
    rng: Pcg64Mcg,
    now: Time,
    armed: u64,
    timers: BTreeMap<(Time, u64), (usize, Timer)>,
    pub(crate) letters: VecDeque<Letter>,
    /// What the disks have done and not reported yet, by node, oldest first.
    disks: [VecDeque<DiskNews>; NODES],
    /// Up to where each node knows its writes to be durable, and what it has asked for so far.
    durable: [WriteSeq; NODES],
    loads: [LoadSeq; NODES],
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

fn node(number: u8, store: MemoryStore) -> Node {
    let router = Chord::new(contact(number), ChordConfig::default());
    Dht::new(router, store, DhtConfig::default(), LookupConfig::default())
}

impl Network {
    pub(crate) fn new() -> Self {
        Self {
            nodes: (0..NODES as u8).map(|number| node(number, MemoryStore::on_disk())).collect(),
            rng: Pcg64Mcg::seed_from_u64(1),
            now: Time::ZERO,
            armed: 0,
            timers: BTreeMap::new(),
            letters: VecDeque::new(),
            disks: Default::default(),
            durable: [WriteSeq(0); NODES],
            loads: [LoadSeq(0); NODES],
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
            None if self.disks.iter().any(|news| !news.is_empty()) => {
                (0..NODES).for_each(|node| self.report(node));
            }
            None => self.fire(),
        }
    }

    /// The disk of a node reports the oldest of what it has done.
    pub(crate) fn report(&mut self, node: usize) {
        match self.disks[node % NODES].pop_front() {
            Some(DiskNews::Durable(seq)) => self.input(node % NODES, Input::Durable(seq)),
            Some(DiskNews::Loaded(seq)) => self.input(node % NODES, Input::Loaded(seq)),
            None => {}
        }
    }

    /// A node is killed, and starts again with what was reported durable, and some of the rest.
    pub(crate) fn restart(&mut self, node: usize, torn: u64) {
        let number = node % NODES;
        let reported = self.durable[number];
        let written = self.nodes[number].last_write();
        let mut store = self.nodes.remove(number).into_store();
        let kept = reported.0 + torn % (written.0.saturating_sub(reported.0) + 1);
        store.crash(WriteSeq(kept));
        self.nodes.insert(number, crate::network::node(number as u8, store));
        self.durable[number] = self.nodes[number].last_write();
        self.loads[number] = self.nodes[number].last_load();
        self.disks[number].clear();
        self.timers.retain(|_, (of, _)| *of != number);
        let via = contact((number + 1) as u8 % NODES as u8);
        self.call(number, Request::Join { via });
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
        if let Input::Durable(seq) = input {
            self.durable[number] = seq;
        }
        let before = self.nodes[number].last_write();
        self.step(number, input);
        let (written, loads) = (self.nodes[number].last_write(), self.nodes[number].last_load());
        assert!(written >= before, "writes are numbered upwards");
        let news = &mut self.disks[number];
        if written > before {
            news.push_back(DiskNews::Durable(written));
        }
        if loads > self.loads[number] {
            self.loads[number] = loads;
            news.push_back(DiskNews::Loaded(loads));
        }
        assert!(news.len() <= MAX_DISK_NEWS, "the script is no longer than that");
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
                Effect::Emit(Notice::Ring(_) | Notice::Lookup { .. }) | Effect::HangUp { .. } => {}
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
