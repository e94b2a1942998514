//! The experiments of `p2psim` on Pastry, small.

use clap::Parser;
use p2pnode::p2psim::cli::{Cli, Experiment};
use p2pnode::p2psim::faults::checks;
use p2pnode::p2psim::{churn, faults, lookup, nearest, repair};

fn parse(line: &str) -> Experiment {
    Cli::try_parse_from(line.split_whitespace())
        .expect("a correct command line")
        .experiment
}

#[test]
fn the_promises_hold_under_two_hundred_seeds() {
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let line = format!("p2psim faults --overlay pastry --seeds 0..200 --jobs {jobs}");
    let Experiment::Faults(args) = parse(&line) else {
        panic!("{line} is no hunt for faults");
    };
    let report = faults::run(&args, &checks::all);
    let failures: Vec<String> = report
        .failures
        .iter()
        .map(|failure| format!("{}\nreplay: {}", failure.text, failure.replay))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(
        report.acknowledged > 10_000 && report.crashes > 50,
        "{report:?}"
    );
    let share = report.events_checked as f64 / report.events as f64;
    assert!(
        share > 0.5,
        "the leaf sets were checked after {share} of the events"
    );
}

#[test]
fn churn_is_survived() {
    for median in ["84s", "10m"] {
        let line = format!(
            "p2psim churn --overlay pastry --nodes 200 --session-median {median} --minutes 5"
        );
        let Experiment::Churn(args) = parse(&line) else {
            panic!("{line} is no churn");
        };
        let report = churn::run(&args).expect("every invariant holds");
        assert_eq!((report.wrong, report.failed), (0, 0), "{report:?}");
        assert!(report.joins > 30 && report.lookups > 200, "{report:?}");
        assert!(
            report.events_checked > 10_000,
            "parts were compared with the oracle's: {report:?}"
        );
    }
}

#[test]
fn a_lookup_takes_at_most_log16_hops() {
    for nodes in [1_000_u64, 10_000] {
        let line =
            format!("p2psim lookup --overlay pastry --nodes {nodes} --lookups 2000 --seed 1");
        let Experiment::Lookup(args) = parse(&line) else {
            panic!("{line} is no lookup");
        };
        let report = lookup::run(&args).expect("the experiment runs");
        assert_eq!(report.correct, 2_000, "{report:?}");
        let most = (nodes as f64).log(16.0);
        assert!(
            report.hops.mean <= most,
            "{} hops, {most} at most",
            report.hops.mean
        );
    }
}

#[test]
fn a_tenth_dies_and_lookups_are_as_short_as_before_once_it_is_repaired() {
    let line = "p2psim repair --overlay pastry --nodes 500 --lookups 2000";
    let Experiment::Repair(args) = parse(line) else {
        panic!("{line} is no repair");
    };
    let report = repair::run(&args).expect("everything is repaired");
    assert!(report.is_right(), "{report:?}");
    let [before, right_after, after] =
        [&report.before, &report.right_after, &report.after].map(|phase| phase.hops.mean);
    assert!(right_after > before, "{report:?}");
    assert!((after / before - 1.0).abs() < 0.03, "{report:?}");
    assert!(report.neighbours_right_after_s < 90.0, "{report:?}");
    assert!(report.neighbour_messages_per_dead < 400.0, "{report:?}");
}

/// Round trips between hosts at points of a square whose sides are 200 ms long.
fn plane() -> tempfile::NamedTempFile {
    let mut dice = sim::Dice::new(1, 1);
    let hosts: Vec<(f64, f64)> = (0..100)
        .map(|_| (dice.below(200) as f64, dice.below(200) as f64))
        .collect();
    let row = |one: &(f64, f64)| {
        let cells = hosts.iter().map(|other| {
            let far = (one.0 - other.0).hypot(one.1 - other.1);
            format!("{far:.2}")
        });
        cells.collect::<Vec<_>>().join(" ")
    };
    let matrix: Vec<String> = hosts.iter().map(row).collect();
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), matrix.join("\n")).expect("a file");
    file
}

#[test]
fn a_network_that_grew_has_short_ways() {
    let file = plane();
    let stretch = |flags: &str| {
        let line = format!(
            "p2psim lookup --overlay pastry --nodes 400 --lookups 2000 {flags} --latency {}",
            file.path().display()
        );
        let Experiment::Lookup(args) = parse(&line) else {
            panic!("{line} is no lookup");
        };
        let report = lookup::run(&args).expect("it grows, and is whole");
        assert_eq!(report.correct, 2_000, "{report:?}");
        println!("{flags}: {:?}", report.stretch);
        report.stretch
    };
    let (without, with) = (stretch("--grow 20m"), stretch("--grow 20m --proximity"));
    assert!(with.of_means < 1.6 && with.median < 1.6, "{with:?}");
    assert!(with.of_means < without.of_means, "{with:?}, {without:?}");
}

#[test]
fn the_nearest_of_the_replicas_is_reached_first_by_reads() {
    // Hosts on a line: the round trip is the distance, in milliseconds.
    let row = |host: i32| {
        let cells: Vec<String> = (0..40)
            .map(|other| ((host - other) * 5).abs().to_string())
            .collect();
        cells.join(" ")
    };
    let matrix: Vec<String> = (0..40).map(row).collect();
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), matrix.join("\n")).expect("a file");
    let line = format!(
        "p2psim nearest --overlay pastry --nodes 400 --keys 400 --latency {}",
        file.path().display()
    );
    let Experiment::Nearest(args) = parse(&line) else {
        panic!("{line} is no such experiment");
    };
    let report = nearest::run(&args).expect("it runs");
    assert_eq!(report.failed, 0, "{report:?}");
    assert!(report.reads.nearest >= 0.9, "{report:?}");
}
