//! The nodes of a run: founding, joining, leaving, crashing, and whether all is repaired.

use super::grace::{Grace, PRESUME_LOST};
use super::machines::Machines;
use super::profile::Profile;
use super::quorums;
use super::splits::LongSplits;
use super::weather::Weather;
use crate::p2psim::invariants::{Coverage, SharedOracle, Track};
use crate::p2psim::overlays::{HasRouter, Scope, Simulated};
use dht::{Dht, MemoryStore, Store};
use overlay::{Duration, Failure, Id, Locate, OpId, Reply, Request, Time, WriteSeq};
use sim::{Clock, Config, Dice, Oracle, World};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A node that stores.
pub(super) type Node<R> = Dht<R, MemoryStore>;

/// The stream of entropy that the plan of a run draws from.
const PLAN: u32 = 1;
/// How long every other node that leaves may take to hand over before its process ends in any case.
const LEAVE_WITHIN_S: u32 = 20;

/// Most that may be under way in the whole network: sixteen nodes with all clients have about a thousand.
const MAX_DUE: usize = 20_000;

/// How far a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Joining(OpId),
    Member,
    Leaving(OpId),
}

/// The nodes and what is known about them.
pub(super) struct Swarm<R: Simulated> {
    pub(super) world: World<Node<R>>,
    pub(super) oracle: SharedOracle,
    pub(super) dice: Dice,
    pub(super) profile: Profile,
    pub(super) weather: Weather,
    machines: Machines,
    /// The grace period, when it is short.
    pub(super) grace: Option<Grace>,
    /// How long partitions are, when they are long.
    pub(super) long_splits: Option<LongSplits>,
    stages: BTreeMap<usize, Stage>,
    /// When the nodes at each index stopped.
    pub(super) stopped: Vec<Vec<Time>>,
    pub(super) crashes: u64,
    pub(super) leaves: u64,
    /// Crashes after which a node was away for longer than the grace period.
    pub(super) outstayed: u64,
    /// Deletions that nodes collected which have stopped.
    collected: u64,
    /// The disks of nodes that crashed and will come back.
    disks: BTreeMap<usize, MemoryStore>,
    /// Nodes that are away for longer than the grace period.
    pub(super) outstaying: BTreeSet<usize>,
    /// Nodes that are up and know nobody to join through.
    waiting: BTreeSet<usize>,
    clocks: Vec<Clock>,
    /// Nodes whose disks are full.
    full: BTreeSet<usize>,
    coverage: Rc<Cell<Coverage>>,
}

impl<R: Simulated> Swarm<R> {
    pub(super) fn new(seed: u64, mut machines: Machines, replay: String) -> Self {
        let mut dice = Dice::new(seed, u64::from(PLAN));
        let mut config = Config::new(seed);
        config.max_due = Some(MAX_DUE);
        let mut profile = Profile::draw(&mut dice, &mut config);
        quorums::draw(seed, &mut machines.dht);
        let grace = Grace::draw(seed);
        if let Some(grace) = &grace {
            machines.dht.tombstone_grace_s = grace.period_s;
            machines.dht.presume_lost = PRESUME_LOST;
            profile.safety = Duration(profile.safety.0 + grace.lengthens().0);
        }
        let long_splits = LongSplits::draw(seed, &machines.dht).filter(|_| grace.is_none());
        if let Some(splits) = &long_splits {
            profile.safety = Duration(profile.safety.0 + splits.lengthens().0);
        }
        let mut world = World::new(config);
        world.set_replay(replay);
        let oracle = SharedOracle::new(Oracle::new(R::OWNERSHIP));
        world.watch(Box::new(Track::new(oracle.clone())));
        let coverage = R::watch(&mut world, oracle.clone(), Scope::UnderPremises);
        let mut swarm = Self {
            world,
            oracle,
            dice,
            profile,
            weather: Weather::default(),
            machines,
            grace,
            long_splits,
            stages: BTreeMap::new(),
            stopped: Vec::new(),
            crashes: 0,
            leaves: 0,
            outstayed: 0,
            collected: 0,
            disks: BTreeMap::new(),
            outstaying: BTreeSet::new(),
            waiting: BTreeSet::new(),
            clocks: Vec::new(),
            full: BTreeSet::new(),
            coverage,
        };
        swarm.usual_faults();
        swarm.weather.spell_ended(Time::default());
        swarm
    }

    /// The network loses, copies and delays as it does all the time.
    pub(super) fn usual_faults(&mut self) {
        let faults = self.world.faults_mut();
        faults.loss = self.profile.loss;
        faults.duplicate = self.profile.duplicate;
        faults.reorder = self.profile.reorder;
        faults.jitter = self.profile.jitter;
    }

    /// After how many events Zave's invariant was checked so far.
    pub(super) fn coverage(&self) -> Coverage {
        self.coverage.get()
    }

    /// Deletions that were collected so far.
    pub(super) fn collected(&self) -> u64 {
        let nodes = 0..self.world.node_count();
        let machines = nodes.filter_map(|node| self.world.node(node));
        self.collected + machines.map(Dht::collected).sum::<u64>()
    }

    /// Starts the first node.
    pub(super) fn found(&mut self) {
        let node = self.add();
        let op = self.world.call(node, Request::Create);
        self.stages.insert(node, Stage::Joining(op));
    }

    fn add(&mut self) -> usize {
        let id = self.dice.id();
        let store = MemoryStore::on_disk();
        let build = self.machines.node::<R>(self.profile.successors, store);
        let node = self.world.add(id, build);
        self.stopped.push(Vec::new());
        let clock = self.profile.clock(&mut self.dice);
        self.world.set_clock(node, clock);
        self.clocks.push(clock);
        node
    }

    /// Starts a new node, which joins through a random member.
    pub(super) fn join(&mut self) -> Option<usize> {
        self.member()?;
        let node = self.add();
        self.join_again(node);
        Some(node)
    }

    /// Starts a node anew with the id and the address that it had, and with its disk, unless that
    /// was lost.
    pub(super) fn come_back(&mut self, node: usize) {
        let Some(contact) = self.world.contact(node).filter(|_| !self.world.is_up(node)) else {
            return;
        };
        let store = self.disks.remove(&node);
        self.outstaying.remove(&node);
        let mut store = store.unwrap_or_else(MemoryStore::on_disk);
        store.set_disk_full(self.full.contains(&node));
        let build = self.machines.node::<R>(self.profile.successors, store);
        self.world.restart(node, contact.id, build);
        self.join_again(node);
    }

    /// Whether a node is away for longer than the grace period.
    pub(super) fn is_somebody_away(&self) -> bool {
        !self.outstaying.is_empty()
    }

    /// Lets every node whose disk is there come back that is not away for long.
    pub(super) fn most_come_back(&mut self) {
        let away = self.disks.keys().copied();
        let soon: Vec<usize> = away.filter(|it| !self.outstaying.contains(it)).collect();
        soon.into_iter().for_each(|node| self.come_back(node));
    }

    /// Lets every node whose disk is there come back.
    pub(super) fn all_come_back(&mut self) {
        for node in self.disks.keys().copied().collect::<Vec<_>>() {
            self.come_back(node);
        }
    }

    fn join_again(&mut self, node: usize) {
        self.weather.troubled();
        self.waiting.remove(&node);
        self.stages.remove(&node);
        let call = match self.member().and_then(|via| self.world.contact(via)) {
            Some(via) => Request::Join { via },
            // All were down: the first old member that is up again founds the network anew.
            None if self.on_their_way() == 0 && self.was_member(node) => Request::Create,
            None => {
                self.waiting.insert(node);
                return;
            }
        };
        let op = self.world.call(node, call);
        self.stages.insert(node, Stage::Joining(op));
    }

    fn was_member(&self, node: usize) -> bool {
        let machine = self.world.node(node);
        machine.is_some_and(|machine| machine.store().is_shared())
    }

    /// Lets nodes try again that knew nobody to join through.
    pub(super) fn join_waiting(&mut self) {
        for node in std::mem::take(&mut self.waiting) {
            if self.world.is_up(node) {
                self.join_again(node);
            }
        }
    }

    /// Sets the wall clock of a node anew, within the usual error.
    pub(super) fn jump_clock(&mut self, node: usize) {
        let ahead = self.profile.clock(&mut self.dice).wall_ahead_ms;
        if let Some(clock) = self.clocks.get_mut(node) {
            clock.wall_ahead_ms = ahead;
            self.world.set_clock(node, *clock);
        }
    }

    /// Lets the disk of a node run full, or have room again.
    pub(super) fn set_full_disk(&mut self, node: usize, is_full: bool) {
        if is_full {
            self.full.insert(node);
        } else {
            self.full.remove(&node);
        }
        if let Some(machine) = self.world.node_mut(node) {
            machine.store_mut().set_disk_full(is_full);
        }
    }

    /// A random node that has joined and does not leave.
    pub(super) fn member(&mut self) -> Option<usize> {
        let members = self.members();
        self.dice.pick(&members).copied()
    }

    /// The nodes that have joined and do not leave.
    pub(super) fn members(&self) -> Vec<usize> {
        let members = self
            .stages
            .iter()
            .filter(|(_, stage)| **stage == Stage::Member);
        members.map(|(node, _)| *node).collect()
    }

    /// Nodes that are joining or leaving.
    pub(super) fn on_their_way(&self) -> usize {
        self.stages.len() - self.members().len()
    }

    /// Kills a node. Its disk, if it is kept, has what was reported durable, and maybe some of
    /// what was being committed at that moment.
    pub(super) fn crash(&mut self, node: usize, keeps_disk: bool) {
        self.crashes += 1;
        let Some((mut store, durable)) = self.stop(node) else {
            return;
        };
        if keeps_disk {
            let uncertain = store.last_write().0.saturating_sub(durable.0);
            let torn = match self.dice.below(2) {
                0 => 0,
                _ => self.dice.below(uncertain + 1),
            };
            store.crash(WriteSeq(durable.0 + torn));
            self.disks.insert(node, store);
        }
    }

    fn stop(&mut self, node: usize) -> Option<(MemoryStore, WriteSeq)> {
        self.weather.troubled();
        self.stages.remove(&node);
        self.waiting.remove(&node);
        let crashed = self.world.crash(node);
        if let Some(stopped) = self.stopped.get_mut(node) {
            stopped.push(self.world.now());
        }
        crashed.map(|crashed| {
            self.collected += crashed.machine.collected();
            (crashed.machine.into_store(), crashed.durable)
        })
    }

    /// Asks a node to leave.
    pub(super) fn leave(&mut self, node: usize) {
        self.weather.troubled();
        let leave = if self.dice.below(2) == 0 {
            Request::Leave
        } else {
            let seconds = LEAVE_WITHIN_S;
            Request::LeaveWithin { seconds }
        };
        let op = self.world.call(node, leave);
        self.stages.insert(node, Stage::Leaving(op));
        self.leaves += 1;
    }

    /// Takes in an answer; says whether it belonged to a join or a leave, and which node stopped.
    pub(super) fn done(&mut self, node: usize, op: OpId, reply: &Reply) -> Option<Option<usize>> {
        match self.stages.get(&node).copied() {
            Some(Stage::Joining(of)) if of == op => {
                if matches!(reply, Reply::Joined) {
                    self.stages.insert(node, Stage::Member);
                } else {
                    self.join_again(node);
                }
                Some(None)
            }
            Some(Stage::Leaving(of)) if of == op => {
                if matches!(reply, Reply::Failed(Failure::LastNode { .. })) {
                    self.stages.insert(node, Stage::Member);
                    return Some(None);
                }
                // The process ends, however the leave went. What was not handed over is on its disk,
                // and whoever is told so keeps that.
                if let Some((mut store, durable)) = self.stop(node)
                    && matches!(reply, Reply::Failed(_))
                {
                    store.crash(durable);
                    self.disks.insert(node, store);
                }
                Some(Some(node))
            }
            _ => None,
        }
    }

    /// Whether a node that is down can come back with its disk.
    pub(super) fn has_disk(&self, node: usize) -> bool {
        self.disks.contains_key(&node)
    }

    /// Whether two nodes that are up take themselves for the root of a key.
    pub(super) fn has_rivals(&self, key: Id) -> bool {
        let nodes = (0..self.world.node_count()).filter_map(|node| self.world.node(node));
        let roots = nodes.filter(|node| node.arcs().any(|(arc, _)| arc.contains(key)));
        roots.count() > 1
    }

    /// Why the ring is not whole, or some replica set not complete; none when all is well.
    pub(super) fn unsettled(&self) -> Option<String> {
        let oracle = self.oracle.borrow();
        if self.on_their_way() > 0 || !self.waiting.is_empty() {
            let busy = self
                .stages
                .iter()
                .filter(|(_, stage)| **stage != Stage::Member);
            let busy: Vec<_> = busy.collect();
            return Some(format!(
                "joining or leaving: {busy:?}; knowing nobody to join through: {:?}",
                self.waiting
            ));
        }
        for node in self.members() {
            let machine = self.world.node(node)?;
            let me = Locate::me(machine).id;
            if !oracle.is_member(me) {
                return Some(format!("node {node} is cut off"));
            }
            if let Err(text) = machine.router().neighbours_are_true(&oracle) {
                return Some(format!("node {node}: {text}"));
            }
            if !machine.status().settled {
                return Some(format!("the replica sets of node {node} are not complete"));
            }
        }
        R::whole(&self.world, &oracle).err()
    }
}
