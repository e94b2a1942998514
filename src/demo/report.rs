//! The table at the end of the demo.

use super::DemoArgs;
use super::corpus::Corpus;
use super::pass::Pass;
use comfy_table::{CellAlignment, Table, presets};
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
    pub(super) hops: Option<f64>,
}

impl Report<'_> {
    fn passes(&self) -> [(&'static str, &Pass); 3] {
        [
            ("store", &self.stored),
            ("read before", &self.before),
            ("read after", &self.after),
        ]
    }

    /// Whether everything was stored, and everything was found before and after.
    pub(super) fn all_right(&self) -> bool {
        let keys = self.corpus.items.len();
        self.passes().iter().all(|(_, pass)| pass.right == keys)
    }

    pub(super) fn json(&self) -> String {
        let pass = |pass: &Pass| {
            let at = |percentile| pass.latency_us.value_at_percentile(percentile);
            json!({
                "right": pass.right, "missing": pass.missing, "wrong": pass.wrong,
                "seconds": pass.elapsed.as_secs_f64(), "ops_per_s": pass.ops_per_s().round(),
                "p50_us": at(50.0), "p90_us": at(90.0), "p99_us": at(99.0),
                "max_us": pass.latency_us.max(), "failures": pass.failures,
            })
        };
        let skipped: Vec<Value> = self
            .corpus
            .skipped
            .iter()
            .map(|(name, why)| json!({ "name": name, "why": why }))
            .collect();
        json!({
            "overlay": self.args.overlay, "nodes": self.args.nodes, "killed": self.killed,
            "source": self.corpus.source, "keys": self.corpus.items.len(),
            "bytes": self.corpus.bytes, "skipped": skipped, "mean_hops": self.hops,
            "ring_formed_s": self.formed.as_secs_f64(), "ring_healed_s": self.healed.as_secs_f64(),
            "store": pass(&self.stored), "read_before": pass(&self.before),
            "read_after": pass(&self.after), "found_before": self.before.right,
            "found_after": self.after.right, "ok": self.all_right(),
        })
        .to_string()
    }

    pub(super) fn text(&self) -> String {
        let keys = self.corpus.items.len();
        let mut lines = vec![
            String::new(),
            format!(
                "{keys} keys, {} bytes, from {}; {} {} nodes, {} killed",
                self.corpus.bytes,
                self.corpus.source,
                self.args.nodes,
                self.args.overlay,
                self.killed
            ),
            format!(
                "ring formed {:.1} s after the last node was ready, healed in {:.1} s; mean hops {}",
                self.formed.as_secs_f64(),
                self.healed.as_secs_f64(),
                self.hops
                    .map_or_else(|| "unknown".to_owned(), |hops| format!("{hops:.2}")),
            ),
            self.table().trim_fmt(),
        ];
        for (name, pass) in self.passes() {
            lines.extend(
                pass.failures
                    .iter()
                    .map(|failure| format!("{name}: {failure}")),
            );
        }
        let skipped = &self.corpus.skipped;
        for (name, why) in skipped.iter().take(NAMED_SKIPPED) {
            lines.push(format!("not stored: {name}: {why}"));
        }
        if skipped.len() > NAMED_SKIPPED {
            lines.push(format!(
                "not stored: {} more",
                skipped.len() - NAMED_SKIPPED
            ));
        }
        let verdict = if self.all_right() {
            format!(
                "found before {} of {keys}, after {} of {keys}: nothing missing, nothing wrong",
                self.before.right, self.after.right
            )
        } else {
            format!(
                "found before {} of {keys}, after {} of {keys}: SOMETHING IS MISSING OR WRONG",
                self.before.right, self.after.right
            )
        };
        lines.push(verdict);
        lines.join("\n")
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        table.set_header([
            "", "keys", "right", "missing", "wrong", "ops/s", "p50 µs", "p90 µs", "p99 µs",
            "max µs",
        ]);
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        for (name, pass) in self.passes() {
            let at = |percentile| pass.latency_us.value_at_percentile(percentile).to_string();
            table.add_row([
                name.to_owned(),
                self.corpus.items.len().to_string(),
                pass.right.to_string(),
                pass.missing.to_string(),
                pass.wrong.to_string(),
                format!("{:.0}", pass.ops_per_s()),
                at(50.0),
                at(90.0),
                at(99.0),
                pass.latency_us.max().to_string(),
            ]);
        }
        table
    }
}
