//! What is lost when nodes die at the same instant and never return, and how soon the rest has all
//! its replicas again.
//!
//! Each run is a network of its own, which starts with correct tables and is at rest: clients put
//! all keys, every replica has them, and maintenance has its longest periods. Then random nodes
//! die. A key is lost when no live node has it; the rest is repaired when every root and its
//! replicas are up and have all keys of the root's arc. At the end clients read every key: one that
//! was not lost and is not found is a failure, and so is one that is called absent although it was
//! acknowledged.

mod keys;
mod report;
mod run;

pub use report::{LossReport, LossRow};

use super::RunError;
use super::cli::{LossArgs, Overlay, Seeds};
use super::progress::{Progress, print_cost};
use super::write_json;
use chord::Chord;
use pastry::Pastry;
use run::{Outcomes, Plan};
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Nodes that must be left: one that has lost all others is cut off and answers for nothing.
const LEAST_LEFT: u64 = 2;

/// Runs the experiment, prints the result, and says whether all was as it must be.
pub(super) fn command(args: &LossArgs, out: &mut dyn Write) -> Result<bool, RunError> {
    let (report, wall) = run_with(args)?;
    if args.json {
        write_json(out, &report)?;
    } else {
        report::print(args, &report, out)?;
    }
    print_cost(wall);
    Ok(report.failures.is_empty())
}

/// Runs the experiment.
///
/// # Errors
/// When the latency file is wrong, or fewer than two nodes are to be left.
pub fn run(args: &LossArgs) -> Result<LossReport, RunError> {
    run_with(args).map(|(report, _)| report)
}

type RunResult = Result<Outcomes, String>;

fn run_with(args: &LossArgs) -> Result<(LossReport, std::time::Duration), RunError> {
    if let Some(dead) = args
        .dead
        .iter()
        .find(|dead| **dead + LEAST_LEFT > args.nodes)
    {
        return Err(RunError::TooManyDead {
            dead: *dead,
            nodes: args.nodes,
        });
    }
    let plan = Plan {
        nodes: args.nodes as usize,
        keys: args.keys as usize,
        value_size: args.value_size as usize,
        replicas: args.replicas,
        latency: super::latency(args.latency.as_deref())?,
    };
    let Seeds { from, to } = args.seeds;
    let runs: Vec<(u64, usize)> = args
        .dead
        .iter()
        .flat_map(|dead| (from..to).map(|seed| (seed, *dead as usize)))
        .collect();
    let progress = Mutex::new(Progress::new("networks", runs.len() as u64));
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(runs.len()));
    std::thread::scope(|scope| {
        for _ in 0..args.jobs.min(runs.len() as u64) {
            scope.spawn(|| {
                while let Some(of) = runs.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
                    let result = one(args, &plan, of);
                    if let Ok(mut results) = results.lock() {
                        results.push((of, result));
                    }
                    if let Ok(mut progress) = progress.lock() {
                        progress.step();
                    }
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_default();
    results.sort_unstable_by_key(|((seed, dead), _)| (*dead, *seed));
    let wall = progress
        .into_inner()
        .map(Progress::finish)
        .unwrap_or_default();
    Ok((report::sum(args, &results), wall))
}

/// One run, of the overlay that was chosen.
fn one(args: &LossArgs, plan: &Plan, of: (u64, usize)) -> RunResult {
    let done = match args.overlay {
        Overlay::Chord => run::run::<Chord>(plan, of, replay(args, of)),
        Overlay::Pastry => run::run::<Pastry>(plan, of, replay(args, of)),
    };
    done.map_err(|error| error.to_string())
}

/// The command that repeats one run.
fn replay(args: &LossArgs, (seed, dead): (u64, usize)) -> String {
    let latency = args.latency.as_ref();
    format!(
        "p2psim loss --overlay {} --nodes {} --keys {} --value-size {} --replicas {} --dead {dead} --seeds {seed}..{}{}",
        args.overlay,
        args.nodes,
        args.keys,
        args.value_size,
        args.replicas,
        seed + 1,
        latency.map_or_else(String::new, |file| format!(" --latency {}", file.display())),
    )
}
