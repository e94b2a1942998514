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
    set_aside(world, &apart, &apart);
    apart
}

/// Nodes that hear of no change, and of them those that the others take for dead.
fn set_aside(world: &mut World, unaware: &[Contact], dead: &[Contact]) {
    let mut oracle = world.oracle.borrow_mut();
    unaware.iter().for_each(|node| oracle.freeze(node.id));
    dead.iter().for_each(|node| oracle.remove(node.id));
    drop(oracle);
    world.touch_all();
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

#[test]
fn who_had_a_part_before_and_took_it_without_hearing_anybody_gives_it_back() {
    for seed in 0..20 {
        let mut world = World::of(4, seed);
        // The founder had the part before its neighbour joined. It takes all others for dead but one,
        // and claims the part from that one, whose answers it does not hear.
        let founder = common::contact(0);
        let around = world.oracle.borrow().replicas(founder.id, 4);
        let others = &around[1..];
        let root = others[2].id;
        world.deaf.insert(founder.id);
        set_aside(&mut world, others, &others[1..]);
        world.run_for(Duration::from_secs(3));
        // The others do without it for a moment, so that the root asks its copies to forget what they
        // were, and hears who has claimed the part.
        set_aside(&mut world, &[founder], &[founder]);
        bring_back(&mut world, others);
        world.run_for(Duration::from_millis(500));
        world.deaf.clear();
        bring_back(&mut world, &[founder]);
        world.run_for(Duration::from_secs(60));
        assert!(world.all_settled(), "seed {seed}: {:?}", world.node(root));
    }
}
