//! Neighbours that break the rules, and what that costs the others.

mod common;

use common::bench::{contact, guid, query};
use common::busy::Busy;
use common::{Net, drawing, holder, search, search_one, still};
use gnutella::{Gnutella, GnutellaConfig, Header, Message, Query, Role, Topology, Way, What};
use overlay::{Duration, Id, MemoryStore, Notice, OpId, Outcome, Reply, Time};
use sim::{Config, Dice, Latency, Trace, World};
use std::collections::BTreeMap;

/// What one node does to the others.
struct Attack {
    /// Nodes.
    nodes: usize,
    /// Texts that each node has.
    texts: u64,
    /// Milliseconds that it lasts.
    ms: u64,
    /// Hostile messages in each of them.
    each_ms: u64,
    message: fn(u64) -> Message,
}

/// What a node has: a holder that others search for, and texts of two colours.
fn store_of(node: usize, texts: u64) -> MemoryStore {
    let mut store = MemoryStore::new();
    let node = node as u64;
    overlay::Store::write(&mut store, holder(Id::from_u64(node), node, ""));
    for number in 0..texts {
        let colour = if number.is_multiple_of(2) {
            "red"
        } else {
            "blue"
        };
        let key = Id::of(&(node * texts + number).to_be_bytes());
        overlay::Store::write(&mut store, holder(key, number, colour));
    }
    store
}

/// The median and the 99th percentile of the others' searches, in microseconds, and how often somebody
/// hung up.
fn others_times(attack: &Attack) -> (u64, u64, u64) {
    let nodes = attack.nodes;
    let topology = Topology::random(nodes, 4, &mut drawing(3));
    let mut world: World<Busy> = World::new(Config {
        trace: Trace::Outline,
        latency: Latency::Constant(Duration::from_millis(5)),
        ..Config::new(3)
    });
    let config = GnutellaConfig {
        way: Way::Flood,
        ..still()
    };
    for node in 0..nodes {
        let store = store_of(node, attack.texts);
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
    // In steps of a millisecond: some hostile queries in each, and fifty searches a second.
    for step in 0..attack.ms {
        let at = Time(step * 1_000);
        for _ in 0..attack.each_ms {
            number += 1;
            world.inject(hostile, victim, (attack.message)(number));
        }
        if step % 20 == 0 {
            let node = 1 + dice.index(nodes - 1);
            let op = world.call(node, search_one(Id::from_u64(dice.below(nodes as u64))));
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
                assert!(attack.each_ms > 0 || report.outcome == Outcome::Found);
                times.push(told.time.since(began).as_micros());
            }
        }
    }
    times.sort_unstable();
    let ended = world.live().map(|(_, node)| node.inner.tally().ended).sum();
    (times[times.len() / 2], times[times.len() * 99 / 100], ended)
}

/// The others' median search under attack is at most a fifth longer than without; says how often
/// somebody hung up.
fn others_are_not_slowed(attack: &Attack) -> u64 {
    let (calm, calm_p99, _) = others_times(&Attack {
        each_ms: 0,
        ..*attack
    });
    let (attacked, attacked_p99, ended) = others_times(attack);
    eprintln!(
        "median {calm} µs, under attack {attacked} µs; 99th percentile {calm_p99} and {attacked_p99} µs"
    );
    assert!(
        attacked <= calm * 120 / 100,
        "{attacked} µs instead of {calm} µs"
    );
    ended
}

/// One neighbour that sends 10,000 queries a second does not raise the others' median search time by
/// more than 20 %.
#[test]
fn ten_thousand_hostile_queries_a_second_do_not_slow_the_others() {
    let ended = others_are_not_slowed(&Attack {
        nodes: 40,
        texts: 0,
        ms: 20_000,
        each_ms: 10,
        message: |number| query(number, 7, 0),
    });
    assert!(ended >= 1, "nobody hung up");
}

/// Nor does one that keeps to its allowance, and asks for two words that no text has together: each of
/// its queries made every node compare all of its texts.
#[test]
fn words_that_many_texts_have_do_not_slow_the_others() {
    others_are_not_slowed(&Attack {
        nodes: 8,
        texts: 10_000,
        ms: 4_000,
        each_ms: 1,
        message: |number| Message::Query {
            header: Header::new(guid(number), 7),
            query: Query {
                what: What::Words("red blue".to_owned()),
                wanted: 10,
            },
        },
    });
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
