//! What is sent on over a link: no more than the next node takes, and of that a share for everybody.

mod common;

use common::bench::{Bench, contact, guid, query, walker};
use gnutella::{Message, Reach, Role};
use overlay::{Effect, Time};

/// Two neighbours, 1 and 2, each of which sends as many walkers as it may, for three seconds; what
/// the node sends to neighbour 3, with the time, and how many origins are told of an end.
fn walkers_pressed(roles: [Role; 3]) -> (Vec<(Time, Message)>, usize, usize) {
    let mut bench = Bench::with(Role::Ultrapeer, &roles);
    let (mut passed, mut ended, mut sent) = (Vec::new(), 0, 0);
    for tick in 0..300 {
        bench.now = Time(1 + tick * 10_000);
        for number in 0..78 {
            let from = 1 + number % 2;
            let walk = walker(tick * 1_000 + number as u64, from);
            sent += 1;
            for effect in bench.send(from, Message::Walk(Box::new(walk))) {
                match effect {
                    Effect::Send { to, message } if to.id == contact(3).id => {
                        passed.push((bench.now, message));
                    }
                    Effect::Send {
                        message: Message::CheckBack { ended: true, .. },
                        ..
                    } => ended += 1,
                    Effect::HangUp { peer, .. } => panic!("{peer} kept to its rate"),
                    _ => {}
                }
            }
        }
    }
    (passed, ended, sent)
}

/// What a node of this role hears from neighbour 1 does not make it hang up.
fn takes(role: Role, messages: Vec<(Time, Message)>) {
    let mut next = Bench::with(role, &[Role::Ultrapeer]);
    for (at, message) in messages {
        next.now = at;
        assert_eq!(next.fault(1, message), None, "{at:?}");
    }
}

/// A node passed on whatever walkers came, and the next one hung up on it.
#[test]
fn walkers_go_no_faster_than_the_next_link_takes_them() {
    let (passed, ended, sent) = walkers_pressed([Role::Leaf, Role::Leaf, Role::Ultrapeer]);
    assert!(passed.len() > 12_000, "{}", passed.len());
    assert_eq!(passed.len() + ended, sent, "origins of the others are told");
    takes(Role::Ultrapeer, passed);
}

/// Leaves are asked for walkers no faster than they take queries.
#[test]
fn leaves_are_asked_for_walkers_no_faster_than_they_take_it() {
    let (asked, ..) = walkers_pressed([Role::Ultrapeer, Role::Ultrapeer, Role::Leaf]);
    assert!(asked.len() > 5_000, "{}", asked.len());
    takes(Role::Leaf, asked);
}

/// Of a link that two neighbours would fill, a third has the share that it needs.
#[test]
fn who_asks_little_loses_nothing_to_those_who_ask_much() {
    let mut bench = Bench::new();
    let mut passed = [0; 4];
    let mut asked = [0; 4];
    for tick in 0..10_000_u64 {
        bench.now = Time(1 + tick * 1_000);
        // 1,900 a second of each of two, and then 50 of the third.
        for from in [1, 2, 3] {
            let is_due = if from == 3 {
                tick % 20 == 0
            } else {
                tick % 20 != 10
            };
            if !is_due {
                continue;
            }
            for copy in 0..if from == 3 { 1 } else { 2 } {
                let number = (tick * 4 + copy) * 4 + from as u64;
                asked[from] += 1;
                for effect in bench.send(from, query(number, 3, 0)) {
                    let Effect::Send { to, message } = effect else {
                        continue;
                    };
                    if !matches!(message, Message::Query { .. }) {
                        continue;
                    }
                    passed[from] += usize::from(to.id == contact(4).id);
                    let at = (1..=4).find(|at| contact(*at).id == to.id);
                    bench.send(at.expect("a neighbour"), echo(number));
                }
            }
        }
    }
    assert_eq!(passed[3], asked[3], "of {asked:?} came {passed:?}");
    assert!(
        passed[1] + passed[2] < asked[1] + asked[2],
        "the link was short"
    );
    assert_eq!(bench.node.tally().ended, 0);
}

fn echo(number: u64) -> Message {
    Message::Reached {
        guid: guid(number),
        reach: Reach::NONE,
        hits: 0,
    }
}
