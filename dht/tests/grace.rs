//! Tombstones are collected, and what was deleted stays deleted, whoever comes back; and what was
//! acknowledged stays, while nobody is away for longer than the grace period.

mod common;

use common::{World, contact, delete, key, put};
use overlay::{Contact, Duration, Id, Outcome, Reply};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};

const GRACE_S: u64 = 120;
const KEYS: u64 = 40;

fn world(seed: u64, nodes: u64) -> World {
    let mut world = World::new(seed);
    world.config.tombstone_grace_s = GRACE_S;
    world.config.anti_entropy = Duration::from_secs(5);
    world.config.presume_lost = Duration::from_secs(60);
    for number in 0..nodes {
        world.join(number);
    }
    world.run_for(Duration::from_secs(15));
    world
}

fn tombstones(world: &World) -> usize {
    let ids = world.ids();
    let count = |id: &Id| {
        let all = world.node(*id).store().iter();
        all.filter(|(_, record)| record.body.is_none()).count()
    };
    ids.iter().map(count).sum()
}

fn delete_key(world: &mut World, caller: Id, at: u64) -> bool {
    matches!(world.ask(caller, delete(key(at), None)), Reply::Deleted(_))
}

#[test]
fn tombstones_are_collected_at_all_replicas_and_only_then() {
    let mut world = world(1, 5);
    let caller = contact(0).id;
    for at in 0..KEYS {
        world.put(caller, key(at), b"x");
        assert!(delete_key(&mut world, caller, at));
    }
    world.run_for(Duration::from_secs(GRACE_S - 30));
    assert_eq!(tombstones(&world), 3 * KEYS as usize);
    world.run_for(Duration::from_secs(120));
    assert_eq!(tombstones(&world), 0);
    // While a replica is out of reach, its arcs are not collected.
    for at in 0..KEYS {
        world.put(caller, key(at), b"x");
        assert!(delete_key(&mut world, caller, at));
    }
    let (root, dead) = (world.replicas_of(key(1))[0], world.replicas_of(key(1))[1]);
    world.kill(dead);
    world.run_for(Duration::from_secs(3 * GRACE_S));
    use dht::Store;
    let kept = world.node(root).store().meta(key(1), overlay::Slot::Value);
    assert!(kept.is_some_and(|known| known.is_tombstone()));
}

/// One node, or two, are away for longer than the grace period, with all that they had: as root,
/// as replica, or as neither when they come back. At no moment is a deleted key found.
#[test]
fn who_was_away_for_long_brings_nothing_back() {
    for seed in 0..60 {
        let mut world = world(seed, 6);
        for at in 0..KEYS {
            world.put(contact(at % 6).id, key(at), b"old");
        }
        let away: Vec<u64> = (0..=seed % 2).map(|more| (seed + 3 * more) % 6).collect();
        for number in &away {
            world.kill(contact(*number).id);
            world.bury(contact(*number).id);
            world.run_for(Duration::from_secs(20));
        }
        let here = world.ids()[0];
        for at in 0..KEYS / 2 {
            assert!(delete_key(&mut world, here, at), "seed {seed}");
        }
        world.lose_one_in = if seed % 2 == 0 { 0 } else { 30 };
        if seed % 3 == 0 {
            world.join(6);
        }
        world.run_for(Duration::from_secs(GRACE_S + 240));
        assert_eq!(tombstones(&world), 0, "seed {seed}");
        for number in &away {
            world.join(*number);
        }
        for round in 0..60 {
            let reader = world.ids()[round as usize % 4];
            for at in [round % (KEYS / 2), (round * 7) % (KEYS / 2)] {
                let report = world.get(reader, key(at));
                let what = format!("seed {seed} round {round} key {at}");
                assert_ne!(report.outcome, Outcome::Found, "{what}: {report:?}");
            }
            world.run_for(Duration::from_millis(300));
        }
        world.lose_one_in = 0;
        world.run_for(Duration::from_secs(90));
        for at in 0..KEYS {
            let held = world.holding(key(at)).len();
            let expected = if at < KEYS / 2 { 0 } else { 3 };
            assert_eq!(held, expected, "seed {seed} key {at}");
        }
    }
}

/// One node is away for longer than the grace period. All others lose power and come back, so that
/// nobody is left who has everything, and then it comes back too: what was deleted and collected
/// meanwhile is not found, and what was not is.
#[test]
fn who_was_away_for_long_brings_nothing_back_to_those_who_were_restarted() {
    for seed in 0..40 {
        let mut world = world(seed, 6);
        for at in 0..KEYS {
            world.put(contact(at % 6).id, key(at), b"old");
        }
        let away = seed % 6;
        world.kill(contact(away).id);
        world.bury(contact(away).id);
        world.run_for(Duration::from_secs(20));
        let here = world.ids()[0];
        for at in 0..KEYS / 2 {
            assert!(delete_key(&mut world, here, at), "seed {seed}");
        }
        world.run_for(Duration::from_secs(GRACE_S + 240));
        assert_eq!(tombstones(&world), 0, "seed {seed}");
        let others: Vec<u64> = (0..6).filter(|number| *number != away).collect();
        for number in &others {
            world.kill(contact(*number).id);
            world.bury(contact(*number).id);
        }
        let first = others[seed as usize % others.len()];
        world.join(first);
        // It may be the second that is back, or the last.
        let mut back = others;
        back.retain(|number| *number != first);
        back.insert(seed as usize % (back.len() + 1), away);
        for number in back {
            world.join(number);
            world.run_for(Duration::from_secs(seed % 4));
        }
        for round in 0..60 {
            let reader = world.ids()[round as usize % 6];
            for at in [round % (KEYS / 2), (round * 7) % (KEYS / 2)] {
                let report = world.get(reader, key(at));
                let what = format!("seed {seed} round {round} key {at}");
                assert_ne!(report.outcome, Outcome::Found, "{what}: {report:?}");
            }
            world.run_for(Duration::from_millis(300));
        }
        world.run_for(Duration::from_secs(120));
        for at in 0..KEYS {
            let held = world.holding(key(at)).len();
            let expected = if at < KEYS / 2 { 0 } else { 3 };
            assert_eq!(held, expected, "seed {seed} key {at}");
        }
    }
}

/// Two nodes were away for long: the first has an old tombstone, the other what was written after it
/// and deleted since. The tombstone is older than what was collected, and vouches for nothing.
#[test]
fn an_old_tombstone_that_comes_back_protects_nothing() {
    for seed in 0..20 {
        let mut world = world(seed, 6);
        let here = contact((seed + 4) % 6).id;
        let leave = |world: &mut World, number: u64| {
            world.kill(contact(number).id);
            world.bury(contact(number).id);
            world.run_for(Duration::from_secs(20));
        };
        let (first, second) = (seed % 6, (seed + 2) % 6);
        for at in 0..KEYS {
            assert!(delete_key(&mut world, here, at), "seed {seed}");
        }
        leave(&mut world, first);
        for at in 0..KEYS {
            world.put(here, key(at), b"between");
        }
        leave(&mut world, second);
        for at in 0..KEYS {
            assert!(delete_key(&mut world, here, at), "seed {seed}");
        }
        world.run_for(Duration::from_secs(GRACE_S + 240));
        assert_eq!(tombstones(&world), 0, "seed {seed}");
        for number in [first, second] {
            world.join(number);
            world.run_for(Duration::from_secs(15));
        }
        for at in 0..KEYS {
            let report = world.get(here, key(at));
            assert_ne!(
                report.outcome,
                Outcome::Found,
                "seed {seed} {at}: {report:?}"
            );
        }
        world.run_for(Duration::from_secs(90));
        let held: usize = (0..KEYS).map(|at| world.holding(key(at)).len()).sum();
        assert_eq!(held, 0, "seed {seed}");
    }
}

/// Lets one node believe that it is the only one left, and the others that it is dead.
fn set_alone(world: &mut World, lone: Contact) -> Vec<Contact> {
    let others: Vec<Contact> = world.oracle.borrow().members().collect();
    let others: Vec<Contact> = others.into_iter().filter(|peer| *peer != lone).collect();
    let mut oracle = world.oracle.borrow_mut();
    others.iter().for_each(|peer| oracle.remove(peer.id));
    oracle.freeze(lone.id);
    oracle.remove(lone.id);
    others.iter().for_each(|peer| oracle.add(*peer));
    drop(oracle);
    world.cut = others.iter().map(|peer| (lone.id, peer.id)).collect();
    world.touch_all();
    others
}

/// One node is cut off, alone, for several grace periods: it takes the others for lost, and collects
/// what is deleted through it. What the others acknowledged meanwhile is there when it is back.
#[test]
fn what_was_acknowledged_without_a_node_is_not_dropped_for_its_word() {
    for seed in 0..20 {
        let mut world = world(seed, 6);
        let lone = contact(seed % 6);
        let others = set_alone(&mut world, lone);
        world.run_for(Duration::from_secs(90));
        for at in 0..KEYS {
            world.put(others[at as usize % 5].id, key(at), b"without it");
        }
        for at in KEYS..2 * KEYS {
            world.put(lone.id, key(at), b"alone");
            assert!(delete_key(&mut world, lone.id, at), "seed {seed}");
        }
        world.run_for(Duration::from_secs(3 * GRACE_S));
        world.cut.clear();
        let mut oracle = world.oracle.borrow_mut();
        oracle.thaw(lone.id);
        oracle.add(lone);
        drop(oracle);
        world.touch_all();
        world.run_for(Duration::from_secs(60));
        for at in 0..KEYS {
            world.expect(others[0].id, key(at), b"without it");
        }
    }
}

/// What the last acknowledged operation on a key left, if no later one may have taken effect.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Left {
    Unclear,
    Value(u64),
    Nothing,
}

/// Puts and deletions go on while nodes die and come back with their disks, each within the grace
/// period, and tombstones are collected all the time.
#[test]
fn nothing_acknowledged_is_lost_while_nobody_is_away_for_long() {
    let mut collected = 0;
    for seed in 0..60 {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let mut draw = |below: u64| rng.next_u64() % below;
        let mut world = world(seed, 6);
        let mut left = [Left::Nothing; KEYS as usize];
        let mut dead: Vec<(u64, u64)> = Vec::new();
        let mut most = 0;
        for round in 0..150 {
            let ids = world.ids();
            if draw(8) == 0 && ids.len() > 3 {
                let number = draw(6);
                if ids.contains(&contact(number).id) {
                    world.kill(contact(number).id);
                    world.run_for(Duration::from_millis(draw(2_000)));
                    world.bury(contact(number).id);
                    dead.push((number, round + 1 + draw(10)));
                }
            }
            for (number, _) in dead.extract_if(.., |(_, until)| *until <= round) {
                world.join(number);
            }
            let caller = world.ids()[draw(3) as usize];
            let at = draw(KEYS);
            let slot = &mut left[at as usize];
            *slot = if draw(2) == 0 {
                match world.ask(caller, put(key(at), round.to_string().as_bytes())) {
                    Reply::Put(_) => Left::Value(round),
                    _ => Left::Unclear,
                }
            } else if delete_key(&mut world, caller, at) {
                Left::Nothing
            } else {
                Left::Unclear
            };
            let at = draw(KEYS);
            if let Left::Value(last) = left[at as usize] {
                let report = world.get(caller, key(at));
                let what = format!("seed {seed} round {round} key {at} of {last}");
                assert_ne!(report.outcome, Outcome::Absent, "{what}: {report:?}");
            }
            world.run_for(Duration::from_secs(1 + draw(5)));
            let now = tombstones(&world);
            collected += u64::from(now < most);
            most = now;
        }
        for (number, _) in dead {
            world.join(number);
        }
        world.run_for(Duration::from_secs(120));
        for (at, left) in (0..KEYS).zip(left) {
            let report = world.get(contact(at % 6).id, key(at));
            let what = format!("seed {seed} key {at} {left:?}: {report:?}");
            match left {
                Left::Unclear => {}
                Left::Nothing => assert_eq!(report.outcome, Outcome::Absent, "{what}"),
                Left::Value(last) => {
                    let value = report.value.unwrap_or_default();
                    assert_eq!(String::from_utf8_lossy(&value), last.to_string(), "{what}");
                }
            }
        }
    }
    assert!(collected > 200, "{collected}");
}
