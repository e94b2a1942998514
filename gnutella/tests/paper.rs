//! What the lecture and the papers say of Gnutella, one test for each claim.

mod common;

use common::{Net, drawing, get, holder, holder_addr, search, search_one, still, value};
use gnutella::{GnutellaConfig, Replication, Role, Tally, Topology, Way};
use overlay::{Id, Outcome, Reply, SearchReport, Slot, Store};
use sim::Dice;
use std::collections::BTreeSet;

fn searched(reply: Reply) -> SearchReport {
    match reply {
        Reply::Searched(report) => report,
        other => panic!("{other:?}"),
    }
}

/// "With TTL 7 and 4 connections a node, one query may cause 26,240 messages": 2·Σ C·(C−1)^i for
/// i = 0..TTL, queries and answers together, on a tree.
#[test]
fn a_query_and_its_answers_are_26240_messages() {
    let config = GnutellaConfig {
        way: Way::Flood,
        ..still()
    };
    let topology = Topology::tree(4, 9);
    let mut net = Net::given(1, config, &topology, |_| Vec::new());
    let report = searched(net.ask(0, search(Id::of(b"nowhere"))));
    assert_eq!(net.world.counters().sent, 26_240);
    assert_eq!(report.outcome, Outcome::Unknown);
    assert_eq!(
        report.reached,
        Some(13_121),
        "all within 8 links, and itself"
    );
    assert_eq!(net.rests(), Ok(()));
}

/// On a random graph most of that are duplicates, each answered and not passed on: of a node's C
/// links C−2 bring one, on average.
#[test]
fn on_a_random_graph_most_queries_are_duplicates() {
    let config = GnutellaConfig {
        way: Way::Flood,
        ..still()
    };
    for (degree, least, most) in [(4, 0.58, 0.68), (8, 0.80, 0.90)] {
        let topology = Topology::random(2_000, degree, &mut drawing(1));
        let mut net = Net::given(1, config.clone(), &topology, |_| Vec::new());
        let report = searched(net.ask(0, search(Id::of(b"nowhere"))));
        let reached = f64::from(report.reached.expect("a number"));
        let tally = net
            .world
            .live()
            .fold(Tally::default(), |mut sum, (_, node)| {
                sum.queries += node.tally().queries;
                sum.duplicates += node.tally().duplicates;
                sum
            });
        let share = tally.duplicates as f64 / tally.queries as f64;
        eprintln!(
            "degree {degree}: {reached} of 2000 reached, {} queries, {:.1} % duplicates",
            tally.queries,
            share * 100.0
        );
        assert!((least..most).contains(&share), "{share}");
        assert_eq!(net.world.counters().sent, 2 * tally.queries);
    }
}

/// A search finds exactly what is on nodes that its TTL reaches: as many links away as the TTL,
/// and one more.
#[test]
fn a_search_finds_exactly_what_its_ttl_reaches() {
    let key = Id::of(b"resource");
    for seed in 0..12 {
        let mut dice = Dice::new(seed, 5);
        let nodes = 20 + dice.index(180);
        let degree = 2 + 2 * dice.index(3);
        let ttl = dice.index(8) as u8;
        let topology = Topology::random(nodes, degree, &mut |limit| dice.index(limit));
        let has: BTreeSet<usize> = (0..nodes).filter(|_| dice.below(3) == 0).collect();
        for way in [Way::Flood, Way::Ring] {
            let config = GnutellaConfig {
                way,
                ttl,
                ..still()
            };
            let items = |node: usize| {
                let item = holder(key, node as u64, "");
                has.contains(&node).then_some(item).into_iter().collect()
            };
            let mut net = Net::given(seed, config, &topology, items);
            let origin = dice.index(nodes);
            let report = searched(net.ask(origin, search(key)));
            let ttl = usize::from(ttl).max(usize::from(way == Way::Ring));
            let ttl = if way == Way::Ring {
                ttl.min(net.config.ttl.into())
            } else {
                ttl
            };
            let within = topology
                .distances(origin)
                .into_iter()
                .map(|distance| distance.is_some_and(|distance| distance <= ttl + 1));
            let within: Vec<bool> = within.collect();
            let expected: BTreeSet<_> = has
                .iter()
                .filter(|node| within[**node])
                .map(|node| holder_addr(*node as u64))
                .collect();
            let found: BTreeSet<_> = report.holders.iter().map(|holder| holder.addr).collect();
            assert_eq!(found, expected, "seed {seed}, {way:?}, TTL {ttl}");
            let reached = within.iter().filter(|within| **within).count();
            assert_eq!(report.reached, Some(reached as u32), "seed {seed}, {way:?}");
            assert_eq!(net.rests(), Ok(()), "seed {seed}");
        }
    }
}

/// Each node passes a query on once, and each link carries it at most once in each direction.
#[test]
fn a_message_is_forwarded_once() {
    let config = GnutellaConfig {
        way: Way::Flood,
        ..still()
    };
    let topology = Topology::random(500, 6, &mut drawing(3));
    let edges: usize = topology.links.iter().map(Vec::len).sum();
    let mut net = Net::given(3, config, &topology, |_| Vec::new());
    searched(net.ask(0, search(Id::of(b"nowhere"))));
    let queries: u64 = net.world.live().map(|(_, node)| node.tally().queries).sum();
    // Every node but the origin sends it to all neighbours but the one that it came from.
    assert!(queries <= edges as u64 - 499, "{queries} of {edges}");
}

/// Walkers find what is popular with a small part of the messages of a flood, and say how many different
/// nodes they have visited.
#[test]
fn walkers_need_few_messages() {
    let key = Id::of(b"popular");
    let topology = Topology::random(2_000, 4, &mut drawing(7));
    let mut sent = Vec::new();
    for way in [Way::Flood, Way::Walk] {
        let config = GnutellaConfig { way, ..still() };
        let items = |node: usize| {
            let item = holder(key, node as u64, "");
            (node % 50 == 7).then_some(item).into_iter().collect()
        };
        let mut net = Net::given(7, config, &topology, items);
        let report = searched(net.ask(0, search_one(key)));
        assert_eq!(report.outcome, Outcome::Found, "{way:?}");
        net.run(overlay::Duration::from_secs(20));
        assert_eq!(net.rests(), Ok(()), "{way:?}");
        sent.push(net.world.counters().sent);
    }
    eprintln!("flood {} messages, walkers {}", sent[0], sent[1]);
    assert!(sent[1] * 20 < sent[0], "{sent:?}");
}

/// Walkers that find nothing visit most of a network, each node counted once.
#[test]
fn walkers_that_find_nothing_say_how_many_nodes_they_visited() {
    let topology = Topology::random(100, 4, &mut drawing(9));
    let config = GnutellaConfig {
        way: Way::Walk,
        ..still()
    };
    let mut net = Net::given(9, config, &topology, |_| Vec::new());
    let report = searched(net.ask(0, search(Id::of(b"nowhere"))));
    let reached = report.reached.expect("a number");
    assert!((60..=100).contains(&reached), "{reached}");
    assert!(
        report
            .reason
            .expect("why")
            .contains("absence proves nothing")
    );
}

/// "Push": who cannot be dialled is asked to send by itself, by the way that its hit came.
#[test]
fn a_value_behind_a_firewall_is_pushed() {
    let key = Id::of(b"behind");
    let topology = Topology {
        links: vec![vec![1], vec![0, 2], vec![1, 3], vec![2]],
        roles: vec![Role::Peer; 4],
    };
    let config = GnutellaConfig {
        way: Way::Flood,
        ..still()
    };
    let items = |node: usize| {
        (node == 3)
            .then(|| value(key, b"body"))
            .into_iter()
            .collect()
    };
    let mut net = Net::given(1, config, &topology, items);
    net.world.faults_mut().block(0, 3);
    let Reply::Got(report) = net.ask(0, get(key)) else {
        panic!("no get");
    };
    assert_eq!(report.value.as_deref(), Some(&b"body"[..]), "{report:?}");
    net.run(overlay::Duration::from_secs(10));
    assert_eq!(net.rests(), Ok(()));
}

/// Square-root replication: what many nodes had to be asked for has more copies afterwards.
#[test]
fn what_was_hard_to_find_gets_more_copies() {
    let key = Id::of(b"rare");
    let topology = Topology::random(300, 4, &mut drawing(4));
    let mut copies = Vec::new();
    for replication in [Replication::Fixed, Replication::SquareRoot] {
        let config = GnutellaConfig {
            way: Way::Flood,
            replication,
            ..still()
        };
        let items = |node: usize| {
            (node == 250)
                .then(|| value(key, b"x"))
                .into_iter()
                .collect()
        };
        let mut net = Net::given(4, config, &topology, items);
        net.ask(3, get(key));
        net.run(overlay::Duration::from_secs(10));
        assert_eq!(net.rests(), Ok(()));
        let has = |node: &common::Node| node.store().meta(key, Slot::Value).is_some();
        copies.push(net.world.live().filter(|(_, node)| has(node)).count());
    }
    assert_eq!(copies, [1, 5]);
}

/// Copies level off: a get counts how many nodes it had to ask for each copy that it found, and copies end after
/// an hour. They grew by four with each get.
#[test]
fn copies_level_off_and_end() {
    const NODES: usize = 300;
    let key = Id::of(b"rare");
    let topology = Topology::random(NODES, 4, &mut drawing(4));
    let config = GnutellaConfig {
        way: Way::Flood,
        replication: Replication::SquareRoot,
        ..still()
    };
    let items = |node: usize| {
        (node == 250)
            .then(|| value(key, b"x"))
            .into_iter()
            .collect()
    };
    let mut net = Net::given(4, config, &topology, items);
    let count = |net: &Net| {
        let wall = sim::EPOCH.plus_secs(net.world.now().0 / 1_000_000);
        let has = |node: &common::Node| {
            let meta = node.store().meta(key, Slot::Value);
            meta.is_some_and(|meta| meta.is_live(wall))
        };
        net.world.live().filter(|(_, node)| has(node)).count()
    };
    for origin in 0..40 {
        net.ask(origin * 7, get(key));
        net.run(overlay::Duration::from_secs(10));
    }
    let copies = count(&net);
    assert!((6..=16).contains(&copies), "{copies} copies after 40 gets");
    net.run(overlay::Duration::from_secs(3_600));
    assert_eq!(
        count(&net),
        1,
        "what was put stays, and the other copies end"
    );
}
