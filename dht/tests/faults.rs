//! Deaths, lost messages, joins and leaves: nothing acknowledged is lost, and nothing is called
//! absent that may only be out of reach.

mod common;

use common::{World, contact, get, key, put};
use overlay::{Duration, Failure, Outcome, Reply, Request};

fn fill(world: &mut World, keys: u64) {
    for number in 0..keys {
        let ids = world.ids();
        let writer = ids[number as usize % ids.len()];
        world.put(writer, key(number), format!("value {number}").as_bytes());
    }
}

fn check(world: &mut World, keys: u64) {
    for number in 0..keys {
        let ids = world.ids();
        let reader = ids[(number as usize + 1) % ids.len()];
        world.expect(reader, key(number), format!("value {number}").as_bytes());
    }
}

#[test]
fn a_value_is_read_after_the_death_of_its_root() {
    let mut world = World::of(8, 11);
    fill(&mut world, 30);
    let dead = world.root_of(key(3));
    world.kill(dead);
    // Even before the ring notices.
    check(&mut world, 30);
    world.bury(dead);
    check(&mut world, 30);
    world.run_for(Duration::from_secs(5));
    assert!(world.all_settled());
    for number in 0..30 {
        assert_eq!(
            world.holding(key(number)).len(),
            3,
            "key {number} is copied again"
        );
    }
    let reader = world.ids()[0];
    assert_eq!(world.get(reader, key(77)).outcome, Outcome::Absent);
}

#[test]
fn the_death_of_all_replicas_is_unknown_and_never_absent() {
    let mut world = World::of(8, 12);
    world.put(contact(0).id, key(1), b"precious");
    for dead in world.replicas_of(key(1)) {
        world.kill(dead);
    }
    let reader = world.ids()[0];
    let report = world.get(reader, key(1));
    assert_eq!(report.outcome, Outcome::Unknown, "{report:?}");
    assert!(report.reason.is_some());
    let dead: Vec<_> = world.replicas_of(key(1));
    for dead in &dead {
        world.bury(*dead);
    }
    world.run_for(Duration::from_secs(20));
    let report = world.get(reader, key(1));
    assert_eq!(
        report.outcome,
        Outcome::Unknown,
        "the new root never knew: {report:?}"
    );
    let report = world.get(reader, key(1_000));
    assert!(report.outcome != Outcome::Found, "{report:?}");
    // One of them comes back with its disk.
    let number = (0..8)
        .find(|number| contact(*number).id == dead[1])
        .unwrap();
    world.join(number);
    world.run_for(Duration::from_secs(30));
    world.expect(reader, key(1), b"precious");
}

#[test]
fn what_is_lost_for_long_is_taken_for_lost() {
    let mut world = World::new(13);
    world.config.presume_lost = Duration::from_secs(60);
    (0..6).for_each(|number| {
        world.join(number);
    });
    world.run_for(Duration::from_secs(15));
    world.put(contact(0).id, key(1), b"gone");
    for dead in world.replicas_of(key(1)) {
        world.kill(dead);
        world.bury(dead);
    }
    let reader = world.ids()[0];
    assert_eq!(world.get(reader, key(1)).outcome, Outcome::Unknown);
    world.run_for(Duration::from_secs(70));
    assert_eq!(world.get(reader, key(1)).outcome, Outcome::Absent);
}

#[test]
fn two_deaths_of_three_replicas_keep_the_value() {
    let mut world = World::of(8, 14);
    fill(&mut world, 20);
    world.run_for(Duration::from_secs(1));
    let replicas = world.replicas_of(key(1));
    world.kill(replicas[0]);
    world.kill(replicas[1]);
    world.bury(replicas[0]);
    world.bury(replicas[1]);
    check(&mut world, 20);
}

#[test]
fn deaths_of_neighbours_one_after_another_leave_absence_provable() {
    for seed in 40..60 {
        let mut world = World::of(9, seed);
        while world.ids().len() > 3 {
            let dead = world.root_of(key(1));
            world.kill(dead);
            world.bury(dead);
            world.run_for(Duration::from_millis(500));
            assert!(world.all_settled(), "seed {seed}");
            let reader = world.ids()[0];
            let report = world.get(reader, key(1));
            assert_eq!(report.outcome, Outcome::Absent, "seed {seed}: {report:?}");
        }
    }
}

#[test]
fn a_write_without_enough_replicas_is_reported() {
    let mut world = World::of(3, 15);
    let root = world.root_of(key(1));
    for other in world.replicas_of(key(1)).into_iter().skip(1) {
        world.kill(other);
    }
    match world.ask(root, put(key(1), b"alone")) {
        Reply::Failed(Failure::TooFewReplicas {
            durable: 1,
            replicas: 3,
            needed: 2,
        }) => {}
        other => panic!("{other:?}"),
    }
    let report = world.get(root, key(2));
    assert_eq!(report.outcome, Outcome::Unknown, "{report:?}");
}

#[test]
fn a_write_under_way_is_saved_by_the_new_replica_set() {
    let mut world = World::of(5, 16);
    let replicas = world.replicas_of(key(1));
    world.kill(replicas[1]);
    world.kill(replicas[2]);
    let op = world.call(replicas[0], put(key(1), b"late"));
    world.run_for(Duration::from_secs(1));
    assert!(!world.answers.contains_key(&op));
    world.bury(replicas[1]);
    world.bury(replicas[2]);
    let Reply::Put(report) = world.reply(op) else {
        panic!("{:?}", world.answers[&op])
    };
    assert_eq!(report.replicas, 3);
}

#[test]
fn keys_move_to_a_node_that_joins() {
    let mut world = World::of(3, 17);
    fill(&mut world, 60);
    for number in 3..9 {
        world.join(number);
        check(&mut world, 60);
        let reader = world.ids()[0];
        assert_eq!(world.get(reader, key(5_000)).outcome, Outcome::Absent);
    }
    world.run_for(Duration::from_secs(120));
    assert!(world.all_settled());
    for number in 0..60 {
        let mut replicas = world.replicas_of(key(number));
        replicas.sort_unstable();
        assert_eq!(
            world.holding(key(number)),
            replicas,
            "key {number} is where it belongs"
        );
    }
}

#[test]
fn a_node_that_leaves_hands_over_first() {
    let mut world = World::of(6, 18);
    fill(&mut world, 40);
    while world.ids().len() > 1 {
        let leaver = world.ids()[0];
        assert_eq!(world.ask(leaver, Request::Leave), Reply::Left);
        world.kill(leaver);
        world.touch_all();
        check(&mut world, 40);
        let reader = world.ids()[0];
        let report = world.get(reader, key(5_000));
        assert_eq!(
            report.outcome,
            Outcome::Absent,
            "{} left: {report:?}",
            world.ids().len()
        );
    }
}

#[test]
fn lost_messages_cost_time_and_nothing_else() {
    let mut world = World::of(6, 19);
    fill(&mut world, 100);
    world.lose_one_in = 10;
    let (mut found, mut unknown) = (0, 0);
    for number in 0..200 {
        let ids = world.ids();
        let asked = ids[(number as usize + 1) % ids.len()];
        match world.ask(asked, put(key(100 + number), b"more")) {
            Reply::Put(report) => assert!(report.replicas_durable >= 2, "{report:?}"),
            // A lookup that lost all of its tries says so, and that nothing was changed.
            Reply::Failed(Failure::NoRoute { .. }) => unknown += 1,
            other => panic!("{other:?}"),
        }
        let report = world.get(asked, key(number % 100));
        match report.outcome {
            Outcome::Found => found += 1,
            Outcome::Unknown => unknown += 1,
            Outcome::Absent => panic!("it is there: {report:?}"),
        }
    }
    assert!(
        found >= 190 && unknown <= 10,
        "{found} found, {unknown} unknown"
    );
    world.lose_one_in = 0;
    check(&mut world, 100);
    world.lose_one_in = 10;
    let reader = world.ids()[0];
    for number in 1_000..1_020 {
        let report = world.get(reader, key(number));
        assert_ne!(report.outcome, Outcome::Found, "{report:?}");
    }
}

#[test]
fn a_thousand_records_and_large_ones_are_copied() {
    let mut world = World::of(1, 20);
    let first = world.ids()[0];
    for number in 0..1_500 {
        world.put(first, key(number), &[7; 100]);
    }
    for number in 1_500..1_510 {
        world.put(first, key(number), &[8; 200_000]);
    }
    world.join(1);
    world.join(2);
    world.run_for(Duration::from_secs(30));
    assert!(world.all_settled());
    for number in 0..1_510 {
        assert_eq!(world.holding(key(number)).len(), 3, "key {number}");
    }
}

#[test]
fn everything_survives_churn() {
    for seed in 0..10 {
        let mut world = World::of(8, 100 + seed);
        fill(&mut world, 30);
        for round in 0..8 {
            let ids = world.ids();
            let dead = ids[(seed + round * 3) as usize % ids.len()];
            world.kill(dead);
            world.run_for(Duration::from_millis(700));
            world.bury(dead);
            world.join(100 + round);
            check(&mut world, 30);
            world.run_for(Duration::from_secs(6));
        }
    }
}

#[test]
fn an_idle_ring_is_quiet() {
    let mut world = World::of(16, 21);
    world.run_for(Duration::from_secs(60));
    let before = world.bytes;
    world.run_for(Duration::from_secs(600));
    let per_node_and_s = (world.bytes - before) as f64 / 600.0 / 16.0;
    assert!(
        per_node_and_s < 100.0,
        "{per_node_and_s} bytes a second and node"
    );
    println!("idle: {per_node_and_s:.1} bytes a second and node");
}

#[test]
fn a_call_is_answered_in_time_whatever_happens() {
    let mut world = World::of(4, 22);
    let caller = world.outsider(key(1));
    for other in world.ids().into_iter().filter(|id| *id != caller) {
        world.kill(other);
    }
    let start = world.now;
    for call in [put(key(1), b"x"), get(key(1))] {
        let reply = world.ask(caller, call);
        assert!(!matches!(&reply, Reply::Put(_)), "{reply:?}");
    }
    assert!(world.now.since(start) <= Duration::from_secs(17));
}
