//! Searches by words in a large index: what a query costs, how evenly the entries are spread, and
//! whether everything is found.
//!
//! The index is put into the stores directly, by the functions with which publishers place entries,
//! as if all leases had been renewed since the last node was divided: then entries are in leaves
//! only. What is asked runs through the machines that ship.

mod placing;
mod report;
mod run;
mod texts;

pub use report::{WordsReport, WordsRow};

use super::RunError;
use super::cli::{Overlay, WordsArgs};
use super::write_json;
use chord::Chord;
use pastry::Pastry;
use std::io::Write;

/// Runs the experiment, prints the result, and says whether everything was found.
pub(super) fn command(args: &WordsArgs, out: &mut dyn Write) -> Result<bool, RunError> {
    let report = run(args)?;
    if args.json {
        write_json(out, &report)?;
    } else {
        report::print(args, &report, out)?;
    }
    Ok(report.wrong == 0)
}

/// Runs the experiment.
///
/// # Errors
/// When the latency file is wrong or an invariant does not hold.
pub fn run(args: &WordsArgs) -> Result<WordsReport, RunError> {
    match args.overlay {
        Overlay::Chord => run::run::<Chord>(args),
        Overlay::Pastry => run::run::<Pastry>(args),
    }
}
