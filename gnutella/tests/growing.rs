//! Networks that grow by themselves: links, restarts, roles, leaving.

mod common;

use common::{Net, get, insert, put, search};
use gnutella::{Gnutella, GnutellaConfig, Role, Topology};
use overlay::{Duration, Hlc, Id, Locate, Outcome, Reply, Request, Slot, Store, WallMs};
use sim::EPOCH;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Who is reached from node 0 over links, and whether each link is known at both ends.
fn reached(net: &Net) -> usize {
    let ids: BTreeMap<Id, usize> = net
        .world
        .live()
        .map(|(at, node)| (node.me().id, at))
        .collect();
    let first = net.world.live().next().expect("a node").0;
    let mut seen = BTreeSet::from([first]);
    let mut queue = VecDeque::from([first]);
    while let Some(at) = queue.pop_front() {
        for (contact, _) in net.node(at).neighbours() {
            let other = ids[&contact.id];
            let mine = net.node(at).me().id;
            let mutual = net.node(other).neighbours().any(|(it, _)| it.id == mine);
            assert!(
                mutual,
                "node {at} has a link with {other} that it does not know of"
            );
            if seen.insert(other) {
                queue.push_back(other);
            }
        }
    }
    seen.len()
}

#[test]
fn a_network_grows_connected_and_within_its_bounds() {
    for seed in 0..4 {
        let net = Net::grown(seed, GnutellaConfig::default(), 60);
        assert_eq!(reached(&net), 60, "seed {seed}");
        let degrees: Vec<usize> = net
            .world
            .live()
            .map(|(_, it)| it.neighbours().count())
            .collect();
        let mean = degrees.iter().sum::<usize>() as f64 / 60.0;
        eprintln!("seed {seed}: degrees {degrees:?}, mean {mean:.1}");
        assert!(
            degrees.iter().all(|degree| (3..=8).contains(degree)),
            "{degrees:?}"
        );
    }
}

#[test]
fn what_is_put_is_found_everywhere_and_deleted_for_all() {
    let mut net = Net::grown(5, GnutellaConfig::default(), 30);
    let key = Id::of(b"greeting");
    let Reply::Put(report) = net.ask(3, put(key, b"hello")) else {
        panic!("no put");
    };
    assert_eq!((report.replicas_durable, report.replicas), (3, 3));
    for node in 0..30 {
        let Reply::Got(report) = net.ask(node, get(key)) else {
            panic!("no get");
        };
        assert_eq!(
            report.value.as_deref(),
            Some(&b"hello"[..]),
            "node {node}: {report:?}"
        );
        assert_eq!(report.reached, Some(30));
    }
    // A newer version at another node wins everywhere, and mends the older copies.
    net.ask(17, put(key, b"good day"));
    for node in 0..30 {
        let Reply::Got(report) = net.ask(node, get(key)) else {
            panic!("no get");
        };
        assert_eq!(
            report.value.as_deref(),
            Some(&b"good day"[..]),
            "node {node}"
        );
    }
    let Reply::Deleted(report) = net.ask(9, common::delete(key, None)) else {
        panic!("no delete");
    };
    assert_eq!(report.outcome, Outcome::Found);
    for node in 0..30 {
        let Reply::Got(report) = net.ask(node, get(key)) else {
            panic!("no get");
        };
        assert_eq!(report.outcome, Outcome::Unknown, "node {node}: {report:?}");
    }
    net.run(Duration::from_secs(120));
    assert_eq!(net.rests(), Ok(()));
    let remembered: usize = net
        .world
        .live()
        .map(|(_, node)| node.remembered())
        .max()
        .unwrap_or(0);
    assert!(remembered < 200, "{remembered} GUIDs are still remembered");
}

/// A copy that square-root replication left took the place of older ones that were for good, and ended
/// within the hour.
#[test]
fn copies_that_end_soon_mend_nobody() {
    let key = Id::of(b"key");
    for (life_s, mended) in [(None, true), (Some(3_600), false), (Some(86_400), true)] {
        let items = |node: usize| {
            let mut item = common::value(key, if node == 2 { b"newer" } else { b"older" });
            if node == 2 {
                item.record.version.clock = Hlc::at(WallMs(EPOCH.0 - 10));
                item.record.expires = life_s.map(|life_s| EPOCH.plus_secs(life_s));
            }
            if node == 0 { Vec::new() } else { vec![item] }
        };
        let topology = Topology {
            links: vec![vec![1], vec![0, 2], vec![1]],
            roles: vec![Role::Peer; 3],
        };
        let mut net = Net::given(1, common::still(), &topology, items);
        let Reply::Got(report) = net.ask(0, get(key)) else {
            panic!("no get");
        };
        assert_eq!(report.value.as_deref(), Some(&b"newer"[..]));
        net.run(Duration::from_secs(1));
        let known = net.node(1).store().meta(key, Slot::Value);
        let is_newer = known.map(|known| known.version) == report.version;
        assert_eq!(is_newer, mended, "of {life_s:?} s");
    }
}

#[test]
fn a_node_finds_its_network_again_without_a_member() {
    let mut net = Net::grown(6, GnutellaConfig::default(), 12);
    let (id, hosts) = {
        let node = net.node(4);
        (node.me().id, node.hosts().expect("hosts"))
    };
    assert!(!hosts.is_empty());
    let store = net.world.crash(4).expect("it was up").machine.into_store();
    net.run(Duration::from_secs(20));
    let config = net.config.clone();
    net.world
        .restart(4, id, |me| Gnutella::new(me, store, config, &hosts));
    net.world.call(4, Request::Create);
    net.run(Duration::from_secs(10));
    assert!(net.node(4).neighbours().count() >= 3);
    assert_eq!(reached(&net), 12);
}

#[test]
fn a_node_that_leaves_hands_its_values_over() {
    let config = GnutellaConfig {
        copies: 1,
        ..GnutellaConfig::default()
    };
    let mut net = Net::grown(7, config, 10);
    for number in 0..300_u64 {
        net.ask(2, put(Id::from_u64(number), &number.to_be_bytes()));
    }
    assert!(matches!(net.ask(2, Request::Leave), Reply::Left));
    net.world.crash(2);
    for number in (0..300_u64).step_by(7) {
        let Reply::Got(report) = net.ask(5, get(Id::from_u64(number))) else {
            panic!("no get");
        };
        assert_eq!(report.outcome, Outcome::Found, "{number}: {report:?}");
    }
    assert_eq!(reached(&net), 9);
}

#[test]
fn the_last_node_stays() {
    let mut net = Net::new(8, GnutellaConfig::default());
    net.found();
    net.ask(0, put(Id::of(b"a"), b"1"));
    let reply = net.ask(0, Request::Leave);
    assert!(
        matches!(reply, Reply::Failed(overlay::Failure::LastNode { .. })),
        "{reply:?}"
    );
    let Reply::Got(report) = net.ask(0, get(Id::of(b"a"))) else {
        panic!("no get");
    };
    assert_eq!(report.outcome, Outcome::Found);
}

/// One ultrapeer with only leaves is a directory: a search costs it one message, and those that its tables
/// name.
#[test]
fn one_ultrapeer_is_a_directory() {
    let mut roles = vec![Role::Ultrapeer];
    roles.resize(31, Role::Leaf);
    let mut net = Net::with_roles(9, &roles);
    let leaf = net.node(7);
    assert_eq!(leaf.neighbours().count(), 1);
    assert_eq!(net.node(0).neighbours().count(), 30);
    net.ask(7, insert(Id::of(b"film"), 1, "a film"));
    net.run(Duration::from_secs(3));
    // Queries, hits and echoes; nodes ping each other besides.
    let counts = |net: &Net| [3, 4, 5].map(|kind| net.world.counters().sent_by_kind[kind]);
    let before = counts(&net);
    let Reply::Searched(report) = net.ask(20, search(Id::of(b"film"))) else {
        panic!("no search");
    };
    let after = counts(&net);
    let (hits, sent) = (
        after[1] - before[1],
        after.iter().sum::<u64>() - before.iter().sum::<u64>(),
    );
    assert_eq!(report.holders.len(), 1, "{report:?}");
    eprintln!("directory: {sent} messages, {hits} of them hits");
    // To the directory and back, and to those that have a copy and back, with their hits.
    assert!(sent <= 12, "{sent} messages");
    let Reply::TextSearched(report) = net.ask(
        21,
        Request::SearchText {
            text: "fil*".to_owned(),
            limit: 10,
            consistency: overlay::Consistency::Quorum,
        },
    ) else {
        panic!("no search");
    };
    assert_eq!(report.results.len(), 1, "{report:?}");
}

/// A few ultrapeers with leaves: what any of them has is found from any of them.
#[test]
fn super_peers_find_what_leaves_have() {
    let mut roles = vec![Role::Ultrapeer; 6];
    roles.resize(40, Role::Leaf);
    let mut net = Net::with_roles(10, &roles);
    for number in 0..10 {
        let node = 6 + number as usize * 3;
        net.ask(node, insert(Id::from_u64(number), number, "words of it"));
    }
    net.run(Duration::from_secs(4));
    for number in 0..10 {
        for origin in [0, 3, 12, 35] {
            let Reply::Searched(report) = net.ask(origin, search(Id::from_u64(number))) else {
                panic!("no search");
            };
            assert_eq!(
                report.holders.len(),
                1,
                "{number} from {origin}: {report:?}"
            );
        }
    }
    net.run(Duration::from_secs(30));
    assert_eq!(net.rests(), Ok(()));
}

/// A large flat network gets ultrapeers by itself, and leaves.
#[test]
fn auto_promotes_and_demotes_by_need() {
    let config = GnutellaConfig {
        promote_after: Duration::from_secs(60),
        promote_above: 20,
        ..GnutellaConfig::default()
    };
    let mut net = Net::grown(11, config, 40);
    net.run(Duration::from_secs(900));
    let mut count = BTreeMap::new();
    for (_, node) in net.world.live() {
        *count.entry(node.role()).or_insert(0) += 1;
    }
    eprintln!("roles: {count:?}");
    assert!(count.get(&Role::Ultrapeer) >= Some(&1), "{count:?}");
    assert!(count.get(&Role::Leaf) >= Some(&10), "{count:?}");
    net.ask(5, insert(Id::of(b"film"), 1, "a film"));
    net.run(Duration::from_secs(4));
    for origin in [0, 9, 33] {
        let Reply::Searched(report) = net.ask(origin, search(Id::of(b"film"))) else {
            panic!("no search");
        };
        assert_eq!(report.holders.len(), 1, "from {origin}: {report:?}");
    }
}
