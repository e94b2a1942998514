//! Put, get, insert, search and delete on networks of one to eight nodes, and the limits.

mod common;

use bytes::Bytes;
use common::{World, contact, delete, get, holder, insert, key, put, search};
use overlay::{
    Condition, Consistency, Duration, Failure, Fault, MAX_HOLDERS_PER_KEY, MAX_LEASE_S,
    MAX_TEXT_BYTES, MAX_TTL_S, MAX_VALUE_BYTES, Outcome, Reply, Request,
};

#[test]
fn what_is_put_is_found_at_every_node() {
    for nodes in [1, 2, 3, 8] {
        let mut world = World::of(nodes, nodes);
        for number in 0..20 {
            let writer = world.ids()[number as usize % nodes as usize];
            let report = world.put(writer, key(number), format!("value {number}").as_bytes());
            let members = nodes.min(3) as u32;
            assert_eq!(report.replicas, members, "with {nodes} nodes");
            assert!(report.replicas_durable >= members.min(2), "{report:?}");
        }
        for reader in world.ids() {
            for number in 0..20 {
                world.expect(reader, key(number), format!("value {number}").as_bytes());
            }
            let report = world.get(reader, key(99));
            assert_eq!(
                report.outcome,
                Outcome::Absent,
                "with {nodes} nodes: {report:?}"
            );
        }
    }
}

#[test]
fn the_newest_value_wins_and_a_deletion_stays() {
    let mut world = World::of(8, 1);
    let ids = world.ids();
    world.put(ids[0], key(1), b"old");
    world.put(ids[1], key(1), b"new");
    world.expect(ids[2], key(1), b"new");
    let Reply::Deleted(report) = world.ask(ids[3], delete(key(1), None)) else {
        panic!()
    };
    assert_eq!(report.outcome, Outcome::Found);
    let Reply::Deleted(report) = world.ask(ids[3], delete(key(1), None)) else {
        panic!()
    };
    assert_eq!(report.outcome, Outcome::Absent);
    for id in ids {
        assert_eq!(world.get(id, key(1)).outcome, Outcome::Absent);
    }
}

#[test]
fn large_and_binary_values_come_back_exactly() {
    let mut world = World::of(5, 2);
    let value: Vec<u8> = (0..MAX_VALUE_BYTES)
        .map(|at| (at * 7 % 251) as u8)
        .collect();
    let (writer, reader) = (world.ids()[0], world.outsider(key(1)));
    world.put(writer, key(1), &value);
    world.expect(reader, key(1), &value);
    world.put(writer, key(2), b"");
    world.expect(reader, key(2), b"");
}

#[test]
fn every_consistency_is_served() {
    let mut world = World::of(4, 3);
    let id = world.ids()[0];
    for (number, consistency, durable) in [
        (1, Consistency::One, 1),
        (2, Consistency::Quorum, 2),
        (3, Consistency::All, 3),
    ] {
        let value = Bytes::from_static(b"x");
        let key = key(number);
        let reply = world.ask(
            id,
            Request::Put {
                key,
                value,
                ttl_s: None,
                consistency,
                condition: Condition::Always,
                text: String::new(),
                indexed: None,
            },
        );
        let Reply::Put(report) = reply else {
            panic!("{reply:?}")
        };
        assert!(report.replicas_durable >= durable, "{report:?}");
        let reply = world.ask(
            id,
            Request::Get {
                key,
                consistency,
                at_least: None,
            },
        );
        let Reply::Got(report) = reply else {
            panic!("{reply:?}")
        };
        assert_eq!(report.outcome, Outcome::Found);
        assert!(report.replicas_answered >= durable, "{report:?}");
    }
}

#[test]
fn holders_are_listed_by_address_with_their_words() {
    let mut world = World::of(6, 4);
    let ids = world.ids();
    for number in [3, 1, 2] {
        let reply = world.ask(
            ids[usize::from(number)],
            insert(key(1), holder(number), 600, "a file"),
        );
        assert!(matches!(reply, Reply::Inserted(_)), "{reply:?}");
    }
    let Reply::Searched(report) = world.ask(ids[5], search(key(1), 10)) else {
        panic!()
    };
    assert_eq!(report.outcome, Outcome::Found);
    let addrs: Vec<_> = report.holders.iter().map(|found| found.addr).collect();
    assert_eq!(addrs, [holder(1), holder(2), holder(3)]);
    assert!(report.holders.iter().all(|found| found.text == "a file"));
    assert!(
        report
            .holders
            .iter()
            .all(|found| (590..=600).contains(&found.expires_in_s))
    );
    let Reply::Searched(report) = world.ask(ids[5], search(key(1), 2)) else {
        panic!()
    };
    assert_eq!(report.holders.len(), 2);
    world.ask(ids[0], delete(key(1), Some(holder(1))));
    let Reply::Searched(report) = world.ask(ids[5], search(key(1), 10)) else {
        panic!()
    };
    assert_eq!(report.holders.len(), 2);
    let Reply::Searched(report) = world.ask(ids[5], search(key(2), 10)) else {
        panic!()
    };
    assert_eq!(report.outcome, Outcome::Absent, "{report:?}");
}

#[test]
fn a_value_ends_with_its_time_to_live() {
    let mut world = World::of(3, 5);
    let id = world.ids()[0];
    let (value, consistency) = (Bytes::from_static(b"short"), Consistency::Quorum);
    world.ask(
        id,
        Request::Put {
            key: key(1),
            value,
            ttl_s: Some(5),
            consistency,
            condition: Condition::Always,
            text: String::new(),
            indexed: None,
        },
    );
    world.expect(id, key(1), b"short");
    world.run_for(Duration::from_secs(6));
    assert_eq!(world.get(id, key(1)).outcome, Outcome::Absent);
}

#[test]
fn what_is_beyond_a_limit_is_refused_with_the_limit() {
    let mut world = World::of(1, 6);
    let id = world.ids()[0];
    let put = |value: Vec<u8>, ttl_s| Request::Put {
        key: key(1),
        value: value.into(),
        ttl_s,
        consistency: Consistency::Quorum,
        condition: Condition::Always,
        text: String::new(),
        indexed: None,
    };
    let long = "x".repeat(MAX_TEXT_BYTES + 1);
    let cases = [
        (
            put(vec![0; MAX_VALUE_BYTES + 1], None),
            MAX_VALUE_BYTES.to_string(),
        ),
        (put(vec![0], Some(0)), MAX_TTL_S.to_string()),
        (put(vec![0], Some(u32::MAX)), MAX_TTL_S.to_string()),
        (insert(key(1), holder(1), 0, ""), MAX_LEASE_S.to_string()),
        (
            insert(key(1), holder(1), MAX_LEASE_S + 1, ""),
            MAX_LEASE_S.to_string(),
        ),
        (
            insert(key(1), holder(1), 60, &long),
            MAX_TEXT_BYTES.to_string(),
        ),
        (
            insert(key(1), "0.0.0.0:1".parse().unwrap(), 60, ""),
            "address".to_owned(),
        ),
        (search(key(1), 0), "1 at least".to_owned()),
    ];
    for (call, limit) in cases {
        match world.ask(id, call) {
            Reply::Failed(Failure::Refused(why)) => {
                assert!(why.contains(&limit), "{why:?} does not name {limit}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_key_has_a_limited_number_of_holders() {
    let mut world = World::of(1, 7);
    let id = world.ids()[0];
    for number in 0..MAX_HOLDERS_PER_KEY as u16 {
        let reply = world.ask(id, insert(key(1), holder(number), 60, ""));
        assert!(
            matches!(reply, Reply::Inserted(_)),
            "holder {number}: {reply:?}"
        );
    }
    let reply = world.ask(id, insert(key(1), holder(2_000), 60, ""));
    assert!(
        matches!(&reply, Reply::Failed(Failure::Refused(why)) if why.contains("1000")),
        "{reply:?}"
    );
    let reply = world.ask(id, insert(key(1), holder(1), 60, "again"));
    assert!(
        matches!(reply, Reply::Inserted(_)),
        "a renewal is no new holder: {reply:?}"
    );
    let Reply::Searched(report) = world.ask(id, search(key(1), 1_000)) else {
        panic!()
    };
    assert_eq!(report.holders.len(), MAX_HOLDERS_PER_KEY);
}

#[test]
fn a_node_in_no_network_says_so() {
    let mut world = World::of(2, 8);
    let id = world.ids()[0];
    assert_eq!(world.ask(id, Request::Leave), Reply::Left);
    for call in [put(key(1), b"x"), get(key(1)), Request::Leave] {
        assert_eq!(world.ask(id, call), Reply::Failed(Failure::NotMember));
    }
}

#[test]
fn a_locate_names_the_replicas_and_the_way() {
    let mut world = World::of(5, 9);
    let locate = |key| Request::Locate {
        key,
        iterative: false,
    };
    let (far, root) = (world.outsider(key(1)), world.root_of(key(1)));
    let Reply::Located(report) = world.ask(far, locate(key(1))) else {
        panic!()
    };
    assert_eq!(
        report
            .replicas
            .iter()
            .map(|peer| peer.id)
            .collect::<Vec<_>>(),
        world.replicas_of(key(1))
    );
    assert_eq!(report.path.first().map(|peer| peer.id), Some(far));
    assert_eq!(report.path.last().map(|peer| peer.id), Some(root));
    assert_eq!(report.hops, 1);
    let Reply::Located(report) = world.ask(root, locate(key(1))) else {
        panic!()
    };
    assert_eq!(
        report.path.iter().map(|peer| peer.id).collect::<Vec<_>>(),
        [root]
    );
    assert_eq!(report.hops, 0);
}

#[test]
fn a_locate_ends_in_the_time_of_a_call() {
    let mut world = World::of(5, 9);
    let far = world.outsider(key(1));
    for other in world.ids() {
        world.cut.insert((far, other));
    }
    for iterative in [false, true] {
        let (began, key) = (world.now, key(1));
        let reply = world.ask(far, Request::Locate { key, iterative });
        let took = world.now.since(began);
        assert!(
            matches!(&reply, Reply::Failed(Failure::NoRoute { reason, .. }) if !reason.is_empty()),
            "{reply:?}"
        );
        assert!(took <= Duration::from_secs(8), "{took:?}");
    }
}

#[test]
fn a_peer_beyond_the_bounds_is_hung_up_on() {
    use dht::{Replicate, StoreMessage};
    use overlay::{Hlc, Item, Record, Slot, Version};
    let mut world = World::of(2, 10);
    let id = world.ids()[0];
    let item = |wall: u64, body: Vec<u8>| Item {
        key: key(1),
        slot: Slot::Value,
        record: Record {
            version: Version {
                clock: Hlc::at(overlay::WallMs(wall)),
                writer: contact(9).id,
            },
            body: Some(body.into()),
            expires: None,
        },
    };
    let wall = world.wall().0;
    let cases = [
        vec![item(wall, vec![0; MAX_VALUE_BYTES + 1])],
        vec![item(wall, vec![0]); 2_000],
    ];
    for items in cases {
        let message = StoreMessage::Replicate(Replicate {
            req: 1,
            items,
            under: None,
            name: None,
        });
        world.deliver(contact(9), id, message);
        assert_eq!(
            world.hung_up.pop(),
            Some((id, contact(9).id, Fault::OutOfBounds))
        );
    }
    assert!(world.holding(key(1)).is_empty());
}
