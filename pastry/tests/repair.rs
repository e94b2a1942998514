//! What the repair of dead leaves costs, by kind of message.

#![allow(clippy::unwrap_used, reason = "a test says what broke by panicking")]

mod common;

use common::{Net, Node};
use overlay::lookup::{Routing, RoutingMessage, RoutingTimer};
use overlay::{Contact, Duration, Machine, Time};
use pastry::{PastryMessage, PastryTimer, tables};

const KINDS: [&str; 8] = [
    "Exchange",
    "Exchanged",
    "Ping",
    "Pong",
    "AskRows",
    "Rows",
    "Gone",
    "others",
];

fn kind_of(message: &<Node as Machine>::Message) -> usize {
    match message {
        RoutingMessage::Router(PastryMessage::Exchange { .. }) => 0,
        RoutingMessage::Router(PastryMessage::Exchanged { .. }) => 1,
        RoutingMessage::Router(PastryMessage::Ping { .. }) => 2,
        RoutingMessage::Router(PastryMessage::Pong { .. }) => 3,
        RoutingMessage::Router(PastryMessage::AskRows { .. }) => 4,
        RoutingMessage::Router(PastryMessage::Rows { .. }) => 5,
        RoutingMessage::Router(PastryMessage::Gone { .. }) => 6,
        _ => 7,
    }
}

/// A network with correct tables that has been left alone for ten minutes.
fn quiet(count: usize) -> Net {
    let mut net = Net::new(1);
    let mut contacts: Vec<Contact> = (0..count)
        .map(|node| Contact {
            id: net.dice.id(),
            addr: sim::address_of(node),
        })
        .collect();
    let ids: Vec<_> = contacts.iter().map(|contact| contact.id).collect();
    contacts.sort_unstable();
    for id in ids {
        let at = contacts.partition_point(|contact| contact.id < id);
        let router = tables::correct(&contacts, at, net.config.clone(), None);
        let node = net
            .world
            .add(id, |_| Routing::new(router, net.lookup.clone()));
        let phase = net.dice.span(Duration::ZERO, Duration::from_secs(15));
        let start = RoutingTimer::Router(PastryTimer::Start);
        net.world.arm(node, Time::ZERO + phase, start);
    }
    net.world.classify(kind_of);
    net.run(Duration::from_secs(600));
    net
}

/// 30 of 300 nodes die at once. The paper counts 57 remote calls, questions with their answers, for each
/// dead node until leaf sets and tables are right (Middleware 2001, section 3.3).
#[test]
fn what_a_dead_leaf_costs() {
    let mut net = quiet(300);
    let dead = 30;
    let before = net.world.counters().sent_by_kind;
    net.run(Duration::from_secs(120));
    let quiet: Vec<f64> = (0..8)
        .map(|kind| (net.world.counters().sent_by_kind[kind] - before[kind]) as f64 / 120.0)
        .collect();
    let mut members = net.members();
    net.dice.shuffle(&mut members);
    for node in &members[..dead] {
        net.world.crash(*node);
    }
    let before = net.world.counters().sent_by_kind;
    let took = net.settle(Duration::from_secs(120));
    let seconds = took.as_micros() as f64 / 1e6;
    let mut sum = 0.0;
    println!("leaf sets are right after {seconds:.0} s; messages for each dead node:");
    for (kind, name) in KINDS.iter().enumerate() {
        let sent = (net.world.counters().sent_by_kind[kind] - before[kind]) as f64;
        let more = (sent - quiet[kind] * seconds * 0.9) / dead as f64;
        println!("{name:10} {more:6.1}");
        sum += more;
    }
    println!("together   {sum:6.1}");
    assert!(sum < 250.0, "{sum} messages for each dead node");
}
