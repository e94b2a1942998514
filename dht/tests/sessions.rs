//! A client that carries along what it has seen gets no older answer.

mod common;

use common::{World, contact, delete, get, key};
use overlay::{GetReport, Hlc, Id, Outcome, Reply, Request, Version};

/// Reads as a client that has seen a version.
fn get_after(world: &mut World, node: Id, key: Id, seen: Version) -> GetReport {
    let mut request = get(key);
    if let Request::Get { at_least, .. } = &mut request {
        *at_least = Some(seen);
    }
    match world.ask(node, request) {
        Reply::Got(report) => report,
        other => panic!("get {key}: {other:?}"),
    }
}

#[test]
fn what_was_seen_is_found_again_and_nothing_older() {
    let mut world = World::of(6, 1);
    let (writer, reader) = (contact(0).id, contact(3).id);
    let seen = world.put(writer, key(1), b"one").version;
    let report = get_after(&mut world, reader, key(1), seen);
    assert_eq!(
        (report.outcome, report.version),
        (Outcome::Found, Some(seen))
    );
    // Somebody has shown this client a version that no replica has any more.
    let lost = Version {
        clock: Hlc(seen.clock.0 + 1),
        ..seen
    };
    let report = get_after(&mut world, reader, key(1), lost);
    assert_eq!((report.outcome, report.value), (Outcome::Unknown, None));
    let reason = report.reason.unwrap_or_default();
    assert!(reason.contains("older than the version"), "{reason}");
    world.expect(reader, key(1), b"one");
}

#[test]
fn an_absence_is_a_step_forward_only_after_a_newer_deletion() {
    let mut world = World::of(6, 2);
    let (writer, reader) = (contact(0).id, contact(3).id);
    let seen = world.put(writer, key(1), b"one").version;
    let deleted = match world.ask(writer, delete(key(1), None)) {
        Reply::Deleted(report) => report.version,
        other => panic!("{other:?}"),
    };
    for known in [seen, deleted] {
        let report = get_after(&mut world, reader, key(1), known);
        assert_eq!(report.outcome, Outcome::Absent);
        assert_eq!(report.version, Some(deleted), "the next read may demand it");
    }
    // Nothing was ever stored there, as far as anybody knows; and yet the client has seen it.
    assert_eq!(world.get(reader, key(2)).outcome, Outcome::Absent);
    let report = get_after(&mut world, reader, key(2), seen);
    assert_eq!(report.outcome, Outcome::Unknown, "{report:?}");
}
