//! Writes with a condition: decided once, by a root that knows the newest version, whoever else
//! takes itself for the root.

mod common;

use common::{World, contact, delete, get, key, put_if};
use overlay::{Condition, Duration, Failure, Id, Outcome, Reply, Request, Version};

fn version(reply: Reply) -> Version {
    match reply {
        Reply::Put(report) => report.version,
        other => panic!("{other:?}"),
    }
}

fn found_instead(reply: Reply) -> Option<Version> {
    match reply {
        Reply::Conflict(report) => {
            assert!(report.replicas_answered >= 2, "{report:?}");
            report.found
        }
        other => panic!("{other:?}"),
    }
}

fn delete_if(key: Id, wanted: Version) -> Request {
    match delete(key, None) {
        Request::Delete {
            key,
            holder,
            consistency,
            ..
        } => Request::Delete {
            key,
            holder,
            consistency,
            condition: Condition::Version(wanted),
        },
        other => other,
    }
}

#[test]
fn a_condition_is_judged_by_what_a_reader_would_see() {
    let mut world = World::of(8, 71);
    let ids = world.ids();
    let first = version(world.ask(ids[0], put_if(key(1), b"a", Condition::Absent)));
    let reply = world.ask(ids[1], put_if(key(1), b"b", Condition::Absent));
    assert_eq!(found_instead(reply), Some(first));
    world.expect(ids[2], key(1), b"a");
    let reply = world.ask(ids[3], put_if(key(1), b"c", Condition::Version(first)));
    let second = version(reply);
    assert!(second > first);
    let reply = world.ask(ids[4], put_if(key(1), b"d", Condition::Version(first)));
    assert_eq!(found_instead(reply), Some(second));
    let reply = world.ask(ids[5], delete_if(key(1), first));
    assert_eq!(found_instead(reply), Some(second));
    let Reply::Deleted(report) = world.ask(ids[5], delete_if(key(1), second)) else {
        panic!()
    };
    assert_eq!(report.outcome, Outcome::Found);
    let reply = world.ask(ids[6], put_if(key(1), b"e", Condition::Version(second)));
    assert_eq!(found_instead(reply), None, "what was deleted is not there");
    version(world.ask(ids[7], put_if(key(1), b"f", Condition::Absent)));
    world.expect(ids[0], key(1), b"f");
}

#[test]
fn a_condition_that_makes_no_sense_is_refused() {
    let mut world = World::of(1, 72);
    let id = world.ids()[0];
    for (holder, condition) in [
        (None, Condition::Absent),
        (Some(common::holder(1)), Condition::Absent),
        (
            Some(common::holder(1)),
            Condition::Version(Version::default()),
        ),
    ] {
        let request = Request::Delete {
            key: key(1),
            holder,
            consistency: overlay::Consistency::Quorum,
            condition,
        };
        let reply = world.ask(id, request);
        assert!(
            matches!(reply, Reply::Failed(Failure::Refused(_))),
            "{reply:?}"
        );
    }
}

/// Clients that each add one to a counter, through lost messages: what was acknowledged was done
/// once, what is unknown at most once.
#[test]
fn no_increment_is_lost_or_done_twice() {
    for seed in 0..20 {
        let mut world = World::of(6, 700 + seed);
        world.lose_one_in = 12;
        let clients = world.ids();
        let (mut sure, mut unsure) = (0, 0);
        for round in 0..15 {
            // All read the same value, and all try to replace it.
            let mut calls = Vec::new();
            for client in &clients {
                let Reply::Got(report) = world.ask(*client, get(key(1))) else {
                    panic!()
                };
                let (next, condition) = match (&report.value, report.version) {
                    (Some(value), Some(version)) => {
                        let text = std::str::from_utf8(value).expect("a number");
                        let count: u32 = text.parse().expect("a number");
                        (count + 1, Condition::Version(version))
                    }
                    _ if report.outcome == Outcome::Absent => (1, Condition::Absent),
                    _ => continue,
                };
                let request = put_if(key(1), next.to_string().as_bytes(), condition);
                calls.push(world.call(*client, request));
            }
            for op in calls {
                match world.reply(op) {
                    Reply::Put(_) => sure += 1,
                    Reply::Conflict(_) | Reply::Failed(Failure::Undecided { .. }) => {}
                    Reply::Failed(_) => unsure += 1,
                    other => panic!("seed {seed}, round {round}: {other:?}"),
                }
            }
        }
        world.lose_one_in = 0;
        let report = world.get(clients[0], key(1));
        let text = report.value.expect("a counter");
        let count: u32 = std::str::from_utf8(&text).unwrap().parse().unwrap();
        assert!(
            (sure..=sure + unsure).contains(&count),
            "seed {seed}: {count} after {sure} acknowledged and {unsure} unknown"
        );
        assert!(sure >= 10, "seed {seed}: {sure} of 15 rounds");
    }
}

/// The root is taken for dead by all others while it lives, hears of nothing, and reaches all but
/// its successor: two roots at once, whose replica sets overlap.
#[test]
fn of_two_roots_at_once_one_decides() {
    let (mut by_old, mut by_new, mut after) = (0, 0, 0);
    for seed in 0..60 {
        let mut world = World::of(6, 800 + seed);
        let old = world.root_of(key(1));
        let number = (0..6).find(|at| contact(*at).id == old).unwrap();
        let base = version(world.ask(old, put_if(key(1), b"0", Condition::Absent)));
        world.oracle.borrow_mut().freeze(old);
        let successor = world.replicas_of(key(1))[1];
        world.cut.insert((old, successor));
        world.bury(old);
        world.run_for(Duration::from_millis(seed * 20));
        let other = world.root_of(key(1));
        let wanted = Condition::Version(base);
        let ours = world.call(old, put_if(key(1), b"old", wanted));
        world.run_for(Duration::from_millis(seed % 7));
        let theirs = world.call(other, put_if(key(1), b"new", wanted));
        let (ours, theirs) = (world.reply(ours), world.reply(theirs));
        let done = |reply: &Reply| matches!(reply, Reply::Put(_));
        assert!(
            !(done(&ours) && done(&theirs)),
            "seed {seed}: both replaced {base}: {ours:?}, {theirs:?}"
        );
        by_old += u32::from(done(&ours));
        by_new += u32::from(done(&theirs));
        // The old root hears of everything again, and is the root of its arc as before.
        world.cut.clear();
        world.oracle.borrow_mut().thaw(old);
        world.oracle.borrow_mut().add(contact(number));
        world.touch_all();
        world.run_for(Duration::from_secs(60));
        let report = world.get(successor, key(1));
        let Some(version) = report.version else {
            panic!("seed {seed}: {report:?}")
        };
        for reply in [ours, theirs] {
            if let Reply::Put(put) = reply {
                assert_eq!(
                    put.version, version,
                    "seed {seed}: an acknowledged one is newest"
                );
            }
        }
        let reply = world.ask(old, put_if(key(1), b"later", Condition::Version(version)));
        after += u32::from(done(&reply));
    }
    println!("decided by the old root {by_old}, by the new one {by_new}, later {after}, of 60");
    assert!(
        by_new >= 40,
        "the new root decides once it has proven its arc: {by_new}"
    );
    assert_eq!(after, 60, "the old root decides again once it has heard");
}

/// Cuts the root of the first key off from both of its replicas, and each side takes the other for
/// dead. Gives the old root, the root on the other side, and the version that both have.
fn cut_root_from_its_copies(world: &mut World) -> (Id, Id, Version) {
    let replicas = world.replicas_of(key(1));
    let (old, others) = (replicas[0], [replicas[1], replicas[2]]);
    let base = version(world.ask(old, put_if(key(1), b"0", Condition::Absent)));
    world.run_for(Duration::from_secs(2));
    for other in others {
        world.cut.insert((old, other));
        world.cut.insert((other, old));
    }
    let lost: Vec<_> = {
        let oracle = world.oracle.borrow();
        let lost = oracle.members().filter(|peer| others.contains(&peer.id));
        lost.collect()
    };
    for peer in &lost {
        world.oracle.borrow_mut().remove(peer.id);
    }
    world.oracle.borrow_mut().freeze(old);
    for peer in lost {
        world.oracle.borrow_mut().add(peer);
    }
    world.bury(old);
    (old, others[0], base)
}

/// The root and its two replicas are cut off from each other, and each side takes the other for
/// dead: two roots at once, each with full copies that the other does not hear of.
#[test]
fn of_two_sides_the_one_with_most_of_the_replicas_decides() {
    let (mut by_old, mut by_new) = (0, 0);
    for seed in 0..40 {
        let mut world = World::of(8, 1_000 + seed);
        let (old, other, base) = cut_root_from_its_copies(&mut world);
        world.run_for(Duration::from_millis(seed * 100));
        let wanted = Condition::Version(base);
        let ours = world.call(old, put_if(key(1), b"old", wanted));
        let theirs = world.call(other, put_if(key(1), b"new", wanted));
        let (ours, theirs) = (world.reply(ours), world.reply(theirs));
        let done = |reply: &Reply| matches!(reply, Reply::Put(_));
        assert!(
            !(done(&ours) && done(&theirs)),
            "seed {seed}: both replaced {base}: {ours:?}, {theirs:?}"
        );
        by_old += u32::from(done(&ours));
        by_new += u32::from(done(&theirs));
    }
    println!("decided by the old root {by_old}, by the new one {by_new}, of 40");
    assert!(by_new >= 20, "the new root can prove its arc: {by_new}");
}

/// Splits the network: on one side the root of the first key and others, on the other its two replicas
/// and two more. Each side takes the other for dead; both have the node before the root, so that the
/// arc stays what it was. Gives the old root, one of its replicas, and the version that both have.
fn split_root_from_its_copies(world: &mut World) -> (Id, Id, Version) {
    let old = world.root_of(key(1));
    let base = version(world.ask(old, put_if(key(1), b"0", Condition::Absent)));
    world.run_for(Duration::from_secs(2));
    let around = world.oracle.borrow().replicas(old, 8);
    let theirs = &around[1..5];
    let ours = [&around[..1], &around[5..7]].concat();
    for (near, far) in ours
        .iter()
        .flat_map(|near| theirs.iter().map(move |far| (near, far)))
    {
        world.cut.insert((near.id, far.id));
        world.cut.insert((far.id, near.id));
    }
    let mut oracle = world.oracle.borrow_mut();
    theirs.iter().for_each(|peer| oracle.remove(peer.id));
    ours.iter().for_each(|peer| oracle.freeze(peer.id));
    theirs.iter().for_each(|peer| oracle.add(*peer));
    drop(oracle);
    ours.iter().for_each(|peer| world.bury(peer.id));
    (old, theirs[0].id, base)
}

/// The old root's copies count no more after three minutes, but the other root, to whom they have
/// testified, may have decided. After ten minutes each side takes the other for lost.
#[test]
fn a_root_cut_off_from_its_copies_does_not_decide_once_they_have_expired() {
    let mut world = World::of(8, 1_040);
    let (old, other, base) = split_root_from_its_copies(&mut world);
    world.run_for(Duration::from_secs(10));
    let wanted = Condition::Version(base);
    let theirs = world.ask(other, put_if(key(1), b"new", wanted));
    assert!(matches!(theirs, Reply::Put(_)), "{theirs:?}");
    for minute in [4, 9] {
        let now = world.now;
        world.run_for(Duration(60_000_000 * minute - now.0));
        let ours = world.ask(old, put_if(key(1), b"old", wanted));
        let Reply::Failed(Failure::Undecided { reason, .. }) = ours else {
            panic!("after {minute} minutes: {ours:?}");
        };
        assert!(reason.contains("1 copy of before a change"), "{reason}");
    }
    world.run_for(Duration::from_secs(120));
    let ours = world.ask(old, put_if(key(1), b"old", wanted));
    assert!(matches!(ours, Reply::Put(_)), "{ours:?}");
}

/// The root dies between replicating and answering: the next one knows the write by its name.
#[test]
fn a_conditional_write_asked_for_again_at_the_next_root_is_one_write() {
    let mut again = 0;
    for seed in 0..40 {
        let mut world = World::of(6, 900 + seed);
        let root = world.root_of(key(1));
        let origin = world.outsider(key(1));
        world.cut.insert((root, origin));
        world.log = Some(Vec::new());
        let base = world.call(origin, put_if(key(1), b"x", Condition::Absent));
        world.run_for(Duration::from_millis(100));
        world.cut.clear();
        world.run_for(Duration::from_millis(900));
        if !world.answers.contains_key(&base) {
            world.kill(root);
            world.bury(root);
        }
        match world.reply(base) {
            Reply::Put(_) => again += 1,
            Reply::Failed(Failure::NoAnswer { .. }) => {}
            other => panic!("seed {seed}: {other:?}"),
        }
        let reader = world.ids()[0];
        world.expect(reader, key(1), b"x");
    }
    assert!(again >= 30, "{again} of 40 were recognised");
}
