//! A few machines together: growing from one, crashes, leaving, loss, and being cut off.

mod common;

use chord::{ChordConfig, ChordMessage, Period};
use common::{World, contact};
use overlay::{
    Claim, Duration, Fault, Id, Input, KeyRouter, OpId, RingChange, RouterCall, RouterEvent,
};

fn config() -> ChordConfig {
    ChordConfig {
        successors: 4,
        ..ChordConfig::default()
    }
}

#[test]
fn a_network_grows_from_one_to_twelve_one_after_another() {
    let mut world = World::new(1);
    world.add(contact(0), &config());
    world.call(contact(0).id, RouterCall::Create);
    assert_eq!(
        world.nodes[&contact(0).id].claim(Id::ZERO),
        Claim::Mine,
        "alone, it has every key"
    );
    for number in 1..12 {
        world.join(number, contact(number / 2), &config());
        let took = world
            .run_until_ideal(Duration::from_secs(10))
            .expect("converges");
        assert!(
            took < Duration::from_secs(3),
            "join {number} took {} ms",
            took.as_millis()
        );
    }
    for (id, events) in &world.events {
        let joined = events
            .iter()
            .filter(|event| matches!(event, RouterEvent::Joined { .. }))
            .count();
        assert_eq!(joined, 1, "{id} answers its call exactly once");
    }
    assert!(world.faults.is_empty(), "{:?}", world.faults);
}

#[test]
fn sixteen_join_at_once_within_three_seconds() {
    for seed in 0..20 {
        let mut world = World::new(seed);
        world.add(contact(0), &ChordConfig::default());
        world.call(contact(0).id, RouterCall::Create);
        for number in 1..16 {
            world.join(number, contact(0), &ChordConfig::default());
        }
        let took = world
            .run_until_ideal(Duration::from_secs(30))
            .expect("converges");
        assert!(
            took < Duration::from_secs(3),
            "seed {seed} took {} ms",
            took.as_millis()
        );
    }
}

#[test]
fn crashes_are_repaired_and_reported_once() {
    for seed in 0..20 {
        let mut world = World::grown(seed, 12, &config());
        world.ideal().expect("grown");
        world.crash(3);
        world.crash(7);
        world.crash(8);
        world
            .run_until_ideal(Duration::from_secs(30))
            .expect("repairs");
        for number in [0, 1, 2, 4, 5, 6, 9, 10, 11] {
            let changes = world.ring_changes(number);
            for dead in [3, 7, 8] {
                let reports = changes
                    .iter()
                    .filter(|c| **c == RingChange::Dead(contact(dead)))
                    .count();
                assert!(
                    reports <= 1,
                    "seed {seed}: node {number} reports {dead} {reports} times"
                );
            }
        }
    }
}

#[test]
fn news_of_a_dead_successor_leads_to_its_removal_after_a_second() {
    let mut world = World::grown(5, 12, &config());
    world.run_for(Duration::from_secs(60));
    let node = *world.nodes.keys().next().unwrap();
    let successor = world.nodes[&node].ring().first().unwrap();
    world.nodes.remove(&successor.id);
    world.input(
        node,
        Input::Call {
            op: OpId(0),
            call: RouterCall::Silent(successor),
        },
    );
    // Five tries: 100, 100, 200, 200 and 400 ms, and the pause after the last stabilisation.
    world.run_for(Duration::from_millis(1_250));
    assert_ne!(
        world.nodes[&node].ring().first(),
        Some(successor),
        "still there"
    );
}

#[test]
fn a_single_lost_message_kills_nobody() {
    let mut world = World::grown(6, 8, &config());
    world.loss_one_in = 10;
    world.run_for(Duration::from_secs(200));
    world.loss_one_in = 0;
    world
        .run_until_ideal(Duration::from_secs(40))
        .expect("heals");
    let dead: usize = (0..8)
        .flat_map(|number| world.ring_changes(number))
        .filter(|change| matches!(change, RingChange::Dead(_)))
        .count();
    assert!(
        dead <= 6,
        "{dead} live nodes were taken for dead with a tenth of messages lost"
    );
}

#[test]
fn leavers_are_gone_at_once_and_nobody_is_reported_dead() {
    let mut world = World::grown(2, 8, &config());
    for number in [2, 5] {
        world.call(contact(number).id, RouterCall::Leave);
        let left = world.events[&contact(number).id]
            .iter()
            .filter(|event| matches!(event, RouterEvent::Left { .. }))
            .count();
        assert_eq!(left, 1);
        world.nodes.remove(&contact(number).id);
        let took = world
            .run_until_ideal(Duration::from_secs(20))
            .expect("repairs");
        assert!(
            took < Duration::from_secs(5),
            "took {} ms",
            took.as_millis()
        );
    }
}

#[test]
fn the_last_one_is_alone_when_all_others_leave() {
    let mut world = World::grown(3, 3, &config());
    for number in [1, 2] {
        world.call(contact(number).id, RouterCall::Leave);
        world.nodes.remove(&contact(number).id);
    }
    world.run_for(Duration::from_secs(20));
    let node = &world.nodes[&contact(0).id];
    assert!(
        node.is_member() && node.ring().first().is_none(),
        "{:?}",
        node.ring()
    );
    assert_eq!(node.claim(Id::MAX), Claim::Mine);
    assert_eq!(node.owned(3).len(), 1);
    assert!(node.owned(3)[0].arc.is_whole());
}

#[test]
fn a_member_whose_whole_list_leaves_a_larger_network_is_cut_off_and_comes_back() {
    let config = ChordConfig {
        successors: 2,
        ..ChordConfig::default()
    };
    let mut world = World::grown(3, 12, &config);
    world.run_for(Duration::from_secs(60));
    let first = *world.nodes.keys().next().unwrap();
    let leavers = world.nodes[&first].ring().successors().to_vec();
    for leaver in leavers {
        world.call(leaver.id, RouterCall::Leave);
        world.nodes.remove(&leaver.id);
        // Both tell it, as far as they know it; the second does not.
        let message = ChordMessage::Leaving;
        world.input(
            first,
            Input::Message {
                from: leaver,
                message,
            },
        );
    }
    world.run_for(Duration::from_millis(300));
    assert_never_alone(&world, first);
    let cut_off = |event: &RouterEvent| matches!(event, RouterEvent::Ring(RingChange::CutOff));
    assert!(world.events[&first].iter().any(cut_off));
    world
        .run_until_ideal(Duration::from_secs(60))
        .expect("it comes back");
}

fn assert_never_alone(world: &World, id: Id) {
    let node = &world.nodes[&id];
    assert!(
        !node.is_member() || node.ring().first().is_some(),
        "it must not answer for everything"
    );
}

#[test]
fn joining_fails_with_a_reason() {
    let mut world = World::new(1);
    let reason = |world: &World, number: u16| {
        world.events[&contact(number).id]
            .iter()
            .find_map(|event| match event {
                RouterEvent::JoinFailed { reason, .. } => Some(reason.clone()),
                _ => None,
            })
    };
    world.join(1, contact(1), &config());
    assert!(reason(&world, 1).unwrap().contains("itself"));
    world.join(2, contact(9), &config());
    world.run_for(Duration::from_secs(60));
    let nobody = reason(&world, 2).expect("gives up");
    assert!(
        nobody.contains("no member of a network answered"),
        "{nobody}"
    );
    assert!(!world.nodes[&contact(2).id].is_member());
}

#[test]
fn idle_nodes_say_little() {
    let mut world = World::grown(1, 16, &ChordConfig::default());
    world.run_for(Duration::from_secs(60));
    let (messages, lookups) = (world.messages, world.lookups);
    world.run_for(Duration::from_secs(600));
    let per_node_and_second = (world.messages - messages) as f64 / 600.0 / 16.0;
    let lookups = (world.lookups - lookups) as f64 / 600.0 / 16.0;
    println!("{per_node_and_second:.2} messages and {lookups:.3} lookups a second and node");
    assert!(per_node_and_second < 0.4, "{per_node_and_second}");
    assert!(lookups < 0.05, "{lookups}");
}

#[test]
fn a_fixed_period_is_kept() {
    let period = Period::new(Duration::from_secs(15), Duration::from_secs(45));
    let config = ChordConfig {
        stabilize: period,
        adaptive: false,
        proximity: false,
        ..config()
    };
    let mut world = World::grown(1, 12, &config);
    world.run_for(Duration::from_secs(600));
    world.ideal().expect("converges");
    let before = world.messages;
    world.run_for(Duration::from_secs(300));
    // A question and its answer each.
    let steps = (world.messages - before) as f64 / 2.0 / 12.0;
    assert!(
        (8.0..12.0).contains(&steps),
        "{steps} stabilisations in 300 s, 10 are expected"
    );
}

#[test]
fn impossible_states_are_a_fault_and_change_nothing() {
    let mut world = World::grown(1, 3, &config());
    let id = contact(0).id;
    let (ring, peer) = (world.nodes[&id].ring().clone(), contact(1));
    let bad = [
        vec![contact(50); 2],
        vec![peer],
        (100..200).map(contact).collect(),
    ];
    for (index, successors) in bad.into_iter().enumerate() {
        for token in 0..50 {
            let (predecessor, cut_off) = (None, false);
            let successors = successors.clone();
            let message = ChordMessage::State {
                token,
                predecessor,
                successors,
                cut_off,
            };
            world.input(
                id,
                Input::Message {
                    from: peer,
                    message,
                },
            );
        }
        assert_eq!(world.faults.len(), 50 * (index + 1));
        assert_eq!(world.faults.last(), Some(&(peer, Fault::OutOfBounds)));
    }
    assert_eq!(*world.nodes[&id].ring(), ring);
}

/// Above r + 1 members, while failures keep to the operating assumption, Zave's invariant holds
/// after every event: the messages are as atomic as the model.
#[test]
fn the_invariant_holds_after_every_event_of_churn() {
    let config = ChordConfig {
        successors: 3,
        ..ChordConfig::default()
    };
    let (mut events, mut crashes, mut joins) = (0, 0, 0);
    for seed in 0..20 {
        let mut world = World::grown(seed, 10, &config);
        world.ideal().expect("grown");
        let mut next = 10;
        for _ in 0..40 {
            let pause = Duration::from_millis(world.draw(400));
            let end = world.now + pause;
            while world.step(end) {
                events += 1;
                let state = world.invariants(3, None);
                state.unwrap_or_else(|violation| panic!("seed {seed}, {}: {violation}", world.now));
            }
            let members = world.nodes.len() as u64;
            let at = usize::try_from(world.draw(members)).unwrap();
            let some = *world.nodes.keys().nth(at).unwrap();
            if world.draw(2) == 0 && members < 30 {
                let via = world.nodes[&some].me();
                world.join(next, via, &config);
                next += 1;
                joins += 1;
            } else if world.nodes[&some].is_member() && world.invariants(3, Some(some)).is_ok() {
                world.nodes.remove(&some);
                crashes += 1;
            }
        }
    }
    println!("{events} events, {joins} joins, {crashes} crashes");
    assert!(crashes > 100);
}
