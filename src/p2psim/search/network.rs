//! A network of Gnutella nodes with given links and tables, and two items in it.

use bytes::Bytes;
use gnutella::{Gnutella, GnutellaConfig, Message, QueryTable, Role, RoleChoice, Tally, Topology};
use overlay::{
    Consistency, Contact, Hlc, Id, MemoryStore, Record, Request, Slot, Store, Time, Version, WallMs,
};
use sim::{Config, Dice, EPOCH, Trace, World, address_of};
use std::net::SocketAddr;

/// Links of each node of a flat network: C.
const DEGREE: usize = 4;
/// Of so many nodes among super-peers, one is an ultrapeer.
const NODES_AN_ULTRAPEER: usize = 10;
/// Links of an ultrapeer with others.
const ULTRAPEER_DEGREE: usize = 32;
/// Ultrapeers of a leaf.
const LEAF_LINKS: usize = 3;
/// Of so many nodes, one has the popular item.
const NODES_A_COPY: usize = 100;
/// Nodes that have the rare item.
const RARE_COPIES: usize = 3;
/// Other records of each node: what its tables are filled with.
const OTHERS: u64 = 10;
/// The TTL of floods among super-peers: with 32 links each, three links reach everybody.
const SUPER_TTL: u8 = 2;

/// How a network is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Equals.
    Flat,
    /// Ultrapeers and leaves.
    SuperPeers,
}

/// What is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Popular,
    Rare,
}

impl Item {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Popular => "popular",
            Self::Rare => "rare",
        }
    }

    fn key(self) -> Id {
        Id::of(self.name().as_bytes())
    }

    pub(super) fn search(self) -> Request {
        Request::Search {
            key: self.key(),
            limit: 1,
            consistency: Consistency::Quorum,
        }
    }
}

/// The network.
pub(super) struct Network {
    pub(super) world: World<Gnutella<MemoryStore>>,
    having: [Vec<usize>; 2],
}

impl Network {
    pub(super) fn build(seed: u64, nodes: usize, shape: Shape, config: &GnutellaConfig) -> Self {
        let mut world = World::new(Config {
            trace: Trace::Outline,
            ..Config::new(seed)
        });
        world.classify(Message::kind);
        let mut dice = world.dice(100);
        let ultrapeers = (nodes / NODES_AN_ULTRAPEER).max(2);
        let mut below = |limit: usize| dice.index(limit);
        let topology = match shape {
            Shape::Flat => Topology::random(nodes, DEGREE, &mut below),
            Shape::SuperPeers => Topology::super_peers(
                ultrapeers,
                ULTRAPEER_DEGREE,
                nodes - ultrapeers,
                LEAF_LINKS,
                &mut below,
            ),
        };
        let mut order: Vec<usize> = (0..nodes).collect();
        dice.shuffle(&mut order);
        let rare = order.iter().take(RARE_COPIES).copied().collect();
        let popular = order.iter().rev().take((nodes / NODES_A_COPY).max(1));
        let having: [Vec<usize>; 2] = [popular.copied().collect(), rare];
        let config = GnutellaConfig {
            ttl: match shape {
                Shape::Flat => config.ttl,
                Shape::SuperPeers => SUPER_TTL,
            },
            ..config.clone()
        };
        let mut network = Self { world, having };
        network.fill(&topology, &config, &mut dice);
        network.exchange(&topology);
        network
    }

    fn fill(&mut self, topology: &Topology, config: &GnutellaConfig, dice: &mut Dice) {
        let ids: Vec<Id> = topology.roles.iter().map(|_| dice.id()).collect();
        for (node, role) in topology.roles.iter().enumerate() {
            let mut store = MemoryStore::new();
            for item in [Item::Popular, Item::Rare] {
                if self.holders(item).contains(&node) {
                    store.write(holder(item.key(), node));
                }
            }
            for _ in 0..OTHERS {
                store.write(holder(dice.id(), node));
            }
            let config = GnutellaConfig {
                role: RoleChoice::Always(*role),
                ..config.clone()
            };
            let neighbour = |other: &usize| {
                let (id, addr) = (ids[*other], address_of(*other));
                (Contact { id, addr }, topology.roles[*other])
            };
            let links: Vec<_> = topology.links[node].iter().map(neighbour).collect();
            self.world.add(ids[node], |me| {
                let mut machine = Gnutella::new(me, store, config, &[]);
                machine.assume_links(&links, Time::ZERO);
                machine
            });
        }
    }

    /// Ultrapeers get the tables of their leaves, and then of each other.
    fn exchange(&mut self, topology: &Topology) {
        for role in [Role::Leaf, Role::Ultrapeer] {
            let nodes = (0..topology.roles.len()).filter(|node| topology.roles[*node] == role);
            let tables: Vec<(usize, Id, QueryTable)> = nodes
                .filter_map(|node| {
                    let id = self.world.contact(node)?.id;
                    Some((node, id, self.world.node(node)?.whole_table()))
                })
                .collect();
            for (node, id, table) in tables {
                for other in &topology.links[node] {
                    let hears = topology.roles[*other] == Role::Ultrapeer;
                    if let Some(machine) = self.world.node_mut(*other).filter(|_| hears) {
                        machine.assume_table(id, table.clone());
                    }
                }
            }
        }
    }

    fn holders(&self, item: Item) -> &[usize] {
        match item {
            Item::Popular => &self.having[0],
            Item::Rare => &self.having[1],
        }
    }

    /// How many nodes have the item.
    pub(super) fn copies(&self, item: Item) -> usize {
        self.holders(item).len()
    }

    /// A random node that does not have the item.
    pub(super) fn somebody_without(&self, item: Item, dice: &mut Dice) -> usize {
        loop {
            let node = dice.index(self.world.node_count());
            if !self.holders(item).contains(&node) {
                return node;
            }
        }
    }

    /// What all nodes have counted together.
    pub(super) fn tally(&self) -> Tally {
        let mut sum = Tally::default();
        for (_, node) in self.world.live() {
            let tally = node.tally();
            sum.queries += tally.queries;
            sum.duplicates += tally.duplicates;
            sum.last_hop_sent += tally.last_hop_sent;
            sum.last_hop_stopped += tally.last_hop_stopped;
            sum.last_hop_vain += tally.last_hop_vain;
        }
        sum
    }
}

/// A record that somebody inserted before the experiment.
fn holder(key: Id, node: usize) -> overlay::Item {
    let addr = SocketAddr::from(([192, 0, 2, (node % 250) as u8], 6_881));
    overlay::Item {
        key,
        slot: Slot::Holder(addr),
        record: Record {
            version: Version {
                clock: Hlc::at(WallMs(EPOCH.0 - 1_000)),
                writer: Id::of(b"writer"),
            },
            body: Some(Bytes::new()),
            expires: Some(EPOCH.plus_secs(7 * 24 * 3_600)),
        },
    }
}
