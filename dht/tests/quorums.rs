//! N, W, R and the consistency of a call: how many replicas may be silent, and what the answer says
//! when one more is.

mod common;

use bytes::Bytes;
use common::{World, contact, key};
use overlay::{Condition, Consistency, Duration, Failure, Id, Outcome, Reply, Request};

/// Replicas, and how many of them must hold a write and answer a read.
const QUORUMS: [(usize, usize, usize); 7] = [
    (1, 1, 1),
    (2, 2, 1),
    (3, 2, 2),
    (3, 3, 1),
    (3, 1, 3),
    (4, 3, 2),
    (5, 3, 3),
];

const ALL: [Consistency; 3] = [Consistency::One, Consistency::Quorum, Consistency::All];

/// How many a call needs of all.
fn needed(consistency: Consistency, quorum: usize, all: usize) -> usize {
    match consistency {
        Consistency::One => 1,
        Consistency::Quorum => quorum,
        Consistency::All => all,
    }
}

fn put(number: u64, consistency: Consistency) -> Request {
    Request::Put {
        key: key(number),
        value: Bytes::from_static(b"value"),
        ttl_s: None,
        consistency,
        condition: Condition::Always,
        text: String::new(),
        indexed: None,
    }
}

fn get(number: u64, consistency: Consistency) -> Request {
    Request::Get {
        key: key(number),
        consistency,
        at_least: None,
    }
}

/// A settled network of six with one value, of whose replicas so many, never the root, are silent;
/// gives the root, too.
fn silenced((replicas, write, read): (usize, usize, usize), silent: usize) -> (World, Id) {
    let mut world = World::new(7);
    world.config.replicas = replicas;
    world.config.write_quorum = write;
    world.config.read_quorum = read;
    for number in 0..6 {
        world.join(number);
    }
    world.run_for(Duration::from_secs(15));
    let root = world.root_of(key(1));
    assert!(matches!(
        world.ask(root, put(1, Consistency::All)),
        Reply::Put(_)
    ));
    let view = world.replicas(key(1), replicas);
    for node in view.iter().skip(1).take(silent) {
        world.kill(*node);
    }
    (world, root)
}

/// Every number of silent replicas under each of the quorums, with each consistency.
fn cases() -> impl Iterator<Item = ((usize, usize, usize), usize, Consistency)> {
    let each = |quorums: (usize, usize, usize)| (0..quorums.0).map(move |silent| (quorums, silent));
    let silences = QUORUMS.into_iter().flat_map(each);
    silences.flat_map(|(quorums, silent)| ALL.map(|consistency| (quorums, silent, consistency)))
}

#[test]
fn a_write_is_acknowledged_when_as_many_as_it_needs_hold_it() {
    for (quorums, silent, consistency) in cases() {
        let what = format!("{quorums:?}, {silent} silent, {consistency:?}");
        let (mut world, root) = silenced(quorums, silent);
        let (live, needs) = (
            quorums.0 - silent,
            needed(consistency, quorums.1, quorums.0),
        );
        match world.ask(root, put(1, consistency)) {
            Reply::Put(report) => {
                assert!(live >= needs, "{what}: {report:?}");
                let durable = report.replicas_durable as usize;
                assert!((needs..=live).contains(&durable), "{what}: {report:?}");
            }
            Reply::Failed(Failure::TooFewReplicas {
                durable,
                replicas,
                needed,
            }) => {
                assert!(live < needs, "{what}");
                let said = [durable, replicas, needed].map(|count| count as usize);
                assert_eq!(said, [live, quorums.0, needs], "{what}");
            }
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[test]
fn a_read_is_answered_when_as_many_as_it_needs_have_looked() {
    for (quorums, silent, consistency) in cases() {
        let what = format!("{quorums:?}, {silent} silent, {consistency:?}");
        let (mut world, root) = silenced(quorums, silent);
        let (live, needs) = (
            quorums.0 - silent,
            needed(consistency, quorums.2, quorums.0),
        );
        let mut others = 2..;
        let free = others.find(|number| world.root_of(key(*number)) == root);
        let free = free.expect("a key of the same root");
        for (number, known) in [(1, Outcome::Found), (free, Outcome::Absent)] {
            let Reply::Got(report) = world.ask(root, get(number, consistency)) else {
                panic!("{what}")
            };
            let expected = match live >= needs {
                true => known,
                false => Outcome::Unknown,
            };
            assert_eq!(report.outcome, expected, "{what}: {report:?}");
            let answered = report.replicas_answered as usize;
            assert!(answered >= needs.min(live), "{what}: {report:?}");
        }
    }
}

/// Whatever W is: two roots of one replica set must not both have enough.
#[test]
fn a_condition_is_decided_by_more_than_half() {
    for (silent, decided) in [(0, true), (1, true), (2, false)] {
        let (mut world, root) = silenced((3, 1, 3), silent);
        let version = world.ask(root, get(1, Consistency::One));
        let Reply::Got(seen) = version else {
            panic!("{version:?}")
        };
        let condition = Condition::Version(seen.version.expect("it was put"));
        let put = Request::Put {
            key: key(1),
            value: Bytes::from_static(b"next"),
            ttl_s: None,
            consistency: Consistency::Quorum,
            condition,
            text: String::new(),
            indexed: None,
        };
        let reply = world.ask(root, put);
        let is_done = matches!(reply, Reply::Put(_));
        assert_eq!(is_done, decided, "{silent} silent: {reply:?}");
    }
}

/// It is listed all the time, so that no view changes, and what it was a copy of is forgotten. When the
/// next comparison is due by itself is different each time.
#[test]
fn a_replica_that_was_started_again_unnoticed_counts_again_within_a_read() {
    for seed in 0..10 {
        let mut world = World::new(90 + seed);
        world.config.read_quorum = 3;
        for number in 0..5 {
            world.join(number);
        }
        world.run_for(Duration::from_secs(40 + 3 * seed));
        let replica = world.replicas_of(key(1))[1];
        let number = (0..5).find(|number| contact(*number).id == replica);
        world.kill(replica);
        world.start(number.unwrap());
        let asked = world.outsider(key(1));
        let report = world.get(asked, key(1));
        assert_eq!(report.outcome, Outcome::Absent, "seed {seed}: {report:?}");
    }
}
