//! What maintenance costs, by kind of message.
#![allow(clippy::unwrap_used, reason = "a test says what broke by panicking")]
mod common;
use common::Net;
use overlay::Duration;
use overlay::lookup::RoutingMessage;
use pastry::PastryMessage as M;
#[test]
fn by_kind() {
    let mut net = Net::new(1);
    net.world.classify(|m| match m {
        RoutingMessage::Router(M::Exchange { .. } | M::Exchanged { .. }) => 0,
        RoutingMessage::Router(M::Ping { .. } | M::Pong { .. }) => 1,
        RoutingMessage::Router(M::AskRows { .. } | M::Rows { .. }) => 2,
        RoutingMessage::Router(M::AskNearby { .. } | M::Nearby { .. }) => 3,
        RoutingMessage::Router(M::Announce) => 4,
        RoutingMessage::Router(M::Gone { .. }) => 5,
        RoutingMessage::Router(_) => 6,
        RoutingMessage::Lookup(_) => 7,
    });
    net.found();
    for i in 1..1000 {
        net.join();
        net.run(Duration::from_millis(100));
        if i % 250 == 0 {
            println!("{i} {:?}", net.world.counters().sent_by_kind);
        }
    }

    for _ in 0..6 {
        net.run(Duration::from_secs(300));
        println!("idle {:?}", net.world.counters().sent_by_kind);
    }
    for _ in 0..200 {
        let members = net.members();
        let dead = *net.dice.pick(&members).unwrap();
        net.world.crash(dead);
        net.run(Duration::from_secs(3));
        net.join();
        net.run(Duration::from_secs(3));
    }
    println!("churn {:?}", net.world.counters().sent_by_kind);
}
