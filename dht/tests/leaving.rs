//! A node that leaves goes when everything is handed over, or says why it does not.

mod common;

use bytes::Bytes;
use common::{World, contact, key, put};
use dht::{MemoryStore, Store};
use overlay::{
    Duration, Failure, Hlc, Id, Item, Locate, Movement, Purpose, Record, Reply, Request, Slot,
    Version, WaitsFor, WallMs,
};

/// When the records of the disks were written: an hour before the world begins.
const WRITTEN: WallMs = WallMs(1_800_000_000_000 - 3_600_000);

fn disk(records: u64, length: usize) -> MemoryStore {
    let mut store = MemoryStore::new();
    for number in 0..records {
        let version = Version {
            clock: Hlc::at(WRITTEN),
            writer: Id::ZERO,
        };
        let record = Record {
            version,
            body: Some(Bytes::from(vec![7; length])),
            expires: None,
        };
        let (key, slot) = (key(number), Slot::Value);
        let seq = store.write(Item { key, slot, record });
        store.durable(seq);
    }
    store
}

/// Three nodes that all have these records, at a pace of so many bytes a second from now on.
fn world(seed: u64, records: u64, bytes_per_s: u64) -> World {
    let mut world = World::new(seed);
    world.config.repair_bytes_per_s = bytes_per_s;
    for number in 0..3 {
        world.lay_disk(number, disk(records, 100));
    }
    for number in 0..3 {
        world.join(number);
    }
    world.run_for(Duration::from_secs(30));
    assert!(world.all_settled());
    world
}

fn moving(world: &World, id: Id) -> Vec<Movement> {
    world.node(id).status().moving
}

/// The node that answers for most keys.
fn busiest(world: &World) -> Id {
    let mut counts = std::collections::BTreeMap::<Id, u32>::new();
    for number in 0..1_000 {
        *counts.entry(world.root_of(key(number))).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.expect("a node").0
}

/// Records and moved ones of all movements.
fn sums(moving: &[Movement]) -> (u64, u64) {
    let add = |(all, moved), movement: &Movement| (all + movement.records, moved + movement.moved);
    moving.iter().fold((0, 0), add)
}

#[test]
fn leaving_takes_as_long_as_the_pace_makes_it_and_says_how_far_it_is() {
    // About 20,000 · 196 bytes a replica, of which each root hands its arc to the fourth node.
    let mut world = world(70, 20_000, 64 << 10);
    let id = busiest(&world);
    // The newcomer gets everything at the same pace.
    world.join(3);
    world.run_for(Duration::from_secs(5));
    let op = world.call(id, Request::Leave);
    let (mut last, mut seconds) = (0, 0);
    while !world.answers.contains_key(&op) {
        world.run_for(Duration::from_secs(1));
        seconds += 1;
        assert!(seconds < 300, "{:?}", moving(&world, id));
        let status = world.node(id).status();
        if status.leaving {
            assert!(status.moved_records >= last, "progress is seen");
            last = status.moved_records;
            let sums = sums(&status.moving);
            assert!(sums.1 <= sums.0, "{:?}", status.moving);
        }
    }
    assert_eq!(world.answers[&op], Reply::Left);
    assert!(seconds > 20, "it outlasts any fixed limit: {seconds} s");
    assert!(last > 1_000, "{last} records were seen to move");
    world.kill(id);
    world.touch_all();
    world.run_for(Duration::from_secs(200));
    assert!(world.all_settled());
    for number in (0..20_000).step_by(997) {
        assert_eq!(world.holding(key(number)).len(), 3, "key {number}");
    }
}

#[test]
fn a_limit_ends_it_and_the_answer_says_that_something_was_left() {
    let mut world = world(71, 10_000, 64 << 10);
    world.join(3);
    world.run_for(Duration::from_secs(1));
    let id = busiest(&world);
    let first = world.call(id, Request::Leave);
    world.run_for(Duration::from_secs(2));
    let second = world.call(id, Request::LeaveWithin { seconds: 3 });
    world.run_for(Duration::from_secs(2));
    assert!(!world.answers.contains_key(&first) && world.node(id).status().leaving);
    world.run_for(Duration::from_millis(1_100));
    for op in [first, second] {
        let reply = &world.answers[&op];
        assert!(
            matches!(
                reply,
                Reply::Failed(Failure::NotHandedOver { values: 10_000, .. })
            ),
            "{reply:?}"
        );
    }
    assert!(!world.node(id).status().member);
}

#[test]
fn the_last_node_stays_with_its_records_unless_it_is_told_when_to_end() {
    let mut world = World::of(1, 72);
    let id = world.ids()[0];
    world.put(id, key(1), b"precious");
    let Reply::Failed(failure) = world.ask(id, Request::Leave) else {
        panic!("it left");
    };
    let last = Failure::LastNode {
        values: 1,
        holders: 0,
    };
    assert_eq!(failure, last);
    assert!(failure.to_string().contains("1 values and 0 holders"));
    // It goes on as if nothing had been asked.
    let status = world.node(id).status();
    assert!(status.member && status.settled && !status.leaving);
    world.expect(id, key(1), b"precious");
    let reply = world.ask(id, put(key(2), b"another"));
    assert!(matches!(reply, Reply::Put(_)), "{reply:?}");
    assert_eq!(
        world.ask(id, Request::LeaveWithin { seconds: 9 }),
        Reply::Left
    );
}

#[test]
fn a_node_whose_last_peer_dies_while_it_leaves_stays() {
    let mut world = World::new(73);
    world.config.repair_bytes_per_s = 64 << 10;
    world.lay_disk(0, disk(20_000, 100));
    world.join(0);
    world.join(1);
    world.run_for(Duration::from_secs(2));
    let (id, other) = (contact(0).id, contact(1).id);
    let op = world.call(id, Request::Leave);
    world.run_for(Duration::from_secs(2));
    let all = moving(&world, id);
    assert!(sums(&all).1 > 100, "{all:?}");
    world.kill(other);
    // What it waits for is said while nobody has noticed the death.
    world.run_for(Duration::from_secs(20));
    assert!(!world.answers.contains_key(&op) && world.node(id).status().leaving);
    let waits = |movement: &Movement| movement.waits_for == WaitsFor::Retry;
    let seen = (0..50).any(|_| {
        world.run_for(Duration::from_millis(100));
        moving(&world, id).iter().any(waits)
    });
    assert!(seen, "{:?}", moving(&world, id));
    world.bury(other);
    let reply = world.reply(op);
    let failure = Failure::LastNode {
        values: 20_000,
        holders: 0,
    };
    assert_eq!(reply, Reply::Failed(failure));
    let status = world.node(id).status();
    assert!(status.member && !status.leaving);
    world.expect(id, key(1), &[7; 100]);
}

#[test]
fn a_repair_is_seen_with_its_peer_its_numbers_and_its_pace() {
    let mut world = World::new(74);
    world.config.repair_bytes_per_s = 100 << 10;
    world.lay_disk(0, disk(20_000, 100));
    world.join(0);
    world.join(1);
    // The newcomer's own arc is a small one.
    world.run_for(Duration::from_millis(1_500));
    let newcomer = world.node(contact(1).id).status();
    assert!(!newcomer.settled);
    let takes_over =
        |movement: &Movement| movement.purpose == Purpose::TakeOver && movement.moved > 300;
    assert!(newcomer.moving.iter().any(takes_over), "{newcomer:?}");
    world.run_for(Duration::from_secs(3));
    let id = contact(0).id;
    let seen = moving(&world, id);
    let repair = seen
        .iter()
        .find(|movement| movement.purpose == Purpose::Repair)
        .unwrap_or_else(|| panic!("{seen:?}"));
    assert_eq!(repair.peer, Some(contact(1)));
    assert!(repair.moved > 1_000 && repair.records > 5_000, "{repair:?}");
    assert!(
        (50 << 10..=120 << 10).contains(&repair.bytes_per_s),
        "{repair:?}"
    );
    assert_eq!(repair.waits_for, WaitsFor::Pace);
    world.run_for(Duration::from_secs(60));
    assert!(world.all_settled());
    for id in world.ids() {
        let status = world.node(id).status();
        assert_eq!(status.moving, [], "nothing is left to be moved");
        assert!(status.moved_records > 1_000 && status.moved_bytes > 100 << 10);
    }
}

/// A copy that is cut off goes on where it was: what was copied is not copied again.
#[test]
fn a_copy_that_was_cut_off_carries_on() {
    let mut world = World::new(75);
    world.config.repair_bytes_per_s = 200 << 10;
    world.lay_disk(0, disk(20_000, 100));
    world.join(0);
    world.join(1);
    let (full, copy) = (contact(0).id, contact(1).id);
    let travelled = |world: &World| -> u64 {
        let each = |id| world.node(id).status().moved_records;
        world.ids().into_iter().map(each).sum()
    };
    world.run_for(Duration::from_secs(6));
    let before = travelled(&world);
    let held = world.node(copy).store().len();
    assert!((2_000..18_000).contains(&held), "{held}");
    // A partition first, then the receiver loses its power.
    world.cut.insert((full, copy));
    world.run_for(Duration::from_secs(20));
    world.cut.clear();
    world.run_for(Duration::from_secs(8));
    let again = travelled(&world) - before;
    world.kill(copy);
    world.bury(copy);
    world.run_for(Duration::from_secs(5));
    let counted = world.node(full).status().moved_records;
    world.join(1);
    world.run_for(Duration::from_secs(90));
    assert!(world.all_settled());
    assert_eq!(world.node(copy).store().len(), 20_000);
    let after = travelled(&world) - counted;
    println!("{before} records, then {again}, then {after}");
    let all = before + again + after;
    assert!(again > 0 && after > 0);
    // A message that was under way at each of the two cuts, in each of two arcs, went twice.
    assert!((20_000..22_500).contains(&all), "{all} records travelled");
}

/// Large values at a slow pace take longer than a copy counts without being confirmed: what was
/// copied must not be taken for strays meanwhile.
#[test]
fn a_slow_copy_of_large_values_is_not_handed_back() {
    let mut world = World::new(76);
    world.config.repair_bytes_per_s = 200 << 10;
    world.lay_disk(0, disk(400, 100_000));
    world.join(0);
    world.join(1);
    let mut least = 0;
    for _ in 0..30 {
        world.run_for(Duration::from_secs(10));
        let held = world.node(contact(1).id).store().len();
        assert!(held >= least, "{held} records after {least}");
        least = held;
    }
    assert!(world.all_settled());
    assert_eq!(least, 400);
    let moved = |number| world.node(contact(number).id).status().moved_records;
    assert!(moved(0) + moved(1) < 450, "{} and {}", moved(0), moved(1));
}

/// Five nodes, a key whose third replica does not hear from its root, and a value that root and
/// second replica have acknowledged.
fn acknowledged_by_two(seed: u64) -> (World, Vec<Id>) {
    let mut world = World::of(5, seed);
    let replicas = world.replicas_of(key(1));
    let (root, third) = (replicas[0], replicas[2]);
    world.cut.insert((root, third));
    let report = world.put(root, key(1), b"precious");
    assert_eq!(report.replicas_durable, 2, "{report:?}");
    (world, replicas)
}

#[test]
fn a_copy_stays_until_another_node_has_what_it_acknowledged() {
    let (mut world, replicas) = acknowledged_by_two(74);
    let [root, copy, third] = replicas[..] else {
        panic!("{replicas:?}");
    };
    let leave = world.call(copy, Request::Leave);
    world.run_for(Duration::from_secs(3));
    assert!(
        !world.answers.contains_key(&leave),
        "only two nodes hold it: {:?}",
        world.holding(key(1))
    );
    // It says for whom it waits.
    let moving = moving(&world, copy);
    let mut peers = moving.iter().filter_map(|movement| movement.peer);
    assert!(peers.any(|peer| peer.id == root), "{moving:?}");
    world.cut.remove(&(root, third));
    assert_eq!(world.reply(leave), Reply::Left);
    world.kill(copy);
    world.kill(root);
    world.bury(copy);
    world.bury(root);
    world.run_for(Duration::from_secs(5));
    world.expect(third, key(1), b"precious");
}

#[test]
fn one_that_means_to_leave_does_not_count_among_those_that_hold_a_write() {
    let (mut world, replicas) = acknowledged_by_two(75);
    let [root, copy, third] = replicas[..] else {
        panic!("{replicas:?}");
    };
    // The fourth replica, in place of the one that leaves, does not hear from the root either.
    let fourth = world.replicas(key(1), 4)[3];
    world.cut.insert((root, fourth));
    let leave = world.call(copy, Request::Leave);
    world.run_for(Duration::from_secs(1));
    let reply = world.ask(root, put(key(1), b"newer"));
    let Reply::Failed(Failure::TooFewReplicas { durable, .. }) = reply else {
        panic!("{reply:?}");
    };
    assert_eq!(durable, 1, "the root alone stays");
    assert!(!world.answers.contains_key(&leave));
    world.cut.remove(&(root, third));
    let report = world.put(root, key(1), b"newest");
    assert!(report.replicas_durable >= 2, "{report:?}");
    world.cut.remove(&(root, fourth));
    assert_eq!(world.reply(leave), Reply::Left);
}

#[test]
fn of_nodes_that_all_leave_at_once_one_stays_with_everything() {
    let mut world = World::of(4, 76);
    for number in 0..50 {
        world.put(world.ids()[0], key(number), b"kept");
    }
    let ids = world.ids();
    let calls: Vec<_> = ids
        .iter()
        .map(|id| (*id, world.call(*id, Request::Leave)))
        .collect();
    let mut stays = Vec::new();
    for (id, call) in calls {
        match world.reply(call) {
            Reply::Left => {
                world.kill(id);
                world.touch_all();
            }
            Reply::Failed(Failure::LastNode { values: 50, .. }) => stays.push(id),
            other => panic!("{other:?}"),
        }
    }
    let [last] = stays[..] else {
        panic!("these stay: {stays:?}");
    };
    for number in 0..50 {
        world.expect(last, key(number), b"kept");
    }
}
