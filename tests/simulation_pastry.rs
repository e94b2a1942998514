//! The experiments of `p2psim` on Pastry, small.

use clap::Parser;
use p2pnode::p2psim::cli::{Cli, Experiment};
use p2pnode::p2psim::faults::checks;
use p2pnode::p2psim::{churn, faults, lookup};

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
