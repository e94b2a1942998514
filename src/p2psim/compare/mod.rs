//! `p2psim compare`: the lecture's table of techniques to find who has what, measured.
//!
//! Each technique is a network of the machines that ship, with links, tables and records given, so
//! that any number of nodes is there at once: flat Gnutella, one ultrapeer with only leaves (a
//! directory), √N ultrapeers, and the replicated store over Chord and over Pastry. Full replication
//! alone has no machine; its row is computed. Random nodes search for what many have and for what
//! three have, and insert new resources, one call after the other; all messages are counted until nothing
//! that the call set in motion is under way any more.

mod items;
mod measure;
mod network;
mod plot;
mod report;
mod structured;
mod table;
mod techniques;
mod unstructured;

pub use report::{CompareReport, Cost, Lecture, Row, Size, Spread};

use super::cli::CompareArgs;
use super::progress::{Progress, print_cost};
use super::{RunError, write_json};
use sim::TraceHash;
use std::io::Write;
use techniques::Technique;

/// The numbers of nodes of a plot: half a decade apart.
const SIZES: [u64; 7] = [100, 316, 1_000, 3_162, 10_000, 31_623, 100_000];

/// Runs the experiment, prints its result, and draws it where that was asked for.
pub(super) fn command(args: &CompareArgs, out: &mut dyn Write) -> Result<bool, RunError> {
    if let Some(file) = &args.plot {
        // Before minutes of work: a file that cannot be written is said at once.
        plot::may_be_written(file)?;
    }
    // What a network costs grows with its nodes.
    let plotted = args.plot.as_ref().map_or(0, |_| SIZES.iter().sum());
    let steps = Technique::ALL.len() as u64 * (args.nodes + plotted);
    let mut progress = Progress::new("comparing", steps);
    let report = run_with(args, &mut progress)?;
    let wall = progress.finish();
    if let Some(file) = &args.plot {
        plot::draw(file, &report.curve)?;
    }
    if args.json {
        write_json(out, &report)?;
    } else {
        table::print(&report, out)?;
    }
    print_cost(wall);
    Ok(true)
}

/// Runs the experiment.
///
/// # Errors
/// When an invariant of the simulated world does not hold.
pub fn run(args: &CompareArgs) -> Result<CompareReport, RunError> {
    run_with(args, &mut Progress::new("comparing", 0))
}

fn run_with(args: &CompareArgs, progress: &mut Progress) -> Result<CompareReport, RunError> {
    let rows = rows(args, args.nodes, progress)?;
    let mut curve = Vec::new();
    if args.plot.is_some() {
        for nodes in SIZES {
            let rows = self::rows(args, nodes, progress)?;
            curve.push(Size { nodes, rows });
        }
    }
    let mut hash = TraceHash::default();
    for row in rows.iter().chain(curve.iter().flat_map(|size| &size.rows)) {
        hash.bytes(row.trace_hash.as_bytes());
    }
    Ok(CompareReport {
        nodes: args.nodes,
        super_peers: unstructured::super_peers(args.nodes as usize) as u64,
        seed: args.seed,
        rows,
        curve,
        trace_hash: hash.to_string(),
    })
}

/// All techniques at one number of nodes, one after the other: only one network is in memory.
fn rows(args: &CompareArgs, nodes: u64, progress: &mut Progress) -> Result<Vec<Row>, RunError> {
    let measured = Technique::ALL.into_iter().map(|technique| {
        progress.say(format!("{nodes} nodes, {}", technique.name()));
        let row = technique.run(args.seed, nodes, args.searches);
        progress.advance(nodes);
        row
    });
    measured.collect()
}
