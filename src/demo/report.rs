//! The table at the end of the demo: one row for each pass over the keys.

use super::DemoArgs;
use super::corpus::Corpus;
use super::pass::Pass;
use comfy_table::{Cell, CellAlignment, Table, presets};
use serde_json::{Value, json};
use std::time::Duration;

/// Most skipped files that are named.
const NAMED_SKIPPED: usize = 5;

/// Everything that the demo found out.
pub(super) struct Report<'a> {
    pub(super) args: &'a DemoArgs,
    pub(super) corpus: &'a Corpus,
    pub(super) formed: Duration,
    pub(super) healed: Duration,
    pub(super) killed: usize,
    pub(super) stored: Pass,
    pub(super) before: Pass,
    pub(super) after: Pass,
}

/// One row of the table: a pass, and what it is called.
struct Row<'a> {
    name: &'static str,
    /// The name in the document.
    key: &'static str,
    /// Whether the pass looked for what is there, and so can find it.
    reads: bool,
    pass: &'a Pass,
}

impl Row<'_> {
    /// Latency at a percentile, in microseconds.
    fn at(&self, percentile: f64) -> u64 {
        self.pass.latency_us.value_at_percentile(percentile)
    }

    fn found(&self) -> Option<usize> {
        self.reads.then_some(self.pass.right)
    }

    fn wrong(&self) -> Option<usize> {
        self.reads.then_some(self.pass.wrong)
    }

    fn json(&self, keys: usize) -> Value {
        let pass = self.pass;
        json!({
            "keys": keys, "bytes": pass.bytes, "seconds": pass.elapsed.as_secs_f64(),
            "ops_per_s": pass.ops_per_s().round(), "p50_us": self.at(50.0), "p90_us": self.at(90.0),
            "p99_us": self.at(99.0), "max_us": pass.latency_us.max(), "mean_hops": pass.mean_hops,
            "found": self.found(), "missing": pass.missing, "wrong": self.wrong(),
            "failures": pass.failures,
        })
    }

    fn cells(&self, keys: usize) -> Vec<String> {
        let milliseconds = |percentile| milliseconds(self.at(percentile));
        let or_none = |number: Option<usize>| number.map_or_else(none, |number| number.to_string());
        vec![
            self.name.to_owned(),
            keys.to_string(),
            self.pass.bytes.to_string(),
            format!("{:.0}", self.pass.ops_per_s()),
            milliseconds(50.0),
            milliseconds(90.0),
            milliseconds(99.0),
            self.pass
                .mean_hops
                .map_or_else(none, |hops| format!("{hops:.2}")),
            or_none(self.found()),
            self.pass.missing.to_string(),
            or_none(self.wrong()),
        ]
    }
}

/// Two decimals below a second, none above: the column stays narrow.
fn milliseconds(us: u64) -> String {
    let decimals = if us < 999_995 { 2 } else { 0 };
    format!("{:.decimals$}", us as f64 / 1e3)
}

/// What a pass cannot say.
fn none() -> String {
    "-".to_owned()
}

impl Report<'_> {
    fn rows(&self) -> [Row<'_>; 3] {
        let again = if self.killed == 0 {
            "read again"
        } else {
            "after kill"
        };
        let row = |name, key, reads, pass| Row {
            name,
            key,
            reads,
            pass,
        };
        [
            row("stored", "stored", false, &self.stored),
            row("read back", "read_before", true, &self.before),
            row(again, "read_after", true, &self.after),
        ]
    }

    /// Whether everything was stored, and everything was found before and after.
    pub(super) fn all_right(&self) -> bool {
        let keys = self.corpus.items.len();
        self.rows().iter().all(|row| row.pass.right == keys)
    }

    pub(super) fn json(&self) -> String {
        let keys = self.corpus.items.len();
        let skipped: Vec<Value> = self
            .corpus
            .skipped
            .iter()
            .map(|(name, why)| json!({ "name": name, "why": why }))
            .collect();
        let mut document = json!({
            "overlay": self.args.overlay, "nodes": self.args.nodes, "killed": self.killed,
            "source": self.corpus.source, "keys": keys, "bytes": self.corpus.bytes,
            "skipped": skipped, "ring_formed_s": self.formed.as_secs_f64(),
            "ring_healed_s": self.healed.as_secs_f64(), "found_before": self.before.right,
            "found_after": self.after.right, "ok": self.all_right(),
        });
        for row in self.rows() {
            document[row.key] = row.json(keys);
        }
        document.to_string()
    }

    pub(super) fn text(&self) -> String {
        let keys = self.corpus.items.len();
        let mut lines = vec![
            String::new(),
            format!(
                "{} {} nodes, {} killed; data from {}",
                self.args.nodes, self.args.overlay, self.killed, self.corpus.source,
            ),
            format!(
                "ring formed {:.1} s after the last node was ready, healed in {:.1} s",
                self.formed.as_secs_f64(),
                self.healed.as_secs_f64(),
            ),
            String::new(),
            self.table(),
            String::new(),
        ];
        for row in self.rows() {
            let failures = row.pass.failures.iter();
            lines.extend(failures.map(|failure| format!("{}: {failure}", row.name)));
        }
        let skipped = &self.corpus.skipped;
        for (name, why) in skipped.iter().take(NAMED_SKIPPED) {
            lines.push(format!("not stored: {name}: {why}"));
        }
        if skipped.len() > NAMED_SKIPPED {
            let more = skipped.len() - NAMED_SKIPPED;
            lines.push(format!("not stored: {more} more"));
        }
        let verdict = if self.all_right() {
            "nothing missing, nothing wrong"
        } else {
            "SOMETHING IS MISSING OR WRONG"
        };
        lines.push(format!(
            "found before {} of {keys}, after {} of {keys}: {verdict}",
            self.before.right, self.after.right
        ));
        lines.join("\n")
    }

    /// At most 100 columns wide, so that it fits beside a prompt and into a report.
    fn table(&self) -> String {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        let header = [
            "",
            "keys",
            "bytes",
            "ops/s",
            "p50 ms",
            "p90 ms",
            "p99 ms",
            "mean hops",
            "found",
            "missing",
            "wrong",
        ];
        table.set_header(header.map(|name| Cell::new(name).set_alignment(CellAlignment::Right)));
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        for row in self.rows() {
            table.add_row(row.cells(self.corpus.items.len()));
        }
        let lines: Vec<_> = table
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect();
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::corpus::Item;
    use crate::demo::pass::Pass;
    use clap::Parser;

    #[derive(Parser)]
    struct Demo {
        #[command(flatten)]
        args: DemoArgs,
    }

    /// The largest demo that there may be, with every request answered at the last moment.
    fn largest(items: usize, bytes: u64) -> (DemoArgs, Corpus, impl Fn() -> Pass) {
        let item = Item {
            key: b"k".to_vec(),
            value: bytes::Bytes::new(),
        };
        let corpus = Corpus {
            source: ".".to_owned(),
            items: vec![item; items],
            bytes,
            skipped: Vec::new(),
        };
        let pass = move || {
            let mut pass = Pass::new().unwrap();
            pass.right = items;
            pass.bytes = bytes;
            pass.elapsed = Duration::from_millis(1_500);
            pass.mean_hops = Some(12.345);
            pass.latency_us.record(20_000_000).unwrap();
            pass
        };
        (Demo::parse_from(["demo"]).args, corpus, pass)
    }

    fn report<'a>(args: &'a DemoArgs, corpus: &'a Corpus, pass: impl Fn() -> Pass) -> Report<'a> {
        Report {
            args,
            corpus,
            formed: Duration::ZERO,
            healed: Duration::ZERO,
            killed: 2,
            stored: pass(),
            before: pass(),
            after: pass(),
        }
    }

    #[test]
    fn the_table_of_the_largest_demo_lines_up_within_100_columns() {
        let (args, corpus, pass) = largest(200_000, 512 << 20);
        let table = report(&args, &corpus, pass).table();
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 4, "{table}");
        let widths: Vec<_> = lines.iter().map(|line| line.chars().count()).collect();
        assert!(
            widths.iter().all(|&width| width <= 100),
            "{widths:?}\n{table}"
        );
        assert!(
            widths.windows(2).all(|pair| pair[0] == pair[1]),
            "the last column is not aligned:\n{table}"
        );
        assert!(
            lines[1].contains("536870912") && lines[1].contains("12.35"),
            "{table}"
        );
    }

    #[test]
    fn a_pass_that_misses_a_key_or_finds_other_bytes_is_not_right() {
        let (args, corpus, pass) = largest(3, 30);
        let mut report = report(&args, &corpus, pass);
        assert!(report.all_right());
        (report.after.right, report.after.missing, report.after.wrong) = (1, 1, 1);
        assert!(!report.all_right());
        let text = report.text();
        assert!(
            text.contains("after 1 of 3: SOMETHING IS MISSING"),
            "{text}"
        );
        let document: Value = serde_json::from_str(&report.json()).unwrap();
        let row = &document["read_after"];
        assert_eq!([&row["found"], &row["missing"], &row["wrong"]], [1, 1, 1]);
        assert_eq!(document["ok"], false);
    }
}
