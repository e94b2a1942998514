//! The churn experiment in rows, beside the paper's.

use super::churn::{ChurnReport, run};
use super::churn_report::complain;
use super::cli::{ChurnArgs, Rate};
use super::{RunError, paper};
use sim::Table;
use std::io::Write;

/// The columns of both tables.
const HEADS: [&str; 11] = [
    "joins/s",
    "lookups",
    "failed/10000",
    "paper",
    "failed",
    "wrong",
    "hops",
    "time-outs",
    "latency ms",
    "joins",
    "control msgs/node/s",
];

fn cells(report: &ChurnReport, paper: Option<u32>) -> [String; 11] {
    [
        format!("{:.2}", report.joins_per_s),
        report.lookups.to_string(),
        format!("{:.1}", report.failed_per_10000),
        paper.map_or_else(|| "-".to_owned(), |failures| failures.to_string()),
        report.failed.to_string(),
        report.wrong.to_string(),
        format!("{:.2}", report.hops.mean),
        format!("{:.3}", report.timeouts.mean),
        format!("{:.0}", report.latency_ms.mean),
        report.joins.to_string(),
        format!("{:.2}", report.control_messages_per_node_s),
    ]
}

/// Prints one run, beside the paper's figure when it has one.
pub(super) fn print(
    args: &ChurnArgs,
    report: &ChurnReport,
    out: &mut dyn Write,
) -> Result<(), RunError> {
    let (nodes, minutes, seed) = (args.nodes, args.minutes, args.seed);
    writeln!(
        out,
        "{}: {nodes} nodes, {minutes} simulated minutes, seed {seed}\n",
        args.overlay
    )?;
    let mut table = Table::new(&HEADS);
    let rate = report.joins_per_s;
    let paper = paper::CHURN
        .iter()
        .find(|(known, _)| (known - rate).abs() < 1e-9);
    table.row(cells(report, paper.map(|(_, failures)| *failures)));
    writeln!(out, "{table}")?;
    writeln!(
        out,
        "{} crashes, {} joins given up, {} lookups abandoned with their origin; {} messages; \
         promises checked after {} events; all neighbours right {:.0} s after the last crash; trace {}",
        report.crashes,
        report.join_failures,
        report.abandoned,
        report.messages,
        report.events_checked,
        report.settled_after_s,
        report.trace_hash
    )?;
    Ok(())
}

/// Runs the paper's eight rates and prints them beside the paper's.
pub(super) fn rate_table(args: &ChurnArgs, out: &mut dyn Write) -> Result<bool, RunError> {
    let mut table = Table::new(&HEADS);
    let mut is_right = true;
    for (rate, failures) in paper::CHURN {
        let joins_per_s = Rate::per_second(rate);
        let args = ChurnArgs {
            joins_per_s,
            minutes: paper::CHURN_MINUTES,
            ..args.clone()
        };
        let report = run(&args)?;
        complain(&report);
        is_right &= report.is_right();
        table.row(cells(&report, Some(failures)));
    }
    let (nodes, successors, seed) = (args.nodes, args.list_length(), args.seed);
    writeln!(
        out,
        "{nodes} nodes, {successors} successors, seed {seed}\n\n{table}"
    )?;
    Ok(is_right)
}
