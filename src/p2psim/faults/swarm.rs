//! The nodes of a run: founding, joining, leaving, crashing, and whether all is repaired.

use super::profile::Profile;
use super::weather::Weather;
use crate::p2psim::invariants::{Coverage, RingInvariants, SharedOracle, Track, whole};
use crate::p2psim::ring::HasChord;
use chord::{Chord, ChordConfig};
use dht::{Dht, DhtConfig, MemoryStore};
use overlay::lookup::LookupConfig;
use overlay::{Contact, Id, Locate, OpId, Reply, Request, Time};
use sim::{Config, Dice, Oracle, World};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A node that stores.
pub(super) type Node = Dht<Chord, MemoryStore>;

impl HasChord for Node {
    fn chord(&self) -> &Chord {
        self.routing().router()
    }
}

/// The stream of entropy that the plan of a run draws from.
const PLAN: u32 = 1;

/// How far a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Joining(OpId),
    Member,
    Leaving(OpId),
}

/// The nodes and what is known about them.
pub(super) struct Swarm {
    pub(super) world: World<Node>,
    pub(super) oracle: SharedOracle,
    pub(super) dice: Dice,
    pub(super) profile: Profile,
    pub(super) weather: Weather,
    stages: BTreeMap<usize, Stage>,
    /// When the nodes at each index stopped.
    pub(super) stopped: Vec<Vec<Time>>,
    pub(super) crashes: u64,
    pub(super) leaves: u64,
    coverage: Rc<Cell<Coverage>>,
}

impl Swarm {
    pub(super) fn new(seed: u64, replay: String) -> Self {
        let mut dice = Dice::new(seed, u64::from(PLAN));
        let mut config = Config::new(seed);
        let profile = Profile::draw(&mut dice, &mut config);
        let mut world = World::new(config);
        world.set_replay(replay);
        let oracle = SharedOracle::new(Oracle::default());
        world.watch(Box::new(Track::new(oracle.clone())));
        let ring = RingInvariants::under_premises(oracle.clone());
        let coverage = ring.coverage();
        world.watch(Box::new(ring));
        let faults = world.faults_mut();
        faults.loss = profile.loss;
        faults.duplicate = profile.duplicate;
        faults.reorder = profile.reorder;
        faults.jitter = profile.jitter;
        Self {
            world,
            oracle,
            dice,
            profile,
            weather: Weather::default(),
            stages: BTreeMap::new(),
            stopped: Vec::new(),
            crashes: 0,
            leaves: 0,
            coverage,
        }
    }

    /// After how many events Zave's invariant was checked so far.
    pub(super) fn coverage(&self) -> Coverage {
        self.coverage.get()
    }

    fn build(successors: usize) -> impl FnOnce(Contact) -> Node {
        move |me| {
            let chord = Chord::new(
                me,
                ChordConfig {
                    successors,
                    ..ChordConfig::default()
                },
            );
            let store = MemoryStore::on_disk();
            Dht::new(chord, store, DhtConfig::default(), LookupConfig::default())
        }
    }

    /// Starts the first node.
    pub(super) fn found(&mut self) {
        let node = self.add();
        let op = self.world.call(node, Request::Create);
        self.stages.insert(node, Stage::Joining(op));
    }

    fn add(&mut self) -> usize {
        let id = self.dice.id();
        let node = self.world.add(id, Self::build(self.profile.successors));
        self.stopped.push(Vec::new());
        let clock = self.profile.clock(&mut self.dice);
        self.world.set_clock(node, clock);
        node
    }

    /// Starts a new node, which joins through a random member.
    pub(super) fn join(&mut self) -> Option<usize> {
        self.member()?;
        let node = self.add();
        self.join_again(node);
        Some(node)
    }

    /// Starts a node anew, empty, with the id and the address that it had.
    pub(super) fn come_back(&mut self, node: usize) {
        let Some(contact) = self.world.contact(node) else {
            return;
        };
        self.world
            .restart(node, contact.id, Self::build(self.profile.successors));
        self.join_again(node);
    }

    fn join_again(&mut self, node: usize) {
        self.weather.troubled();
        let Some(via) = self.member().and_then(|via| self.world.contact(via)) else {
            return;
        };
        let op = self.world.call(node, Request::Join { via });
        self.stages.insert(node, Stage::Joining(op));
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

    /// Kills a node.
    pub(super) fn crash(&mut self, node: usize) {
        self.stop(node);
        self.crashes += 1;
    }

    fn stop(&mut self, node: usize) {
        self.weather.troubled();
        self.stages.remove(&node);
        self.world.crash(node);
        if let Some(stopped) = self.stopped.get_mut(node) {
            stopped.push(self.world.now());
        }
    }

    /// Asks a node to leave.
    pub(super) fn leave(&mut self, node: usize) {
        self.weather.troubled();
        let op = self.world.call(node, Request::Leave);
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
                // The process ends, however the leave went.
                self.stop(node);
                Some(Some(node))
            }
            _ => None,
        }
    }

    /// Why the ring is not whole, or some replica set not complete; none when all is well.
    pub(super) fn unsettled(&self) -> Option<String> {
        let oracle = self.oracle.borrow();
        if self.on_their_way() > 0 {
            return Some("a node is joining or leaving".to_owned());
        }
        for node in self.members() {
            let machine = self.world.node(node)?;
            let chord = machine.chord();
            let me = Locate::me(machine).id;
            if !oracle.is_member(me) {
                return Some(format!("node {node} is cut off"));
            }
            let others = oracle.members().len() - 1;
            let length = self.profile.successors.min(others);
            let expected = successors(&oracle, me, length);
            let known: Vec<Id> = chord
                .ring()
                .successors()
                .iter()
                .map(|next| next.id)
                .collect();
            if known != expected {
                return Some(format!(
                    "successors of node {node} are {known:?}, not {expected:?}"
                ));
            }
            let before = oracle.predecessor(me).filter(|_| others > 0);
            if chord.ring().predecessor().map(|contact| contact.id) != before {
                return Some(format!("the predecessor of node {node} is not {before:?}"));
            }
            if !machine.status().settled {
                return Some(format!("the replica sets of node {node} are not complete"));
            }
        }
        whole(&self.world, &oracle).err()
    }
}

fn successors(oracle: &Oracle, me: Id, count: usize) -> Vec<Id> {
    let next = |id: &Id| oracle.successor(*id);
    std::iter::successors(oracle.successor(me), next)
        .take(count)
        .collect()
}
