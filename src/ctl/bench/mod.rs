//! The load generator: requests in flight on several nodes at once, every answer checked.
//!
//! It shares its machine with the nodes that it measures, so it is lean: one thread, one socket,
//! one stream for each node, and one wake-up for all answers that arrived together.

mod load;
mod plan;
mod report;
mod tracker;

use super::output::Answer;
use super::{Asking, CtlError, parse};
use crate::control::client::{Connector, NodeName};
use crate::control::proof;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use load::run_phase;
use overlay::MAX_VALUE_BYTES;
use plan::{Ending, Keys, Phase, Share};
use report::Summary;
use std::convert::Infallible;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

/// Most keys: their ids and states are kept in memory.
const MAX_KEYS: u64 = 10_000_000;
/// Most requests in flight in all; a node works on 1,024 of one connection at a time.
const MAX_CONCURRENCY: u64 = 65_536;
/// Most operations of one phase.
const MAX_OPS: u64 = 1_000_000_000_000;
/// Operations of a phase unless told otherwise: a second or two on one machine.
const DEFAULT_OPS: u64 = 20_000;
/// How often the progress bar moves.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// The arguments of `p2pctl bench`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct BenchArgs {
    /// What else can be measured
    #[command(subcommand)]
    what: Option<What>,

    /// Operations of each phase, after the warm-up
    #[arg(long, value_name = "N", conflicts_with = "duration", value_parser = clap::value_parser!(u64).range(1..=MAX_OPS))]
    ops: Option<u64>,

    /// Let each phase last this long instead
    #[arg(long, value_name = "TIME", value_parser = parse::load_time)]
    duration: Option<Duration>,

    /// Requests in flight, over all nodes
    #[arg(long, short, value_name = "C", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=MAX_CONCURRENCY))]
    concurrency: u64,

    /// Bytes of a value
    #[arg(long, value_name = "B", default_value_t = 100, value_parser = clap::value_parser!(u64).range(0..=MAX_VALUE_BYTES as u64))]
    value_size: u64,

    /// The nodes to load, instead of --node alone
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    nodes: Vec<NodeName>,

    /// Mix puts and gets in one phase, for instance 20:80; without it all puts come first
    #[arg(long, value_name = "PUTS:GETS", value_parser = parse::mix)]
    mix: Option<f64>,

    /// Operations before each phase that are not measured
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(0..=MAX_OPS))]
    warmup: u64,

    /// Distinct keys [default: as many as operations, at most 10000]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(1..=MAX_KEYS))]
    keys: Option<u64>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Put load on a BitTorrent tracker, this one or another, and measure it
    Tracker(tracker::TrackerArgs),
}

/// Connects, runs the phases, and reports.
pub(super) async fn run(
    asking: Asking,
    mut args: BenchArgs,
    json: bool,
) -> Result<Answer, CtlError> {
    if let Some(What::Tracker(args)) = args.what.take() {
        return tracker::run(args, asking.timeout).await;
    }
    let names = if args.nodes.is_empty() {
        vec![asking.node.clone()]
    } else {
        args.nodes.clone()
    };
    if args.concurrency < names.len() as u64 {
        return Err(CtlError::WrongUse(format!(
            "{} requests in flight are too few for {} nodes; raise --concurrency or name fewer nodes",
            args.concurrency,
            names.len()
        )));
    }
    let config = proof::anonymous().map_err(|error| CtlError::Local(error.to_string()))?;
    let mut connector = Connector::new(config);
    let mut sessions = Vec::with_capacity(names.len());
    for name in &names {
        sessions.push(connector.connect(name, asking.timeout).await?);
    }
    let ops = args.ops.unwrap_or(DEFAULT_OPS);
    let count = args.keys.unwrap_or_else(|| ops.clamp(1, 10_000));
    let size = usize::try_from(args.value_size).unwrap_or(MAX_VALUE_BYTES);
    let keys = Arc::new(Keys::new(count, size).map_err(CtlError::Local)?);
    let (mut tables, mut lost) = (Vec::new(), Vec::new());
    for phase in phases(&args, ops, count) {
        let share = Arc::new(Share::new(Arc::clone(&keys), &phase));
        let bar = progress_bar(&phase, json);
        let load = run_phase(sessions, &share, args.concurrency, asking.timeout);
        let done = tokio::select! {
            done = load => done,
            never = move_bar(&bar, &share) => match never {},
        };
        bar.finish_and_clear();
        let done = done.map_err(CtlError::Local)?;
        sessions = done.sessions;
        lost.extend(done.lost);
        let found = done.meter.tables(phase.name).into_iter();
        // What was not stored beforehand is missing in every figure after it.
        tables.extend(found.filter(|table| phase.measured || table.errors() > 0));
        if sessions.is_empty() {
            break;
        }
    }
    for session in sessions {
        session.close().await;
    }
    let summary = Summary {
        concurrency: args.concurrency,
        value_size: size,
        keys: count,
    };
    Ok(report::answer(&names, &summary, &tables, &lost))
}

/// The phases: puts then gets, or everything stored first and then the mix.
fn phases(args: &BenchArgs, ops: u64, keys: u64) -> Vec<Phase> {
    let ending = args.duration.map_or(Ending::Ops(ops), Ending::After);
    match args.mix {
        None => vec![
            Phase::new("put", 100.0, args.warmup, ending),
            Phase::new("get", 0.0, args.warmup, ending),
        ],
        Some(percent) => vec![
            Phase::unmeasured("load", keys),
            Phase::new("mix", percent, args.warmup, ending),
        ],
    }
}

/// A bar on a terminal; nothing where nobody looks.
fn progress_bar(phase: &Phase, json: bool) -> ProgressBar {
    if json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match phase.ending {
        Ending::Ops(ops) => (
            ProgressBar::new(ops + phase.warmup),
            "{prefix:5} {wide_bar} {pos}/{len}  {per_sec}",
        ),
        Ending::After(_) => (ProgressBar::new_spinner(), "{prefix:5} {pos}  {per_sec}"),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.with_prefix(phase.name)
}

async fn move_bar(bar: &ProgressBar, share: &Share) -> Infallible {
    if bar.is_hidden() {
        return std::future::pending().await;
    }
    loop {
        bar.set_position(share.taken());
        tokio::time::sleep(PROGRESS_EVERY).await;
    }
}
