//! What queries cost, and how evenly the index is spread.

use super::super::RunError;
use super::super::cli::WordsArgs;
use super::texts::Texts;
use overlay::{Duration, TextReport};
use serde::Serialize;
use sim::{Distribution, Summary, Table, TraceHash};
use std::collections::BTreeMap;
use std::io::Write;

/// What one query came to.
pub(super) struct Asked {
    pub(super) report: TextReport,
    pub(super) messages: u64,
    pub(super) bytes: u64,
    pub(super) took: Duration,
}

/// All queries with so many words.
#[derive(Clone, Debug, Serialize)]
pub struct WordsRow {
    /// Words of each query.
    pub words: usize,
    /// Queries.
    pub queries: u64,
    /// Results of a query.
    pub results: Summary,
    /// Nodes of the index that were asked.
    pub parts: Summary,
    /// Messages: lookups, acknowledgements of hops, questions and answers.
    pub messages: Summary,
    /// Bytes of those messages.
    pub bytes: Summary,
    /// Simulated milliseconds to the answer.
    pub latency_ms: Summary,
}

/// What the experiment came to.
#[derive(Clone, Debug, Serialize)]
pub struct WordsReport {
    /// Nodes of the network.
    pub nodes: u64,
    /// Texts.
    pub texts: u64,
    /// Different words among them.
    pub words: u64,
    /// Entries in all stores, copies included.
    pub entries: u64,
    /// Nodes of the index.
    pub index_nodes: u64,
    /// Entries of a node on average.
    pub load_mean: f64,
    /// Entries of the busiest node over that.
    pub load_max_over_mean: f64,
    /// Questions of all queries that a node answered, on average.
    pub asked_mean: f64,
    /// Those of the node that was asked most over that.
    pub asked_max_over_mean: f64,
    /// What was found of what should have been, up to the limit of each query; 1 is everything.
    pub recall: f64,
    /// Queries whose answer was not exactly right.
    pub wrong: u64,
    /// By number of words.
    pub queries: Vec<WordsRow>,
    /// The hash of the run.
    pub trace_hash: String,
}

#[derive(Default)]
struct Figures {
    results: Distribution,
    parts: Distribution,
    messages: Distribution,
    bytes: Distribution,
    took: Distribution,
}

/// The sums so far.
pub(super) struct Counted {
    /// Entries of each node.
    loads: Vec<u64>,
    /// Questions that came to each node.
    asked: Vec<u64>,
    index_nodes: u64,
    should: u64,
    found: u64,
    wrong: u64,
    by_words: BTreeMap<usize, Figures>,
}

impl Counted {
    pub(super) fn new(loads: Vec<u64>, index_nodes: u64) -> Self {
        Self {
            asked: vec![0; loads.len()],
            loads,
            index_nodes,
            should: 0,
            found: 0,
            wrong: 0,
            by_words: BTreeMap::new(),
        }
    }

    pub(super) fn add(
        &mut self,
        words: usize,
        asked: Asked,
        (should, found, is_right): (u64, u64, bool),
    ) {
        self.should += should;
        self.found += found;
        self.wrong += u64::from(!is_right || should != found);
        let figures = self.by_words.entry(words).or_default();
        figures.results.record(asked.report.results.len() as u64);
        figures.parts.record(asked.report.asked.into());
        figures.messages.record(asked.messages);
        figures.bytes.record(asked.bytes);
        figures.took.record(asked.took.as_micros());
    }

    /// A question came to a node.
    pub(super) fn asked(&mut self, node: usize) {
        if let Some(asked) = self.asked.get_mut(node) {
            *asked += 1;
        }
    }

    pub(super) fn report(self, args: &WordsArgs, texts: &Texts, trace: TraceHash) -> WordsReport {
        let (load_mean, load_max_over_mean) = spread(&self.loads);
        let (asked_mean, asked_max_over_mean) = spread(&self.asked);
        let rows = self.by_words.into_iter().map(|(words, figures)| WordsRow {
            words,
            queries: figures.results.count(),
            results: figures.results.summary(1.0),
            parts: figures.parts.summary(1.0),
            messages: figures.messages.summary(1.0),
            bytes: figures.bytes.summary(1.0),
            latency_ms: figures.took.summary(1e3),
        });
        let used = texts.with_word.iter().filter(|texts| !texts.is_empty());
        WordsReport {
            nodes: args.nodes,
            texts: args.texts,
            words: used.count() as u64,
            entries: self.loads.iter().sum(),
            index_nodes: self.index_nodes,
            load_mean,
            load_max_over_mean,
            asked_mean,
            asked_max_over_mean,
            recall: self.found as f64 / self.should.max(1) as f64,
            wrong: self.wrong,
            queries: rows.collect(),
            trace_hash: trace.to_string(),
        }
    }
}

/// The mean of all nodes, and how many times that the most is.
fn spread(of_nodes: &[u64]) -> (f64, f64) {
    let sum: u64 = of_nodes.iter().sum();
    let mean = sum as f64 / of_nodes.len().max(1) as f64;
    let most = of_nodes.iter().max().copied().unwrap_or_default();
    (mean, most as f64 / mean.max(f64::MIN_POSITIVE))
}

pub(super) fn print(
    args: &WordsArgs,
    report: &WordsReport,
    out: &mut dyn Write,
) -> Result<(), RunError> {
    writeln!(
        out,
        "{}: {} nodes, {} texts with {} different words; {} entries in {} nodes of the index, copies included; seed {}\n\
         load of a node: {:.0} entries on average, the busiest {:.2} times that; {:.0} questions, the busiest {:.2} times that\n\
         recall: {:.4} % of what there is, up to {} results a query; {} wrong answers\n",
        args.overlay,
        report.nodes,
        report.texts,
        report.words,
        report.entries,
        report.index_nodes,
        args.seed,
        report.load_mean,
        report.load_max_over_mean,
        report.asked_mean,
        report.asked_max_over_mean,
        report.recall * 100.0,
        args.limit,
        report.wrong,
    )?;
    let mut table = Table::new(&[
        "words", "queries", "results", "parts", "p99", "messages", "p50", "p99", "bytes", "p50",
        "p99", "ms", "p99",
    ]);
    for row in &report.queries {
        let whole = |number: f64| format!("{number:.0}");
        table.row([
            row.words.to_string(),
            row.queries.to_string(),
            format!("{:.1}", row.results.mean),
            format!("{:.1}", row.parts.mean),
            whole(row.parts.p99),
            format!("{:.1}", row.messages.mean),
            whole(row.messages.p50),
            whole(row.messages.p99),
            whole(row.bytes.mean),
            whole(row.bytes.p50),
            whole(row.bytes.p99),
            whole(row.latency_ms.mean),
            whole(row.latency_ms.p99),
        ]);
    }
    writeln!(out, "{table}\ntrace {}", report.trace_hash)?;
    Ok(())
}
