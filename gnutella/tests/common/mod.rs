//! A simulated network of Gnutella nodes.

#![allow(dead_code, reason = "each test uses its part")]

pub(crate) mod bench;
pub(crate) mod busy;

use bytes::Bytes;
use gnutella::{Gnutella, GnutellaConfig, Message, QueryTable, Role, RoleChoice, Topology};
use overlay::{
    Condition, Consistency, Contact, Duration, Hlc, Id, Item, MemoryStore, Notice, OpId, Record,
    Reply, Request, Slot, Store, Time, Version, WallMs,
};
use sim::{Config, Dice, EPOCH, Latency, Trace, World, address_of};
use std::collections::BTreeMap;
use std::net::SocketAddr;

pub(crate) type Node = Gnutella<MemoryStore>;

/// A network.
pub(crate) struct Net {
    pub(crate) world: World<Node>,
    pub(crate) dice: Dice,
    pub(crate) config: GnutellaConfig,
    pub(crate) replies: BTreeMap<OpId, Vec<(Time, Reply)>>,
}

/// Settings for nodes with given links: nothing but what a call causes happens.
pub(crate) fn still() -> GnutellaConfig {
    GnutellaConfig {
        maintain: false,
        ..GnutellaConfig::default()
    }
}

/// Draws numbers for a topology.
pub(crate) fn drawing(seed: u64) -> impl FnMut(usize) -> usize {
    let mut dice = Dice::new(seed, 5);
    move |limit| dice.index(limit)
}

pub(crate) fn holder_addr(number: u64) -> SocketAddr {
    SocketAddr::from((
        [192, 0, 2, (number % 250) as u8],
        6_000 + (number / 250) as u16,
    ))
}

/// A holder that was inserted long ago and lives for a day more.
pub(crate) fn holder(key: Id, number: u64, text: &str) -> Item {
    Item {
        key,
        slot: Slot::Holder(holder_addr(number)),
        record: record(text.as_bytes(), Some(EPOCH.plus_secs(24 * 3_600))),
    }
}

pub(crate) fn value(key: Id, bytes: &[u8]) -> Item {
    Item {
        key,
        slot: Slot::Value,
        record: record(bytes, None),
    }
}

fn record(bytes: &[u8], expires: Option<WallMs>) -> Record {
    Record {
        version: Version {
            clock: Hlc::at(WallMs(EPOCH.0 - 1_000)),
            writer: Id::of(b"writer"),
        },
        body: Some(Bytes::copy_from_slice(bytes)),
        expires,
    }
}

impl Net {
    pub(crate) fn new(seed: u64, config: GnutellaConfig) -> Self {
        let mut world = World::new(Config {
            trace: Trace::Outline,
            latency: Latency::Constant(Duration::from_millis(50)),
            ..Config::new(seed)
        });
        world.classify(Message::kind);
        Self {
            world,
            dice: Dice::new(seed, 77),
            config,
            replies: BTreeMap::new(),
        }
    }

    /// A network with these links, whose nodes have what `items` says.
    pub(crate) fn given(
        seed: u64,
        config: GnutellaConfig,
        topology: &Topology,
        items: impl Fn(usize) -> Vec<Item>,
    ) -> Self {
        let mut net = Self::new(seed, config);
        let ids: Vec<Id> = topology.roles.iter().map(|_| net.dice.id()).collect();
        let contact = |node: usize| Contact {
            id: ids[node],
            addr: address_of(node),
        };
        for (node, role) in topology.roles.iter().enumerate() {
            let mut store = MemoryStore::new();
            for item in items(node) {
                store.write(item);
            }
            let config = GnutellaConfig {
                role: RoleChoice::Always(*role),
                ..net.config.clone()
            };
            let links: Vec<(Contact, Role)> = topology.links[node]
                .iter()
                .map(|other| (contact(*other), topology.roles[*other]))
                .collect();
            net.world.add(ids[node], |me| {
                let mut machine = Gnutella::new(me, store, config, &[]);
                machine.assume_links(&links, Time::ZERO);
                machine
            });
        }
        net.exchange_tables(topology, &ids);
        net
    }

    /// Gives ultrapeers the tables of their leaves, and then of each other.
    fn exchange_tables(&mut self, topology: &Topology, ids: &[Id]) {
        for round in [Role::Leaf, Role::Ultrapeer] {
            let table = |net: &Self, node: usize| -> QueryTable {
                net.world.node(node).expect("a node").whole_table()
            };
            let told: Vec<usize> = (0..ids.len())
                .filter(|node| topology.roles[*node] == round)
                .collect();
            let tables: Vec<QueryTable> = told.iter().map(|node| table(self, *node)).collect();
            for (node, table) in told.into_iter().zip(tables) {
                for other in &topology.links[node] {
                    if topology.roles[*other] == Role::Ultrapeer {
                        let machine = self.world.node_mut(*other).expect("a node");
                        machine.assume_table(ids[node], table.clone());
                    }
                }
            }
        }
    }

    pub(crate) fn node(&self, node: usize) -> &Node {
        self.world.node(node).expect("a live node")
    }

    pub(crate) fn add(&mut self) -> usize {
        let id = self.dice.id();
        let config = self.config.clone();
        self.world
            .add(id, |me| Gnutella::new(me, MemoryStore::new(), config, &[]))
    }

    /// A node that founds a network.
    pub(crate) fn found(&mut self) -> usize {
        let node = self.add();
        self.world.call(node, Request::Create);
        self.run(Duration::from_millis(1));
        node
    }

    pub(crate) fn join(&mut self, via: usize) -> usize {
        let node = self.add();
        let via = self.world.contact(via).expect("a contact");
        self.world.call(node, Request::Join { via });
        node
    }

    /// A network of so many, grown.
    pub(crate) fn grown(seed: u64, config: GnutellaConfig, nodes: usize) -> Self {
        let mut net = Self::new(seed, config);
        net.found();
        for node in 1..nodes {
            let via = net.dice.index(node);
            net.join(via);
            net.run(Duration::from_millis(300));
        }
        net.run(Duration::from_secs(10));
        net
    }

    /// A network of these roles, grown.
    pub(crate) fn with_roles(seed: u64, roles: &[Role]) -> Self {
        let mut net = Self::new(seed, GnutellaConfig::default());
        for (at, role) in roles.iter().enumerate() {
            let id = net.dice.id();
            let config = GnutellaConfig {
                role: RoleChoice::Always(*role),
                ..GnutellaConfig::default()
            };
            net.world
                .add(id, |me| Gnutella::new(me, MemoryStore::new(), config, &[]));
            let call = match net.world.contact(0).filter(|_| at > 0) {
                Some(via) => Request::Join { via },
                None => Request::Create,
            };
            net.world.call(at, call);
            net.run(Duration::from_millis(300));
        }
        net.run(Duration::from_secs(10));
        net
    }

    pub(crate) fn run(&mut self, span: Duration) {
        let until = self.world.now() + span;
        self.world.run_until(until).expect("what must hold");
        for told in self.world.take_events() {
            if let Notice::Done { op, reply } = told.event {
                self.replies.entry(op).or_default().push((told.time, reply));
            }
        }
    }

    /// These nodes cannot speak with the others.
    pub(crate) fn split(&mut self, side: &[usize]) {
        let sides = (0..self.world.node_count()).map(|node| u8::from(side.contains(&node)));
        let sides = sides.collect();
        self.world.faults_mut().partition(sides);
    }

    pub(crate) fn heal(&mut self) {
        self.world.faults_mut().heal();
    }

    /// Makes a call and waits for its answer, which must be one.
    pub(crate) fn ask(&mut self, node: usize, call: Request) -> Reply {
        let op = self.world.call(node, call);
        for _ in 0..400 {
            self.run(Duration::from_millis(50));
            if let Some(replies) = self.replies.get(&op) {
                assert_eq!(replies.len(), 1, "{replies:?}");
                return replies[0].1.clone();
            }
        }
        panic!("no answer from node {node}");
    }

    /// Nothing is under way anywhere.
    pub(crate) fn rests(&self) -> Result<(), String> {
        for (index, node) in self.world.live() {
            let left = node.under_way();
            if !left.is_empty() {
                return Err(format!("node {index} has left {left:?}"));
            }
        }
        Ok(())
    }
}

pub(crate) fn search(key: Id) -> Request {
    Request::Search {
        key,
        limit: 1_000,
        consistency: Consistency::Quorum,
    }
}

pub(crate) fn search_one(key: Id) -> Request {
    search_most(key, 1)
}

pub(crate) fn search_most(key: Id, limit: u32) -> Request {
    Request::Search {
        key,
        limit,
        consistency: Consistency::Quorum,
    }
}

pub(crate) fn get(key: Id) -> Request {
    Request::Get {
        key,
        consistency: Consistency::Quorum,
        at_least: None,
    }
}

pub(crate) fn put(key: Id, value: &[u8]) -> Request {
    Request::Put {
        key,
        value: Bytes::copy_from_slice(value),
        ttl_s: None,
        consistency: Consistency::Quorum,
        condition: Condition::Always,
        text: String::new(),
        indexed: None,
    }
}

pub(crate) fn insert(key: Id, number: u64, text: &str) -> Request {
    Request::Insert {
        key,
        holder: holder_addr(number),
        lease_s: 1_800,
        text: text.to_owned(),
        indexed: None,
    }
}

pub(crate) fn delete(key: Id, holder: Option<SocketAddr>) -> Request {
    Request::Delete {
        key,
        holder,
        consistency: Consistency::Quorum,
        condition: Condition::Always,
    }
}
