//! What it takes to bring two replicas together, and that they come together whatever the network
//! does.

mod common;

use bytes::Bytes;
use common::{World, contact, delete, key, put};
use dht::{MemoryStore, Store, StoreMessage};
use overlay::{Duration, Hlc, Id, Item, Record, Slot, Version, WallMs};
use std::collections::BTreeMap;

/// When the records of the disks were written: an hour before the world begins.
const WRITTEN: WallMs = WallMs(1_800_000_000_000 - 3_600_000);

fn item(number: u64, clock: u64) -> Item {
    let version = Version {
        clock: Hlc(Hlc::at(WRITTEN).0 + clock),
        writer: Id::ZERO,
    };
    let record = Record {
        version,
        body: Some(Bytes::from_static(&[7; 100])),
        expires: None,
    };
    Item {
        key: key(number),
        slot: Slot::Value,
        record,
    }
}

fn disk(items: impl Iterator<Item = Item>) -> MemoryStore {
    let mut store = MemoryStore::new();
    for item in items {
        let seq = store.write(item);
        store.durable(seq);
    }
    store
}

/// What was said in comparisons.
#[derive(Debug, Default, PartialEq, Eq)]
struct Talk {
    messages: usize,
    bytes: usize,
    /// Records that travelled.
    items: usize,
}

fn talk(world: &mut World) -> Talk {
    let mut talk = Talk::default();
    for (_, _, message) in world.log.take().unwrap_or_default() {
        let items = match &message {
            StoreMessage::SyncItems { items, .. } | StoreMessage::SyncItemsReply { items, .. } => {
                items.len()
            }
            StoreMessage::SyncAsk(_)
            | StoreMessage::SyncTold(_)
            | StoreMessage::SyncDone(_)
            | StoreMessage::SyncDoneAck { .. } => 0,
            _ => continue,
        };
        talk.messages += 1;
        talk.bytes += overlay::wire::encode(&message).len();
        talk.items += items;
    }
    world.log = Some(Vec::new());
    talk
}

/// Two nodes with `records` records each, apart from `differences`: a third only here, a third only
/// there, a third older there. They compare two arcs, one of which changes its root.
fn reconcile(records: u64, differences: u64) -> Talk {
    let mut world = World::new(1);
    let differs = |number: u64| number < differences;
    let here = (0..records).filter(|number| !differs(*number) || number % 3 != 0);
    world.lay_disk(0, disk(here.map(|number| item(number, 2))));
    let there = (0..records).filter(|number| !differs(*number) || number % 3 != 1);
    let clock = |number| {
        if differs(number) && number % 3 == 2 {
            1
        } else {
            2
        }
    };
    world.lay_disk(1, disk(there.map(|number| item(number, clock(number)))));
    world.log = Some(Vec::new());
    world.join(0);
    world.join(1);
    let limit = world.now + Duration::from_secs(20);
    while !world.all_settled() && world.now < limit {
        world.run_for(Duration::from_millis(50));
    }
    assert!(world.all_settled());
    let stores = world.ids();
    let [one, other] = [0, 1].map(|at| world.node(stores[at]).store());
    assert_eq!(one.len() as u64, records);
    assert!(one.iter().eq(other.iter()), "both have the same");
    let talk = talk(&mut world);
    println!("{differences} of {records} differ: {talk:?}");
    talk
}

#[test]
fn ten_differences_among_a_hundred_thousand() {
    let equal = reconcile(100_000, 0);
    let talk = reconcile(100_000, 10);
    assert!(equal.messages < 12 && equal.bytes < 2_000, "{equal:?}");
    assert!(talk.messages < 60 && talk.bytes < 80_000, "{talk:?}");
    assert_eq!(talk.items, 10, "only what differs travels, once");
}

#[test]
#[ignore = "a gigabyte of memory"]
fn ten_differences_among_a_million() {
    let talk = reconcile(1_000_000, 10);
    assert!(talk.messages < 80 && talk.bytes < 100_000, "{talk:?}");
}

/// When every short range differs, the price besides the records is one list of all versions.
#[test]
fn many_differences_cost_no_more_than_a_list_of_everything() {
    let talk = reconcile(20_000, 5_000);
    let (records, versions) = (talk.items * 180, 20_000 * 60);
    assert!(talk.bytes < records + versions, "{talk:?}");
}

#[test]
fn an_empty_replica_takes_everything_at_a_pace() {
    let mut world = World::new(2);
    world.lay_disk(0, disk((0..30_000).map(|number| item(number, 1))));
    world.join(0);
    world.join(1);
    world.run_for(Duration::from_secs(1));
    // 10,000 records a second for each of the two arcs.
    let copied = world.node(contact(1).id).store().len();
    assert!((1_000..22_000).contains(&copied), "{copied} after a second");
    world.run_for(Duration::from_secs(10));
    assert!(world.all_settled());
    assert_eq!(world.node(contact(1).id).store().len(), 30_000);
}

#[test]
fn equal_replicas_compare_in_one_round_trip_however_much_they_hold() {
    let idle = |records: u64| {
        let mut world = World::new(3);
        for number in 0..2 {
            world.lay_disk(number, disk((0..records).map(|number| item(number, 1))));
            world.join(number);
        }
        world.run_for(Duration::from_secs(20));
        world.log = Some(Vec::new());
        world.run_for(Duration::from_secs(300));
        talk(&mut world)
    };
    let (few, many) = (idle(100), idle(50_000));
    println!("300 s: {few:?}, {many:?}");
    // Two arcs, every 30 s or so, two messages each.
    assert!(few.messages <= 2 * 2 * 12, "{few:?}");
    assert_eq!(few.messages, many.messages);
    assert!(many.bytes < few.bytes + 3 * many.messages, "{many:?}");
}

/// Every record of every replica, by key: all replicas have the same.
fn check_equal(world: &World, seed: u64) {
    let mut all: BTreeMap<(Id, Slot), BTreeMap<Id, Version>> = BTreeMap::new();
    for id in world.ids() {
        for (place, record) in world.node(id).store().iter() {
            all.entry(*place).or_default().insert(id, record.version);
        }
    }
    for ((key, _), held) in all {
        let replicas = world.replicas_of(key);
        let versions: Vec<_> = replicas.iter().map(|id| held.get(id)).collect();
        let equal = versions.iter().all(|version| *version == versions[0]);
        assert!(
            equal && versions[0].is_some(),
            "seed {seed}: {key} {held:?}"
        );
    }
}

#[test]
fn replicas_come_together_under_loss_copies_delay_and_writes() {
    for seed in 0..15 {
        let mut world = World::new(seed);
        // Each disk has another two thirds of the records.
        for number in 0..4 {
            let some = (0..2_000).filter(|record| (record + number + seed) % 3 != 0);
            world.lay_disk(number, disk(some.map(|record| item(record, number))));
        }
        (
            world.lose_one_in,
            world.duplicate_one_in,
            world.delay_one_in,
        ) = (20, 15, 10);
        for number in 0..4 {
            world.join(number);
        }
        for round in 0..150 {
            let writer = contact(round % 4).id;
            world.call(writer, put(key(round * 7), b"meanwhile"));
            world.call(writer, delete(key(round * 7 + 1), None));
            world.run_for(Duration::from_millis(40));
        }
        world.run_for(Duration::from_secs(30));
        (
            world.lose_one_in,
            world.duplicate_one_in,
            world.delay_one_in,
        ) = (0, 0, 0);
        world.run_for(Duration::from_secs(90));
        assert!(world.all_settled(), "seed {seed}");
        check_equal(&world, seed);
        assert!(world.hung_up.is_empty(), "seed {seed}: {:?}", world.hung_up);
        for round in 0..150 {
            world.expect(contact(0).id, key(round * 7), b"meanwhile");
        }
    }
}
