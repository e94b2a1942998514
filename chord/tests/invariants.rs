//! The invariants themselves: they must be able to fail, and to keep up with a simulation.

use chord::invariants::{
    Member, Violation, check_all, live_successor, one_ring, ordered_lists, principals,
};
use overlay::Id;
use proptest::prelude::*;

/// A snapshot that owns its lists.
struct Snapshot(Vec<(Id, bool, Vec<Id>)>);

impl Snapshot {
    fn members(&self) -> Vec<Member<'_>> {
        self.0
            .iter()
            .map(|(id, alive, list)| Member {
                id: *id,
                alive: *alive,
                successors: list,
                predecessor: None,
            })
            .collect()
    }

    /// The ideal ring of these numbers.
    fn ideal(numbers: &[u64], length: usize) -> Self {
        let ids: Vec<Id> = numbers.iter().map(|number| Id::from_u64(*number)).collect();
        let list = |at: usize| {
            (1..=length)
                .map(|step| ids[(at + step) % ids.len()])
                .collect()
        };
        Self((0..ids.len()).map(|at| (ids[at], true, list(at))).collect())
    }
}

fn id(number: u64) -> Id {
    Id::from_u64(number)
}

fn broken(result: Result<(), Violation>) -> &'static str {
    result.expect_err("must be broken").invariant
}

#[test]
fn an_ideal_ring_violates_nothing() {
    let snapshot = Snapshot::ideal(&[10, 20, 30, 40, 50, 60], 3);
    check_all(&snapshot.members(), 3).unwrap();
    assert_eq!(principals::count(&snapshot.members()), 6);
}

#[test]
fn a_duplicate_oneself_or_a_step_back_is_out_of_order() {
    for list in [[20, 20], [20, 10], [30, 20]] {
        let mut snapshot = Snapshot::ideal(&[10, 20, 30, 40], 2);
        snapshot.0[0].2 = list.map(id).to_vec();
        assert_eq!(
            broken(ordered_lists::check(&snapshot.members())),
            "ordered lists",
            "{list:?}"
        );
    }
}

#[test]
fn a_member_whose_successors_are_dead_or_unknown_has_none_alive() {
    let mut snapshot = Snapshot::ideal(&[10, 20, 30, 40], 2);
    snapshot.0[1].1 = false;
    live_successor::check(&snapshot.members()).unwrap();
    snapshot.0[0].2 = vec![id(20), id(25)];
    assert_eq!(
        broken(live_successor::check(&snapshot.members())),
        "live successor"
    );
}

#[test]
fn skipped_members_are_no_principals() {
    let mut snapshot = Snapshot::ideal(&[10, 20, 30, 40, 50], 2);
    snapshot.0[0].2 = vec![id(30), id(40)];
    assert_eq!(principals::count(&snapshot.members()), 4, "10 skips 20");
    snapshot.0[4].2 = vec![id(10), id(40)];
    assert_eq!(
        principals::count(&snapshot.members()),
        3,
        "50 skips 20 and 30"
    );
    principals::check(&snapshot.members(), 2).unwrap();
    snapshot.0[0].2 = vec![id(40), id(50)];
    snapshot.0[1].1 = false;
    assert_eq!(
        broken(principals::check(&snapshot.members(), 3)),
        "principals"
    );
}

#[test]
fn two_rings_a_loop_and_a_ring_that_goes_round_twice_are_no_ring() {
    let mut two = Snapshot::ideal(&[10, 20, 30, 40], 1);
    for (at, next) in [(0, 20), (1, 10), (2, 40), (3, 30)] {
        two.0[at].2 = vec![id(next)];
    }
    assert_eq!(broken(one_ring::check(&two.members())), "one ring");
    let mut twice = Snapshot::ideal(&[10, 20, 30, 40, 50], 1);
    for (at, next) in [(0, 30), (2, 50), (4, 20), (1, 40), (3, 10)] {
        twice.0[at].2 = vec![id(next)];
    }
    assert_eq!(broken(one_ring::check(&twice.members())), "one ring");
    let mut appendage = Snapshot::ideal(&[10, 20, 30, 40], 1);
    appendage.0[0].2 = vec![id(30)];
    one_ring::check(&appendage.members()).expect("20 is an appendage, 10, 30 and 40 are the ring");
}

/// By the definition, for each member and each pair.
fn count_slowly(members: &[Member<'_>]) -> usize {
    let skipped = |candidate: Id| {
        members.iter().filter(|member| member.alive).any(|member| {
            let mut list = vec![member.id];
            list.extend(member.successors);
            list.windows(2)
                .any(|pair| candidate.is_between(pair[0], pair[1]))
        })
    };
    members
        .iter()
        .filter(|member| member.alive && !skipped(member.id))
        .count()
}

proptest! {
    #[test]
    fn principals_are_counted_as_defined(
        nodes in proptest::collection::vec((any::<bool>(), proptest::collection::vec(0_u64..24, 0..4)), 1..20),
    ) {
        let lists = nodes.iter().enumerate().map(|(at, (alive, list))| {
            (id(at as u64), *alive, list.iter().map(|entry| id(*entry)).collect())
        });
        let snapshot = Snapshot(lists.collect());
        let members = snapshot.members();
        prop_assert_eq!(principals::count(&members), count_slowly(&members));
    }
}

/// Often enough after every event: 1000 members with lists of 20.
#[test]
fn checking_a_thousand_members_is_fast() {
    let mut numbers: Vec<u64> = (0..1000_u64)
        .map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .collect();
    numbers.sort_unstable();
    let mut snapshot = Snapshot::ideal(&numbers, 20);
    for at in (0..1000).step_by(7) {
        snapshot.0[at].1 = false;
    }
    let members = snapshot.members();
    let rounds = 100;
    #[expect(
        clippy::disallowed_methods,
        reason = "a test that measures reads the clock"
    )]
    let begin = std::time::Instant::now();
    for _ in 0..rounds {
        check_all(&members, 20).unwrap();
    }
    let each = begin.elapsed() / rounds;
    println!("{each:?} for all invariants");
    assert!(each.as_millis() < 20, "{each:?}");
}
