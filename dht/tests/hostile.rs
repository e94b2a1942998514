//! Wrong answers in a comparison are counted as faults and change nothing.

mod common;

use common::{World, contact, key, put};
use dht::{
    PartSum, RangeAnswer, RangeSum, Store, StoreMessage, Sum, SyncAsk, SyncCollect, SyncDone,
    SyncTold,
};
use overlay::{Arc, Contact, Duration, Fault, Hlc, Id, Slot, Version};

/// Two nodes with records, one of which is dead; and the question that the other asks it.
fn asked() -> (World, Id, Contact, SyncAsk) {
    let mut world = World::new(1);
    (0..2).for_each(|number| {
        world.join(number);
    });
    world.run_for(Duration::from_secs(10));
    for number in 0..100 {
        world.ask(contact(0).id, put(key(number), b"x"));
    }
    let (root, victim) = (contact(0).id, contact(1));
    world.kill(victim.id);
    world.log = Some(Vec::new());
    for _ in 0..600 {
        world.run_for(Duration::from_millis(100));
        let asked = world.log.as_ref().and_then(|log| {
            log.iter().find_map(|(from, to, message)| match message {
                StoreMessage::SyncAsk(ask) if *from == root && *to == victim.id => Some(ask),
                _ => None,
            })
        });
        if let Some(ask) = asked {
            let ask = SyncAsk::clone(ask);
            return (world, root, victim, ask);
        }
    }
    panic!("no comparison in a minute");
}

fn after(arc: Arc, distance: u64) -> (Id, Slot) {
    let key = arc.from.wrapping_add(Id::from_u64(distance));
    (key, Slot::Value)
}

fn part(upto: Option<(Id, Slot)>) -> PartSum {
    let sum = Sum { count: 1, print: 1 };
    PartSum { upto, sum }
}

fn version(place: (Id, Slot)) -> (Id, Slot, Version) {
    (place.0, place.1, Version::default())
}

#[test]
fn answers_that_do_not_fit_are_faults() {
    let (_, _, _, ask) = asked();
    let arc = ask.done.arc;
    let outside = (arc.to.wrapping_add(Id::from_u64(1)), Slot::Value);
    let wrong: [Vec<RangeAnswer>; 9] = [
        vec![],
        vec![RangeAnswer::Same; 2],
        vec![RangeAnswer::Parts(vec![])],
        vec![RangeAnswer::Parts(vec![part(None)])],
        vec![RangeAnswer::Parts(vec![part(None), part(None)])],
        vec![RangeAnswer::Parts(vec![
            part(Some(after(arc, 9))),
            part(Some(after(arc, 8))),
            part(None),
        ])],
        vec![RangeAnswer::Parts(vec![part(Some(outside)), part(None)])],
        vec![RangeAnswer::Versions(vec![
            version(after(arc, 9)),
            version(after(arc, 9)),
        ])],
        vec![RangeAnswer::Versions(
            (1..100).map(|at| version(after(arc, at))).collect(),
        )],
    ];
    for answers in wrong {
        let (mut world, root, peer, ask) = asked();
        let what = format!("{answers:?}");
        let told = SyncTold {
            req: ask.req,
            answers,
            collected: Vec::new(),
            evidence: Vec::new(),
        };
        let before = world.node(root).store().len();
        world.deliver(peer, root, StoreMessage::SyncTold(Box::new(told)));
        assert_eq!(world.hung_up, [(root, peer.id, Fault::Protocol)], "{what}");
        assert_eq!(world.node(root).store().len(), before);
    }
}

/// A replica that divides for ever is stopped.
#[test]
fn division_has_an_end() {
    let (mut world, root, peer, mut ask) = asked();
    let arc = ask.done.arc;
    for round in 0..100 {
        let divide = |range: &RangeSum| {
            if range.upto.is_some() {
                return RangeAnswer::Same;
            }
            let from = range.after.map_or(arc.from, |(key, _)| key);
            let next = (from.wrapping_add(Id::from_u64(1)), Slot::Value);
            RangeAnswer::Parts(vec![part(Some(next)), part(None)])
        };
        let told = SyncTold {
            req: ask.req,
            answers: ask.ranges.iter().map(divide).collect(),
            collected: Vec::new(),
            evidence: Vec::new(),
        };
        world.log = Some(Vec::new());
        world.deliver(peer, root, StoreMessage::SyncTold(Box::new(told)));
        if !world.hung_up.is_empty() {
            assert!((5..30).contains(&round), "{round}");
            return;
        }
        world.run_for(Duration::from_millis(5));
        let log = world.log.take().unwrap();
        let next = log
            .into_iter()
            .find_map(|(from, _, message)| match message {
                StoreMessage::SyncAsk(next) if from == root => Some(*next),
                _ => None,
            });
        ask = next.expect("it asks about the parts");
        assert!(ask.ranges.len() <= 16);
    }
    panic!("no end");
}

#[test]
fn questions_that_do_not_fit_are_faults() {
    let arc = Arc::whole(contact(1).id);
    let done = SyncDone {
        req: 1,
        view: 2,
        arc,
        quorum: 1,
        valid_s: 60,
        horizons: Vec::new(),
    };
    let range = |after, upto| RangeSum {
        after,
        upto,
        sum: Sum::default(),
    };
    let wrong = [
        vec![],
        vec![range(None, None); 17],
        vec![range(Some(after(arc, 2)), Some(after(arc, 1)))],
        vec![range(Some(after(arc, 2)), Some(after(arc, 2)))],
    ];
    for ranges in wrong {
        let mut world = World::of(2, 1);
        let (peer, node) = (contact(1), contact(0).id);
        let ask = SyncAsk {
            req: 7,
            done: done.clone(),
            witness: false,
            first: true,
            ranges,
        };
        world.deliver(peer, node, StoreMessage::SyncAsk(Box::new(ask)));
        assert_eq!(world.hung_up, [(node, peer.id, Fault::Protocol)]);
    }
}

/// Only the root of an arc can have records dropped, and only ended ones, or those that it proves
/// dead.
#[test]
fn a_stranger_drops_nothing() {
    let mut world = World::of(5, 1);
    world.put(contact(0).id, key(1), b"x");
    world.run_for(Duration::from_secs(1));
    let replicas = world.replicas_of(key(1));
    let stranger = (0..5)
        .map(contact)
        .find(|peer| !replicas.contains(&peer.id));
    let (root, stranger) = (contact_of(replicas[0]), stranger.unwrap());
    let known = world.node(replicas[1]).store().meta(key(1), Slot::Value);
    let entries = vec![(key(1), Slot::Value, known.unwrap().version)];
    for from in [stranger, root] {
        for view in [0, 1] {
            let collect = SyncCollect {
                view,
                upto: Hlc(u64::MAX),
                entries: entries.clone(),
            };
            world.deliver(
                from,
                replicas[1],
                StoreMessage::SyncCollect(Box::new(collect)),
            );
        }
    }
    let items = StoreMessage::SyncItems {
        req: 1,
        items: Vec::new(),
        want: vec![(key(1), Slot::Value)],
        dead: Hlc(u64::MAX),
    };
    world.deliver(stranger, replicas[1], items);
    assert_eq!(world.holding(key(1)).len(), 3);
}

fn contact_of(id: Id) -> Contact {
    let mut all = (0..5).map(contact);
    all.find(|peer| peer.id == id)
        .expect("a node of this world")
}
