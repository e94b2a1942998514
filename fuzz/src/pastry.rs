//! `Routing<Pastry>` under everything that peers, timers and callers may do.
//!
//! The bytes are a script, as for [`machine`](crate::machine). Five nodes have two leaves each, so that
//! there are always nodes that somebody leaves out. After each input the entries of the routing table
//! are in the rows where they belong, the leaf set is within its bound, and no call was answered
//! twice.

use overlay::lookup::{
    LookupConfig, LookupRequest, Mode, Routing, RoutingCall, RoutingEvent, RoutingMessage,
    RoutingTimer,
};
use overlay::{
    Contact, Cx, Duration, Effect, Id, Input, KeyRouter, Machine, OpId, Outbox, RouterEvent, Time,
    WallMs, wire,
};
use pastry::invariants::entries_share_their_rows_prefix;
use pastry::{Pastry, PastryConfig, PastryMessage, PastryTimer};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::SeedableRng;
use std::collections::{BTreeMap, VecDeque};

type Message = RoutingMessage<PastryMessage>;

/// Nodes that are machines; the contacts after them are strangers.
const NODES: usize = 5;
/// Contacts in all.
const CONTACTS: usize = 12;
/// Leaves of a node.
const LEAVES: usize = 2;
/// Most steps that one byte of the script stands for.
const MANY: usize = 64;
/// Most effects of one input. One message of a peer must not set off more.
const MAX_EFFECTS: usize = 1_024;
/// Most messages under way; the oldest is lost beyond it.
const MAX_UNDER_WAY: usize = 512;
/// Most steps until the network has formed.
const MAX_FORMING: usize = 5_000;

struct Letter {
    from: Contact,
    to: Contact,
    message: Message,
}

struct Network {
    nodes: Vec<Routing<Pastry>>,
    rng: Pcg64Mcg,
    now: Time,
    armed: u64,
    timers: BTreeMap<(Time, u64), (usize, RoutingTimer<PastryTimer>)>,
    letters: VecDeque<Letter>,
    /// Calls, and whether they were answered.
    calls: BTreeMap<OpId, bool>,
}

/// The script, byte by byte; zeros when it is at its end.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn index(&mut self, length: usize) -> usize {
        let number = u16::from_le_bytes([self.byte(), self.byte()]);
        usize::from(number) % length.max(1)
    }

    /// Whatever decodes from here on.
    fn decoded(&mut self) -> Option<Message> {
        let (value, used) = wire::decode_first(self.0).ok()?;
        self.0 = &self.0[used..];
        Some(value)
    }
}

/// Contact `number`. Some of them share digits with each other.
fn contact(number: u8) -> Contact {
    let number = usize::from(number) % CONTACTS;
    let mut id = [number as u8; 20];
    id[0] = (number % 6 * 43) as u8;
    Contact {
        id: Id(id),
        addr: ([127, 0, 0, 1], 4000 + number as u16).into(),
    }
}

/// Plays the script.
pub fn run(bytes: &[u8]) {
    let mut script = Script(bytes);
    let mut network = Network::new();
    if script.byte() % 2 == 0 {
        network.form();
    }
    while !script.0.is_empty() {
        step(&mut network, &mut script);
    }
    // Whatever is left must not be more harmful than what was chosen.
    for _ in 0..MANY {
        network.go_on();
    }
}

fn step(network: &mut Network, script: &mut Script<'_>) {
    match script.byte() % 11 {
        0 => network.go_on(),
        1 => (0..script.byte() as usize % MANY).for_each(|_| network.go_on()),
        2 => network.fire(),
        3 => network.now = network.now + Duration::from_millis(1 << (script.byte() % 20)),
        4 => one_letter(network, script),
        5 | 6 => changed_letter(network, script),
        7 | 8 => {
            let (from, to) = (contact(script.byte()), contact(script.byte() % NODES as u8));
            if let Some(message) = script.decoded() {
                network.deliver(Letter { from, to, message });
            }
        }
        9 => {
            let (node, peer) = (script.byte().into(), contact(script.byte()));
            network.input(node, Input::PeerDown(peer));
        }
        _ => {
            let (node, call) = (script.byte().into(), call(script));
            network.call(node, call);
        }
    }
}

/// One of the letters under way is lost, doubled, or overtakes the others.
fn one_letter(network: &mut Network, script: &mut Script<'_>) {
    let at = script.index(network.letters.len());
    let Some(letter) = network.letters.remove(at) else {
        return;
    };
    let again = Letter {
        message: letter.message.clone(),
        ..letter
    };
    match script.byte() % 3 {
        0 => {}
        1 => network.deliver(letter),
        _ => {
            network.deliver(letter);
            network.letters.push_back(again);
        }
    }
}

/// One of the letters under way arrives with some of its bytes changed, or from somebody else.
fn changed_letter(network: &mut Network, script: &mut Script<'_>) {
    let at = script.index(network.letters.len());
    let Some(mut letter) = network.letters.remove(at) else {
        return;
    };
    let mut encoded = wire::encode(&letter.message);
    for _ in 0..script.byte() % 4 {
        let at = script.index(encoded.len());
        if let Some(byte) = encoded.get_mut(at) {
            *byte = script.byte();
        }
    }
    if script.byte() % 4 == 0 {
        letter.from = contact(script.byte());
    }
    if let Ok(message) = wire::decode(&encoded) {
        network.deliver(Letter { message, ..letter });
    }
}

fn call(script: &mut Script<'_>) -> RoutingCall {
    let (kind, number) = (script.byte(), script.byte());
    match kind % 8 {
        0 if number % 8 == 0 => RoutingCall::Create,
        0 | 1 => RoutingCall::Join {
            via: contact(number),
        },
        2 if number % 8 == 0 => RoutingCall::Leave,
        _ => {
            let key = match number % 2 {
                0 => Id::of(&[number]),
                _ => contact(number / 2).id,
            };
            RoutingCall::Lookup(LookupRequest {
                mode: if kind % 2 == 0 {
                    Mode::Recursive
                } else {
                    Mode::Iterative
                },
                trace: number % 3 == 0,
                fresh: number % 5 == 0,
                exact: number % 7 == 0,
                ..LookupRequest::new(key)
            })
        }
    }
}

impl Network {
    fn new() -> Self {
        let config = PastryConfig {
            leaves: LEAVES,
            ..PastryConfig::default()
        };
        let node = |number| {
            let router = Pastry::new(contact(number), config.clone());
            Routing::new(router, LookupConfig::default())
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
    fn form(&mut self) {
        self.call(0, RoutingCall::Create);
        for node in 1..NODES {
            let via = contact(0);
            self.call(node, RoutingCall::Join { via });
        }
        for _ in 0..MAX_FORMING {
            if self.nodes.iter().all(|node| node.router().is_member()) {
                return;
            }
            self.go_on();
        }
        panic!("{NODES} nodes did not form a network in {MAX_FORMING} steps");
    }

    /// What happens next when nothing goes wrong.
    fn go_on(&mut self) {
        match self.letters.pop_front() {
            Some(letter) => self.deliver(letter),
            None => self.fire(),
        }
    }

    fn deliver(&mut self, letter: Letter) {
        let Letter { from, to, message } = letter;
        if let Some(node) = self
            .nodes
            .iter()
            .position(|node| node.router().me().id == to.id)
        {
            self.input(node, Input::Message { from, message });
        }
    }

    /// The next timer is due.
    fn fire(&mut self) {
        if let Some(((at, _), (node, timer))) = self.timers.pop_first() {
            self.now = self.now.max(at);
            self.input(node, Input::Timer(timer));
        }
    }

    fn call(&mut self, node: usize, call: RoutingCall) {
        let op = OpId(self.calls.len() as u64 + 1);
        self.calls.insert(op, false);
        self.input(node, Input::Call { op, call });
    }

    fn input(&mut self, number: usize, input: Input<Routing<Pastry>>) {
        let number = number % NODES;
        let mut out = Outbox::default();
        let mut cx = Cx {
            now: self.now,
            wall: WallMs(self.now.0 / 1_000),
            rng: &mut self.rng,
            out: &mut out,
        };
        let node = &mut self.nodes[number];
        node.handle(&mut cx, input);
        let router = node.router();
        let me = router.me();
        entries_share_their_rows_prefix(router).expect("every entry is in its row");
        let leaves = router.leaves().members().len();
        assert!(leaves <= LEAVES, "{leaves} leaves");
        let effects = out.effects().len();
        assert!(effects <= MAX_EFFECTS, "{effects} effects of one input");
        for effect in out.drain() {
            match effect {
                Effect::Send { to, message } => self.send(me, to, message),
                Effect::Arm { at, timer } => {
                    self.armed += 1;
                    self.timers.insert((at, self.armed), (number, timer));
                }
                Effect::Emit(event) => self.told(&event),
                Effect::HangUp { .. } => {}
            }
        }
    }

    fn told(&mut self, event: &RoutingEvent) {
        let op = match event {
            RoutingEvent::Located { op, .. }
            | RoutingEvent::Router(
                RouterEvent::Joined { op }
                | RouterEvent::JoinFailed { op, .. }
                | RouterEvent::Left { op },
            ) => *op,
            RoutingEvent::Router(_) => return,
        };
        let answered = self.calls.insert(op, true);
        assert_eq!(answered, Some(false), "{op:?} is answered with {event:?}");
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
