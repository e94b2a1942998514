//! The incremental checks say what the checks of a snapshot say, and find what is planted.

use chord::invariants::{
    Incremental, Member, Violation, live_successor, ordered_lists, principals,
};
use overlay::Id;
use proptest::prelude::*;
use std::collections::BTreeMap;

const LENGTH: usize = 3;
/// Ids of the proptest are spread over so many points, so that they meet often.
const POINTS: u64 = 24;

fn id(number: u64) -> Id {
    // The highest bits too: ranges must go round zero.
    Id::from_parts((number as u32) << 27, u128::from(number))
}

type Network = BTreeMap<Id, Vec<Id>>;

fn snapshot(network: &Network) -> Vec<Member<'_>> {
    network
        .iter()
        .map(|(id, list)| Member {
            id: *id,
            alive: true,
            successors: list,
            predecessor: None,
        })
        .collect()
}

fn check_snapshot(network: &Network) -> Result<(), Violation> {
    let members = snapshot(network);
    ordered_lists::check(&members)?;
    live_successor::check(&members)?;
    principals::check(&members, LENGTH)
}

/// What every list must be.
fn ideal(network: &Network) -> Network {
    let ids: Vec<Id> = network.keys().copied().collect();
    let list = |at: usize| {
        let next = |step: usize| ids[(at + step) % ids.len()];
        (1..=LENGTH).map(next).collect()
    };
    (0..ids.len()).map(|at| (ids[at], list(at))).collect()
}

fn ideal_ring(count: u64) -> Network {
    ideal(&(0..count).map(|number| (id(number), Vec::new())).collect())
}

fn incremental(network: &Network) -> Incremental {
    let mut incremental = Incremental::new(LENGTH);
    for (id, list) in network {
        incremental.set(*id, list.clone());
    }
    incremental
}

/// One change of one member.
#[derive(Clone, Debug)]
enum Change {
    /// Any list at all.
    List(u64, Vec<u64>),
    /// The list that the ring asks for, without so many of its first entries.
    Repair(u64, usize),
    Gone(u64),
}

fn change() -> impl Strategy<Value = Change> {
    let list = proptest::collection::vec(0..POINTS, 0..=LENGTH + 1);
    prop_oneof![
        1 => (0..POINTS, list).prop_map(|(at, list)| Change::List(at, list)),
        3 => (0..POINTS, 0_usize..2).prop_map(|(at, less)| Change::Repair(at, less)),
        1 => (0..POINTS).prop_map(Change::Gone),
    ]
}

fn apply(network: &mut Network, incremental: &mut Incremental, change: Change) {
    let (at, list) = match change {
        Change::Gone(at) => {
            network.remove(&id(at));
            return incremental.remove(id(at));
        }
        Change::List(at, list) => (id(at), list.into_iter().map(id).collect()),
        Change::Repair(at, less) => {
            network.entry(id(at)).or_default();
            let mut list = ideal(network).remove(&id(at)).expect("it was added");
            list.drain(..less.min(list.len()));
            (id(at), list)
        }
    };
    network.insert(at, list.clone());
    incremental.set(at, list);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_sequence_of_changes_is_judged_as_its_snapshots_are(
        changes in proptest::collection::vec(change(), 1..60),
    ) {
        let (mut network, mut followed) = (Network::new(), Incremental::new(LENGTH));
        for change in changes {
            apply(&mut network, &mut followed, change);
            let members = snapshot(&network);
            prop_assert_eq!(followed.principals(), principals::count(&members));
            prop_assert_eq!(followed.members(), network.len());
            prop_assert_eq!(followed.check(), check_snapshot(&network));
            prop_assert_eq!(followed.check_order(), ordered_lists::check(&members));
            let is_ideal = network.len() > LENGTH && network == ideal(&network);
            prop_assert_eq!(followed.is_ideal(), is_ideal);
        }
    }
}

fn broken(incremental: &Incremental) -> &'static str {
    incremental.check().expect_err("must be broken").invariant
}

#[test]
fn an_ideal_ring_violates_nothing_and_is_known_as_ideal() {
    let mut ring = incremental(&ideal_ring(10));
    ring.check().unwrap();
    assert!(ring.is_ideal() && ring.principals() == 10);
    ring.remove(id(4));
    ring.check().unwrap();
    assert!(!ring.is_ideal(), "three lists hold a dead entry");
}

#[test]
fn a_list_out_of_order_is_found_and_forgotten_with_its_owner() {
    for list in [[2, 2, 3], [2, 1, 3], [2, 4, 3]] {
        let mut ring = incremental(&ideal_ring(10));
        ring.set(id(1), list.map(id).to_vec());
        assert_eq!(broken(&ring), "ordered lists", "{list:?}");
        ring.remove(id(1));
        ring.check().unwrap();
    }
}

#[test]
fn the_death_of_a_last_live_successor_is_found_and_its_return_seen() {
    let mut ring = incremental(&ideal_ring(10));
    for dead in [2, 3] {
        ring.remove(id(dead));
        ring.check().unwrap();
    }
    ring.remove(id(4));
    assert_eq!(broken(&ring), "live successor");
    ring.set(id(3), [5, 6, 7].map(id).to_vec());
    ring.check().unwrap();
}

#[test]
fn too_few_principals_are_found_as_pairs_skip_them() {
    let mut ring = incremental(&ideal_ring(6));
    ring.set(id(0), [2, 3, 4].map(id).to_vec());
    assert_eq!(ring.principals(), 5, "0 skips 1");
    ring.set(id(5), [2, 3, 4].map(id).to_vec());
    assert_eq!(ring.principals(), 4, "5 skips 0 too");
    ring.check().unwrap();
    ring.set(id(2), [4, 5, 0].map(id).to_vec());
    assert_eq!(broken(&ring), "principals");
    ring.remove(id(2));
    assert_eq!(ring.principals(), 3, "2 is gone, and skips nobody any more");
}

#[test]
fn a_member_that_joins_is_skipped_until_the_lists_have_it() {
    let mut ring = incremental(&ideal_ring(6));
    ring.set(id(20), [0, 1, 2].map(id).to_vec());
    assert_eq!((ring.members(), ring.principals()), (7, 6), "5 skips 20");
    ring.set(id(5), [20, 0, 1].map(id).to_vec());
    ring.set(id(4), [5, 20, 0].map(id).to_vec());
    assert_eq!(ring.principals(), 6, "3 lists 4, 5 and 0");
    ring.set(id(3), [4, 5, 20].map(id).to_vec());
    assert!(ring.is_ideal());
}
