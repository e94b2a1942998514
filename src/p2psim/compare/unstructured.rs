//! Networks of the crate `gnutella`: flat, with one ultrapeer, and with a few.

use super::items::{Items, Wanted, record};
use super::network::{ASKED_FOR, Network, UPKEEP};
use crate::p2psim::RunError;
use gnutella::{
    Gnutella, GnutellaConfig, GnutellaTimer, MAX_TTL, Message, QueryTable, Role, RoleChoice,
    Topology, Way, key_position,
};
use overlay::{Contact, Duration, Id, MemoryStore, Store, Time};
use sim::{Config, Dice, Trace, World, address_of};

/// Links of each node of a flat network, and of each ultrapeer with others: C = 4 in the lecture.
const DEGREE: usize = 4;
/// Ultrapeers of a leaf: the lecture counts the records of a leaf at one place.
const LEAF_LINKS: usize = 1;
/// The stream of entropy that makes a network.
const MAKING: u32 = 100;
/// The stream of entropy that chooses who inserts.
const INSERTING: u32 = 103;
/// Nodes from which the depth of a network is measured: in a random graph all are much alike.
const PROBED: usize = 8;
/// After so long, a leaf and its ultrapeer have told each other everything: they look for changes
/// once in 1.25 s at most.
const TOLD_WITHIN: Duration = Duration::from_secs(4);

/// Who serves whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Equals: Gnutella 0.4.
    Flat,
    /// One ultrapeer, everybody else its leaf: Napster.
    Directory,
    /// As many ultrapeers as there are leaves to each, √N: FastTrack, Gnutella 0.6.
    SuperPeers,
}

impl Shape {
    fn topology(self, nodes: usize, dice: &mut Dice) -> Topology {
        let mut below = |limit: usize| dice.index(limit);
        let ultrapeers = match self {
            Self::Flat => return Topology::random(nodes, DEGREE, &mut below),
            Self::Directory => 1,
            Self::SuperPeers => super_peers(nodes),
        };
        Topology::super_peers(
            ultrapeers,
            DEGREE,
            nodes - ultrapeers,
            LEAF_LINKS,
            &mut below,
        )
    }
}

/// How many super-peers a network has: √N, so that a search, which asks them all, and the index of
/// each of them grow alike.
pub(super) fn super_peers(nodes: usize) -> usize {
    (nodes as f64).sqrt().round() as usize
}

/// The network.
pub(super) struct Unstructured {
    world: World<Gnutella<MemoryStore>>,
    topology: Topology,
    items: Items,
    dice: Dice,
}

impl Unstructured {
    pub(super) fn build(seed: u64, nodes: usize, shape: Shape) -> Self {
        let mut world = World::new(Config {
            trace: Trace::Outline,
            ..Config::new(seed)
        });
        world.classify(kind_of);
        let mut dice = world.dice(MAKING);
        let items = Items::choose(nodes, &mut dice);
        let topology = shape.topology(nodes, &mut dice);
        let config = GnutellaConfig {
            way: match shape {
                // As it ships: the directory asks as many leaves as are needed. A flood asks all.
                Shape::Directory => Way::Auto,
                // Dynamic queries need more links than the lecture's four.
                Shape::Flat | Shape::SuperPeers => Way::Flood,
            },
            ttl: ttl(&topology),
            links: DEGREE,
            // An ultrapeer seeks more links below this and ends some above twice as many: here it
            // is content with what it has.
            ultrapeer_links: DEGREE / 2,
            leaf_links: LEAF_LINKS,
            // The lecture's techniques keep a record where it was inserted.
            copies: 1,
            maintain: false,
            ..GnutellaConfig::default()
        };
        let inserting = world.dice(INSERTING);
        let mut network = Self {
            world,
            topology,
            items,
            dice: inserting,
        };
        network.fill(&config, &mut dice);
        network.exchange();
        network
    }

    fn fill(&mut self, config: &GnutellaConfig, dice: &mut Dice) {
        let ids: Vec<Id> = self.topology.roles.iter().map(|_| dice.id()).collect();
        let mut stores: Vec<MemoryStore> = ids.iter().map(|_| MemoryStore::new()).collect();
        for (key, node, _) in self.items.all() {
            stores[node].write(record(key, node));
        }
        for (node, store) in stores.into_iter().enumerate() {
            let config = GnutellaConfig {
                role: RoleChoice::Always(self.topology.roles[node]),
                ..config.clone()
            };
            let neighbour = |other: &usize| {
                let (id, addr) = (ids[*other], address_of(*other));
                (Contact { id, addr }, self.topology.roles[*other])
            };
            let links = self.topology.links[node].iter().map(neighbour);
            let links: Vec<(Contact, Role)> = links.collect();
            self.world.add(ids[node], |me| {
                let mut machine = Gnutella::new(me, store, config, &[]);
                machine.assume_links(&links, Time::ZERO);
                machine
            });
        }
    }

    /// Ultrapeers get the tables of their leaves, and then of each other.
    fn exchange(&mut self) {
        for role in [Role::Leaf, Role::Ultrapeer] {
            for (node, id, table) in self.tables_of(role) {
                for other in &self.topology.links[node] {
                    let hears = self.topology.roles[*other] == Role::Ultrapeer;
                    if let Some(machine) = self.world.node_mut(*other).filter(|_| hears) {
                        machine.assume_table(id, table.clone());
                    }
                }
            }
        }
    }

    fn tables_of(&self, role: Role) -> Vec<(usize, Id, QueryTable)> {
        let has_role = |node: &usize| self.topology.roles[*node] == role;
        let nodes = (0..self.topology.roles.len()).filter(has_role);
        nodes
            .filter_map(|node| {
                let id = self.world.contact(node)?.id;
                Some((node, id, self.world.node(node)?.whole_table()))
            })
            .collect()
    }

    /// The one ultrapeer of a leaf.
    fn server(&self, leaf: usize) -> Option<usize> {
        let is_leaf = self.topology.roles[leaf] == Role::Leaf;
        self.topology.links[leaf]
            .first()
            .copied()
            .filter(|_| is_leaf)
    }

    /// Lets a node look after its links from now on, and so tell others what it has.
    fn begin_to_tell(&mut self, node: usize) {
        let now = self.world.now();
        if let Some(machine) = self.world.node_mut(node) {
            machine.maintain_from(now);
        }
        self.world.arm(node, now, GnutellaTimer);
    }
}

impl Network for Unstructured {
    type Node = Gnutella<MemoryStore>;

    fn world(&mut self) -> &mut World<Self::Node> {
        &mut self.world
    }

    fn items(&self) -> &Items {
        &self.items
    }

    fn inserter(&mut self) -> usize {
        loop {
            let node = self.dice.index(self.topology.roles.len());
            if self.topology.roles[node] != Role::Ultrapeer {
                return node;
            }
        }
    }

    fn prepare(&mut self, node: usize) -> Result<(), RunError> {
        let Some(server) = self.server(node) else {
            return Ok(());
        };
        self.begin_to_tell(node);
        // A directory has nobody to tell; it would only ping all of its leaves.
        let has_equals = |other: &usize| self.topology.roles[*other] == Role::Ultrapeer;
        if self.topology.links[server].iter().any(has_equals) {
            self.begin_to_tell(server);
        }
        let until = self.world.now() + TOLD_WITHIN;
        Ok(self.world.run_until(until)?)
    }

    fn stored(&self) -> Vec<u64> {
        let mut entries = vec![0; self.topology.roles.len()];
        for role in [Role::Leaf, Role::Ultrapeer] {
            for (node, _, table) in self.tables_of(role) {
                let shared = Wanted::ALL.iter().map(|wanted| key_position(wanted.key()));
                let shared = shared.filter(|at| table.has(*at)).count();
                for other in &self.topology.links[node] {
                    if self.topology.roles[*other] == Role::Ultrapeer {
                        entries[*other] += table.len() - shared;
                    }
                }
            }
        }
        let nodes = self.world.live().map(|(node, machine)| {
            let own = machine.store().counts().holders as usize - self.items.shared_by(node);
            (own + entries[node]) as u64
        });
        nodes.collect()
    }
}

/// The least TTL with which a flood reaches everybody, or the highest that is believed. A query
/// comes one link further than its TTL, and those from which depth was measured may be central.
fn ttl(topology: &Topology) -> u8 {
    let nodes = topology.links.len();
    let inner: Vec<usize> = (0..nodes)
        .filter(|node| topology.roles[*node] != Role::Leaf)
        .take(PROBED)
        .collect();
    let depth = inner.iter().flat_map(|node| {
        let distances = topology.distances(*node).into_iter().enumerate();
        distances.filter_map(|(other, far)| far.filter(|_| topology.roles[other] != Role::Leaf))
    });
    let depth = depth.max().unwrap_or(0);
    depth.clamp(1, MAX_TTL.into()) as u8
}

/// Links are tested and tables compared by some messages that nobody asked for.
const fn kind_of(message: &Message) -> usize {
    match message {
        Message::Query { .. }
        | Message::QueryHit(_)
        | Message::Reached { .. }
        | Message::Routes(_)
        | Message::Walk(_)
        | Message::CheckBack { .. }
        | Message::GoOn { .. }
        | Message::Offer { .. }
        | Message::Replicate { .. }
        | Message::Replicated { .. } => ASKED_FOR,
        _ => UPKEEP,
    }
}
