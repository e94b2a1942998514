//! What is said of the runs.

use super::super::RunError;
use super::super::cli::TrackerArgs;
use super::super::overlays::Simulated;
use super::super::storing::Storing;
use overlay::{Duration, Time};
use serde::Serialize;
use sim::{Load, TraceHash, Violation, World};
use std::io::Write;

/// What passed between the nodes once all clients were there.
#[derive(Default)]
pub(super) struct Loads {
    began: Time,
    before: Vec<Load>,
}

/// A second of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LoadReport {
    /// Messages a second, sent and received, of a node on average.
    pub messages_mean: f64,
    /// Of the node that has most.
    pub messages_max: f64,
    /// Bytes a second, of a node on average.
    pub bytes_mean: f64,
    /// Of the node that has most.
    pub bytes_max: f64,
}

impl Loads {
    pub(super) fn begin<R: Simulated>(&mut self, world: &World<Storing<R>>) {
        self.began = world.now();
        self.before = (0..world.node_count())
            .map(|node| world.load(node))
            .collect();
    }

    pub(super) fn end<R: Simulated>(&self, world: &World<Storing<R>>) -> LoadReport {
        let seconds = world.now().since(self.began).as_micros() as f64 / 1e6;
        let mut report = LoadReport::default();
        let nodes = world.node_count();
        for node in 0..nodes {
            let (after, before) = (world.load(node), self.before.get(node));
            let before = before.copied().unwrap_or_default();
            let messages = (after.messages() - before.messages()) as f64 / seconds.max(1e-6);
            let bytes = (after.bytes() - before.bytes()) as f64 / seconds.max(1e-6);
            report.messages_mean += messages / nodes as f64;
            report.bytes_mean += bytes / nodes as f64;
            report.messages_max = report.messages_max.max(messages);
            report.bytes_max = report.bytes_max.max(bytes);
        }
        report
    }
}

/// What one seed did.
#[derive(Clone, Debug)]
pub struct SeedReport {
    /// The seed.
    pub seed: u64,
    /// Announces of clients.
    pub announces: u64,
    /// Nodes that crashed.
    pub crashes: u64,
    /// Answers whose totals were judged, each of one node of one swarm.
    pub looks: u64,
    /// Those in which also nobody may be missing.
    pub judged: u64,
    /// The longest that somebody was missing at a node.
    pub longest_missing: Duration,
    /// By what part a total was wrong at most, of those that were right to within 5 % and are of
    /// twenty and more.
    pub worst_total: f64,
    /// What nodes had to do.
    pub loads: LoadReport,
    /// Length of the run.
    pub simulated: Time,
    /// The hash of everything that happened, answers included.
    pub trace_hash: u64,
}

/// A seed that broke a promise.
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
#[derive(Clone, Debug, Default, Serialize)]
pub struct TrackerReport {
    /// Seeds under which every promise held.
    pub passed: u64,
    /// Announces of clients, under these.
    pub announces: u64,
    /// Nodes that crashed.
    pub crashes: u64,
    /// Answers whose totals were judged.
    pub looks: u64,
    /// Those in which also nobody might be missing.
    pub judged: u64,
    /// The longest that a client was missing at a node, in milliseconds.
    pub longest_missing_ms: f64,
    /// By what part a total was wrong at most.
    pub worst_total: f64,
    /// The loads, on average over the seeds.
    pub load: LoadReport,
    /// Simulated hours.
    pub simulated_h: f64,
    /// What failed.
    pub failures: Vec<Failure>,
    /// The hash of the trace hashes of all seeds that passed, in order.
    pub trace_hash: String,
}

/// What a seed came to: a report, or the promise that it broke.
pub(super) type SeedResult = (u64, Result<SeedReport, Box<Violation>>);

pub(super) fn sum(results: Vec<SeedResult>) -> TrackerReport {
    let mut report = TrackerReport::default();
    let mut trace = TraceHash::default();
    for (seed, result) in results {
        match result {
            Ok(one) => {
                report.passed += 1;
                report.announces += one.announces;
                report.crashes += one.crashes;
                report.looks += one.looks;
                report.judged += one.judged;
                let missing = one.longest_missing.as_micros() as f64 / 1e3;
                report.longest_missing_ms = report.longest_missing_ms.max(missing);
                report.worst_total = report.worst_total.max(one.worst_total);
                report.load.messages_mean += one.loads.messages_mean;
                report.load.messages_max += one.loads.messages_max;
                report.load.bytes_mean += one.loads.bytes_mean;
                report.load.bytes_max += one.loads.bytes_max;
                report.simulated_h += one.simulated.0 as f64 / 3.6e9;
                trace.word(one.trace_hash);
            }
            Err(violation) => {
                let replay = violation.replay.clone();
                let text = Violation {
                    replay: String::new(),
                    ..*violation
                };
                let text = text.to_string();
                report.failures.push(Failure { seed, text, replay });
            }
        }
    }
    let passed = report.passed.max(1) as f64;
    report.load.messages_mean /= passed;
    report.load.messages_max /= passed;
    report.load.bytes_mean /= passed;
    report.load.bytes_max /= passed;
    report.trace_hash = trace.to_string();
    report
}

pub(super) fn print(
    args: &TrackerArgs,
    report: &TrackerReport,
    out: &mut dyn Write,
) -> Result<(), RunError> {
    for failure in &report.failures {
        writeln!(out, "{}\nreplay: {}\n", failure.text, failure.replay)?;
    }
    writeln!(
        out,
        "{}: {} nodes, {} clients in {} swarms, which announce every {}; seeds {}\n",
        args.overlay, args.nodes, args.peers, args.swarms, args.interval, args.seeds
    )?;
    let rows = [
        (
            "seeds: passed, failed",
            format!("{}, {}", report.passed, report.failures.len()),
        ),
        ("simulated hours", format!("{:.1}", report.simulated_h)),
        ("announces", report.announces.to_string()),
        ("crashes", report.crashes.to_string()),
        (
            "answers judged, of small swarms",
            format!("{}, {}", report.looks, report.judged),
        ),
        (
            "longest that a client was missing",
            format!("{:.0} ms", report.longest_missing_ms),
        ),
        (
            "largest error of a total",
            format!("{:.1} %", report.worst_total * 100.0),
        ),
        (
            "messages/s of a node: mean, busiest",
            format!(
                "{:.1}, {:.1}",
                report.load.messages_mean, report.load.messages_max
            ),
        ),
        (
            "bytes/s of a node: mean, busiest",
            format!(
                "{:.0}, {:.0}",
                report.load.bytes_mean, report.load.bytes_max
            ),
        ),
    ];
    for (name, value) in rows {
        writeln!(out, "{name:<36}{value}")?;
    }
    writeln!(out, "\ntrace {}", report.trace_hash)?;
    Ok(())
}
