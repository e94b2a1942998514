//! Storing and finding while everything fails: a hunt for seeds that break a promise.
//!
//! Each seed is a world of its own; see [`run_seed`] for what happens in it. A seed that breaks a
//! promise is reported with the command that replays it.

pub mod checks;
mod clients;
mod disturb;
mod grace;
pub mod history;
mod machines;
mod profile;
mod quorums;
mod report;
mod rest;
mod rivals;
mod run;
mod splits;
mod swarm;
pub mod weather;

pub use machines::Machines;
pub use report::SeedReport;
pub use rest::{REPLICAS_EQUAL_WITHIN, Rest};
pub use run::run_seed;

use super::cli::FaultsArgs;
use super::progress::print_cost;
use super::seeds;
use super::{RunError, write_json};
use serde::Serialize;
use sim::{Table, TraceHash, Violation};
use std::io::Write;

/// One seed that broke a promise.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What did not hold, when and where.
    pub text: String,
    /// The command that shows it again.
    pub replay: String,
}

/// What all seeds did.
#[derive(Clone, Debug, Serialize)]
pub struct FaultsReport {
    /// Nodes of each network, when that was asked for.
    pub nodes: Option<u64>,
    /// Nodes of a network on average, under the seeds that passed.
    pub nodes_mean: f64,
    /// The seeds.
    pub seeds: String,
    /// Seeds under which every promise held.
    pub passed: u64,
    /// Seeds under which one did not.
    pub failed: u64,
    /// Operations of clients.
    pub operations: u64,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Nodes that crashed.
    pub crashes: u64,
    /// Nodes that left.
    pub leaves: u64,
    /// Partitions and blocks.
    pub splits: u64,
    /// Disks that ran full, once for each node and time.
    pub full_disks: u64,
    /// Groups of writes that a disk failed to synchronise.
    pub failed_syncs: u64,
    /// Deletions whose grace period ended and of which only a number remains, once for each root
    /// that collected them.
    pub collected: u64,
    /// Nodes that came back after they had been away for longer than the grace period.
    pub outstayed: u64,
    /// Conditional writes that were refused.
    pub conflicts: u64,
    /// Writes that were acknowledged while two live nodes took themselves for the root, without a
    /// partition.
    pub contested: u64,
    /// Events at nodes, under the seeds that passed.
    pub events: u64,
    /// Those after which Zave's invariant was checked: the premises of the theorem held. After the
    /// others, only the order of the lists was.
    pub events_checked: u64,
    /// Simulated hours.
    pub simulated_h: f64,
    /// What failed.
    pub failures: Vec<Failure>,
    /// The hash of the trace hashes of all seeds that passed, in order.
    pub trace_hash: String,
}

/// Runs the seeds, prints the result, and says whether all promises held.
pub(super) fn command(args: &FaultsArgs, out: &mut dyn Write) -> Result<bool, RunError> {
    let (report, wall) = run_with(args, &checks::all);
    if args.json {
        write_json(out, &report)?;
    } else {
        print(args, &report, out)?;
    }
    print_cost(wall);
    Ok(report.failed == 0)
}

/// Runs the seeds with the checks that `make_checks` gives for each.
pub fn run(
    args: &FaultsArgs,
    make_checks: &(dyn Fn() -> Vec<Box<dyn checks::Check>> + Sync),
) -> FaultsReport {
    run_with(args, make_checks).0
}

fn run_with(
    args: &FaultsArgs,
    make_checks: &(dyn Fn() -> Vec<Box<dyn checks::Check>> + Sync),
) -> (FaultsReport, std::time::Duration) {
    let machines = &Machines::default();
    let (results, wall) = seeds::each(args.seeds, args.jobs, |seed| {
        run_seed(args.overlay, seed, args.nodes, machines, make_checks())
    });
    (sum(args, results), wall)
}

type SeedResult = (u64, Result<SeedReport, Box<Violation>>);

fn sum(args: &FaultsArgs, results: Vec<SeedResult>) -> FaultsReport {
    let mut report = FaultsReport {
        nodes: args.nodes,
        nodes_mean: 0.0,
        seeds: args.seeds.to_string(),
        passed: 0,
        failed: 0,
        operations: 0,
        acknowledged: 0,
        crashes: 0,
        leaves: 0,
        splits: 0,
        full_disks: 0,
        failed_syncs: 0,
        collected: 0,
        outstayed: 0,
        conflicts: 0,
        contested: 0,
        events: 0,
        events_checked: 0,
        simulated_h: 0.0,
        failures: Vec::new(),
        trace_hash: String::new(),
    };
    let mut trace = TraceHash::default();
    let mut nodes = 0;
    for (seed, result) in results {
        match result {
            Ok(one) => {
                report.passed += 1;
                nodes += one.nodes;
                report.operations += one.operations;
                report.acknowledged += one.acknowledged;
                report.crashes += one.crashes;
                report.leaves += one.leaves;
                report.splits += one.splits;
                report.full_disks += one.full_disks;
                report.failed_syncs += one.failed_syncs;
                report.collected += one.collected;
                report.outstayed += one.outstayed;
                report.conflicts += one.conflicts;
                report.contested += one.contested;
                report.events += one.events;
                report.events_checked += one.events_checked;
                report.simulated_h += one.simulated.0 as f64 / 3.6e9;
                trace.word(one.trace_hash);
            }
            Err(violation) => {
                report.failed += 1;
                let replay = violation.replay.clone();
                let text = Violation {
                    replay: String::new(),
                    ..*violation
                }
                .to_string();
                report.failures.push(Failure { seed, text, replay });
            }
        }
    }
    report.nodes_mean = nodes as f64 / report.passed.max(1) as f64;
    report.trace_hash = trace.to_string();
    report
}

fn print(args: &FaultsArgs, report: &FaultsReport, out: &mut dyn Write) -> Result<(), RunError> {
    for failure in &report.failures {
        writeln!(out, "{}\nreplay: {}\n", failure.text, failure.replay)?;
    }
    writeln!(
        out,
        "{}: {:.1} nodes on average, seeds {}\n",
        args.overlay, report.nodes_mean, report.seeds
    )?;
    let heads = [
        "passed",
        "failed",
        "operations",
        "acknowledged",
        "crashes",
        "leaves",
        "splits",
        "full disks",
        "failed syncs",
        "collected",
        "away for long",
        "conflicts",
        "two roots",
        "hours",
        "ring checked",
    ];
    let mut table = Table::new(&heads);
    let counts = [
        report.passed,
        report.failed,
        report.operations,
        report.acknowledged,
        report.crashes,
        report.leaves,
        report.splits,
        report.full_disks,
        report.failed_syncs,
        report.collected,
        report.outstayed,
        report.conflicts,
        report.contested,
    ];
    let hours = format!("{:.1}", report.simulated_h);
    let share = report.events_checked as f64 / report.events.max(1) as f64;
    let checked = format!("{:.1} %", share * 100.0);
    table.row(counts.iter().map(u64::to_string).chain([hours, checked]));
    writeln!(out, "{table}\ntrace {}", report.trace_hash)?;
    Ok(())
}
