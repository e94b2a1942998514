//! A peer whose clock is far ahead: refused and reported, whatever brings its version.

mod common;

use bytes::Bytes;
use common::{World, contact, key};
use dht::{
    Body, MemoryStore, Read, ReadData, ReadReply, Replicate, Seen, Standing, Store, StoreMessage,
    Wanted, Write, WriteResult,
};
use overlay::{
    Condition, Consistency, Failure, Fault, Hlc, Id, Item, Locate, Record, Reply, Slot, Version,
    WallMs,
};

/// A version from so many seconds in the future.
fn ahead(world: &World, seconds: u64) -> Version {
    Version {
        clock: Hlc::at(WallMs(world.wall().0 + seconds * 1_000)),
        writer: contact(9).id,
    }
}

fn item(version: Version) -> Item {
    let record = Record {
        version,
        body: Some("later".into()),
        expires: None,
    };
    Item {
        key: key(1),
        slot: Slot::Value,
        record,
    }
}

fn write(clock: Hlc) -> StoreMessage {
    StoreMessage::Write(Box::new(Write {
        req: 1,
        number: 1,
        key: key(1),
        slot: Slot::Value,
        body: Some("x".into()),
        life_s: None,
        consistency: Consistency::Quorum,
        clock,
        condition: Condition::Always,
        until: WallMs(u64::MAX),
        text: None,
        over: false,
    }))
}

fn read_reply(req: u64, version: Version) -> StoreMessage {
    StoreMessage::ReadReply(ReadReply {
        req,
        standing: Standing::Other { covered: None },
        data: ReadData::Value(Some(Seen {
            version,
            expires: None,
            body: Body::Bytes("later".into()),
        })),
        missing: Default::default(),
    })
}

#[test]
fn every_message_with_a_version_from_the_future_is_refused_and_counted() {
    let mut world = World::of(3, 41);
    let id = world.root_of(key(1));
    let peer = contact(9);
    let messages = |version: Version| {
        let items = vec![item(version)];
        [
            StoreMessage::Replicate(Replicate {
                req: 1,
                items: items.clone(),
                under: None,
                name: None,
            }),
            StoreMessage::SyncItems {
                req: 1,
                items: items.clone(),
                want: Vec::new(),
                dead: Hlc::default(),
            },
            StoreMessage::HandOff { req: 1, items },
            write(version.clock),
            read_reply(1, version),
        ]
    };
    let far = ahead(&world, 61);
    for (number, message) in (1..).zip(messages(far)) {
        world.deliver(peer, id, message);
        assert_eq!(world.hung_up.pop(), Some((id, peer.id, Fault::ClockAhead)));
        assert_eq!(world.node(id).status().clocks_refused, number);
        let kept = world.node(id).store().meta(key(1), Slot::Value);
        assert_eq!(kept, None, "nothing of it was taken");
    }
    // Within the bound everything is taken.
    let near = ahead(&world, 59);
    for message in messages(near) {
        world.deliver(peer, id, message);
    }
    assert_eq!(world.hung_up, []);
    assert_eq!(world.node(id).status().clocks_refused, 5);
}

/// Of versions only those from the future say anything; a write says what its origin's clock showed.
#[test]
fn the_furthest_clocks_are_told_ahead_and_behind() {
    let mut world = World::of(3, 43);
    let id = world.root_of(key(1));
    let told = |world: &World| {
        let tally = world.node(id).tally();
        (tally.clock_ahead_ms, tally.clock_behind_ms)
    };
    let off = |world: &World, ms: i64| Hlc::at(WallMs(world.wall().0.saturating_add_signed(ms)));
    assert_eq!(told(&world), (0, Some(0)));
    world.deliver(contact(9), id, write(off(&world, -7_000)));
    assert_eq!(told(&world), (0, Some(7_000)));
    world.deliver(contact(8), id, write(off(&world, 3_000)));
    assert_eq!(told(&world), (3_000, Some(7_000)));
    // It is known: how late it comes again says nothing of a clock.
    world.deliver(contact(9), id, write(off(&world, -20_000)));
    assert_eq!(told(&world), (3_000, Some(7_000)));
    // Nobody knows when what comes far too late was sent.
    world.deliver(contact(7), id, write(off(&world, -80_000)));
    assert_eq!(told(&world), (3_000, Some(7_000)));
    let old = Version {
        clock: off(&world, -60_000),
        writer: contact(9).id,
    };
    let items = vec![item(old)];
    world.deliver(contact(9), id, StoreMessage::HandOff { req: 1, items });
    assert_eq!(told(&world), (3_000, Some(7_000)), "it is old");
    world.run_for(overlay::Duration::from_secs(200));
    assert_eq!(told(&world), (0, Some(0)), "it is forgotten");
}

/// An honest node asks one that is ahead: the answers do not count, and the user is told that
/// nothing is known.
#[test]
fn answers_of_a_root_that_is_ahead_do_not_count() {
    let mut world = World::of(4, 42);
    let (root, origin) = (world.root_of(key(1)), world.outsider(key(1)));
    let root = (0..4).map(contact).find(|it| it.id == root).unwrap();
    let version = ahead(&world, 300);
    // The root's own answers are lost; these come instead. Its place is known from before.
    world.put(origin, key(1), b"before");
    world.cut.insert((root.id, origin));
    world.log = Some(Vec::new());
    let put = world.call(origin, common::put(key(1), b"x"));
    let get = world.call(origin, common::get(key(1)));
    world.run_for(overlay::Duration::from_millis(10));
    let mut forged = Vec::new();
    for (from, to, message) in world.log.take().unwrap() {
        if (from, to) != (origin, root.id) {
            continue;
        }
        match message {
            StoreMessage::Write(write) => forged.push(StoreMessage::WriteReply {
                req: write.req,
                result: WriteResult::Written {
                    version,
                    expires: None,
                    durable: 2,
                    replicas: 3,
                    existed: None,
                },
            }),
            StoreMessage::Read(Read {
                req,
                what: Wanted::Value,
                ..
            }) => forged.push(read_reply(req, version)),
            _ => {}
        }
    }
    assert_eq!(forged.len(), 2);
    for message in forged {
        world.deliver(root, origin, message);
    }
    assert_eq!(world.hung_up.len(), 2, "{:?}", world.hung_up);
    assert_eq!(world.node(origin).status().clocks_refused, 2);
    assert_eq!(
        world.reply(put),
        Reply::Failed(Failure::NoAnswer { key: key(1) })
    );
    let Reply::Got(report) = world.reply(get) else {
        panic!()
    };
    assert_ne!(report.version, Some(version));
}

/// What was being committed when a node lost its power may be with others under a clock value that
/// the node gives again, since its disk does not know it.
#[test]
fn a_clock_value_that_is_given_in_two_lives_makes_two_versions() {
    let life = |seed| {
        let mut world = World::new(seed);
        let version = Version {
            clock: Hlc::at(WallMs(world.wall().0 + 30_000)),
            writer: Id::ZERO,
        };
        let record = Record {
            version,
            body: Some(Bytes::from_static(b"from a node whose clock is ahead")),
            expires: None,
        };
        let mut disk = MemoryStore::new();
        let (key, slot) = (key(1), Slot::Value);
        let seq = disk.write(Item { key, slot, record });
        disk.durable(seq);
        world.lay_disk(0, disk);
        let node = world.join(0).id;
        world.put(node, key, b"written in this life").version
    };
    let (first, second) = (life(80), life(81));
    assert_eq!(first.clock, second.clock);
    assert_ne!(first, second, "equal versions of two values never converge");
}
