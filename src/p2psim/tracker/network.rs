//! The nodes: overlay and tracker of each, crashes, and those that come for them.

use super::super::RunError;
use super::super::cli::TrackerArgs;
use super::super::overlays::{Pace, Settings, Simulated};
use super::super::storing::{self, Storing};
use super::desk::{Bug, Desk, Told};
use dht::{Dht, DhtConfig, MemoryStore};
use overlay::lookup::LookupConfig;
use overlay::{Contact, Duration, Locate, Notice, OpId, Reply, Request, Time};
use sim::{Chance, Clock, Dice, World};
use std::collections::BTreeMap;
use tracker::Config;

/// Streams of entropy: nodes and what happens to them, and the clocks.
const NODES: u32 = 1;
/// A clock that is kept in step is off by this at most.
pub(super) const CLOCKS_WITHIN: Duration = Duration::from_millis(500);
/// How long a node that crashed and comes back is away, at most.
const AWAY_AT_MOST: Duration = Duration::from_secs(60);

/// What happens at a node later.
#[derive(Clone, Copy, Debug)]
pub(super) enum Later {
    /// It is asked for calls, if it still lives that life.
    Ask { node: usize, life: u32 },
    /// It comes back on its disk.
    Return { node: usize },
}

/// A node as a process.
#[derive(Default)]
struct Process {
    desk: Option<Desk>,
    life: u32,
    /// Since when it serves.
    since: Time,
    clock: Clock,
}

/// All nodes.
pub(super) struct Network<R: Simulated> {
    pub(super) world: World<Storing<R>>,
    pub(super) later: sim::Agenda<Later>,
    processes: Vec<Process>,
    joins: BTreeMap<OpId, usize>,
    disks: BTreeMap<usize, MemoryStore>,
    config: Config,
    bug: Option<Bug>,
    dice: Dice,
    pub(super) crashes: u64,
}

/// A machine over a store, as shipped.
fn machine<R: Simulated>(me: Contact, store: MemoryStore) -> Storing<R> {
    let lookup = LookupConfig::default();
    Dht::new(
        R::fresh(me, &settings()),
        store,
        DhtConfig::default(),
        lookup,
    )
}

fn settings() -> Settings {
    Settings {
        successors: storing::SUCCESSORS,
        pace: Pace::Shipped,
        proximity: false,
        alive: false,
        lookup: LookupConfig::default(),
    }
}

impl<R: Simulated> Network<R> {
    pub(super) fn new(seed: u64, args: &TrackerArgs, mut config: Config, bug: Option<Bug>) -> Self {
        let count = args.nodes as usize;
        if bug == Some(Bug::ListsTooLong) {
            config.expiry_ms *= 2;
        }
        let mut world = World::new(sim::Config::new(seed));
        world.set_replay(args.replay(seed));
        storing::build(&mut world, count, &DhtConfig::default(), None);
        world.faults_mut().loss = Chance(args.loss.parts_per_million);
        let mut network = Self {
            dice: world.dice(NODES),
            world,
            later: sim::Agenda::default(),
            processes: Vec::new(),
            joins: BTreeMap::new(),
            disks: BTreeMap::new(),
            config,
            bug,
            crashes: 0,
        };
        for node in 0..count {
            network.set_clock(node);
            network.start_desk(node);
        }
        network
    }

    fn set_clock(&mut self, node: usize) {
        let off = self.dice.span(Duration::ZERO, CLOCKS_WITHIN.times(2));
        let ahead = off.as_millis() as i64 - CLOCKS_WITHIN.as_millis() as i64;
        let clock = Clock {
            drift_ppm: 0,
            wall_ahead_ms: ahead,
        };
        self.world.set_clock(node, clock);
        self.processes.push(Process {
            clock,
            ..Process::default()
        });
    }

    /// Its tracker begins with nothing.
    fn start_desk(&mut self, node: usize) {
        let now = self.world.now();
        let Some((process, contact)) = self.processes.get_mut(node).zip(self.world.contact(node))
        else {
            return;
        };
        let config = self.config.clone();
        let desk = Desk::new(config, contact.addr, process.clock, now, &mut self.dice);
        process.desk = Some(desk);
        process.since = now;
    }

    /// The desk of a node that serves.
    pub(super) fn desk(&mut self, node: usize) -> Option<&mut Desk> {
        self.processes.get_mut(node)?.desk.as_mut()
    }

    /// The nodes that serve, and which life it is.
    pub(super) fn serving(&self) -> impl Iterator<Item = usize> {
        let all = self.processes.iter().enumerate();
        all.filter(|(_, process)| process.desk.is_some())
            .map(|(node, _)| node)
    }

    /// For how long a node has served.
    pub(super) fn serves_since(&self, node: usize) -> Time {
        self.processes
            .get(node)
            .map_or(Time::ZERO, |process| process.since)
    }

    pub(super) fn life(&self, node: usize) -> u32 {
        self.processes.get(node).map_or(0, |process| process.life)
    }

    /// A random node that serves.
    pub(super) fn any(&mut self) -> Option<usize> {
        self.any_but(&[])
    }

    /// A random node that serves and is none of these.
    pub(super) fn any_but(&mut self, others: &[usize]) -> Option<usize> {
        let serving = self.serving().filter(|node| !others.contains(node));
        let serving: Vec<usize> = serving.collect();
        self.dice.pick(&serving).copied()
    }

    /// A random node dies; half of them come back on their disks, for others a new one joins. Gives
    /// who died.
    pub(super) fn crash(&mut self) -> Option<usize> {
        let node = self.any()?;
        let crashed = self.world.crash(node)?;
        self.crashes += 1;
        let process = self.processes.get_mut(node)?;
        process.desk = None;
        process.life += 1;
        if self.dice.below(2) == 0 {
            let mut store = crashed.machine.into_store();
            store.crash(crashed.durable);
            self.disks.insert(node, store);
            let at = self.world.now() + self.dice.span(Duration::ZERO, AWAY_AT_MOST);
            self.later.plan(at, Later::Return { node });
        } else {
            let id = self.dice.id();
            let node = self.world.add(id, |me| machine(me, MemoryStore::on_disk()));
            self.set_clock(node);
            self.join(node);
        }
        Some(node)
    }

    /// Asks to join through some member.
    fn join(&mut self, node: usize) {
        let via = self.any().and_then(|via| self.world.contact(via));
        if let Some(via) = via {
            let op = self.world.call(node, Request::Join { via });
            self.joins.insert(op, node);
        }
    }

    fn come_back(&mut self, node: usize) {
        let (Some(store), Some(contact)) = (self.disks.remove(&node), self.world.contact(node))
        else {
            return;
        };
        self.world
            .restart(node, contact.id, |me| machine(me, store));
        self.join(node);
    }

    /// Does what was planned for now.
    pub(super) fn act(&mut self, later: Later) {
        match later {
            Later::Ask { node, life } => {
                if self.life(node) == life {
                    if let Some(desk) = self.desk(node) {
                        desk.planned = None;
                    }
                    self.pump(node);
                }
            }
            Later::Return { node } => self.come_back(node),
        }
    }

    /// Makes the calls that are to be made at a node, and plans when to ask again.
    pub(super) fn pump(&mut self, node: usize) {
        let (now, life) = (self.world.now(), self.life(node));
        let Some(process) = self.processes.get_mut(node) else {
            return;
        };
        let Some(desk) = &mut process.desk else {
            return;
        };
        while let Some((request, about)) = desk.next_call(now) {
            if self.bug.is_some_and(|bug| bug.swallows(&request)) {
                desk.swallowed(now, about);
                continue;
            }
            let op = self.world.call(node, request);
            desk.called(op, about);
        }
        let at = desk
            .next_time()
            .map(|at| at.max(now + Duration::from_micros(1)));
        if let Some(at) = at.filter(|at| desk.planned.is_none_or(|planned| *at < planned)) {
            desk.planned = Some(at);
            self.later.plan(at, Later::Ask { node, life });
        }
    }

    /// Sweeps all tables, and tells all trackers whether there are other nodes.
    pub(super) fn sweep(&mut self) {
        let now = self.world.now();
        let serving: Vec<usize> = self.serving().collect();
        for node in serving {
            let company = self
                .world
                .node(node)
                .is_some_and(|node| node.status().peers > 0);
            let company = company && self.bug != Some(Bug::LooksOnce);
            if let Some(desk) = self.desk(node) {
                desk.set_company(company);
                desk.sweep(now);
            }
            self.pump(node);
        }
    }

    /// Lets the world go on to `until`, or to the next thing that somebody is told; gives who is
    /// told what.
    pub(super) fn advance(&mut self, until: Time) -> Result<Vec<(usize, Told)>, RunError> {
        self.world.advance(until)?;
        let mut told = Vec::new();
        for event in self.world.take_events() {
            let Notice::Done { op, reply } = event.event else {
                continue;
            };
            if let Some(node) = self.joins.remove(&op) {
                if matches!(reply, Reply::Joined) {
                    self.start_desk(node);
                } else {
                    self.join(node);
                }
                continue;
            }
            let now = self.world.now();
            if let Some(desk) = self.desk(event.node) {
                let answered = desk.ended(now, op, &reply);
                told.extend(answered.into_iter().map(|told| (event.node, told)));
            }
            self.pump(event.node);
        }
        Ok(told)
    }
}
