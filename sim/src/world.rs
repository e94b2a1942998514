//! The world: nodes, a queue of what is due, and one step at a time.

use crate::dice::generator;
use crate::queue::{Due, Queue};
use crate::slot::{Clock, Load, Slot};
use crate::{Config, Counters, Dice, Faults, Invariant, TraceHash};
use overlay::{Contact, Duration, Id, LoadSeq, Machine, OpId, Outbox, Time, WriteSeq};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Most nodes of a world, those that have gone included: an index is the lower 24 bits of an
/// address in 10.0.0.0/8.
pub const MAX_NODES: usize = 1 << 24;

/// The port at which every simulated node listens; the daemon's default.
const PORT: u16 = 4000;

/// The stream of a seed that the network draws from; node `n` draws from stream `n + NODES`.
const NETWORK: u64 = 0;
/// The first stream of the nodes; the streams below are for the world and for harnesses.
const NODES: u64 = 1 << 32;

/// The address of node `index`.
#[must_use]
pub const fn address_of(index: usize) -> SocketAddr {
    let [_, high, middle, low] = (index as u32).to_be_bytes();
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, high, middle, low)), PORT)
}

/// The index of the node at an address, if the address is one of a simulated node.
#[must_use]
pub const fn index_of(address: SocketAddr) -> Option<usize> {
    let IpAddr::V4(ip) = address.ip() else {
        return None;
    };
    let [ten, high, middle, low] = ip.octets();
    if ten != 10 || address.port() != PORT {
        return None;
    }
    Some(u32::from_be_bytes([0, high, middle, low]) as usize)
}

/// What a node told its user.
#[derive(Debug)]
pub struct Told<E> {
    /// When.
    pub time: Time,
    /// Which node.
    pub node: usize,
    /// What.
    pub event: E,
}

/// What is left of a node that crashed.
#[derive(Debug)]
pub struct Crashed<M> {
    /// Its state at the instant of the crash; what was only in memory is lost in reality.
    pub machine: M,
    /// Its writes up to here are on stable storage; a harness with a store that can be rolled
    /// back rolls it back to this.
    pub durable: WriteSeq,
}

/// Which messages are recorded, and under which label.
pub type Label<M> = fn(&<M as Machine>::Message) -> Option<Id>;

/// A deterministic world of machines.
pub struct World<M: Machine> {
    pub(crate) config: Config,
    pub(crate) faults: Faults,
    pub(crate) now: Time,
    pub(crate) queue: Queue<M>,
    pub(crate) slots: Vec<Slot<M>>,
    pub(crate) dice: Dice,
    pub(crate) counters: Counters,
    pub(crate) kind_of: Option<fn(&M::Message) -> usize>,
    pub(crate) label_of: Option<Label<M>>,
    pub(crate) recorded: Vec<(Id, usize)>,
    pub(crate) trace: TraceHash,
    pub(crate) buffer: Vec<u8>,
    pub(crate) outbox: Outbox<M>,
    pub(crate) told: Vec<Told<M::Event>>,
    pub(crate) failed_syncs: Vec<usize>,
    pub(crate) invariants: Vec<Box<dyn Invariant<M>>>,
    pub(crate) replay: String,
    next_op: u64,
    pub(crate) live: usize,
}

impl<M: Machine> World<M> {
    /// An empty world.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let dice = Dice::new(config.seed, NETWORK);
        Self {
            config,
            faults: Faults::default(),
            now: Time::ZERO,
            queue: Queue::default(),
            slots: Vec::new(),
            dice,
            counters: Counters::default(),
            kind_of: None,
            label_of: None,
            recorded: Vec::new(),
            trace: TraceHash::default(),
            buffer: Vec::new(),
            outbox: Outbox::default(),
            told: Vec::new(),
            failed_syncs: Vec::new(),
            invariants: Vec::new(),
            replay: String::new(),
            next_op: 0,
            live: 0,
        }
    }

    /// The command that replays this world, for the report of a violation.
    pub fn set_replay(&mut self, command: String) {
        self.replay = command;
    }

    /// Sorts the messages that are sent into at most [`MAX_KINDS`](crate::MAX_KINDS) kinds, for the counters.
    pub fn classify(&mut self, kind_of: fn(&M::Message) -> usize) {
        self.kind_of = Some(kind_of);
    }

    /// Records where messages arrive that `label_of` gives a label, until they are
    /// [taken](Self::take_recorded).
    pub fn record(&mut self, label_of: Label<M>) {
        self.label_of = Some(label_of);
    }

    /// The labels of the messages that were recorded since the last call and the nodes at which
    /// they arrived, in this order.
    pub fn take_recorded(&mut self) -> Vec<(Id, usize)> {
        std::mem::take(&mut self.recorded)
    }

    /// Adds something that must hold after every event.
    pub fn watch(&mut self, invariant: Box<dyn Invariant<M>>) {
        self.invariants.push(invariant);
    }

    /// Adds a node; `build` makes its machine from its contact. Gives its index.
    ///
    /// # Panics
    /// With more than [`MAX_NODES`] nodes.
    pub fn add(&mut self, id: Id, build: impl FnOnce(Contact) -> M) -> usize {
        let index = self.slots.len();
        assert!(index < MAX_NODES, "a world has at most {MAX_NODES} nodes");
        let contact = Contact {
            id,
            addr: address_of(index),
        };
        self.slots.push(Slot {
            machine: Some(build(contact)),
            contact,
            rng: generator(self.config.seed, NODES + index as u64),
            load: Load::default(),
            life: 0,
            clock: Clock::default(),
            slow_by: Duration::ZERO,
            disk_slow_by: Duration::ZERO,
            durable: WriteSeq(0),
            syncing: false,
            sync_fails: false,
            loading: LoadSeq(0),
            load_free: Time::ZERO,
        });
        self.live += 1;
        index
    }

    /// Kills a node at once. Its timers never fire; nothing that it is sent arrives.
    pub fn crash(&mut self, node: usize) -> Option<Crashed<M>> {
        let slot = self.slots.get_mut(node)?;
        let machine = slot.machine.take()?;
        slot.life += 1;
        slot.syncing = false;
        self.live -= 1;
        self.trace.word(node as u64 | 1 << 60);
        Some(Crashed {
            machine,
            durable: slot.durable,
        })
    }

    /// Starts a node at the address of one that is down, under an id of its own or the old one.
    /// Its store is taken to be durable as it is.
    pub fn restart(&mut self, node: usize, id: Id, build: impl FnOnce(Contact) -> M) {
        self.crash(node);
        let Some(slot) = self.slots.get_mut(node) else {
            return;
        };
        slot.contact.id = id;
        slot.life += 1;
        let machine = build(slot.contact);
        slot.durable = machine.last_write();
        slot.loading = machine.last_load();
        slot.machine = Some(machine);
        self.live += 1;
    }

    /// Makes a call at a node, now. It is handled by a later step. Nobody answers when the node
    /// is down by then.
    pub fn call(&mut self, node: usize, call: M::Call) -> OpId {
        self.next_op += 1;
        let op = OpId(self.next_op);
        let life = self.slots.get(node).map_or(0, |slot| slot.life);
        self.queue.push(
            self.now,
            Due::Call {
                node: node as u32,
                life,
                op,
                call,
            },
        );
        op
    }

    /// Arms a timer of a node from outside, at a time of the world: how a harness starts the
    /// maintenance of a node that was built with its tables.
    pub fn arm(&mut self, node: usize, at: Time, timer: M::Timer) {
        let life = self.slots.get(node).map_or(0, |slot| slot.life);
        self.queue.push(
            at.max(self.now),
            Due::Timer {
                node: node as u32,
                life,
                timer,
            },
        );
    }

    /// The time of the world.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// The seed that decides everything.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.config.seed
    }

    /// A stream of entropy for the harness, from the same seed. Streams have numbers from 1.
    #[must_use]
    pub fn dice(&self, stream: u32) -> Dice {
        Dice::new(self.config.seed, u64::from(stream.max(1)))
    }

    /// The faults of the network.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The faults of the network, to change them.
    pub const fn faults_mut(&mut self) -> &mut Faults {
        &mut self.faults
    }

    /// Sets how a node's clocks differ.
    pub fn set_clock(&mut self, node: usize, clock: Clock) {
        if let Some(slot) = self.slots.get_mut(node) {
            slot.clock = clock;
        }
    }

    /// Delays everything that reaches a node from now on: its process gets too little time.
    pub fn set_slow(&mut self, node: usize, slow_by: Duration) {
        if let Some(slot) = self.slots.get_mut(node) {
            slot.slow_by = slow_by;
        }
    }

    /// Delays everything that a node's disk does from now on.
    pub fn set_slow_disk(&mut self, node: usize, slow_by: Duration) {
        if let Some(slot) = self.slots.get_mut(node) {
            slot.disk_slow_by = slow_by;
        }
    }

    /// Lets a node's disk fail from now on, or work again: while it fails, the next group of writes
    /// is not made durable, and neither is any later one in the life of the node; see
    /// [`take_failed_syncs`](Self::take_failed_syncs).
    pub fn set_failing_disk(&mut self, node: usize, fails: bool) {
        if let Some(slot) = self.slots.get_mut(node) {
            slot.sync_fails = fails;
        }
    }

    /// The nodes whose disks failed to synchronise since the last time. Nobody knows what of the
    /// group is on such a disk, and trying again proves nothing: the harness must stop the node, as
    /// the daemon does.
    pub fn take_failed_syncs(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.failed_syncs)
    }

    /// The machine of a node that is up.
    #[must_use]
    pub fn node(&self, node: usize) -> Option<&M> {
        self.slots.get(node)?.machine.as_ref()
    }

    /// The machine of a node that is up, to change it behind the protocol's back.
    pub fn node_mut(&mut self, node: usize) -> Option<&mut M> {
        self.slots.get_mut(node)?.machine.as_mut()
    }

    /// The contact of the last node that lived at an index.
    #[must_use]
    pub fn contact(&self, node: usize) -> Option<Contact> {
        self.slots.get(node).map(|slot| slot.contact)
    }

    /// What has passed between a node and the network so far.
    #[must_use]
    pub fn load(&self, node: usize) -> Load {
        self.slots
            .get(node)
            .map_or_else(Load::default, |slot| slot.load)
    }

    /// Whether the node is up.
    #[must_use]
    pub fn is_up(&self, node: usize) -> bool {
        self.node(node).is_some()
    }

    /// The nodes that are up, by index.
    pub fn live(&self) -> impl Iterator<Item = (usize, &M)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(node, slot)| Some((node, slot.machine.as_ref()?)))
    }

    /// How many nodes are up.
    #[must_use]
    pub const fn live_count(&self) -> usize {
        self.live
    }

    /// How many nodes there have been: one more than the largest index.
    #[must_use]
    pub const fn node_count(&self) -> usize {
        self.slots.len()
    }

    /// What has happened so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The hash of all that has happened so far.
    #[must_use]
    pub const fn trace_hash(&self) -> TraceHash {
        self.trace
    }

    /// Takes what nodes have told their users since the last time, oldest first.
    pub fn take_events(&mut self) -> Vec<Told<M::Event>> {
        std::mem::take(&mut self.told)
    }

    /// How many things are due, now or later.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.queue.len()
    }
}
