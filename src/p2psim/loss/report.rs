//! What the runs came to, beside what combinatorics expects.

use super::super::RunError;
use super::super::cli::LossArgs;
use super::RunResult;
use serde::Serialize;
use sim::{Distribution, Summary, Table, TraceHash};
use std::io::Write;

/// What one number of deaths came to.
#[derive(Clone, Debug, Serialize)]
pub struct LossRow {
    /// Nodes that died.
    pub dead: u64,
    /// Runs.
    pub runs: u64,
    /// Runs in which any key was lost.
    pub runs_with_loss: u64,
    /// The mean share of the keys that was lost.
    pub lost_mean: f64,
    /// The standard error of that mean.
    pub lost_error: f64,
    /// The largest share.
    pub lost_worst: f64,
    /// The share of keys all of whose replicas are expected among the dead.
    pub expected: f64,
    /// From the deaths until every key that was not lost was on all replicas again.
    pub repaired_s: Summary,
    /// Messages that compared replicas and moved records in that time, a run.
    pub messages: Summary,
    /// Bytes of those messages, a run.
    pub bytes: Summary,
}

/// What all runs came to.
#[derive(Clone, Debug, Serialize)]
pub struct LossReport {
    /// Nodes of each network.
    pub nodes: u64,
    /// Values in it.
    pub keys: u64,
    /// Replicas of each.
    pub replicas: u8,
    /// The seeds.
    pub seeds: String,
    /// For each number of deaths.
    pub dead: Vec<LossRow>,
    /// Runs that went wrong, with the commands that repeat them.
    pub failures: Vec<String>,
    /// The hash of the trace hashes of all runs that went right, in order.
    pub trace_hash: String,
}

/// The chance that `dead` random nodes of `nodes` include `replicas` given ones.
fn all_among(nodes: u64, dead: u64, replicas: u64) -> f64 {
    let factor = |taken: u64| dead.saturating_sub(taken) as f64 / (nodes - taken) as f64;
    (0..replicas.min(nodes)).map(factor).product()
}

pub(super) fn sum(args: &LossArgs, results: &[((u64, usize), RunResult)]) -> LossReport {
    let mut trace = TraceHash::default();
    let done = results
        .iter()
        .filter_map(|(_, result)| result.as_ref().ok());
    done.for_each(|run| trace.word(run.trace_hash));
    let failures = results
        .iter()
        .filter_map(|(_, result)| result.as_ref().err().cloned());
    let mut dead = args.dead.clone();
    dead.sort_unstable();
    dead.dedup();
    LossReport {
        nodes: args.nodes,
        keys: args.keys,
        replicas: args.replicas,
        seeds: args.seeds.to_string(),
        dead: dead.iter().map(|dead| row(args, *dead, results)).collect(),
        failures: failures.collect(),
        trace_hash: trace.to_string(),
    }
}

fn row(args: &LossArgs, dead: u64, results: &[((u64, usize), RunResult)]) -> LossRow {
    let of = results.iter().filter(|((_, of), _)| *of as u64 == dead);
    let runs: Vec<_> = of.filter_map(|(_, result)| result.as_ref().ok()).collect();
    let count = runs.len().max(1) as f64;
    let shares: Vec<f64> = runs
        .iter()
        .map(|run| run.lost as f64 / args.keys as f64)
        .collect();
    let mean = shares.iter().fold(0.0, |sum, share| sum + share) / count;
    let square = |share: &f64| (share - mean) * (share - mean);
    let variance =
        shares.iter().map(square).fold(0.0, |sum, one| sum + one) / (count - 1.0).max(1.0);
    let (mut repaired, mut messages, mut bytes) =
        <(Distribution, Distribution, Distribution)>::default();
    for run in &runs {
        repaired.record(run.repaired_in.as_micros());
        messages.record(run.messages);
        bytes.record(run.bytes);
    }
    LossRow {
        dead,
        runs: runs.len() as u64,
        runs_with_loss: runs.iter().filter(|run| run.lost > 0).count() as u64,
        lost_mean: mean,
        lost_error: (variance / count).sqrt(),
        lost_worst: shares.iter().copied().fold(0.0, f64::max),
        expected: all_among(args.nodes, dead, args.replicas.into()),
        repaired_s: repaired.summary(1e6),
        messages: messages.summary(1.0),
        bytes: bytes.summary(1.0),
    }
}

pub(super) fn print(
    args: &LossArgs,
    report: &LossReport,
    out: &mut dyn Write,
) -> Result<(), RunError> {
    for failure in &report.failures {
        writeln!(out, "{failure}\n")?;
    }
    writeln!(
        out,
        "{}: {} nodes, {} keys of {} bytes on {} replicas each, seeds {}; the dead never return\n",
        args.overlay, report.nodes, report.keys, args.value_size, report.replicas, report.seeds
    )?;
    let mut table = Table::new(&[
        "dead",
        "runs",
        "with loss",
        "keys lost",
        "expected",
        "worst run",
        "repaired s",
        "p99",
        "max",
        "messages",
        "bytes",
    ]);
    let percent = |share: f64| format!("{:.3} %", share * 100.0);
    for row in &report.dead {
        table.row([
            row.dead.to_string(),
            row.runs.to_string(),
            row.runs_with_loss.to_string(),
            format!(
                "{:.3} ± {:.3} %",
                row.lost_mean * 100.0,
                row.lost_error * 100.0
            ),
            percent(row.expected),
            percent(row.lost_worst),
            format!("{:.2}", row.repaired_s.mean),
            format!("{:.2}", row.repaired_s.p99),
            format!("{:.2}", row.repaired_s.max),
            format!("{:.0}", row.messages.mean),
            format!("{:.0}", row.bytes.mean),
        ]);
    }
    writeln!(out, "{table}\ntrace {}", report.trace_hash)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::all_among;

    #[test]
    fn three_of_sixteen_are_the_three_of_a_key_once_in_560() {
        assert_eq!(all_among(16, 2, 3), 0.0);
        assert!((all_among(16, 3, 3) - 1.0 / 560.0).abs() < 1e-12);
        assert!((all_among(16, 4, 3) - 4.0 / 560.0).abs() < 1e-12);
        assert!((all_among(16, 1, 1) - 1.0 / 16.0).abs() < 1e-12);
    }
}
