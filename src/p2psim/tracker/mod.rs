//! Announces and expiries while nodes crash and join and messages are lost: clients come, announce,
//! get everything, stop or vanish, at all nodes of a network, whose trackers are the machines that
//! ship.
//!
//! What is judged is what nodes answer. No live client of a small swarm is missing at any node for
//! longer than stated, no dead one is offered after its expiry, nobody is offered himself, and totals
//! are right to within 5 %, or one. A client whose node dies before others could know of its last
//! announce is looked for again when it has come back.

mod clients;
mod desk;
mod judge;
mod network;
mod report;
mod run;

pub use desk::Bug;
pub use judge::{FOUND_WITHIN, FOUND_WITHIN_UNDER_FAULTS};
pub use report::{Failure, LoadReport, SeedReport, TrackerReport};

use super::RunError;
use super::cli::{Overlay, TrackerArgs};
use super::progress::print_cost;
use super::seeds;
use super::write_json;
use chord::Chord;
use pastry::Pastry;
use std::io::Write;

/// Runs the seeds, prints the result, and says whether all promises held.
pub(super) fn command(args: &TrackerArgs, out: &mut dyn Write) -> Result<bool, RunError> {
    let (report, wall) = run_with(args)?;
    if args.json {
        write_json(out, &report)?;
    } else {
        report::print(args, &report, out)?;
    }
    print_cost(wall);
    Ok(report.failures.is_empty())
}

/// Runs the seeds.
///
/// # Errors
/// When a seed cannot be run; a promise that is broken is no such error, but in the report.
pub fn run(args: &TrackerArgs) -> Result<TrackerReport, RunError> {
    run_with(args).map(|(report, _)| report)
}

fn run_with(args: &TrackerArgs) -> Result<(TrackerReport, std::time::Duration), RunError> {
    let (results, wall) = seeds::each(args.seeds, args.jobs, |seed| run_seed(args, seed, None));
    let mut judged = Vec::new();
    for (seed, result) in results {
        judged.push(match result {
            Ok(report) => (seed, Ok(report)),
            Err(RunError::Violation(violation)) => (seed, Err(violation)),
            Err(other) => return Err(other),
        });
    }
    Ok((report::sum(judged), wall))
}

/// Runs one seed, with trackers that make a mistake if one is given.
///
/// # Errors
/// The promise that was broken, as [`RunError::Violation`].
pub fn run_seed(args: &TrackerArgs, seed: u64, bug: Option<Bug>) -> Result<SeedReport, RunError> {
    match args.overlay {
        Overlay::Chord => run::run::<Chord>(args, seed, bug),
        Overlay::Pastry => run::run::<Pastry>(args, seed, bug),
    }
}
