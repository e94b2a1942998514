//! Searches by words and by the beginning of keys.

mod common;

use bytes::Bytes;
use common::{World, delete, holder, key};
use overlay::{
    Condition, Consistency, Duration, HitKind, Id, Outcome, Reply, Request, TextHit, TextReport,
};
use std::collections::BTreeSet;

/// The lease that a holder has if nothing else is said.
const LEASE: u32 = 1_800;

fn put_text(key: Id, value: &[u8], text: &str) -> Request {
    Request::Put {
        key,
        value: Bytes::copy_from_slice(value),
        ttl_s: None,
        consistency: Consistency::Quorum,
        condition: Condition::Always,
        text: text.to_owned(),
        indexed: None,
    }
}

fn insert_indexed(name: &str, number: u16, lease_s: u32, text: &str) -> Request {
    Request::Insert {
        key: Id::of(name.as_bytes()),
        holder: holder(number),
        lease_s,
        text: text.to_owned(),
        indexed: Some(Bytes::copy_from_slice(name.as_bytes())),
    }
}

fn by_words(text: &str) -> Request {
    Request::SearchText {
        text: text.to_owned(),
        limit: 1_000,
        consistency: Consistency::Quorum,
    }
}

fn by_prefix(prefix: &str) -> Request {
    Request::SearchPrefix {
        prefix: Bytes::copy_from_slice(prefix.as_bytes()),
        limit: 1_000,
        consistency: Consistency::Quorum,
    }
}

fn ask(world: &mut World, node: Id, request: Request) -> TextReport {
    match world.ask(node, request) {
        Reply::TextSearched(report) => report,
        other => panic!("{other:?}"),
    }
}

fn keys(report: &TextReport) -> BTreeSet<Id> {
    report.results.iter().map(|hit| hit.key).collect()
}

fn names(report: &TextReport) -> Vec<String> {
    let name = |hit: &TextHit| hit.indexed.clone().unwrap_or_default();
    let names = report.results.iter().map(name);
    names
        .map(|name| String::from_utf8_lossy(&name).into_owned())
        .collect()
}

/// Does a call that must be done.
fn done(world: &mut World, node: Id, request: Request) {
    let reply = world.ask(node, request);
    assert!(!matches!(reply, Reply::Failed(_)), "{reply:?}");
}

#[test]
fn holders_and_values_are_found_by_all_of_their_words() {
    let mut world = World::of(8, 301);
    let ids = world.ids();
    let text = "Ubuntu 24.04 installation image";
    done(
        &mut world,
        ids[0],
        insert_indexed("ubuntu.iso", 1, LEASE, text),
    );
    done(
        &mut world,
        ids[1],
        put_text(key(1), b"value", "Größe of an image"),
    );
    for (query, found) in [
        ("ubuntu", 1),
        ("IMAGE", 2),
        ("image ubuntu", 1),
        ("grosse image", 1),
        ("ubun*", 1),
        ("ima* inst*", 1),
        ("ima*", 2),
        ("ubuntu debian", 0),
        ("debian", 0),
        ("deb*", 0),
        ("ubun", 0),
    ] {
        for node in [ids[2], ids[5]] {
            let report = ask(&mut world, node, by_words(query));
            assert_eq!(report.results.len(), found, "{query}: {report:?}");
            assert!(report.complete, "{query}: {report:?}");
            let outcome = if found > 0 {
                Outcome::Found
            } else {
                Outcome::Absent
            };
            assert_eq!(report.outcome, outcome, "{query}: {report:?}");
        }
    }
    let report = ask(&mut world, ids[3], by_words("grosse"));
    let TextHit { kind, text, .. } = &report.results[0];
    assert!(matches!(kind, HitKind::Value { size: 5, .. }), "{kind:?}");
    assert_eq!(text, "Größe of an image");
}

#[test]
fn a_rare_word_costs_one_question_whatever_the_others_are() {
    let mut world = World::of(8, 302);
    let ids = world.ids();
    for number in 0..300 {
        let text = if number == 7 { "common rare" } else { "common" };
        done(&mut world, ids[0], put_text(key(number), b"v", text));
    }
    let report = ask(&mut world, ids[1], by_words("common rare"));
    assert_eq!(keys(&report), BTreeSet::from([key(7)]));
    assert!(report.complete && report.asked <= 2, "{report:?}");
}

#[test]
fn a_popular_word_is_spread_and_found_completely() {
    let mut world = World::of(16, 303);
    // Of sixteen that join at once a root may know only after ten minutes that it has everything.
    world.run_for(Duration::from_secs(660));
    let ids = world.ids();
    for number in 0..900 {
        let node = ids[number as usize % ids.len()];
        let text = format!("popular number{number} third{}", number % 3);
        done(&mut world, node, put_text(key(number), b"v", &text));
    }
    let report = ask(&mut world, ids[1], by_words("popular"));
    assert_eq!(report.results.len(), 900, "{:?}", report.reason);
    assert!(report.complete && report.asked > 4, "{:?}", report.reason);
    let report = ask(&mut world, ids[2], by_words("third1 popular"));
    assert_eq!(report.results.len(), 300, "{:?}", report.reason);
    assert!(report.complete, "{:?}", report.reason);
    let few = Request::SearchText {
        text: "popular".to_owned(),
        limit: 10,
        consistency: Consistency::Quorum,
    };
    let report = ask(&mut world, ids[3], few);
    assert_eq!(report.results.len(), 10);
    assert!(!report.complete && report.asked == 1, "{report:?}");
    let report = ask(&mut world, ids[4], by_words("number89*"));
    assert_eq!(report.results.len(), 11, "{report:?}");
    assert!(report.complete, "{report:?}");
}

#[test]
fn keys_are_found_by_their_beginning_in_order() {
    let mut world = World::of(8, 304);
    let ids = world.ids();
    let mut all: Vec<String> = Vec::new();
    for number in 0..400_u16 {
        let name = format!("library/shelf-{:02}/book-{number:04}", number % 20);
        let node = ids[usize::from(number) % ids.len()];
        done(&mut world, node, insert_indexed(&name, number, LEASE, ""));
        all.push(name);
    }
    all.sort();
    for prefix in [
        "library/shelf-07",
        "library/shelf-07/book-01",
        "lib",
        "",
        "library/shelf-19/book-0399",
    ] {
        let report = ask(&mut world, ids[3], by_prefix(prefix));
        let wanted: Vec<_> = all
            .iter()
            .filter(|name| name.starts_with(prefix))
            .cloned()
            .collect();
        assert_eq!(names(&report), wanted, "{prefix}: {:?}", report.reason);
        assert!(report.complete, "{prefix}: {:?}", report.reason);
    }
    for prefix in ["library/shelf-20", "z", "library/shelf-07/book-0007/page"] {
        let report = ask(&mut world, ids[4], by_prefix(prefix));
        assert_eq!(report.outcome, Outcome::Absent, "{prefix}: {report:?}");
    }
}

#[test]
fn what_is_deleted_or_overwritten_is_found_no_more() {
    let mut world = World::of(8, 305);
    let ids = world.ids();
    done(
        &mut world,
        ids[0],
        insert_indexed("one", 1, LEASE, "alpha beta"),
    );
    done(&mut world, ids[0], put_text(key(1), b"v", "alpha gamma"));
    assert_eq!(ask(&mut world, ids[3], by_words("alpha")).results.len(), 2);
    // Each at another node than the one that was asked to store it.
    done(&mut world, ids[1], delete(Id::of(b"one"), Some(holder(1))));
    done(&mut world, ids[2], put_text(key(1), b"w", "alpha delta"));
    world.run_for(Duration::from_secs(2));
    let report = ask(&mut world, ids[3], by_words("alpha"));
    assert_eq!(keys(&report), BTreeSet::from([key(1)]), "{report:?}");
    for gone in ["beta", "gamma"] {
        let report = ask(&mut world, ids[3], by_words(gone));
        assert_eq!(report.outcome, Outcome::Absent, "{gone}: {report:?}");
    }
    assert_eq!(ask(&mut world, ids[3], by_words("delta")).results.len(), 1);
    done(&mut world, ids[4], delete(key(1), None));
    world.run_for(Duration::from_secs(2));
    let report = ask(&mut world, ids[3], by_words("alpha"));
    assert_eq!(report.outcome, Outcome::Absent, "{report:?}");
    // The name follows when the node that renewed the lease hears of it.
    world.run_for(Duration::from_secs(u64::from(LEASE) / 3 + 60));
    let report = ask(&mut world, ids[3], by_prefix("one"));
    assert_eq!(report.outcome, Outcome::Absent, "{report:?}");
}

#[test]
fn words_last_as_long_as_what_they_describe() {
    let mut world = World::of(8, 306);
    let ids = world.ids();
    let (inserter, putter) = (ids[0], ids[1]);
    done(
        &mut world,
        inserter,
        insert_indexed("one", 1, 60, "short lease"),
    );
    done(&mut world, putter, put_text(key(1), b"v", "long life"));
    world.run_for(Duration::from_secs(600));
    let report = ask(&mut world, ids[3], by_words("lease"));
    assert_eq!(report.results.len(), 1, "it was renewed: {report:?}");
    // One after the other: when two of three replicas die at once, absence is not proven for long.
    for dead in [putter, inserter] {
        world.run_for(Duration::from_secs(60));
        world.kill(dead);
        world.bury(dead);
    }
    world.run_for(Duration::from_secs(62));
    for (query, prefix) in [(Some("lease"), None), (None, Some("one"))] {
        let request = query.map_or_else(|| by_prefix(prefix.unwrap_or("")), by_words);
        let report = ask(&mut world, ids[3], request);
        assert_eq!(report.outcome, Outcome::Absent, "{report:?}");
    }
    // The root of a value keeps its words, also long after the node that was asked to put it died.
    for _ in 0..8 {
        world.run_for(Duration::from_secs(1_000));
        let report = ask(&mut world, ids[3], by_words("life"));
        assert_eq!(report.results.len(), 1, "{report:?}");
    }
}

#[test]
fn an_index_whose_owners_are_dead_is_unknown_and_never_absent() {
    let mut world = World::of(8, 307);
    let ids = world.ids();
    done(&mut world, ids[0], put_text(key(1), b"v", "precious"));
    let base = dht::words::Node::root(dht::words::Tree::Word("precious".to_owned())).base();
    for dead in world.replicas_of(base) {
        world.kill(dead);
    }
    let reader = world.ids()[0];
    let report = ask(&mut world, reader, by_words("precious"));
    assert_eq!(report.outcome, Outcome::Unknown, "{report:?}");
    assert!(report.reason.is_some() && !report.complete);
}
