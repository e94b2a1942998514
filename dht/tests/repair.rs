//! Replicas that missed writes: brought up to date by reading, and when they are back.

mod common;

use common::{World, contact, delete, key};
use dht::{CAUGHT_UP_WITHIN, Replicate, Store, StoreMessage};
use overlay::{Duration, Hlc, Id, Item, Record, Reply, Slot, Version};

/// The version of the value at one node.
fn version_at(world: &World, node: Id, key: Id) -> Option<Version> {
    let found = world.node(node).store().meta(key, Slot::Value);
    found.map(|found| found.version)
}

/// Has one node hold a version that nobody else has, an hour old.
fn plant(world: &mut World, at: Id, key: Id, body: &'static [u8]) -> Version {
    let version = Version {
        clock: Hlc::at(overlay::WallMs(world.wall().0 - 10_000)),
        writer: at,
    };
    let record = Record {
        version,
        body: Some(body.into()),
        expires: None,
    };
    let slot = Slot::Value;
    let message = Replicate {
        req: 1,
        items: vec![Item { key, slot, record }],
        under: None,
        name: None,
    };
    world.deliver(contact(99), at, StoreMessage::Replicate(message));
    version
}

#[test]
fn a_read_brings_replicas_up_to_date() {
    // The root has it and the others not, or another replica and the root not.
    for rank in 0..2 {
        let mut world = World::new(50 + rank);
        world.config.anti_entropy = Duration::from_secs(3_600);
        (0..6).for_each(|number| {
            world.join(number);
        });
        world.run_for(Duration::from_secs(60));
        let replicas = world.replicas_of(key(1));
        let version = plant(&mut world, replicas[rank as usize], key(1), b"seen");
        world.run_for(Duration::from_secs(1));
        // Who is a replica asks itself, so that it sees the version for sure.
        let reader = replicas[1];
        world.log = Some(Vec::new());
        for _ in 0..5 {
            world.expect(reader, key(1), b"seen");
        }
        world.run_for(Duration::from_secs(1));
        for replica in &replicas {
            assert_eq!(version_at(&world, *replica, key(1)), Some(version));
        }
        let log = world.log.take().unwrap();
        let repairs = log.iter().filter(|(_, _, message)| {
            matches!(
                message,
                StoreMessage::Repair { .. } | StoreMessage::HandOff { .. }
            )
        });
        assert_eq!(repairs.count(), 1, "one reader repairs a key once");
    }
}

#[test]
fn a_read_of_equal_replicas_repairs_nothing() {
    let mut world = World::of(6, 53);
    world.put(contact(0).id, key(1), b"x");
    world.run_for(Duration::from_secs(20));
    world.log = Some(Vec::new());
    for reader in world.ids() {
        world.expect(reader, key(1), b"x");
    }
    world.run_for(Duration::from_secs(1));
    let log = world.log.take().unwrap();
    let is_write = |message: &StoreMessage| {
        matches!(
            message,
            StoreMessage::Repair { .. } | StoreMessage::HandOff { .. } | StoreMessage::Replicate(_)
        )
    };
    assert!(!log.iter().any(|(_, _, message)| is_write(message)));
}

/// A replica is out of reach for a minute, in which its peers take writes and deletions; the ring
/// takes it for dead, or does not.
#[test]
fn a_replica_that_was_away_for_a_minute_catches_up() {
    for seed in 0..12 {
        let noticed = seed % 2 == 1;
        let mut world = World::of(6, 540 + seed);
        let ids = world.ids();
        let away = ids[seed as usize % ids.len()];
        let number = (0..6).find(|at| contact(*at).id == away).unwrap();
        let caller = *ids.iter().find(|id| **id != away).unwrap();
        for at in 0..60 {
            world.put(caller, key(at), b"before");
        }
        for other in ids.iter().filter(|id| **id != away) {
            world.cut.insert((away, *other));
        }
        if noticed {
            world.oracle.borrow_mut().freeze(away);
            world.bury(away);
        }
        let start = world.now;
        for at in 0..60 {
            // The keys of which the node that is away is the root wait for it, unless the ring has noticed.
            if noticed || world.root_of(key(at)) != away {
                match at % 3 {
                    0 => drop(world.ask(caller, delete(key(at), None))),
                    _ => drop(world.put(caller, key(at), b"while away")),
                }
            }
        }
        let left = Duration::from_secs(60)
            .0
            .saturating_sub(world.now.since(start).0);
        world.run_for(Duration(left));
        world.cut.clear();
        if noticed {
            world.oracle.borrow_mut().thaw(away);
            world.oracle.borrow_mut().add(contact(number));
            world.touch_all();
        }
        world.run_for(CAUGHT_UP_WITHIN);
        for at in 0..60 {
            let replicas = world.replicas_of(key(at));
            if replicas.contains(&away) {
                let newest = replicas.iter().map(|id| version_at(&world, *id, key(at)));
                let newest = newest.max().unwrap();
                assert_eq!(
                    version_at(&world, away, key(at)),
                    newest,
                    "seed {seed}, key {at}, noticed: {noticed}"
                );
            }
        }
        let reply = world.ask(away, common::get(key(0)));
        assert!(matches!(reply, Reply::Got(_)), "{reply:?}");
    }
}
