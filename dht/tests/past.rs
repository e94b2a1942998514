//! Copies that are left from an earlier time: when all who know better die at once, they prove
//! nothing of what was acknowledged since.

mod common;

use common::{World, contact, key};
use dht::{StoreMessage, SyncDone};
use overlay::{Duration, Id, Outcome};

/// The number of a node that no world has yet, and whose id lies between two.
fn newcomer_between(world: &World, from: Id, to: Id) -> u64 {
    let mut numbers = 100..20_000;
    let fits = |number: &u64| {
        let id = contact(*number).id;
        from.distance_to(id) < from.distance_to(to) && !world.ids().contains(&id)
    };
    numbers.find(fits).expect("some id lies between two others")
}

/// Newcomers join where `places` names two ids each, and become replicas of the key; what is put
/// then is acknowledged by all of them. Then they die, and whoever was a replica before is asked.
fn outcome_after_all_died(world: &mut World, places: &[(Id, Id)]) -> Outcome {
    let wanted = key(1);
    let before = world.replicas_of(wanted);
    for (from, to) in places {
        let number = newcomer_between(world, *from, *to);
        world.join(number);
    }
    world.run_for(Duration::from_secs(20));
    let now = world.replicas_of(wanted);
    let written = world.put(now[0], wanted, b"since then");
    assert_eq!(written.replicas_durable, 3, "{written:?}");
    now.iter().for_each(|node| world.kill(*node));
    now.iter().for_each(|node| world.bury(*node));
    world.run_for(Duration::from_secs(30));
    let root = world.root_of(wanted);
    assert!(before.contains(&root), "a copy of the past is the root");
    world.get(root, wanted).outcome
}

/// A settled network in which all three replicas must acknowledge a write, so that one copy proves
/// what all have.
fn network(seed: u64) -> World {
    let mut world = World::new(seed);
    world.config.write_quorum = 3;
    (0..8).for_each(|number| {
        world.join(number);
    });
    world.run_for(Duration::from_secs(15));
    world
}

#[test]
fn a_copy_of_a_former_root_is_over_once_another_root_holds_everything() {
    for seed in 0..10 {
        let mut world = network(seed);
        let before = world.replicas_of(key(1));
        // The last one is a replica of neither then, and hears from neither in passing.
        let places = [(key(1), before[0]), (before[0], before[1])];
        let outcome = outcome_after_all_died(&mut world, &places);
        assert_eq!(outcome, Outcome::Unknown, "seed {seed}");
    }
}

#[test]
fn a_copy_is_over_once_its_root_has_others() {
    for seed in 0..10 {
        let mut world = network(seed);
        let before = world.replicas_of(key(1));
        let places = [(before[0], before[1])];
        let outcome = outcome_after_all_died(&mut world, &places);
        assert_eq!(outcome, Outcome::Unknown, "seed {seed}");
    }
}

/// What a former root has said arrives after the new root has made its copies, and makes one of
/// them a copy of that root again. A read that needs all copies to prove an absence has them while it
/// lasts.
#[test]
fn a_late_word_of_a_former_root_does_not_last() {
    let mut world = World::new(1);
    world.config.read_quorum = 3;
    for number in 0..8 {
        world.join(number);
    }
    world.run_for(Duration::from_secs(15));
    let wanted = key(1);
    let former = world.root_of(wanted);
    world.log = Some(Vec::new());
    let root = world.join(newcomer_between(&world, wanted, former));
    while !world.all_settled() {
        world.run_for(Duration::from_millis(50));
    }
    let log = world.log.take().expect("it was begun");
    let mut told = log.into_iter().rev().filter_map(|(from, to, message)| {
        let StoreMessage::SyncAsk(asked) = message else {
            return None;
        };
        let done = asked.done;
        let counts = done.quorum > 0 && done.arc.contains(wanted);
        (from == root.id && to != former && counts).then_some((to, done))
    });
    let (copy, done) = told.next().expect("the root has a copy");
    let former = (0..8).map(contact).find(|peer| peer.id == former);
    let late = SyncDone { view: 1, ..done };
    world.deliver(
        former.expect("it lives"),
        copy,
        StoreMessage::SyncDone(late),
    );
    assert_eq!(world.get(root.id, key(1)).outcome, Outcome::Absent);
}
