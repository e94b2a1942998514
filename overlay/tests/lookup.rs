//! The common lookup over a ring that never changes: every hop, every way round a dead one.

mod support;

use overlay::lookup::{
    Located, LookupConfig, LookupError, LookupRequest, MAX_AVOIDED, Mode, RoutingCall, RoutingEvent,
};
use overlay::{Duration, Id, OpId};
use support::{Node, World, contact};

fn look_up(world: &mut World, node: usize, request: LookupRequest) -> Result<Located, LookupError> {
    world.answers.clear();
    world.call(node, 42, RoutingCall::Lookup(request));
    let mut answers = std::mem::take(&mut world.answers);
    assert_eq!(answers.len(), 1, "exactly one final event: {answers:?}");
    match answers.remove(0) {
        RoutingEvent::Located {
            op: OpId(42),
            result,
        } => result,
        other => panic!("not the answer to the call: {other:?}"),
    }
}

fn traced(key: u64, mode: Mode) -> LookupRequest {
    LookupRequest {
        mode,
        trace: true,
        fresh: true,
        ..LookupRequest::new(Id::from_u64(key))
    }
}

fn path(located: &Located) -> Vec<u64> {
    located
        .path
        .iter()
        .map(|node| u64::from(node.addr.port()) - 1)
        .collect()
}

/// Silent hops, tries of another hop instead, and lookups that were begun anew, at all nodes.
fn counted(world: &World) -> (u64, u64, u64) {
    let all = world.nodes.iter().map(Node::tally);
    all.fold((0, 0, 0), |sum, one| {
        (
            sum.0 + one.hop_timeouts,
            sum.1 + one.hop_retries,
            sum.2 + one.restarts,
        )
    })
}

#[test]
fn both_modes_walk_the_same_way() {
    for mode in [Mode::Recursive, Mode::Iterative] {
        let mut world = World::new(20, 4, &LookupConfig::default());
        let found = look_up(&mut world, 0, traced(1_050, mode)).expect("an answer");
        assert_eq!(
            found.owner,
            contact(11),
            "{mode:?}: first node at or after 1050"
        );
        assert_eq!(path(&found), [0, 4, 8, 11], "{mode:?}");
        assert_eq!((found.hops, found.timeouts), (3, 0), "{mode:?}");
        assert_eq!(found.previous, Some(contact(8)), "{mode:?}");
        assert_eq!(
            found.replicas,
            [contact(11), contact(12), contact(13)],
            "{mode:?}"
        );
        // A hop that is asked is measured: there and back, a millisecond each.
        let asked = if mode == Mode::Iterative { 3 } else { 0 };
        assert_eq!(found.hop_times[..], vec![Duration::from_millis(2); asked]);
    }
}

#[test]
fn an_own_key_needs_no_message() {
    let mut world = World::new(20, 4, &LookupConfig::default());
    let found = look_up(&mut world, 3, traced(250, Mode::Recursive)).expect("an answer");
    assert_eq!((found.owner, found.hops, world.sent), (contact(3), 0, 0));
}

#[test]
fn silent_hops_are_gone_round() {
    for mode in [Mode::Recursive, Mode::Iterative] {
        for reports_dead in [false, true] {
            let mut world = World::new(20, 4, &LookupConfig::default());
            world.dead.extend([4, 7]);
            world.reports_dead = reports_dead;
            let found = look_up(&mut world, 0, traced(1_050, mode)).expect("an answer");
            assert_eq!(
                found.owner,
                contact(11),
                "{mode:?}, reported: {reports_dead}"
            );
            assert_eq!(
                path(&found),
                [0, 3, 6, 10, 11],
                "{mode:?}, reported: {reports_dead}"
            );
            assert_eq!(found.timeouts, 2, "{mode:?}, reported: {reports_dead}");
            // Each silence was followed by a try elsewhere; nothing was begun anew.
            assert_eq!(counted(&world), (2, 2, 0), "{mode:?}, {reports_dead}");
            // Only those that answered, however long the silent ones were waited for.
            let asked = if mode == Mode::Iterative { 4 } else { 0 };
            assert_eq!(found.hop_times[..], vec![Duration::from_millis(2); asked]);
        }
    }
}

#[test]
fn the_next_live_node_answers_for_dead_roots() {
    for mode in [Mode::Recursive, Mode::Iterative] {
        let mut world = World::new(20, 4, &LookupConfig::default());
        world.dead.extend([11, 12]);
        let found = look_up(&mut world, 0, traced(1_050, mode)).expect("an answer");
        assert_eq!(found.owner, contact(13), "{mode:?}");
        assert!(
            found.arc.contains(Id::from_u64(1_050)),
            "{mode:?}: {}",
            found.arc
        );
        assert!(
            !found.arc.contains(Id::from_u64(1_049)),
            "{mode:?}: no more than was asked"
        );
    }
}

#[test]
fn an_exact_lookup_waits_for_a_node_that_claims_the_key() {
    // The root 11 is dead, and 12 has not taken its part over. The nodes behind 12 do not know that
    // it lives: whoever is told that 12 is silent, and takes 13 for the root, is told so wrongly.
    for mode in [Mode::Recursive, Mode::Iterative] {
        let mut world = World::new(20, 4, &LookupConfig::default());
        world.dead.insert(11);
        (13..20).for_each(|node| world.forget_predecessor(node));
        let request = LookupRequest {
            exact: true,
            ..traced(1_050, mode)
        };
        let error = look_up(&mut world, 0, request.clone()).expect_err("nobody claims the key");
        assert_eq!(error, LookupError::NoAnswer { attempts: 6 }, "{mode:?}");
        world.take_over(12, 10);
        let found = look_up(&mut world, 0, request).expect("12 claims it");
        assert_eq!(found.owner, contact(12), "{mode:?}");
    }
}

#[test]
fn a_supposed_root_that_waits_is_not_called_silent() {
    let mut world = World::new(20, 4, &LookupConfig::default());
    world.dead.insert(11);
    let request = LookupRequest {
        exact: true,
        ..traced(1_050, Mode::Recursive)
    };
    look_up(&mut world, 0, request).expect_err("nobody claims the key");
    let named: Vec<Id> = world.named_silent.iter().copied().collect();
    assert_eq!(named, [contact(11).id], "12 lives, and will be the root");
}

#[test]
fn a_live_root_that_was_passed_over_still_answers() {
    // Node 8 suspects the root 11 without reason and asks 12, which asks its predecessor first.
    let mut world = World::new(20, 4, &LookupConfig::default());
    world.dead.insert(11);
    look_up(&mut world, 8, traced(1_050, Mode::Recursive)).expect("an answer");
    world.dead.clear();
    let found = look_up(&mut world, 8, traced(1_050, Mode::Recursive)).expect("an answer");
    assert_eq!(found.owner, contact(11));
}

#[test]
fn the_second_lookup_in_an_arc_takes_one_hop() {
    let mut world = World::new(20, 4, &LookupConfig::default());
    look_up(&mut world, 0, LookupRequest::new(Id::from_u64(1_050))).expect("an answer");
    let sent = world.sent;
    let again = look_up(&mut world, 0, LookupRequest::new(Id::from_u64(1_001))).expect("an answer");
    assert_eq!((again.owner, again.hops), (contact(11), 1));
    assert_eq!(world.sent - sent, 3, "forward, taken, answer");
    world.nodes[0].forget(Id::from_u64(1_050));
    let third = look_up(&mut world, 0, LookupRequest::new(Id::from_u64(1_001))).expect("an answer");
    assert_eq!(third.hops, 3, "forgotten, so the whole way again");
}

#[test]
fn a_cached_root_that_died_is_gone_round_and_forgotten() {
    let mut world = World::new(20, 4, &LookupConfig::default());
    look_up(&mut world, 0, LookupRequest::new(Id::from_u64(1_050))).expect("an answer");
    world.dead.insert(11);
    let found = look_up(&mut world, 0, LookupRequest::new(Id::from_u64(1_050))).expect("an answer");
    assert_eq!(found.owner, contact(12));
    let cached = world.nodes[0]
        .cached(Id::from_u64(1_050))
        .expect("the new answer");
    assert_eq!(cached.replicas[0], contact(12));
}

#[test]
fn a_lookup_that_cannot_succeed_ends_with_an_error() {
    for mode in [Mode::Recursive, Mode::Iterative] {
        let config = LookupConfig {
            attempts: 3,
            ..LookupConfig::default()
        };
        let mut world = World::new(20, 4, &config);
        world.dead.extend(1..20);
        let error = look_up(&mut world, 0, traced(1_050, mode)).expect_err("nobody is left");
        assert_eq!(error, LookupError::NoAnswer { attempts: 3 }, "{mode:?}");
        let (timeouts, retries, restarts) = counted(&world);
        assert_eq!(restarts, 2, "{mode:?}");
        // After the last candidate there is no other hop.
        assert!(0 < retries && retries < timeouts, "{retries}, {timeouts}");
        assert_eq!(world.nodes[0].lookups_under_way(), 0, "{mode:?}");
        assert_eq!(world.nodes[0].relays_under_way(), 0, "{mode:?}");
    }
}

#[test]
fn what_is_beyond_its_bound_is_not_believed() {
    use overlay::Input;
    use overlay::lookup::{Forward, LookupId, LookupMessage, MAX_HOPS, RoutingMessage};
    let mut world = World::new(20, 4, &LookupConfig::default());
    let good = Forward {
        hop: 1,
        lookup: LookupId(1),
        origin: contact(5),
        key: Id::from_u64(1_050),
        last: false,
        checks: 0,
        exact: false,
        hops: 1,
        timeouts: 0,
        avoid: (0..MAX_AVOIDED as u64).map(Id::from_u64).collect(),
        path: Some(vec![contact(5); usize::from(MAX_HOPS)]),
    };
    let mut far = good.clone();
    far.hops = MAX_HOPS + 1;
    let mut long = good.clone();
    long.path = Some(vec![contact(5); usize::from(MAX_HOPS) + 1]);
    let mut crowded = good.clone();
    crowded.avoid.push(Id::MAX);
    let hostile = [far, long, crowded];
    for forward in hostile.into_iter().chain([good]) {
        let message = RoutingMessage::Lookup(LookupMessage::Forward(Box::new(forward)));
        world.feed(
            0,
            Input::Message {
                from: contact(5),
                message,
            },
        );
    }
    assert_eq!(
        world.hung_up,
        [(0, contact(5)); 3],
        "three faults, and the good one none"
    );
}
