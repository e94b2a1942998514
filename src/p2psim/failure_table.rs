//! The paper's table of lookups after many nodes die at once, beside the paper's figures.
//!
//! Which nodes die decides more than which keys are looked up: with half of a thousand nodes dead
//! the mean of the time-outs in one network differs from that in the next by 0.46 (one standard
//! deviation over 200 networks), a tenth. The lookups of a row are therefore shared out among many
//! networks, and the standard error that is left is printed.

use super::RunError;
use super::cli::{Fraction, LookupArgs};
use super::lookup::run;
use super::paper::{FAILURES, Failure};
use sim::Table;
use std::io::Write;

/// Networks over which a row is averaged, of consecutive seeds. With 10 the standard error of the
/// time-outs at 50 % dead was 2 % of the paper's figure, too much to judge 3 % by; with 100 it is
/// 1.2 % for the same number of lookups.
const NETWORKS: u64 = 100;
/// A mean that is higher than the paper's by more than this is marked.
const TOLERANCE: f64 = 0.03;

/// A mean over networks.
#[derive(Clone, Copy, Debug)]
pub struct Mean {
    /// The mean of the networks' means.
    pub mean: f64,
    /// Its standard error.
    pub error: f64,
}

impl Mean {
    fn of(samples: &[f64]) -> Self {
        let count = samples.len() as f64;
        let mean = samples.iter().sum::<f64>() / count;
        let squares: f64 = samples.iter().map(|sample| (sample - mean).powi(2)).sum();
        let error = (squares / (count - 1.0).max(1.0) / count).sqrt();
        Self { mean, error }
    }

    /// By how much the mean is above the paper's figure, when that is more than allowed.
    fn above(self, paper: f64) -> Option<f64> {
        let ratio = self.mean / paper - 1.0;
        (paper > 0.0 && ratio > TOLERANCE).then_some(ratio)
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What the paper found.
    pub paper: Failure,
    /// Network steps to the owner.
    pub hops: Mean,
    /// Silent hops.
    pub timeouts: Mean,
    /// Answers that named the owner.
    pub correct: u64,
    /// Answers that named another node.
    pub wrong: u64,
    /// Lookups without an answer.
    pub failed: u64,
}

impl Row {
    /// What is above the paper's figure by more than 3 %; empty when nothing is.
    #[must_use]
    pub fn above_paper(&self) -> String {
        let hops = self.hops.above(self.paper.hops);
        let timeouts = self.timeouts.above(self.paper.timeouts);
        let figures = [("hops", hops), ("time-outs", timeouts)];
        let text = figures.into_iter().filter_map(|(name, above)| {
            above.map(|above| format!("{name} by {:.1} %", above * 100.0))
        });
        text.collect::<Vec<_>>().join(", ")
    }

    fn cells(&self) -> [String; 9] {
        let mean = |figure: Mean| format!("{:.2} ± {:.2}", figure.mean, figure.error);
        [
            self.paper.percent.to_string(),
            mean(self.hops),
            format!("{:.2}", self.paper.hops),
            mean(self.timeouts),
            format!("{:.2}", self.paper.timeouts),
            self.above_paper(),
            self.correct.to_string(),
            self.wrong.to_string(),
            self.failed.to_string(),
        ]
    }
}

/// Measures the rows of the table.
///
/// # Errors
/// When the latency file is wrong, or an invariant does not hold.
pub fn rows(args: &LookupArgs) -> Result<Vec<Row>, RunError> {
    FAILURES.into_iter().map(|paper| row(args, paper)).collect()
}

fn row(args: &LookupArgs, paper: Failure) -> Result<Row, RunError> {
    let parts_per_million = paper.percent * 10_000;
    let fail = Fraction { parts_per_million };
    let (mut hops, mut timeouts, mut counts) = (Vec::new(), Vec::new(), [0; 3]);
    for seed in args.seed..args.seed.saturating_add(NETWORKS) {
        let report = run(&LookupArgs {
            fail,
            seed,
            lookups: args.lookups.div_ceil(NETWORKS),
            ..args.clone()
        })?;
        hops.push(report.hops.mean);
        timeouts.push(report.timeouts.mean);
        let new = [report.correct, report.wrong, report.failed];
        counts
            .iter_mut()
            .zip(new)
            .for_each(|(count, new)| *count += new);
    }
    let [correct, wrong, failed] = counts;
    Ok(Row {
        paper,
        hops: Mean::of(&hops),
        timeouts: Mean::of(&timeouts),
        correct,
        wrong,
        failed,
    })
}

/// Prints the table beside the paper's; says whether every lookup found the owner. To be above the
/// paper is marked, and is no error.
pub(super) fn failure_table(args: &LookupArgs, out: &mut dyn Write) -> Result<bool, RunError> {
    let rows = rows(args)?;
    let mut table = Table::new(&[
        "dead %",
        "hops",
        "paper",
        "time-outs",
        "paper",
        "above it by > 3 %",
        "correct",
        "wrong",
        "failed",
    ]);
    rows.iter().for_each(|row| table.row(row.cells()));
    writeln!(
        out,
        "{} nodes, {} successors, {NETWORKS} networks with {} lookups each, seeds from {}; mean ± standard error\n\n{table}",
        args.nodes,
        args.successors,
        args.lookups.div_ceil(NETWORKS),
        args.seed
    )?;
    Ok(rows.iter().all(|row| row.wrong + row.failed == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_above_the_paper_by_more_than_three_percent_is_named() {
        let row = |hops: f64, timeouts: f64| Row {
            paper: FAILURES[5],
            hops: Mean::of(&[hops - 0.1, hops + 0.1]),
            timeouts: Mean::of(&[timeouts; 4]),
            correct: 1,
            wrong: 0,
            failed: 0,
        };
        assert_eq!(row(5.24, 5.25).above_paper(), "");
        assert_eq!(row(5.24, 5.61).above_paper(), "time-outs by 10.0 %");
        let both = row(5.599, 5.61);
        assert_eq!(both.above_paper(), "hops by 10.0 %, time-outs by 10.0 %");
        assert!((both.hops.error - 0.1).abs() < 1e-9 && both.timeouts.error == 0.0);
        let nobody_dead = Row {
            paper: FAILURES[0],
            ..row(3.84, 0.0)
        };
        assert_eq!(nobody_dead.above_paper(), "", "no figure to compare with");
    }
}
