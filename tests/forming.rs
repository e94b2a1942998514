//! A ring that is used while it forms: sixteen nodes join one founder at the same time, and values
//! are stored and read from the first moment on. Whatever was acknowledged must never be called
//! absent, by no node.

use chord::{Chord, ChordConfig};
use dht::{Dht, DhtConfig, MemoryStore};
use overlay::lookup::LookupConfig;
use overlay::{
    Condition, Consistency, Contact, Duration, Id, Notice, OpId, Outcome, Reply, Request, Time,
};
use sim::{Config, Latency, World};
use std::collections::BTreeMap;

type Node = Dht<Chord, MemoryStore>;

const NODES: usize = 16;
const SEEDS: u64 = 40;

fn node(me: Contact) -> Node {
    let chord = Chord::new(me, ChordConfig::default());
    Dht::new(
        chord,
        MemoryStore::new(),
        DhtConfig::default(),
        LookupConfig::default(),
    )
}

struct Forming {
    world: World<Node>,
    seed: u64,
    members: Vec<usize>,
    puts: BTreeMap<OpId, Id>,
    gets: BTreeMap<OpId, (Id, Time)>,
    acknowledged: Vec<Id>,
    found: u64,
    unknown: u64,
}

impl Forming {
    fn new(seed: u64) -> Self {
        let mut config = Config::new(seed);
        config.latency = Latency::Uniform {
            low: Duration::from_micros(100),
            high: Duration::from_millis(3),
        };
        let mut world = World::new(config);
        for number in 0..NODES {
            let id = Id::of(format!("{seed}/{number}").as_bytes());
            world.add(id, node);
        }
        world.call(0, Request::Create);
        let via = world.contact(0).expect("the founder");
        for joiner in 1..NODES {
            world.call(joiner, Request::Join { via });
        }
        Self {
            world,
            seed,
            members: Vec::new(),
            puts: BTreeMap::new(),
            gets: BTreeMap::new(),
            acknowledged: Vec::new(),
            found: 0,
            unknown: 0,
        }
    }

    fn run(&mut self) {
        let mut dice = self.world.dice(9);
        for step in 0..600_u64 {
            let until = Time(step * 5_000);
            self.world
                .run_until(until)
                .expect("no invariant is watched");
            self.listen();
            let Some(writer) = dice.pick(&self.members).copied() else {
                continue;
            };
            let key = Id::of(format!("key {step}").as_bytes());
            let put = Request::Put {
                key,
                value: key.to_string().into(),
                ttl_s: None,
                consistency: Consistency::Quorum,
                condition: Condition::Always,
                text: String::new(),
                indexed: None,
            };
            let op = self.world.call(writer, put);
            self.puts.insert(op, key);
            let readers: Vec<usize> = self.members.clone();
            for _ in 0..3 {
                let (Some(key), Some(reader)) =
                    (dice.pick(&self.acknowledged), dice.pick(&readers))
                else {
                    continue;
                };
                let get = Request::Get {
                    key: *key,
                    consistency: Consistency::Quorum,
                    at_least: None,
                };
                let op = self.world.call(*reader, get);
                self.gets.insert(op, (*key, until));
            }
        }
        self.world
            .run_until(Time(20_000_000))
            .expect("no invariant is watched");
        self.listen();
        assert!(
            self.gets.is_empty(),
            "seed {}: gets without an answer",
            self.seed
        );
        assert!(
            self.puts.is_empty(),
            "seed {}: puts without an answer",
            self.seed
        );
    }

    fn listen(&mut self) {
        for told in self.world.take_events() {
            let Notice::Done { op, reply } = told.event else {
                continue;
            };
            match reply {
                Reply::Joined => self.members.push(told.node),
                Reply::Put(report) => {
                    self.puts.remove(&op);
                    self.acknowledged.push(report.key);
                }
                Reply::Got(report) => {
                    let (key, asked) = self.gets.remove(&op).expect("a get that was asked");
                    match report.outcome {
                        Outcome::Found => self.found += 1,
                        Outcome::Unknown => self.unknown += 1,
                        Outcome::Absent => panic!(
                            "seed {}: node {} was asked at {asked} and said at {} that {key} is \
                             absent, which had been acknowledged",
                            self.seed, told.node, told.time
                        ),
                    }
                }
                Reply::Failed(_) => {
                    self.puts.remove(&op);
                    self.gets.remove(&op);
                }
                _ => {}
            }
        }
    }
}

#[test]
fn nothing_acknowledged_is_called_absent_while_the_ring_forms() {
    for seed in 1..=SEEDS {
        let mut forming = Forming::new(seed);
        forming.run();
        assert_eq!(forming.members.len(), NODES, "seed {seed}: not all joined");
        let unknown = forming.unknown;
        assert!(
            forming.found > 10 * unknown,
            "seed {seed}: {unknown} gets unknown"
        );
    }
}
