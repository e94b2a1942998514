//! One test for each promise of the world.

use super::toy::{Gossip, Heard, Toy, crowd, id};
use crate::{Chance, Clock, Config, Dice, Invariant, Latency, Told, Trace, World};
use overlay::{Duration, Time, WriteSeq};
use std::collections::BTreeSet;

const LIMIT: Time = Time(3_600_000_000);

fn events(world: &mut World<Toy>) -> Vec<Told<Heard>> {
    assert!(
        world.run_until_quiet(LIMIT).unwrap(),
        "the world must fall quiet"
    );
    world.take_events()
}

/// Two nodes; node 0 tells node 1 a rumour.
fn one_rumour(change: impl FnOnce(&mut World<Toy>)) -> (World<Toy>, Vec<Told<Heard>>) {
    let mut world = crowd(
        Config {
            detect_down: true,
            ..Config::new(1)
        },
        2,
        1,
    );
    change(&mut world);
    world.call(0, 7);
    let events = events(&mut world);
    (world, events)
}

fn count(events: &[Told<Heard>], node: usize, wanted: impl Fn(&Heard) -> bool) -> usize {
    events
        .iter()
        .filter(|told| told.node == node && wanted(&told.event))
        .count()
}

fn hash_of_a_wild_run(seed: u64, trace: Trace) -> (u64, u64) {
    let latency = Latency::Uniform {
        low: Duration::from_millis(10),
        high: Duration::from_millis(90),
    };
    let mut world = crowd(
        Config {
            latency,
            trace,
            ..Config::new(seed)
        },
        50,
        3,
    );
    let faults = world.faults_mut();
    faults.loss = Chance::percent(5);
    faults.duplicate = Chance::percent(5);
    faults.reorder = Chance::percent(10);
    faults.jitter = Duration::from_millis(500);
    for rumour in 0..20 {
        world.call(rumour as usize, rumour);
    }
    world.run_until(Time(100_000)).unwrap();
    world.crash(3);
    let told = events(&mut world).len() as u64;
    (world.trace_hash().value(), told)
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_gives_another() {
    let first = hash_of_a_wild_run(1, Trace::Full);
    assert_eq!(first, hash_of_a_wild_run(1, Trace::Full));
    assert_ne!(first.0, hash_of_a_wild_run(2, Trace::Full).0);
    let outline = hash_of_a_wild_run(1, Trace::Outline);
    assert_eq!(first.1, outline.1, "the trace must not change what happens");
}

#[test]
fn the_trace_hash_of_a_seed_is_this_one_on_every_machine() {
    // The number itself means nothing; that it never changes unnoticed does.
    assert_eq!(
        format!("{:016x}", hash_of_a_wild_run(1, Trace::Full).0),
        "562d36885a01b76c"
    );
    assert_eq!(Dice::new(1, 1).word(), 10_044_207_859_538_723_173);
}

#[test]
fn a_message_arrives_once_after_its_delay() {
    let (world, events) = one_rumour(|_| ());
    let heard = events.iter().find(|told| told.node == 1).unwrap();
    assert_eq!(
        (heard.time, &heard.event),
        (Time(50_000), &Heard::Rumour(7))
    );
    // The rumour, passed back once, and a thank-you for each.
    assert_eq!((world.counters().sent, world.counters().delivered), (4, 4));
    assert!(world.counters().delivered_bytes > 0);
}

#[test]
fn a_lost_message_never_arrives() {
    let (world, events) = one_rumour(|world| world.faults_mut().loss = Chance(1_000_000));
    assert_eq!(count(&events, 1, |_| true), 0);
    assert_eq!((world.counters().lost, world.counters().delivered), (1, 0));
}

#[test]
fn a_duplicated_message_arrives_twice() {
    let (world, events) = one_rumour(|world| world.faults_mut().duplicate = Chance(1_000_000));
    assert_eq!(count(&events, 1, |event| *event == Heard::Rumour(7)), 1);
    assert!(count(&events, 0, |event| matches!(event, Heard::Thanks { .. })) > 1);
    assert_eq!(world.counters().delivered, 2 * world.counters().sent);
}

#[test]
fn a_reordered_message_is_overtaken() {
    let mut overtaken = false;
    for seed in 0..20 {
        let mut world = crowd(Config::new(seed), 2, 1);
        world.faults_mut().reorder = Chance::percent(50);
        world.faults_mut().jitter = Duration::from_secs(5);
        world.call(0, 1);
        world.call(0, 2);
        let mut order = events(&mut world);
        order.retain(|told| told.node == 1);
        let position = |rumour| {
            order
                .iter()
                .position(|told| told.event == Heard::Rumour(rumour))
        };
        overtaken |= position(2) < position(1);
    }
    assert!(
        overtaken,
        "in 20 seeds the second rumour must arrive first at least once"
    );
}

#[test]
fn a_crashed_node_is_silent_and_its_sender_is_told() {
    let (world, events) = one_rumour(|world| drop(world.crash(1)));
    assert_eq!(count(&events, 1, |_| true), 0);
    let down = events
        .iter()
        .find(|told| matches!(told.event, Heard::Down(_)))
        .unwrap();
    assert_eq!(
        (down.node, down.time),
        (0, Time(100_000)),
        "after one round trip"
    );
    assert_eq!((world.counters().to_dead, world.live_count()), (1, 1));

    let mut quiet = crowd(Config::new(1), 2, 1);
    quiet.crash(1);
    quiet.call(0, 7);
    let events = self::events(&mut quiet);
    assert_eq!(
        count(&events, 0, |event| matches!(event, Heard::Down(_))),
        0
    );
}

#[test]
fn timers_and_calls_of_a_former_life_are_dropped() {
    let mut world = crowd(Config::new(1), 1, 0);
    world.call(0, 7);
    world.run_until(Time(10)).unwrap();
    world.call(0, 8);
    world.restart(0, id(0), |_| Toy {
        friends: vec![],
        heard: BTreeSet::new(),
        fanout: 0,
    });
    let events = events(&mut world);
    assert_eq!(count(&events, 0, |event| *event == Heard::Tick), 0);
    assert_eq!(count(&events, 0, |event| *event == Heard::Rumour(8)), 0);
}

#[test]
fn another_id_at_the_address_is_reported_to_the_sender() {
    let (world, events) = one_rumour(|world| {
        world.restart(1, id(9), |_| Toy {
            friends: vec![],
            heard: BTreeSet::new(),
            fanout: 0,
        });
    });
    let down = |event: &Heard| matches!(event, Heard::Down(peer) if peer.id == id(1));
    assert_eq!(count(&events, 0, down), 1);
    assert_eq!(
        (world.counters().to_stranger, world.counters().delivered),
        (1, 0)
    );
}

#[test]
fn a_partition_stops_both_directions_and_a_block_one() {
    let (_, events) = one_rumour(|world| world.faults_mut().partition(vec![0, 1]));
    assert_eq!(count(&events, 1, |_| true), 0);

    let one_way = |sides: Vec<u8>| {
        let (_, events) = one_rumour(|world| world.faults_mut().partition_one_way(sides));
        let thanks = |event: &Heard| matches!(event, Heard::Thanks { .. });
        let rumours = count(&events, 1, |event| *event == Heard::Rumour(7));
        (rumours, count(&events, 0, thanks))
    };
    assert_eq!(one_way(vec![0, 1]), (1, 0), "there, and no answer");
    assert_eq!(one_way(vec![1, 0]), (0, 0), "not even there");

    let (world, events) = one_rumour(|world| world.faults_mut().block(1, 0));
    assert_eq!(count(&events, 1, |event| *event == Heard::Rumour(7)), 1);
    assert_eq!(
        count(&events, 0, |event| matches!(event, Heard::Thanks { .. })),
        0
    );
    assert_eq!(world.counters().partitioned, 2);

    let (_, events) = one_rumour(|world| {
        world.faults_mut().partition(vec![0, 1]);
        world.faults_mut().heal();
    });
    assert_eq!(count(&events, 1, |event| *event == Heard::Rumour(7)), 1);
}

#[test]
fn a_slow_node_gets_everything_later() {
    let (_, events) = one_rumour(|world| world.set_slow(1, Duration::from_secs(2)));
    assert_eq!(
        events.iter().find(|told| told.node == 1).unwrap().time,
        Time(2_050_000)
    );
}

#[test]
fn a_fast_clock_fires_timers_early_and_never_before_its_own_time() {
    let clock = Clock {
        drift_ppm: 100_000,
        wall_ahead_ms: -5_000,
    };
    let mut world = crowd(Config::new(1), 1, 0);
    world.set_clock(0, clock);
    world.call(0, 7);
    let events = events(&mut world);
    let tick = events
        .iter()
        .find(|told| told.event == Heard::Tick)
        .unwrap();
    assert_eq!(
        tick.time,
        Time(909_091),
        "a second of a clock that is a tenth fast"
    );
    assert!(clock.local(tick.time) >= Time(1_000_000));
    assert_eq!(clock.wall(Time::ZERO).0, crate::EPOCH.0 - 5_000);
}

#[test]
fn writes_become_durable_in_groups() {
    let mut world = crowd(Config::new(1), 1, 0);
    for rumour in 0..5 {
        world.call(0, rumour);
    }
    world.run_until(Time(100)).unwrap();
    assert_eq!(
        world.crash(0).unwrap().durable,
        WriteSeq(0),
        "nothing is on disk yet"
    );

    let mut world = crowd(Config::new(1), 1, 0);
    for rumour in 0..5 {
        world.call(0, rumour);
    }
    let events = events(&mut world);
    let durable = events.iter().filter_map(|told| match told.event {
        Heard::Durable(seq) => Some(seq.0),
        _ => None,
    });
    assert_eq!(
        durable.collect::<Vec<_>>(),
        [1, 5],
        "the first write, then all that came since"
    );
}

#[test]
fn a_disk_that_fails_makes_nothing_durable_until_its_node_is_started_again() {
    let mut world = crowd(Config::new(1), 1, 0);
    world.set_failing_disk(0, true);
    for rumour in 0..5 {
        world.call(0, rumour);
    }
    while !world.advance(Time(1_000_000)).unwrap() {
        world.take_events();
        if world.take_failed_syncs() == [0] {
            break;
        }
    }
    world.set_failing_disk(0, false);
    world.call(0, 9);
    let events = events(&mut world);
    let is_durable = |event: &Heard| matches!(event, Heard::Durable(_));
    assert_eq!(count(&events, 0, is_durable), 0, "it is never asked again");
    assert_eq!(world.counters().failed_syncs, 1);
    let crashed = world.crash(0).unwrap();
    assert_eq!(crashed.durable, WriteSeq(0));
    world.restart(0, id(0), |_| crashed.machine);
    world.call(0, 10);
    let events = self::events(&mut world);
    assert_eq!(count(&events, 0, is_durable), 1);
}

struct AtMost(usize);

impl Invariant<Toy> for AtMost {
    fn name(&self) -> &'static str {
        "at most so many have heard"
    }

    fn check(&mut self, world: &World<Toy>, touched: usize) -> Result<(), String> {
        assert!(touched < world.node_count());
        let heard = world
            .live()
            .filter(|(_, toy)| !toy.heard.is_empty())
            .count();
        if heard <= self.0 {
            Ok(())
        } else {
            Err(format!("{heard} have heard it"))
        }
    }
}

#[test]
fn a_broken_invariant_stops_the_world_and_says_how_to_replay_it() {
    let mut world = crowd(Config::new(77), 10, 3);
    world.set_replay("p2psim toy --seeds 77..78".to_owned());
    world.watch(Box::new(AtMost(4)));
    world.call(0, 1);
    let violation = world.run_until_quiet(LIMIT).unwrap_err();
    assert_eq!(violation.seed, 77);
    let text = violation.to_string();
    assert!(
        text.contains("at most so many have heard does not hold: 5 have heard it"),
        "{text}"
    );
    assert!(
        text.ends_with("replay: p2psim toy --seeds 77..78"),
        "{text}"
    );
}

#[test]
fn kinds_of_messages_are_counted() {
    let (world, _) = one_rumour(|world| {
        world.classify(|message| usize::from(matches!(message, Gossip::Thanks(_))));
    });
    assert_eq!(world.counters().sent_by_kind[..3], [2, 2, 0]);
}
