//! Full stores refuse new writes, and go on to serve reads and deletes.

mod common;

use common::{World, contact, key};
use overlay::{Consistency, Duration, Failure, Outcome, Reply, Request};

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
