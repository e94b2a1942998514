//! Durability, writes that are asked for twice, and leases.

mod common;

use common::{World, contact, delete, holder, insert, key, put, search};
use dht::{StoreMessage, Write, WriteResult};
use overlay::{Consistency, Duration, Hlc, Locate, Outcome, Reply, Request, Slot, Version, wire};
use smallvec::SmallVec;

#[test]
fn nothing_is_acknowledged_before_it_is_durable() {
    let mut world = World::of(3, 31);
    let replicas = world.replicas_of(key(1));
    let caller = replicas[0];
    world.stalled.extend([replicas[1], replicas[2]]);
    let op = world.call(caller, put(key(1), b"careful"));
    world.run_for(Duration::from_secs(2));
    assert!(
        !world.answers.contains_key(&op),
        "one disk of three is not enough"
    );
    world.stalled.remove(&replicas[2]);
    // The disk finishes with its next write.
    world.put(caller, key(2), b"another");
    let Reply::Put(report) = world.reply(op) else {
        panic!("{:?}", world.answers[&op])
    };
    assert_eq!((report.replicas_durable, report.replicas), (2, 3));
}

#[test]
fn what_was_acknowledged_survives_the_death_of_every_process() {
    let mut world = World::of(3, 32);
    let caller = world.ids()[0];
    for number in 0..50 {
        world.put(caller, key(number), b"kept");
    }
    for id in world.ids() {
        world.kill(id);
        world.bury(id);
    }
    for number in 0..3 {
        world.join(number);
    }
    world.run_for(Duration::from_secs(60));
    for number in 0..50 {
        world.expect(contact(1).id, key(number), b"kept");
    }
}

/// The root of a key in a network of four, and a node that is none of its replicas.
fn root_and_outsider(world: &World) -> (overlay::Id, overlay::Contact) {
    let outsider = world.outsider(key(1));
    let mut nodes = (0..4).map(contact);
    let origin = nodes.find(|contact| contact.id == outsider);
    (world.root_of(key(1)), origin.expect("one of the four"))
}

/// A write of an outsider to a key, of the oldest version, asked for once and without an end.
fn write_of(number: u64, value: &'static str) -> Write {
    Write {
        req: number,
        number,
        key: key(1),
        slot: Slot::Value,
        body: Some(value.into()),
        life_s: None,
        consistency: Consistency::Quorum,
        clock: Hlc(0),
        condition: overlay::Condition::Always,
        until: overlay::WallMs(u64::MAX),
        text: None,
        over: false,
    }
}

#[test]
fn a_write_that_is_asked_for_twice_is_one_write() {
    let mut world = World::of(4, 33);
    let (root, origin) = root_and_outsider(&world);
    world.log = Some(Vec::new());
    let write = |req| {
        let write = Write {
            req,
            ..write_of(77, "once")
        };
        StoreMessage::Write(Box::new(write))
    };
    for req in [1, 2] {
        world.deliver(origin, root, write(req));
    }
    world.run_for(Duration::from_secs(1));
    world.put(contact(0).id, key(1), b"newer");
    world.deliver(origin, root, write(3));
    world.run_for(Duration::from_secs(1));
    world.expect(contact(2).id, key(1), b"newer");
    let log = world.log.take().unwrap();
    let versions: Vec<_> = log
        .iter()
        .filter_map(|(from, _, message)| match message {
            StoreMessage::WriteReply {
                result: WriteResult::Written { version, .. },
                ..
            } if *from == root => Some(*version),
            _ => None,
        })
        .collect();
    let first = versions[0];
    assert!(
        versions.iter().filter(|version| **version == first).count() >= 2,
        "{versions:?}"
    );
}

/// What a root answered last.
fn last_answer(world: &mut World, root: overlay::Id) -> WriteResult {
    let log = world.log.take().unwrap_or_default();
    let answers = log
        .into_iter()
        .filter_map(|(from, _, message)| match message {
            StoreMessage::WriteReply { result, .. } if from == root => Some(result),
            _ => None,
        });
    world.log = Some(Vec::new());
    answers.last().expect("the root answers")
}

#[test]
fn a_write_has_the_version_of_its_origin_and_is_not_done_over_newer_ones_unasked() {
    let mut world = World::of(4, 36);
    let (root, origin) = root_and_outsider(&world);
    let write = |clock, number, value, over| {
        StoreMessage::Write(Box::new(Write {
            clock: Hlc(clock),
            over,
            ..write_of(number, value)
        }))
    };
    let now = world.put(contact(0).id, key(1), b"first").version.clock.0;
    world.log = Some(Vec::new());
    world.deliver(origin, root, write(now + 5, 77, "given", false));
    world.run_for(Duration::from_secs(1));
    let WriteResult::Written { version, .. } = last_answer(&mut world, root) else {
        panic!("not written");
    };
    assert_eq!(version, Version::given(Hlc(now + 5), origin.id, 77));
    world.deliver(origin, root, write(now + 4, 78, "overtaken", false));
    world.run_for(Duration::from_secs(1));
    let WriteResult::Overtaken { given, by } = last_answer(&mut world, root) else {
        panic!("not refused");
    };
    assert_eq!((given.0, by.0), (now + 4, now + 5));
    world.expect(contact(2).id, key(1), b"given");
    // The origin was told so often enough: its write is the later one.
    world.deliver(origin, root, write(now + 4, 79, "behind", true));
    world.run_for(Duration::from_secs(1));
    world.expect(contact(2).id, key(1), b"behind");
}

#[test]
fn an_origin_whose_clock_is_behind_gives_its_write_a_later_version() {
    let mut world = World::of(4, 37);
    let (root, origin) = root_and_outsider(&world);
    let ahead = world.put(contact(0).id, key(1), b"first").version.clock.0 + (20_000 << 16);
    let newer = Write {
        clock: Hlc(ahead),
        ..write_of(77, "of a clock that is ahead")
    };
    world.deliver(origin, root, StoreMessage::Write(Box::new(newer)));
    world.run_for(Duration::from_secs(1));
    let version = world.put(origin.id, key(1), b"later").version;
    assert!(version.clock.0 > ahead, "{version:?}");
    let by_origin = Version::given(version.clock, origin.id, 0);
    assert_eq!(version.writer.0[..12], by_origin.writer.0[..12]);
    world.expect(contact(2).id, key(1), b"later");
}

#[test]
fn a_root_that_was_started_again_does_not_do_a_write_over_what_came_after_it() {
    let mut world = World::of(4, 38);
    let (root, origin) = root_and_outsider(&world);
    let is_root = |number: &u64| contact(*number).id == root;
    let number = (0..4).find(is_root).expect("one of the four");
    let other = (0..4)
        .map(contact)
        .find(|it| it.id != root && it.id != origin.id);
    // The root does the write, and its answer does not arrive.
    let first = world.call(origin.id, put(key(1), b"first"));
    while !world.holding(key(1)).contains(&root) {
        world.run_for(Duration::from_millis(1));
    }
    world.cut.insert((root, origin.id));
    world.run_for(Duration::from_millis(50));
    world.put(other.expect("one of the four").id, key(1), b"second");
    world.kill(root);
    world.bury(root);
    world.cut.clear();
    world.join(number);
    let reply = world.reply(first);
    assert!(
        matches!(reply, Reply::Failed(overlay::Failure::NoAnswer { .. })),
        "{reply:?}"
    );
    world.expect(origin.id, key(1), b"second");
}

#[test]
fn a_root_that_was_held_up_does_not_begin_what_its_origin_asked_elsewhere() {
    let mut world = World::of(4, 35);
    let (root, origin) = root_and_outsider(&world);
    world.put(contact(0).id, key(1), b"newer");
    world.log = Some(Vec::new());
    let late = StoreMessage::Write(Box::new(Write {
        until: overlay::WallMs(0),
        ..write_of(77, "late")
    }));
    world.deliver(origin, root, late);
    world.run_for(Duration::from_secs(1));
    world.expect(contact(2).id, key(1), b"newer");
    let log = world.log.take().unwrap();
    let is_refusal = |message: &StoreMessage| {
        matches!(
            message,
            StoreMessage::WriteReply {
                result: WriteResult::TooLate { .. },
                ..
            }
        )
    };
    assert!(
        log.iter()
            .any(|(from, _, message)| *from == root && is_refusal(message)),
        "{log:?}"
    );
}

#[test]
fn leases_end_without_their_node_and_are_renewed_by_it() {
    let mut world = World::of(5, 34);
    let inserter = world.outsider(key(1));
    let reader = world.root_of(key(1));
    world.ask(inserter, insert(key(1), holder(1), 30, "here"));
    for _ in 0..6 {
        world.run_for(Duration::from_secs(20));
        let Reply::Searched(report) = world.ask(reader, search(key(1), 10)) else {
            panic!()
        };
        assert_eq!(report.outcome, Outcome::Found, "{report:?}");
    }
    assert_eq!(world.node(inserter).status().renewed_leases, 1);
    world.kill(inserter);
    world.bury(inserter);
    world.run_for(Duration::from_secs(35));
    let Reply::Searched(report) = world.ask(reader, search(key(1), 10)) else {
        panic!()
    };
    assert_eq!(report.outcome, Outcome::Absent, "{report:?}");
    // The record itself goes a little later.
    world.run_for(Duration::from_secs(200));
    assert!(
        world
            .ids()
            .iter()
            .all(|id| world.node(*id).status().holders == 0)
    );
}

#[test]
fn a_deleted_holder_is_not_renewed_into_life() {
    let mut world = World::of(5, 35);
    let (inserter, other) = (world.ids()[0], world.ids()[1]);
    world.ask(inserter, insert(key(1), holder(1), 30, ""));
    let Reply::Deleted(report) = world.ask(other, delete(key(1), Some(holder(1)))) else {
        panic!()
    };
    assert_eq!(report.outcome, Outcome::Found);
    world.run_for(Duration::from_secs(60));
    let Reply::Searched(report) = world.ask(other, search(key(1), 10)) else {
        panic!()
    };
    assert_eq!(report.outcome, Outcome::Absent, "{report:?}");
    assert_eq!(world.node(inserter).status().renewed_leases, 0);
    world.ask(inserter, insert(key(1), holder(1), 30, "back"));
    let Reply::Searched(report) = world.ask(other, search(key(1), 10)) else {
        panic!()
    };
    assert_eq!(report.outcome, Outcome::Found, "{report:?}");
}

#[test]
fn a_deletion_reaches_a_replica_that_was_away() {
    let mut world = World::of(4, 36);
    world.put(contact(0).id, key(1), b"x");
    world.run_for(Duration::from_secs(1));
    let away = world.replicas_of(key(1))[2];
    let number = (0..4).find(|number| contact(*number).id == away).unwrap();
    world.kill(away);
    world.bury(away);
    let caller = world.ids()[0];
    world.ask(caller, delete(key(1), None));
    world.join(number);
    world.run_for(Duration::from_secs(30));
    assert!(world.holding(key(1)).is_empty());
    assert_eq!(world.get(away, key(1)).outcome, Outcome::Absent);
}

#[test]
fn counts_follow_what_is_stored() {
    let mut world = World::of(1, 37);
    let id = world.ids()[0];
    world.put(id, key(1), b"12345");
    world.ask(id, insert(key(1), holder(1), 60, "abc"));
    let status = world.node(id).status();
    // The entry of the index for the word has 41 bytes.
    assert_eq!(
        (status.values, status.holders, status.stored_bytes),
        (1, 1, 8 + 41)
    );
    assert!(status.settled && status.member);
    let at_once = Request::LeaveWithin { seconds: 0 };
    assert_eq!(world.ask(id, at_once), Reply::Left);
    assert!(!world.node(id).status().member);
}

#[test]
fn an_acknowledgement_of_too_much_is_read_before_room_is_made() {
    // Found by fuzzing, see `overlay::wire::few`.
    let acks = SmallVec::from_slice(&[(1, true), (2, false)]);
    let message = StoreMessage::Replicated { acks };
    let mut bytes = wire::encode(&message);
    assert_eq!(wire::decode(&bytes), Ok(message));
    bytes.truncate(1);
    bytes.extend([253, 0, 0, 0, 0, 0, 0, 0, 0x10]);
    let error = wire::decode::<StoreMessage>(&bytes).unwrap_err();
    assert!(error.to_string().contains("UnexpectedEnd"), "{error}");
}
