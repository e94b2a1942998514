//! Two nodes were roots of the same keys, in two rings that have grown together since: the one that
//! goes on to be their root learns what the other acknowledged before it calls anything absent.

mod common;

use common::{World, key};
use overlay::{Contact, Duration, Id, Outcome};

/// The root of a key and its replicas, which do not know that all others take them for dead.
fn set_apart(world: &mut World, lost: Id) -> Vec<Contact> {
    let apart: Vec<Contact> = {
        let oracle = world.oracle.borrow();
        oracle.replicas(lost, 3)
    };
    let mut oracle = world.oracle.borrow_mut();
    apart.iter().for_each(|node| oracle.freeze(node.id));
    apart.iter().for_each(|node| oracle.remove(node.id));
    drop(oracle);
    world.touch_all();
    apart
}

fn bring_back(world: &mut World, apart: &[Contact]) {
    let mut oracle = world.oracle.borrow_mut();
    for node in apart {
        oracle.thaw(node.id);
        oracle.add(*node);
    }
    drop(oracle);
    world.touch_all();
}

#[test]
fn what_a_rival_acknowledged_is_not_called_absent_for_long() {
    for seed in 0..20 {
        let mut world = World::of(12, seed);
        let apart = set_apart(&mut world, key(1));
        let outside = world.ids().into_iter();
        let outside: Vec<Id> = outside
            .filter(|id| apart.iter().all(|node| node.id != *id))
            .collect();
        let written = world.put(outside[seed as usize % outside.len()], key(1), b"theirs");
        assert!(written.replicas_durable >= 2, "seed {seed}: {written:?}");
        let report = world.get(apart[0].id, key(1));
        assert_eq!(report.outcome, Outcome::Absent, "two rings: {report:?}");
        bring_back(&mut world, &apart);
        // The former root waits for two seconds to be asked; handing over would take ten.
        world.run_for(Duration::from_secs(4));
        for reader in [apart[0].id, outside[0]] {
            let report = world.get(reader, key(1));
            assert_eq!(report.outcome, Outcome::Found, "seed {seed}: {report:?}");
        }
        world.run_for(Duration::from_secs(120));
        assert!(world.all_settled(), "seed {seed}");
        world.expect(apart[1].id, key(1), b"theirs");
    }
}

#[test]
fn nobody_gives_notice_when_nodes_join_and_leave_in_order() {
    let mut world = World::of(8, 3);
    for number in 0..40 {
        let writer = world.ids()[number as usize % 8];
        world.put(writer, key(number), b"here");
    }
    world.log = Some(Vec::new());
    for number in 8..14 {
        world.join(number);
        world.run_for(Duration::from_secs(8));
    }
    let log = world.log.take().unwrap_or_default();
    let is_notice =
        |message: &dht::StoreMessage| matches!(message, dht::StoreMessage::Tenure { .. });
    let notices = log.iter().filter(|(_, _, message)| is_notice(message));
    assert_eq!(notices.count(), 0);
}
