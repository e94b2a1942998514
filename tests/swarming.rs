//! `p2psim tracker`, small: nobody is missing, nobody is offered too long, totals are right; a seed says
//! what happens; and each mistake that trackers could make is found.

use clap::Parser;
use p2pnode::p2psim::RunError;
use p2pnode::p2psim::cli::{Cli, Experiment, TrackerArgs};
use p2pnode::p2psim::tracker::{self, Bug, TrackerReport};

/// Each mistake is found within so many seeds.
const SEEDS: u64 = 5;

fn args(flags: &str) -> TrackerArgs {
    let line = format!("p2psim tracker {flags}");
    let cli = Cli::try_parse_from(line.split_whitespace()).expect("a correct command line");
    match cli.experiment {
        Experiment::Tracker(args) => args,
        other => panic!("{other:?} is not about trackers"),
    }
}

fn run(flags: &str) -> TrackerReport {
    let report = tracker::run(&args(flags)).expect("the experiment runs");
    assert!(report.failures.is_empty(), "{:#?}", report.failures);
    report
}

#[test]
fn without_faults_clients_are_found_by_all_nodes_within_two_seconds() {
    for overlay in ["chord", "pastry"] {
        let report = run(&format!(
            "--overlay {overlay} --crashes 0 --loss 0 --seeds 0..2"
        ));
        assert!(report.judged > 10_000, "{report:?}");
        assert!(report.worst_total <= 0.05, "{report:?}");
    }
}

#[test]
fn with_crashes_and_losses_nobody_is_missing_for_long() {
    for overlay in ["chord", "pastry"] {
        let report = run(&format!(
            "--overlay {overlay} --crashes 2 --seeds 0..3 --jobs 2"
        ));
        assert!(report.judged > 10_000 && report.crashes > 10, "{report:?}");
        assert!(report.worst_total <= 0.05, "{report:?}");
    }
}

/// Each announces to several nodes, which name few of those that they have.
#[test]
fn clients_of_several_nodes_are_found_and_count_once() {
    for overlay in ["chord", "pastry"] {
        let report = run(&format!(
            "--overlay {overlay} --homes 2 --crashes 0 --loss 0 --seeds 0..2"
        ));
        assert!(report.judged > 10_000, "{report:?}");
    }
    let report = run(
        "--homes 2 --swarms 1 --peers 5000 --interval 5m --intervals 3 --crashes 0 --seeds 1..2",
    );
    assert!(report.worst_total <= 0.05, "{report:?}");
    let report = run(
        "--nodes 3 --homes 3 --swarms 1 --peers 5000 --interval 5m --intervals 3 --crashes 0 --seeds 1..2",
    );
    assert!(report.worst_total <= 0.05, "{report:?}");
}

/// More nodes publish than have the full pace, and the swarm is far larger than the samples.
#[test]
fn the_root_of_a_large_swarm_is_not_overloaded() {
    let report = run(
        "--nodes 60 --swarms 1 --peers 5000 --interval 5m --intervals 3 --crashes 2 --seeds 1..2",
    );
    assert!(report.worst_total <= 0.05, "{report:?}");
    // 12 writes and 6 lookups a second, each a few messages with 3 replicas.
    assert!(report.load.messages_max < 400.0, "{report:?}");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let run = || tracker::run_seed(&args("--intervals 3"), 7, None).expect("nothing is wrong");
    let (one, other) = (run(), run());
    assert_eq!(one.trace_hash, other.trace_hash);
    let third = tracker::run_seed(&args("--intervals 3"), 8, None).expect("nothing is wrong");
    assert_ne!(one.trace_hash, third.trace_hash);
}

#[test]
fn each_mistake_is_found_and_replayed() {
    for (bug, check) in [
        (
            Bug::ListsTooLong,
            "no dead client is offered after its expiry",
        ),
        (
            Bug::LooksOnce,
            "no live client is missing for longer than stated",
        ),
        (
            Bug::PublishesNothing,
            "no live client is missing for longer than stated",
        ),
        (Bug::CountsNoDownloads, "totals are right to within 5 %"),
    ] {
        let found =
            (0..SEEDS).find_map(|seed| match tracker::run_seed(&args(""), seed, Some(bug)) {
                Err(RunError::Violation(violation)) if violation.invariant == check => {
                    Some(violation)
                }
                _ => None,
            });
        let found = found.unwrap_or_else(|| panic!("{bug:?} is not found within {SEEDS} seeds"));
        println!("{bug:?}: {found}");
        let seed = found.seed;
        assert!(
            found
                .replay
                .ends_with(&format!("--seeds {seed}..{}", seed + 1)),
            "{found}"
        );
        assert_eq!(
            args(&found.replay["p2psim tracker ".len()..]).interval,
            args("").interval
        );
    }
}
