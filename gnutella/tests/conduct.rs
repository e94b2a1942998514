//! What one neighbour may do to a node, and what it may not.

mod common;

use common::bench::{Bench, contact, guid, query, walker};
use gnutella::{
    Errand, Header, Hello, Hit, MAX_HITS, MAX_TTL, Message, Query, QueryHit, Reach, Role, Routes,
    Walk, What,
};
use overlay::{Effect, Fault, Hlc, Id, Item, Locate, Record, Slot, Version, WallMs};

#[test]
fn one_wrong_message_is_forgiven_and_many_are_not() {
    let mut bench = Bench::new();
    let ended = bench.ends(1, |at| query(at, MAX_TTL, 3)).expect("an end");
    assert!(
        (10..200).contains(&ended.0) && ended.1 == Fault::Protocol,
        "{ended:?}"
    );
    assert_eq!(bench.node.neighbours().count(), 3);
    assert!(
        bench.send(1, query(9_000, 1, 0)).is_empty(),
        "it is still heard"
    );
    // The same GUID again and again on one link.
    let ended = bench.ends(2, |_| query(77_777, 3, 0)).expect("an end");
    assert_eq!(ended.1, Fault::Protocol);
    // TTL and hops that have grown together since another neighbour sent it.
    let mut number = 100_000;
    let ended = bench.ends(3, |_| {
        number += 1;
        query(number / 2, 2 + (number % 2) as u8 * 2, 0)
    });
    assert_eq!(ended.expect("an end").1, Fault::Protocol);
    assert_eq!(bench.node.neighbours().count(), 1);
}

/// One that names too many hosts.
fn long_hello() -> Hello {
    Hello {
        role: Role::Peer,
        links: 1,
        room: true,
        hosts: vec![
            gnutella::Host {
                contact: contact(9),
                role: Role::Peer,
                room: true
            };
            64
        ],
    }
}

#[test]
fn what_is_out_of_bounds_ends_the_link_at_once() {
    let too_many = QueryHit {
        header: Header::new(guid(1), 3),
        from: contact(1),
        hits: vec![one_hit(); MAX_HITS + 1],
    };
    let routes = Routes {
        number: 1,
        reset: true,
        set: vec![u32::MAX; 4],
        cleared: Vec::new(),
        leaves: 0,
    };
    let walk = Walk {
        guid: guid(4),
        walker: 0,
        origin: contact(1),
        ttl: u16::MAX,
        hops: 0,
        fresh: Reach::default(),
        errand: Errand::Search(Query {
            what: What::Value(Id::ZERO),
            wanted: 1,
        }),
    };
    let words = Message::Query {
        header: Header::new(guid(9), 1),
        query: Query {
            what: What::Words("x".repeat(5_000)),
            wanted: 1,
        },
    };
    for message in [
        Message::QueryHit(Box::new(too_many)),
        Message::Routes(Box::new(routes)),
        Message::Walk(Box::new(walk)),
        words,
        Message::Connect(long_hello()),
    ] {
        let mut bench = Bench::new();
        let text = format!("{message:?}");
        let fault = bench.fault(1, message);
        assert_eq!(
            fault,
            Some(Fault::OutOfBounds),
            "{}",
            &text[..text.len().min(80)]
        );
    }
}

#[test]
fn answers_that_nobody_asked_for_change_nothing() {
    let mut bench = Bench::new();
    for message in [
        Message::Reached {
            guid: guid(1),
            reach: Reach {
                nodes: 1_000,
                ..Reach::NONE
            },
            hits: 7,
        },
        Message::GoOn {
            guid: guid(1),
            walker: 0,
            go: true,
        },
        Message::Offer {
            guid: guid(1),
            walker: 0,
        },
        Message::Body {
            req: guid(1),
            record: None,
        },
        Message::Replicated {
            req: guid(1),
            kept: true,
        },
    ] {
        assert!(bench.send(1, message).is_empty());
    }
    assert!(bench.node.under_way().is_empty());
}

/// Whatever brings records tells of clocks that are ahead; what is beyond a minute is refused.
#[test]
fn clocks_of_records_are_measured_and_those_far_ahead_are_refused() {
    let mut bench = Bench::new();
    let bring = |ms: i64| {
        let record = Record {
            version: Version {
                clock: Hlc::at(WallMs(sim::EPOCH.0.saturating_add_signed(ms))),
                writer: contact(1).id,
            },
            body: Some("x".into()),
            expires: None,
        };
        let item = Item {
            key: Id::from_u64(1),
            slot: Slot::Value,
            record,
        };
        let (req, items) = (guid(1), vec![item]);
        Message::HandOver { req, items }
    };
    for (ms, ahead_ms) in [(-90_000, 0), (5_000, 5_000), (59_000, 59_000)] {
        assert_eq!(bench.fault(1, bring(ms)), None);
        let tally = Locate::tally(&bench.node);
        assert_eq!(
            (tally.clock_ahead_ms, tally.clock_behind_ms),
            (ahead_ms, None)
        );
    }
    assert_eq!(bench.node.status().clocks_refused, 0);
    assert_eq!(bench.fault(1, bring(61_000)), Some(Fault::OutOfBounds));
    assert_eq!(bench.node.status().clocks_refused, 1);
}

fn one_hit() -> Hit {
    Hit {
        key: Id::from_u64(1),
        slot: Slot::Value,
        version: Version::default(),
        gone: false,
        life_s: None,
        bytes: 1,
        text: String::new(),
    }
}

fn hit(header: Header) -> Message {
    Message::QueryHit(Box::new(QueryHit {
        header,
        from: contact(1),
        hits: vec![one_hit()],
    }))
}

/// Only queries were looked at so closely.
#[test]
fn what_grows_or_comes_twice_is_a_misdeed_whatever_it_is() {
    let misdeeds = |bench: &Bench| bench.node.tally().told.misdeeds;
    let mut bench = Bench::new();
    let same = |_| Message::Ping(Header::new(guid(5), 0));
    assert_eq!(bench.ends(1, same).map(|it| it.1), Some(Fault::Protocol));
    assert!(misdeeds(&bench).duplicate > 10);
    let far = |number| hit(Header::new(guid(number), MAX_TTL + 1));
    assert_eq!(bench.ends(2, far).map(|it| it.1), Some(Fault::Protocol));
    assert!(misdeeds(&bench).hops > 10);
    // A walker that has more steps left each time.
    let mut bench = Bench::new();
    let grown = |number| {
        let walk = Walk {
            ttl: 100 + 2 * number as u16,
            hops: 1,
            ..walker(7, 3)
        };
        Message::Walk(Box::new(walk))
    };
    assert_eq!(bench.ends(3, grown).map(|it| it.1), Some(Fault::Protocol));
    assert!(misdeeds(&bench).hops > 10);
    // Another neighbour, whose walker it may have been made on the way, is not blamed.
    let Message::Walk(walk) = grown(1_000) else {
        unreachable!()
    };
    assert!(bench.send(4, Message::Walk(walk)).is_empty());
}

/// Whoever is named as the origin of a walker was sent what it found.
#[test]
fn a_walker_begins_at_its_origin() {
    let mut bench = Bench::new();
    let walk = Walk {
        origin: contact(9),
        ..walker(7, 1)
    };
    assert!(bench.send(1, Message::Walk(Box::new(walk))).is_empty());
    assert_eq!(bench.node.tally().told.misdeeds.forged, 1);
}

fn push(number: u64, to: usize) -> Message {
    Message::Push(gnutella::Push {
        header: Header::new(guid(number), 3),
        servent: contact(0).id,
        key: Id::from_u64(1),
        req: guid(99),
        to: contact(to),
    })
}

/// Whom a push named was sent a body, whether anybody had asked for it or not.
#[test]
fn only_what_was_found_is_pushed_and_once() {
    let mut bench = Bench::new();
    let item = common::value(Id::from_u64(1), b"body");
    let items = vec![item];
    bench.send(
        2,
        Message::HandOver {
            req: guid(1),
            items,
        },
    );
    let sends_body = |effects: Vec<Effect<_>>| {
        let is_body = |effect: &Effect<common::Node>| matches!(effect, Effect::Send { to, message: Message::Body { .. } } if to.id == contact(9).id);
        effects.iter().any(is_body)
    };
    assert!(!sends_body(bench.send(1, push(50, 9))), "nobody asked");
    let query = Message::Query {
        header: Header::new(guid(50), 0),
        query: Query {
            what: What::Value(Id::from_u64(1)),
            wanted: 1,
        },
    };
    bench.send(1, query);
    assert!(sends_body(bench.send(1, push(50, 9))));
    assert!(!sends_body(bench.send(1, push(50, 9))), "a second time");
    assert_eq!(bench.node.tally().told.misdeeds.forged, 2);
}
