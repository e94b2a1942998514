//! Neighbours that break the rules, and what that costs the others.

mod common;

use common::busy::Busy;
use common::{Net, drawing, holder, search, search_one, still};
use gnutella::{
    Errand, Gnutella, GnutellaConfig, Guid, Header, Hello, Hit, MAX_HITS, MAX_TTL, Message, Query,
    QueryHit, Reach, Role, Routes, Topology, Walk, Way, What,
};
use overlay::{
    Contact, Cx, Duration, Effect, Fault, Hlc, Id, Input, Item, Locate, Machine, MemoryStore,
    Notice, OpId, Outbox, Outcome, Record, Reply, Slot, Time, Version, WallMs,
};
use rand_pcg::Pcg64Mcg;
use sim::{Config, Dice, Latency, Trace, World, address_of};
use std::collections::BTreeMap;

/// A node alone, with some neighbours that the test plays.
struct Bench {
    node: Gnutella<MemoryStore>,
    rng: Pcg64Mcg,
    now: Time,
}

fn contact(number: usize) -> Contact {
    Contact {
        id: Id::of(&number.to_be_bytes()),
        addr: address_of(number),
    }
}

fn guid(number: u64) -> Guid {
    Guid(u128::from(number).to_be_bytes())
}

fn query(number: u64, ttl: u8, hops: u8) -> Message {
    let guid = guid(number);
    Message::Query {
        header: Header { guid, ttl, hops },
        query: Query {
            what: What::Holders(Id::from_u64(1)),
            wanted: 10,
        },
    }
}

impl Bench {
    fn new() -> Self {
        let mut node = Gnutella::new(contact(0), MemoryStore::new(), still(), &[]);
        let links: Vec<_> = (1..=4)
            .map(|number| (contact(number), Role::Peer))
            .collect();
        node.assume_links(&links, Time::ZERO);
        Self {
            node,
            rng: Pcg64Mcg::new(1),
            now: Time(1),
        }
    }

    /// What the node does about a message.
    fn send(&mut self, from: usize, message: Message) -> Vec<Effect<Gnutella<MemoryStore>>> {
        let mut out = Outbox::default();
        let mut cx = Cx {
            now: self.now,
            wall: WallMs(sim::EPOCH.0),
            rng: &mut self.rng,
            out: &mut out,
        };
        let from = contact(from);
        self.node.handle(&mut cx, Input::Message { from, message });
        out.drain().collect()
    }

    fn fault(&mut self, from: usize, message: Message) -> Option<Fault> {
        let effects = self.send(from, message);
        effects.into_iter().find_map(|effect| match effect {
            Effect::HangUp { fault, .. } => Some(fault),
            _ => None,
        })
    }

    /// The fault with which a link ends after so many of the same.
    fn ends(
        &mut self,
        from: usize,
        mut message: impl FnMut(u64) -> Message,
    ) -> Option<(u64, Fault)> {
        (0..5_000).find_map(|at| Some((at, self.fault(from, message(at))?)))
    }
}

#[test]
fn one_wrong_message_is_forgiven_and_many_are_not() {
    let mut bench = Bench::new();
    let ended = bench.ends(1, |at| query(at, MAX_TTL, 3)).expect("an end");
    assert!(
        (10..200).contains(&ended.0) && ended.1 == Fault::Protocol,
        "{ended:?}"
    );
    assert_eq!(bench.node.neighbours().count(), 3);
    assert!(
        bench.send(1, query(9_000, 1, 0)).is_empty(),
        "it is still heard"
    );
    // The same GUID again and again on one link.
    let ended = bench.ends(2, |_| query(77_777, 3, 0)).expect("an end");
    assert_eq!(ended.1, Fault::Protocol);
    // TTL and hops that have grown together since another neighbour sent it.
    let mut number = 100_000;
    let ended = bench.ends(3, |_| {
        number += 1;
        query(number / 2, 2 + (number % 2) as u8 * 2, 0)
    });
    assert_eq!(ended.expect("an end").1, Fault::Protocol);
    assert_eq!(bench.node.neighbours().count(), 1);
}

/// One that names too many hosts.
fn long_hello() -> Hello {
    Hello {
        role: Role::Peer,
        links: 1,
        room: true,
        hosts: vec![
            gnutella::Host {
                contact: contact(9),
                role: Role::Peer,
                room: true
            };
            64
        ],
    }
}

#[test]
fn what_is_out_of_bounds_ends_the_link_at_once() {
    let hit = Hit {
        key: Id::ZERO,
        slot: Slot::Value,
        version: Version::default(),
        gone: false,
        life_s: None,
        bytes: 1,
        text: String::new(),
    };
    let too_many = QueryHit {
        header: Header::new(guid(1), 3),
        from: contact(1),
        hits: vec![hit; MAX_HITS + 1],
    };
    let routes = Routes {
        number: 1,
        reset: true,
        set: vec![u32::MAX; 4],
        cleared: Vec::new(),
        leaves: 0,
    };
    let walk = Walk {
        guid: guid(4),
        walker: 0,
        origin: contact(1),
        ttl: u16::MAX,
        hops: 0,
        fresh: Reach::default(),
        errand: Errand::Search(Query {
            what: What::Value(Id::ZERO),
            wanted: 1,
        }),
    };
    let words = Message::Query {
        header: Header::new(guid(9), 1),
        query: Query {
            what: What::Words("x".repeat(5_000)),
            wanted: 1,
        },
    };
    for message in [
        Message::QueryHit(Box::new(too_many)),
        Message::Routes(Box::new(routes)),
        Message::Walk(Box::new(walk)),
        words,
        Message::Connect(long_hello()),
    ] {
        let mut bench = Bench::new();
        let text = format!("{message:?}");
        let fault = bench.fault(1, message);
        assert_eq!(
            fault,
            Some(Fault::OutOfBounds),
            "{}",
            &text[..text.len().min(80)]
        );
    }
}

#[test]
fn answers_that_nobody_asked_for_change_nothing() {
    let mut bench = Bench::new();
    for message in [
        Message::Reached {
            guid: guid(1),
            reach: Reach {
                nodes: 1_000,
                leaves: 0,
            },
            hits: 7,
        },
        Message::GoOn {
            guid: guid(1),
            walker: 0,
            go: true,
        },
        Message::Offer {
            guid: guid(1),
            walker: 0,
        },
        Message::Body {
            req: guid(1),
            record: None,
        },
        Message::Replicated {
            req: guid(1),
            kept: true,
        },
    ] {
        assert!(bench.send(1, message).is_empty());
    }
    assert!(bench.node.under_way().is_empty());
}

/// Whatever brings records tells of clocks that are ahead; what is beyond a minute is refused.
#[test]
fn clocks_of_records_are_measured_and_those_far_ahead_are_refused() {
    let mut bench = Bench::new();
    let bring = |ms: i64| {
        let record = Record {
            version: Version {
                clock: Hlc::at(WallMs(sim::EPOCH.0.saturating_add_signed(ms))),
                writer: contact(1).id,
            },
            body: Some("x".into()),
            expires: None,
        };
        let item = Item {
            key: Id::from_u64(1),
            slot: Slot::Value,
            record,
        };
        let (req, items) = (guid(1), vec![item]);
        Message::HandOver { req, items }
    };
    for (ms, ahead_ms) in [(-90_000, 0), (5_000, 5_000), (59_000, 59_000)] {
        assert_eq!(bench.fault(1, bring(ms)), None);
        let tally = Locate::tally(&bench.node);
        assert_eq!(
            (tally.clock_ahead_ms, tally.clock_behind_ms),
            (ahead_ms, None)
        );
    }
    assert_eq!(bench.node.status().clocks_refused, 0);
    assert_eq!(bench.fault(1, bring(61_000)), Some(Fault::OutOfBounds));
    assert_eq!(bench.node.status().clocks_refused, 1);
}

/// The median and the 99th percentile of the others' searches, in microseconds.
fn others_times(attack: bool) -> (u64, u64, u64) {
    const NODES: usize = 40;
    let topology = Topology::random(NODES, 4, &mut drawing(3));
    let mut world: World<Busy> = World::new(Config {
        trace: Trace::Outline,
        latency: Latency::Constant(Duration::from_millis(5)),
        ..Config::new(3)
    });
    let config = GnutellaConfig {
        way: Way::Flood,
        ..still()
    };
    for node in 0..NODES {
        let mut store = MemoryStore::new();
        overlay::Store::write(
            &mut store,
            holder(Id::from_u64(node as u64), node as u64, ""),
        );
        let links: Vec<_> = topology.links[node]
            .iter()
            .map(|other| (contact(*other), Role::Peer))
            .collect();
        let config = config.clone();
        world.add(contact(node).id, |me| {
            let mut inner = Gnutella::new(me, store, config, &[]);
            inner.assume_links(&links, Time::ZERO);
            Busy::new(inner)
        });
    }
    let mut dice = Dice::new(9, 1);
    let mut asked: BTreeMap<OpId, Time> = BTreeMap::new();
    let mut times = Vec::new();
    let hostile = 0;
    let victim = contact(topology.links[hostile][0]);
    let mut number = 1 << 40;
    // 20 s in steps of a millisecond: ten hostile queries in each, and fifty searches a second.
    for step in 0..20_000_u64 {
        let at = Time(step * 1_000);
        if attack {
            for _ in 0..10 {
                number += 1;
                world.inject(hostile, victim, query(number, 7, 0));
            }
        }
        if step % 20 == 0 {
            let node = 1 + dice.index(NODES - 1);
            let op = world.call(node, search_one(Id::from_u64(dice.below(NODES as u64))));
            asked.insert(op, at);
        }
        world
            .run_until(at + Duration::from_millis(1))
            .expect("nothing is watched");
        for told in world.take_events() {
            if let Notice::Done {
                op,
                reply: Reply::Searched(report),
            } = told.event
                && let Some(began) = asked.remove(&op)
            {
                assert!(attack || report.outcome == Outcome::Found);
                times.push(told.time.since(began).as_micros());
            }
        }
    }
    times.sort_unstable();
    let ended = world.live().map(|(_, node)| node.inner.tally().ended).sum();
    (times[times.len() / 2], times[times.len() * 99 / 100], ended)
}

/// One neighbour that sends 10,000 queries a second does not raise the others' median search time by
/// more than 20 %.
#[test]
fn ten_thousand_hostile_queries_a_second_do_not_slow_the_others() {
    let (calm, calm_p99, _) = others_times(false);
    let (attacked, attacked_p99, ended) = others_times(true);
    eprintln!(
        "median {calm} µs, under attack {attacked} µs; 99th percentile {calm_p99} and {attacked_p99} µs"
    );
    assert!(ended >= 1, "nobody hung up");
    assert!(
        attacked <= calm * 120 / 100,
        "{attacked} µs instead of {calm} µs"
    );
}

/// A query that one link may not carry any more is answered, and its origin does not wait.
#[test]
fn a_node_without_room_still_answers() {
    let mut net = Net::given(
        1,
        GnutellaConfig {
            way: Way::Flood,
            ..still()
        },
        &Topology::random(10, 4, &mut drawing(1)),
        |_| Vec::new(),
    );
    for _ in 0..1_000 {
        net.world.call(0, search(Id::of(b"nowhere")));
    }
    net.run(Duration::from_secs(9));
    let answered = net.replies.values().map(Vec::len).sum::<usize>();
    assert_eq!(answered, 1_000);
    assert_eq!(net.rests(), Ok(()));
    let ended: u64 = net.world.live().map(|(_, node)| node.tally().ended).sum();
    assert_eq!(ended, 0, "a node of good will was hung up on");
}
