//! Every reachable state of small rings, by driving the transition functions of `chord::ring`.
//!
//! # What is explored
//!
//! Breadth first from every ideal ring of at least r + 1 = 3 members among up to 6 identifiers,
//! with r = 2, to the end: all states that any interleaving of these events reaches.
//!
//! - join of any identifier that is not a live member, at any live member; one that failed may
//!   come back while others still list it;
//! - failure of any member, when every live member keeps a live entry and r + 1 principals remain
//!   (Zave's operating assumption);
//! - stabilise from successor, live and dead;
//! - stabilise from predecessor.
//!
//! # What is bounded
//!
//! Six identifiers and r = 2. States that differ by a rotation of the circle are one state.
//! Predecessors, pending second steps and notifications are not part of the state of the large
//! exploration: instead *any* live member between n and its successor may be offered to n as its
//! successor's predecessor at *any* time. That allows every behaviour of the real predecessor
//! pointers and more, so an invariant that holds here holds there too. The small exploration
//! (`with_predecessors`) keeps predecessors, remembered candidates and pending notifications as they
//! really are, among four identifiers, with at most two notifications on their way at a time
//! (others are lost).

#[path = "exhaustive/explore.rs"]
mod explore;
#[path = "exhaustive/full.rs"]
mod full;
#[path = "exhaustive/model.rs"]
mod model;

use explore::{Rules, explore};

#[test]
fn no_reachable_state_of_a_ring_among_six_identifiers_violates_the_invariant() {
    for identifiers in 3..=6 {
        let states = explore(identifiers, Rules::Corrected).expect("the invariant holds");
        println!("{identifiers} identifiers, r = 2: {states} states up to rotation");
        assert!(states > 0);
    }
}

/// The explorer can fail: with the original rule, that a node takes over its successor's
/// predecessor without asking it, a dead node enters a list and the ring breaks.
#[test]
fn the_original_rule_breaks_the_ring() {
    let violation = explore(5, Rules::AdoptUnasked).expect_err("a violation is reachable");
    println!("{violation}");
}

/// And without the operating assumption: a failure may take the last live successor.
#[test]
fn an_unrestricted_failure_breaks_the_ring() {
    explore(4, Rules::FailAtWill).expect_err("a violation is reachable");
}

#[test]
fn with_predecessors_and_notifications_the_invariant_holds_and_every_state_can_heal() {
    let (states, healed) = full::explore(4).expect("the invariant holds and rings heal");
    println!("4 identifiers with predecessors: {states} states, {healed} healed");
    assert!(states > 1_000);
}
