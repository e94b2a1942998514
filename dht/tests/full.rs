//! Full stores refuse new writes, and go on to serve reads and deletes.

mod common;

use common::{World, contact, key};
use dht::Store;
use overlay::{Consistency, Duration, Failure, Locate, Outcome, Reply, Request, WaitsFor};
use std::collections::BTreeSet;

fn put(number: u64) -> Request {
    Request::Put {
        key: key(number),
        value: vec![7; 100].into(),
        ttl_s: None,
        consistency: Consistency::Quorum,
        condition: overlay::Condition::Always,
        text: String::new(),
        indexed: None,
    }
}

fn delete(number: u64) -> Request {
    Request::Delete {
        key: key(number),
        holder: None,
        consistency: Consistency::Quorum,
        condition: overlay::Condition::Always,
    }
}

/// A network of three in which these nodes take 1,000 bytes.
fn world(full: &[u64]) -> World {
    let mut world = World::new(77);
    for number in full {
        world.quotas.insert(contact(*number).id, 1_000);
    }
    for number in 0..3 {
        world.join(number);
    }
    world.run_for(Duration::from_secs(15));
    world
}

#[test]
fn a_full_network_refuses_puts_and_takes_deletes() {
    let mut world = world(&[0, 1, 2]);
    let node = contact(0).id;
    let refused = (0..20)
        .find_map(|number| match world.ask(node, put(number)) {
            Reply::Put(_) => None,
            Reply::Failed(Failure::Full(why)) => Some((number, why)),
            other => panic!("{other:?}"),
        })
        .expect("2,000 bytes do not fit");
    assert_eq!(refused.0, 10, "ten values of 100 bytes fit");
    assert!(refused.1.contains("--max-store"), "{}", refused.1);
    let Reply::Got(got) = world.ask(
        node,
        Request::Get {
            key: key(3),
            consistency: Consistency::Quorum,
            at_least: None,
        },
    ) else {
        panic!("no answer");
    };
    assert_eq!(got.outcome, Outcome::Found);
    let deleted = world.ask(node, delete(3));
    assert!(matches!(deleted, Reply::Deleted(_)), "{deleted:?}");
    world.run_for(Duration::from_secs(2));
    let again = world.ask(node, put(30));
    assert!(
        matches!(again, Reply::Put(_)),
        "there is room again: {again:?}"
    );
}

#[test]
fn one_full_replica_of_three_stops_nobody_and_two_are_named() {
    let mut one = world(&[1]);
    for number in 0..20 {
        let root = one.root_of(key(number));
        let asked = if root == contact(1).id {
            continue;
        } else {
            contact(0).id
        };
        let reply = one.ask(asked, put(number));
        assert!(matches!(reply, Reply::Put(_)), "{reply:?}");
    }
    let mut two = world(&[1, 2]);
    let mut refused = 0;
    for number in 0..200 {
        if two.root_of(key(number)) != contact(0).id {
            continue;
        }
        match two.ask(contact(0).id, put(number)) {
            Reply::Put(_) => {}
            Reply::Failed(Failure::Full(why)) => {
                refused += 1;
                assert!(
                    why.contains("may still appear") && why.contains("quota"),
                    "{why}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(refused > 0, "more than 1,000 bytes were written");
}

/// What nodes say of movements that wait for room.
fn waiting_for_room(world: &World) -> BTreeSet<WaitsFor> {
    let movements = world.ids().into_iter().flat_map(|id| {
        let status = world.node(id).status();
        status.moving.into_iter().map(|movement| movement.waits_for)
    });
    movements
        .filter(|what| matches!(what, WaitsFor::PeerRoom | WaitsFor::OwnRoom))
        .collect()
}

fn used(world: &World, number: u64) -> u64 {
    world.node(contact(number).id).store().counts().bytes
}

fn assert_small_one_is_full(world: &World) {
    let used = used(world, 2);
    // An eighth beyond the quota, and the record that crosses the line.
    assert!((1_000..=1_225).contains(&used), "{used} bytes");
    assert!(!world.all_settled(), "the small node is no full copy");
}

/// Puts 40 values of 100 bytes into two nodes, and lets a third one join that has room for ten.
fn joined_by_a_small_one() -> World {
    let mut world = World::of(2, 78);
    world.quotas.insert(contact(2).id, 1_000);
    for number in 0..40 {
        let reply = world.ask(contact(0).id, put(number));
        assert!(matches!(reply, Reply::Put(_)), "{reply:?}");
    }
    world.join(2);
    world.run_for(Duration::from_secs(90));
    world
}

#[test]
fn comparing_fills_no_store_beyond_a_margin_and_says_who_waits_for_room() {
    let world = joined_by_a_small_one();
    assert_small_one_is_full(&world);
    // It is the root of most of the circle, and lacks what it should take over.
    assert_eq!(
        waiting_for_room(&world),
        BTreeSet::from([WaitsFor::OwnRoom])
    );
}

#[test]
fn deletes_reach_a_full_replica_and_what_is_left_follows_them() {
    let mut world = joined_by_a_small_one();
    for number in 0..35 {
        let deleted = world.ask(contact(0).id, delete(number));
        assert!(matches!(deleted, Reply::Deleted(_)), "{deleted:?}");
    }
    world.run_for(Duration::from_secs(90));
    assert!(world.all_settled(), "{:?}", waiting_for_room(&world));
    for number in 35..40 {
        assert_eq!(world.holding(key(number)).len(), 3, "value {number}");
    }
    assert_eq!(used(&world, 2), 500, "five values");
}

#[test]
fn deletes_that_a_full_replica_missed_come_before_what_has_no_room() {
    let mut world = World::new(79);
    world.quotas.insert(contact(2).id, 1_000);
    for number in 0..3 {
        world.join(number);
    }
    world.run_for(Duration::from_secs(15));
    let root_of = |number: &u64| world.root_of(key(*number));
    let numbers: Vec<u64> = (0..400)
        .filter(|number| root_of(number) != contact(2).id)
        .collect();
    let (first, later) = numbers.split_at(10);
    for number in first {
        let reply = world.ask(contact(0).id, put(*number));
        assert!(matches!(reply, Reply::Put(_)), "{reply:?}");
    }
    world.run_for(Duration::from_secs(5));
    world.kill(contact(2).id);
    world.bury(contact(2).id);
    world.run_for(Duration::from_secs(5));
    for number in later {
        let reply = world.ask(contact(0).id, put(*number));
        assert!(matches!(reply, Reply::Put(_)), "{reply:?}");
    }
    for number in first.iter().take(8) {
        world.ask(contact(0).id, delete(*number));
    }
    world.join(2);
    world.run_for(Duration::from_secs(60));
    for number in first.iter().take(8) {
        assert!(
            world.holding(key(*number)).is_empty(),
            "value {number} was deleted"
        );
    }
    assert_small_one_is_full(&world);
    assert_eq!(
        waiting_for_room(&world),
        BTreeSet::from([WaitsFor::PeerRoom])
    );
}
