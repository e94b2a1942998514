//! Ten thousand nodes: what each way to search costs, for what is popular and for what is rare.

mod common;

use common::{Net, drawing, holder, search_one, still};
use gnutella::{GnutellaConfig, Tally, Topology, Way};
use overlay::{Duration, Id, Item, Outcome, Reply};
use std::collections::BTreeSet;

const NODES: usize = 10_000;
const SEARCHES: usize = 10;
/// Of so many nodes, one has what is popular.
const NODES_A_COPY: usize = 100;

/// What one way costs for one item.
#[derive(Debug)]
struct Cost {
    found: usize,
    messages: f64,
    last_hop_stopped: f64,
}

fn tally(net: &Net) -> Tally {
    net.world
        .live()
        .fold(Tally::default(), |mut sum, (_, node)| {
            sum.last_hop_sent += node.tally().last_hop_sent;
            sum.last_hop_stopped += node.tally().last_hop_stopped;
            sum
        })
}

/// What searches for a popular and for a rare item cost.
fn costs(name: &str, topology: &Topology, config: &GnutellaConfig) -> [Cost; 2] {
    let (popular, rare) = (Id::of(b"popular"), Id::of(b"rare"));
    let mut draw = drawing(12);
    let having: BTreeSet<usize> = (0..NODES / NODES_A_COPY).map(|_| draw(NODES)).collect();
    let few: BTreeSet<usize> = (0..3).map(|_| draw(NODES)).collect();
    let items = |node: usize| -> Vec<Item> {
        let number = node as u64;
        let own = (0..10).map(|at| Id::of(&(number * 10 + at).to_be_bytes()));
        let popular = having.contains(&node).then_some(popular);
        let rare = few.contains(&node).then_some(rare);
        own.chain(popular)
            .chain(rare)
            .map(|key| holder(key, number, ""))
            .collect()
    };
    let mut net = Net::given(12, config.clone(), topology, items);
    [("popular", popular), ("rare", rare)].map(|(item, key)| {
        let (before, sent) = (tally(&net), net.world.counters().sent);
        let mut found = 0;
        for _ in 0..SEARCHES {
            let origin = draw(NODES);
            if let Reply::Searched(report) = net.ask(origin, search_one(key)) {
                found += usize::from(report.outcome == Outcome::Found);
            }
            net.run(Duration::from_secs(30));
        }
        let after = tally(&net);
        let stopped = (after.last_hop_stopped - before.last_hop_stopped) as f64;
        let passed = (after.last_hop_sent - before.last_hop_sent) as f64;
        let cost = Cost {
            found,
            messages: (net.world.counters().sent - sent) as f64 / SEARCHES as f64,
            last_hop_stopped: stopped / (stopped + passed).max(1.0),
        };
        eprintln!("{name}, {item}: {cost:?}");
        cost
    })
}

/// For what is popular, dynamic queries among super-peers find as much as a flood with a thousandth
/// of its messages; what walkers need, which have no tables, is printed beside it. Of the queries on
/// their last hop, tables stop 95 of 100.
#[test]
#[ignore = "a minute of simulation: run it with --ignored --nocapture"]
fn plans_need_a_thousandth_of_the_messages_of_a_flood() {
    let flat = Topology::random(NODES, 4, &mut drawing(1));
    let above = Topology::super_peers(NODES / 10, 32, NODES * 9 / 10, 3, &mut drawing(2));
    let with = |way, ttl| GnutellaConfig {
        way,
        ttl,
        ..still()
    };
    let [flood, _] = costs("flood", &flat, &with(Way::Flood, 7));
    costs("expanding ring", &flat, &with(Way::Ring, 7));
    let [walk, _] = costs("16 walkers", &flat, &with(Way::Walk, 7));
    costs("flood, super-peers", &above, &with(Way::Flood, 2));
    let [plan, rare] = costs("dynamic, super-peers", &above, &with(Way::Dynamic, 2));
    assert_eq!(
        (flood.found, walk.found, plan.found),
        (SEARCHES, SEARCHES, SEARCHES)
    );
    assert!(
        plan.messages * 1_000.0 <= flood.messages,
        "dynamic: {}",
        plan.messages
    );
    for cost in [plan, rare] {
        assert!(cost.last_hop_stopped >= 0.95, "{cost:?}");
    }
}
