//! What nodes with the search `auto` learn from their searches, and do then.

mod common;

use common::{Net, drawing, holder, search_one, still};
use gnutella::{GnutellaConfig, Topology, Way};
use overlay::{Duration, Id, Item, Outcome, Reply};

const NODES: usize = 600;
/// One node in so many has the popular item.
const NODES_A_COPY: usize = 20;

fn auto(items: impl Fn(usize) -> Vec<Item>) -> Net {
    let config = GnutellaConfig {
        way: Way::Auto,
        ..still()
    };
    let topology = Topology::random(NODES, 4, &mut drawing(1));
    Net::given(1, config, &topology, items)
}

/// The messages of one search, until nothing of it is left.
fn cost(net: &mut Net, key: Id) -> (u64, Outcome) {
    let before = net.world.counters().sent;
    let Reply::Searched(report) = net.ask(0, search_one(key)) else {
        panic!("no search");
    };
    net.run(Duration::from_secs(20));
    assert_eq!(net.rests(), Ok(()));
    (net.world.counters().sent - before, report.outcome)
}

/// A flood that was ended early, because it had found enough, taught nothing, and so a node flooded a
/// large network for what is popular for ever.
#[test]
fn a_flood_that_ends_early_teaches_how_large_the_network_is() {
    let key = Id::of(b"popular");
    let items = |node: usize| -> Vec<Item> {
        let has = node % NODES_A_COPY == 7;
        has.then(|| holder(key, node as u64, ""))
            .into_iter()
            .collect()
    };
    let mut net = auto(items);
    let (flood, outcome) = cost(&mut net, key);
    assert_eq!(outcome, Outcome::Found);
    assert!(flood > 2 * NODES as u64, "the first search floods: {flood}");
    for _ in 0..5 {
        let (sent, outcome) = cost(&mut net, key);
        assert_eq!(outcome, Outcome::Found);
        assert!(sent * 4 < flood, "{sent} messages, a flood needs {flood}");
    }
}

/// After many searches in vain a node widens rings, and it walks again when walkers would find what is
/// looked for.
#[test]
fn a_node_that_widens_rings_walks_again() {
    let (popular, nowhere) = (Id::of(b"popular"), Id::of(b"nowhere"));
    let items = |node: usize| -> Vec<Item> {
        let has = node % NODES_A_COPY == 7;
        has.then(|| holder(popular, node as u64, ""))
            .into_iter()
            .collect()
    };
    let mut net = auto(items);
    for _ in 0..30 {
        cost(&mut net, nowhere);
    }
    let walks = |net: &Net| net.world.counters().sent_by_kind[7];
    let before = walks(&net);
    cost(&mut net, nowhere);
    assert_eq!(walks(&net), before, "it still walks for what is nowhere");
    for _ in 0..10 {
        cost(&mut net, popular);
    }
    assert!(walks(&net) > before, "it never walks again");
}
