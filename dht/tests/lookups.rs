//! What is told of the lookups that calls need.

mod common;

use common::{World, contact, delete, get, holder, insert, key, put, search};
use overlay::{Consistency, Duration, Id, LookupReport, Request};

/// Asks, and gives the lookups that were told of the call until it was answered.
fn told(world: &mut World, asked: Id, request: Request) -> Vec<LookupReport> {
    let began = world.now;
    let op = world.call(asked, request);
    world.reply(op);
    let whole = world.now.since(began);
    let mine = world.lookups.iter().filter(|(of, _)| *of == op);
    let all: Vec<_> = mine.map(|(_, report)| report.clone()).collect();
    assert!(all.iter().all(|report| report.took <= whole), "{all:?}");
    all
}

#[test]
fn each_lookup_that_a_call_needs_is_told() {
    let kinds: [fn(Id) -> Request; 5] = [
        |key| put(key, b"x"),
        get,
        |key| insert(key, holder(1), 600, ""),
        |key| search(key, 10),
        |key| delete(key, None),
    ];
    for request in kinds {
        let mut world = World::of(8, 5);
        let asked = contact(0).id;
        let mut known = 0;
        for number in 0..60 {
            let at = key(number);
            let root = world.root_of(at);
            let all = told(&mut world, asked, request(at));
            let [report] = &all[..] else {
                assert!(all.is_empty(), "nobody denies its part: {all:?}");
                known += 1;
                continue;
            };
            let found = report.result.as_ref().expect("all are alive");
            assert_eq!((report.key, found.owner.id), (at, root));
            assert!(found.hops > 0 && found.timeouts == 0, "{found:?}");
            assert!(report.took >= Duration::from_millis(2), "{report:?}");
        }
        // One for each arc of another: what is remembered needs none.
        assert_eq!(known, 60 - 7);
    }
}

#[test]
fn a_lookup_that_is_given_up_is_told_with_the_reason() {
    let mut world = World::of(5, 6);
    let asked = contact(0).id;
    for other in world.ids() {
        world.cut.insert((asked, other));
    }
    let far = (0..)
        .map(key)
        .find(|key| !world.replicas_of(*key).contains(&asked));
    let far = far.expect("keys without end");
    for request in [put(far, b"x"), get(far)] {
        let all = told(&mut world, asked, request);
        let [report] = &all[..] else {
            panic!("it is told once: {all:?}");
        };
        assert_eq!(report.key, far);
        let why = report.result.as_ref().expect_err("nobody answers");
        assert!(!why.is_empty());
        assert!(report.took >= Duration::from_secs(1), "{report:?}");
    }
}

#[test]
fn a_locate_and_the_parts_of_an_index_are_not_told_besides() {
    let mut world = World::of(8, 7);
    let asked = contact(0).id;
    let far = world.outsider(key(1));
    let locate = Request::Locate {
        key: key(1),
        iterative: true,
    };
    assert!(told(&mut world, far, locate).is_empty());
    let words = Request::SearchText {
        text: "fox".to_owned(),
        limit: 10,
        consistency: Consistency::Quorum,
    };
    assert!(told(&mut world, asked, words).is_empty());
}
