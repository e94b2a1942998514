//! Dynamic querying: rounds that widen, each under a GUID of its own, and what that must not cost.

mod common;

use common::{Net, drawing, get, holder, search, search_most, search_one, still, value};
use gnutella::{GnutellaConfig, Role, Topology, Way};
use overlay::{Consistency, Duration, Id, Item, Outcome, Reply, Request, SearchReport};
use std::collections::BTreeSet;

fn searched(reply: Reply) -> SearchReport {
    match reply {
        Reply::Searched(report) => report,
        other => panic!("{other:?}"),
    }
}

/// As `p2psim search` has it: with 32 links each, three links reach all ultrapeers.
fn by(way: Way) -> GnutellaConfig {
    GnutellaConfig {
        way,
        ttl: 2,
        ..still()
    }
}

fn super_peers(nodes: usize, seed: u64) -> Topology {
    let ultrapeers = nodes / 10;
    Topology::super_peers(ultrapeers, 32, nodes - ultrapeers, 3, &mut drawing(seed))
}

/// The misdeeds that all nodes have counted.
fn misdeeds(net: &Net) -> u64 {
    net.world
        .live()
        .map(|(_, node)| node.tally().misdeeds)
        .sum()
}

/// Rounds that widen under one GUID were taken for the misdeed of a growing TTL: after some seventy
/// searches in vain a leaf was banned by its ultrapeers.
#[test]
fn five_hundred_searches_in_vain_break_no_rule() {
    let topology = super_peers(300, 1);
    for way in [Way::Dynamic, Way::Flood] {
        for ttl in [2, 7] {
            let config = GnutellaConfig { ttl, ..by(way) };
            let mut net = Net::given(1, config, &topology, |_| Vec::new());
            let leaf = 299;
            for number in 0..500_u64 {
                net.world.call(leaf, search_one(Id::from_u64(number)));
                net.run(Duration::from_millis(200));
            }
            net.run(Duration::from_secs(10));
            assert_eq!(misdeeds(&net), 0, "{way:?}, TTL {ttl}");
            assert_eq!(net.node(leaf).neighbours().count(), 3, "{way:?}, TTL {ttl}");
            assert_eq!(net.replies.len(), 500, "{way:?}, TTL {ttl}");
            assert_eq!(net.rests(), Ok(()), "{way:?}, TTL {ttl}");
        }
    }
}

/// A ring widens too.
#[test]
fn rings_break_no_rule() {
    let topology = Topology::random(100, 4, &mut drawing(2));
    let mut net = Net::given(2, by(Way::Ring), &topology, |_| Vec::new());
    for number in 0..200_u64 {
        net.ask(number as usize % 100, search_one(Id::from_u64(number)));
    }
    assert_eq!(misdeeds(&net), 0);
}

/// How many of so many searches, from anywhere, find an item that three nodes have.
fn found(seed: u64, way: Way, searches: usize) -> usize {
    const NODES: usize = 2_000;
    let topology = super_peers(NODES, seed);
    let mut draw = drawing(seed + 100);
    let having: BTreeSet<usize> = (0..3).map(|_| draw(NODES)).collect();
    let key = Id::of(b"rare");
    let items = |node: usize| -> Vec<Item> {
        let has = having.contains(&node);
        has.then(|| holder(key, node as u64, ""))
            .into_iter()
            .collect()
    };
    let mut net = Net::given(seed, by(way), &topology, items);
    let found = (0..searches).filter(|_| {
        let report = searched(net.ask(draw(NODES), search_one(key)));
        let reached = report.reached.expect("a number");
        assert!(
            reached <= NODES as u32,
            "nodes are counted twice: {reached}"
        );
        report.outcome == Outcome::Found
    });
    let found = found.count();
    net.run(Duration::from_secs(10));
    assert_eq!(net.rests(), Ok(()), "seed {seed}, {way:?}");
    assert_eq!(misdeeds(&net), 0, "seed {seed}, {way:?}");
    found
}

/// Nodes that a narrow round had reached stopped the wider one: 90 to 95 of 100 searches found what
/// all floods find.
#[test]
fn a_dynamic_query_finds_what_a_flood_finds() {
    const SEARCHES: usize = 60;
    for seed in [1, 2, 3, 7] {
        let flood = found(seed, Way::Flood, SEARCHES);
        let dynamic = found(seed, Way::Dynamic, SEARCHES);
        assert_eq!(flood, SEARCHES, "seed {seed}");
        assert_eq!(dynamic, flood, "seed {seed}");
    }
}

/// All who have something are found, each once, and no node is counted twice.
#[test]
fn holders_that_several_rounds_meet_are_counted_once() {
    let key = Id::of(b"some");
    let topology = super_peers(500, 4);
    let items = |node: usize| -> Vec<Item> {
        let has = node % 50 == 3;
        has.then(|| holder(key, node as u64, ""))
            .into_iter()
            .collect()
    };
    for origin in [7, 400] {
        let mut net = Net::given(4, by(Way::Dynamic), &topology, items);
        let began = net.world.now();
        let report = searched(net.ask(origin, search(key)));
        let took = net.world.now().since(began);
        net.run(Duration::from_secs(10));
        let sent = net.world.counters().sent;
        eprintln!("origin {origin}: {took:?}, {sent} messages");
        assert_eq!(report.holders.len(), 10, "{report:?}");
        assert!(report.reached <= Some(500), "{report:?}");
        assert!(report.reached >= Some(30), "{report:?}");
        assert_eq!((misdeeds(&net), net.rests()), (0, Ok(())));
    }
}

/// Ultrapeers 0 to 3 in a row, and a leaf, 4, of the first.
fn row() -> Topology {
    Topology {
        links: vec![vec![1, 4], vec![0, 2], vec![1, 3], vec![2], vec![0]],
        roles: vec![
            Role::Ultrapeer,
            Role::Ultrapeer,
            Role::Ultrapeer,
            Role::Ultrapeer,
            Role::Leaf,
        ],
    }
}

/// The same, and a leaf, 5, of the last.
fn row_with_a_far_leaf() -> Topology {
    let mut topology = row();
    topology.links[3].push(5);
    topology.links.push(vec![3]);
    topology.roles.push(Role::Leaf);
    topology
}

/// The leaves of the ultrapeers that are reached last were told that they are next to the searcher: their
/// hits had a TTL of 2, and died on longer ways.
#[test]
fn a_hit_of_a_leaf_at_the_end_of_the_ttl_comes_home() {
    let key = Id::of(b"far");
    let topology = row_with_a_far_leaf();
    let items = |node: usize| -> Vec<Item> {
        (node == 5)
            .then(|| holder(key, 5, ""))
            .into_iter()
            .collect()
    };
    for way in [Way::Flood, Way::Ring, Way::Dynamic] {
        for origin in [0, 4] {
            let mut net = Net::given(8, by(way), &topology, items);
            let report = searched(net.ask(origin, search_one(key)));
            assert_eq!(report.outcome, Outcome::Found, "{way:?} from {origin}");
        }
    }
}

/// A body is pushed along the way of its hit, which has one GUID in each ultrapeer's search and
/// another beyond it.
#[test]
fn a_body_is_pushed_to_a_leaf_through_its_ultrapeers_search() {
    let key = Id::of(b"behind");
    let items = |node: usize| -> Vec<Item> {
        (node == 3)
            .then(|| value(key, b"body"))
            .into_iter()
            .collect()
    };
    for origin in [0, 4] {
        let mut net = Net::given(5, by(Way::Dynamic), &row(), items);
        net.world.faults_mut().block(origin, 3);
        let Reply::Got(report) = net.ask(origin, get(key)) else {
            panic!("no get");
        };
        assert_eq!(
            report.value.as_deref(),
            Some(&b"body"[..]),
            "from {origin}: {report:?}"
        );
        net.run(Duration::from_secs(10));
        assert_eq!((misdeeds(&net), net.rests()), (0, Ok(())));
    }
}

/// What a walker finds at a leaf is told by an ultrapeer that is no neighbour of the searcher: the body
/// is pushed through it.
#[test]
fn a_body_is_pushed_by_a_leaf_that_a_walker_found() {
    let key = Id::of(b"behind");
    let topology = row_with_a_far_leaf();
    let items = |node: usize| -> Vec<Item> {
        (node == 5)
            .then(|| value(key, b"body"))
            .into_iter()
            .collect()
    };
    let mut net = Net::given(9, by(Way::Walk), &topology, items);
    net.world.faults_mut().block(0, 5);
    let Reply::Got(report) = net.ask(0, get(key)) else {
        panic!("no get");
    };
    assert_eq!(report.value.as_deref(), Some(&b"body"[..]), "{report:?}");
    net.run(Duration::from_secs(10));
    assert_eq!((misdeeds(&net), net.rests()), (0, Ok(())));
}

/// The only neighbour's table has both words, of different records: asked no further than there, it
/// has nothing, but what lies behind it must be found.
#[test]
fn neighbours_that_were_asked_for_likely_are_asked_further() {
    let items = |node: usize| -> Vec<Item> {
        let text = |number: u64, text| holder(Id::from_u64(number), number, text);
        match node {
            1 => vec![text(1, "red roses"), text(2, "blue violets")],
            3 => vec![text(3, "red violets")],
            _ => Vec::new(),
        }
    };
    for origin in [0, 4] {
        let mut net = Net::given(6, by(Way::Dynamic), &row(), items);
        let call = Request::SearchText {
            text: "red violets".to_owned(),
            limit: 10,
            consistency: Consistency::Quorum,
        };
        let Reply::TextSearched(report) = net.ask(origin, call) else {
            panic!("no search");
        };
        assert_eq!(report.results.len(), 1, "from {origin}: {report:?}");
    }
}

/// In a directory, a search for one of many costs a few messages, not one for each leaf that has it.
#[test]
fn a_directory_asks_no_more_leaves_than_are_needed() {
    const LEAVES: usize = 1_000;
    let mut links = vec![(1..=LEAVES).collect::<Vec<_>>()];
    links.resize(LEAVES + 1, vec![0]);
    let mut roles = vec![Role::Ultrapeer];
    roles.resize(LEAVES + 1, Role::Leaf);
    let topology = Topology { links, roles };
    let key = Id::of(b"popular");
    let items = |node: usize| -> Vec<Item> {
        let has = node % 10 == 1;
        has.then(|| holder(key, node as u64, ""))
            .into_iter()
            .collect()
    };
    let config = GnutellaConfig {
        max_leaves: LEAVES,
        ..by(Way::Dynamic)
    };
    let mut net = Net::given(7, config, &topology, items);
    let report = searched(net.ask(500, search_one(key)));
    assert_eq!(report.outcome, Outcome::Found);
    net.run(Duration::from_secs(10));
    let sent = net.world.counters().sent;
    // Query, hit and echo on two links, a query and its echo on the first.
    assert!(sent <= 8, "{sent} messages");
    let some = searched(net.ask(500, search_most(key, 50)));
    let sent = net.world.counters().sent - sent;
    assert_eq!(some.holders.len(), 50);
    assert!(sent <= 50 * 5, "{sent} messages");
    assert_eq!((misdeeds(&net), net.rests()), (0, Ok(())));
}
