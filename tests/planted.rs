//! The checkers of `p2psim faults` are tested themselves: each planted bug is found by the check
//! that is there for it, within [`SEEDS`] seeds.
//!
//! The bugs are compiled in because the root package asks for the feature `planted-bugs` of `chord`,
//! `pastry` and `dht` among its dev-dependencies; no other build has them.

use p2pnode::p2psim::cli::Overlay;
use p2pnode::p2psim::faults::checks::{self, Check};
use p2pnode::p2psim::faults::{Machines, run_seed};

/// Each bug is found within so many seeds.
const SEEDS: u64 = 200;

/// Runs seeds, with so many nodes or as many as the seed says, until `check` finds something whose
/// text begins with `text`; gives how many it took.
fn is_found(nodes: Option<u64>, machines: &Machines, check: &str, text: &str) -> u64 {
    is_found_on(Overlay::Chord, nodes, machines, check, |found| {
        found.starts_with(text)
    })
}

/// The same on an overlay, until `check` finds something whose text is as asked for.
fn is_found_on(
    overlay: Overlay,
    nodes: Option<u64>,
    machines: &Machines,
    check: &str,
    is_meant: impl Fn(&str) -> bool,
) -> u64 {
    let found = first_found(overlay, nodes, machines, check, SEEDS, is_meant);
    let Some((seeds, violation)) = found else {
        panic!("not found by `{check}` within {SEEDS} seeds");
    };
    println!("found within {seeds} seeds: {violation}");
    seeds
}

/// After how many of these seeds it is found, and what.
fn first_found(
    overlay: Overlay,
    nodes: Option<u64>,
    machines: &Machines,
    check: &str,
    seeds: u64,
    is_meant: impl Fn(&str) -> bool,
) -> Option<(u64, String)> {
    let alone = || -> Vec<Box<dyn Check>> {
        let all = checks::all().into_iter();
        all.filter(|known| known.name() == check).collect()
    };
    for seed in 0..seeds {
        let Err(violation) = run_seed(overlay, seed, nodes, machines, alone()) else {
            continue;
        };
        // Other invariants are checked always: what they find is not what is asked for here.
        if violation.invariant == check && is_meant(&violation.text) {
            return Some((seed + 1, violation.to_string()));
        }
        println!("seed {seed}: {}: {}", violation.invariant, violation.text);
    }
    None
}

mod store {
    use super::{Machines, Overlay, first_found, is_found, is_found_on};
    use dht::{DhtConfig, PlantedBug};

    fn found(bug: PlantedBug, check: &str) {
        found_as(bug, check, "");
    }

    fn found_as(bug: PlantedBug, check: &str, text: &str) {
        found_among(None, bug, (check, text));
    }

    fn found_among(nodes: Option<u64>, bug: PlantedBug, (check, text): (&str, &str)) {
        is_found(nodes, &machines_with(bug), check, text);
    }

    fn machines_with(bug: PlantedBug) -> Machines {
        machines_of(DhtConfig {
            planted: Some(bug),
            ..DhtConfig::default()
        })
    }

    fn machines_of(dht: DhtConfig) -> Machines {
        Machines {
            dht,
            ..Machines::default()
        }
    }

    #[test]
    fn a_write_that_is_acknowledged_before_its_commit_is_lost() {
        found(PlantedBug::AckBeforeCommit, "nothing acknowledged is lost");
    }

    #[test]
    fn a_write_that_one_node_alone_acknowledges_is_lost() {
        found(PlantedBug::AckAlone, "nothing acknowledged is lost");
    }

    #[test]
    fn a_key_whose_tombstone_is_dropped_early_comes_back() {
        found(PlantedBug::DropTombstones, "no deleted key comes back");
    }

    #[test]
    fn a_key_of_whose_deletion_nothing_remains_comes_back() {
        found(PlantedBug::ForgetHorizon, "no deleted key comes back");
    }

    #[test]
    fn a_key_of_whose_deletion_nothing_outlives_a_restart_comes_back() {
        // All who knew restart between a collection and the return of who was away: with this many
        // nodes that is found soonest.
        let check = ("no deleted key comes back", "");
        found_among(Some(9), PlantedBug::ForgetVouched, check);
    }

    #[test]
    fn what_is_not_handed_over_is_lost() {
        // In a network hardly larger than a replica set nothing lies where it does not belong, and a
        // root that waits long for those who are away compares itself with them instead.
        let machines = |planted| {
            machines_of(DhtConfig {
                planted,
                presume_lost: overlay::Duration::from_secs(20),
                ..DhtConfig::default()
            })
        };
        let (nodes, check) = (Some(24), "nothing acknowledged is lost");
        let planted = machines(Some(PlantedBug::SkipHandOver));
        let seeds = is_found(nodes, &planted, check, "");
        // These settings alone lose nothing.
        let sound = machines(None);
        let found = first_found(Overlay::Chord, nodes, &sound, check, seeds, |_| true);
        assert!(found.is_none(), "without the bug: {found:?}");
    }

    #[test]
    fn what_is_not_brought_together_is_called_absent() {
        found(PlantedBug::SkipComparison, "no false absence");
    }

    #[test]
    fn replicas_that_are_not_brought_together_differ() {
        found(PlantedBug::SkipComparison, "replicas become equal");
    }

    #[test]
    fn a_part_of_a_range_that_is_not_compared_differs() {
        found(PlantedBug::SkipRange, "replicas become equal");
    }

    #[test]
    fn an_absence_without_proof_is_false() {
        found(PlantedBug::AbsentWithoutProof, "no false absence");
    }

    #[test]
    fn a_second_answer_is_noticed() {
        found(
            PlantedBug::AnswerTwice,
            "every call is answered exactly once",
        );
    }

    #[test]
    fn a_missing_answer_is_noticed() {
        found(
            PlantedBug::NeverAnswer,
            "every call is answered exactly once",
        );
    }

    #[test]
    fn an_older_value_is_noticed() {
        found(
            PlantedBug::OlderValue,
            "in calm the newest acknowledged write counts",
        );
    }

    #[test]
    fn a_session_that_is_ignored_goes_backwards() {
        found(
            PlantedBug::IgnoreSession,
            "what a client reads never goes backwards",
        );
    }

    #[test]
    fn of_several_writes_with_one_condition_two_are_done() {
        found(
            PlantedBug::IgnoreCondition,
            "of several writes with one condition one is done",
        );
    }

    #[test]
    fn a_holder_whose_lease_is_not_renewed_is_missed() {
        found(
            PlantedBug::NoRenewal,
            "holders are listed as long as their leases",
        );
    }

    #[test]
    fn a_holder_whose_lease_does_not_end_is_noticed() {
        found(
            PlantedBug::EndlessLease,
            "holders are listed as long as their leases",
        );
    }

    #[test]
    fn a_write_that_is_never_forgotten_leaks() {
        found(PlantedBug::KeepFinished, "nothing leaks");
    }

    #[test]
    fn a_timer_that_goes_on_leaks() {
        let machines = machines_with(PlantedBug::KeepTimer);
        let (check, is_meant) = ("nothing leaks", |text: &str| text.contains(" deadlines "));
        is_found_on(Overlay::Chord, None, &machines, check, is_meant);
    }

    #[test]
    fn a_search_that_finds_nothing_without_proof_is_false() {
        found_as(
            PlantedBug::AbsentWithoutProof,
            "no false absence",
            "Search {",
        );
    }

    #[test]
    fn a_deletion_that_denies_what_was_there_is_false() {
        found_as(PlantedBug::DeniesDeleted, "no false absence", "Delete {");
    }

    #[test]
    fn a_deletion_that_claims_what_nobody_put_is_false() {
        found_as(
            PlantedBug::ClaimsDeleted,
            "no false absence",
            "nothing was there",
        );
    }

    #[test]
    fn an_absence_that_is_not_told_is_noticed() {
        found(PlantedBug::UnknownOfAbsent, "in calm a read knows");
    }

    #[test]
    fn a_write_that_is_done_twice_is_noticed() {
        found(PlantedBug::ForgetWrites, "a write is done once");
    }

    #[test]
    fn a_value_that_nobody_wrote_is_noticed() {
        found(
            PlantedBug::MadeUpValue,
            "a read gives only what was written",
        );
    }
}

mod ring {
    use super::{Machines, is_found};
    use chord::{ChordConfig, PlantedBug};

    fn found(bug: PlantedBug, check: &str, text: &str) {
        let chord = ChordConfig {
            planted: Some(bug),
            ..ChordConfig::default()
        };
        let machines = Machines {
            chord,
            ..Machines::default()
        };
        is_found(None, &machines, check, text);
    }

    #[test]
    fn without_rectify_the_ring_does_not_become_whole() {
        found(
            PlantedBug::SkipRectify,
            "without faults the ring becomes whole",
            "",
        );
    }

    #[test]
    fn a_successor_adopted_by_hearsay_may_be_dead() {
        found(PlantedBug::AdoptUnasked, "the ring", "live successor");
    }

    #[test]
    fn lists_with_gaps_leave_too_few_principals() {
        found(PlantedBug::SkipEntries, "the ring", "principals");
    }

    #[test]
    fn a_list_out_of_order_is_noticed() {
        found(PlantedBug::UnorderedList, "the ring", "ordered lists");
    }
}

mod leaves {
    use super::{Machines, is_found_on};
    use p2pnode::p2psim::cli::Overlay;
    use pastry::{PastryConfig, PlantedBug};

    fn found(bug: PlantedBug, check: &str, text: &str) {
        found_among(None, bug, check, text);
    }

    fn found_among(nodes: Option<u64>, bug: PlantedBug, check: &str, text: &str) {
        let pastry = PastryConfig {
            planted: Some(bug),
            ..PastryConfig::default()
        };
        let machines = Machines {
            pastry,
            ..Machines::default()
        };
        let is_meant = |found: &str| found.contains(text);
        is_found_on(Overlay::Pastry, nodes, &machines, check, is_meant);
    }

    #[test]
    fn an_entry_in_a_wrong_row_is_noticed() {
        found(
            PlantedBug::WrongRow,
            "the leaf sets",
            "and belongs into row",
        );
    }

    #[test]
    fn a_node_that_answers_for_more_than_its_own_is_noticed() {
        found(PlantedBug::AnswerTooMuch, "the leaf sets", "");
    }

    #[test]
    fn a_dead_leaf_that_stays_is_not_a_true_neighbour() {
        // The bug probes what is dead for ever; with more nodes that ends within fewer seeds.
        found_among(
            Some(12),
            PlantedBug::KeepDead,
            "without faults the ring becomes whole",
            "",
        );
    }
}
