//! `p2psim`: the protocol machines that ship, in the deterministic world of the crate `sim`.
//!
//! Ten experiments: [`lookup`] measures a network that starts with correct tables, [`churn`] one in
//! which nodes come and go all the time, [`repair`] one of which a part dies at once, [`loss`] what is
//! left of the records then, [`nearest`] which replica is reached first, [`words`] searches a large
//! index, [`mod@tracker`] the swarms of BitTorrent clients, [`search`] an unstructured network in each way that there is, [`compare`] the techniques of
//! the lecture, and [`faults`] hunts for seeds under which something that was promised does not hold. All
//! are functions of their arguments and a seed; the binary only prints what they give.

pub mod churn;
mod churn_report;
mod churn_tables;
pub mod cli;
pub mod compare;
pub mod failure_table;
pub mod faults;
mod growth;
mod invariants;
pub mod lookup;
pub mod loss;
pub mod nearest;
mod overlays;
pub mod paper;
mod progress;
pub mod repair;
pub mod scenario;
pub mod search;
mod seeds;
mod storing;
mod tally;
pub mod tracker;
pub mod words;

use clap::Parser;
use cli::{Cli, Experiment};
use sim::{Latency, Matrix, Violation};
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// Everything was right.
pub const EXIT_FINE: u8 = 0;
/// A check failed: a wrong answer, or a violated invariant.
pub const EXIT_CHECK_FAILED: u8 = 1;
/// The command line or a file that it names is wrong.
pub const EXIT_WRONG_USE: u8 = 2;

/// Why an experiment has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The scenario is wrong.
    #[error(transparent)]
    Scenario(#[from] scenario::ScenarioError),
    /// The latency file cannot be read.
    #[error("cannot read the latency file {path}: {cause}")]
    LatencyFile {
        /// The file.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// The latency file is no matrix.
    #[error("the latency file {path} is wrong: {cause}")]
    Latency {
        /// The file.
        path: String,
        /// Why.
        cause: sim::MatrixError,
    },
    /// Fewer than two would be left.
    #[error("{dead} of {nodes} nodes cannot die: two must be left; lower --dead or raise --nodes")]
    TooManyDead {
        /// How many are to die.
        dead: u64,
        /// How many there are.
        nodes: u64,
    },
    /// The picture cannot be written.
    #[error("cannot write the picture {path}: {cause}")]
    Plot {
        /// The file.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// The result cannot be written.
    #[error("cannot write the result: {0}")]
    Output(#[from] std::io::Error),
    /// An invariant does not hold.
    #[error(transparent)]
    Violation(#[from] Box<Violation>),
}

impl From<Violation> for RunError {
    fn from(violation: Violation) -> Self {
        Self::Violation(Box::new(violation))
    }
}

impl RunError {
    const fn exit_code(&self) -> u8 {
        match self {
            Self::Violation(_) => EXIT_CHECK_FAILED,
            _ => EXIT_WRONG_USE,
        }
    }
}

/// Runs the command line; gives the exit code.
pub fn main(words: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) => {
            // When not even the message can be written, the exit code still tells.
            let _ = error.print();
            return if error.use_stderr() {
                EXIT_WRONG_USE
            } else {
                EXIT_FINE
            };
        }
    };
    match run(cli) {
        Ok(true) => EXIT_FINE,
        Ok(false) => EXIT_CHECK_FAILED,
        Err(RunError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => EXIT_FINE,
        Err(error) => {
            eprintln!("error: {error}");
            error.exit_code()
        }
    }
}

/// Runs an experiment and prints its result; says whether all checks held.
fn run(cli: Cli) -> Result<bool, RunError> {
    let mut out = std::io::stdout().lock();
    match cli.experiment {
        Experiment::Lookup(args) => lookup::command(&args, &mut out),
        Experiment::Churn(args) => churn::command(&args, &mut out),
        Experiment::Faults(args) => faults::command(&args, &mut out),
        Experiment::Loss(args) => loss::command(&args, &mut out),
        Experiment::Repair(args) => repair::command(&args, &mut out),
        Experiment::Nearest(args) => nearest::command(&args, &mut out),
        Experiment::Tracker(args) => tracker::command(&args, &mut out),
        Experiment::Words(args) => words::command(&args, &mut out),
        Experiment::Search(args) => search::command(&args, &mut out),
        Experiment::Compare(args) => compare::command(&args, &mut out),
        Experiment::Run { scenario } => {
            drop(out);
            run(scenario::read(&scenario)?)
        }
    }
}

/// The latency model of a file, or a constant 50 ms without one.
fn latency(file: Option<&Path>) -> Result<Latency, RunError> {
    let Some(file) = file else {
        return Ok(Latency::Constant(overlay::Duration::from_millis(50)));
    };
    let path = || file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|cause| RunError::LatencyFile {
        path: path(),
        cause,
    })?;
    let matrix = Matrix::parse(&text).map_err(|cause| RunError::Latency {
        path: path(),
        cause,
    })?;
    Ok(Latency::Matrix(Arc::new(matrix)))
}

/// Writes one JSON document on one line.
fn write_json(out: &mut dyn Write, document: &impl serde::Serialize) -> Result<(), RunError> {
    let text = serde_json::to_string(document).map_err(std::io::Error::from)?;
    writeln!(out, "{text}")?;
    Ok(())
}
