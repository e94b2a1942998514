//! The table and the document at the end of a run.

use super::super::output::{Answer, Exit};
use super::load::KindMeter;
use crate::control::client::{ClientError, NodeName};
use comfy_table::{CellAlignment, presets};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The percentiles that are shown, with their names in the document.
const PERCENTILES: [(f64, &str, &str); 4] = [
    (50.0, "p50", "p50_us"),
    (90.0, "p90", "p90_us"),
    (99.0, "p99", "p99_us"),
    (99.9, "p99.9", "p999_us"),
];

/// What one kind of operation did in one phase.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) phase: &'static str,
    pub(super) kind: &'static str,
    pub(super) elapsed: Duration,
    pub(super) meter: KindMeter,
}

/// How the run was set up.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) concurrency: u64,
    pub(super) value_size: usize,
    pub(super) keys: u64,
}

impl Table {
    fn ops(&self) -> u64 {
        self.meter.latency_ns.len()
    }

    pub(super) fn errors(&self) -> u64 {
        self.meter.errors.values().sum()
    }

    fn ops_per_s(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 {
            self.ops() as f64 / seconds
        } else {
            0.0
        }
    }

    fn json(&self) -> Value {
        let latency = &self.meter.latency_ns;
        let mut document = Map::new();
        document.insert("phase".to_owned(), json!(self.phase));
        document.insert("kind".to_owned(), json!(self.kind));
        document.insert("ops".to_owned(), json!(self.ops()));
        document.insert("seconds".to_owned(), json!(self.elapsed.as_secs_f64()));
        document.insert("ops_per_s".to_owned(), json!(self.ops_per_s().round()));
        document.insert(
            "mean_us".to_owned(),
            json!((latency.mean() / 100.0).round() / 10.0),
        );
        for (percentile, _, name) in PERCENTILES {
            let at = latency.value_at_percentile(percentile);
            document.insert(name.to_owned(), json!(micros(at)));
        }
        document.insert("max_us".to_owned(), json!(micros(latency.max())));
        document.insert("errors".to_owned(), json!(self.errors()));
        document.insert("errors_by_kind".to_owned(), json!(self.meter.errors));
        Value::Object(document)
    }

    fn row(&self) -> Vec<String> {
        let latency = &self.meter.latency_ns;
        let mut row = vec![
            self.phase.to_owned(),
            self.kind.to_owned(),
            self.ops().to_string(),
            format!("{:.0}", self.ops_per_s()),
        ];
        row.extend(PERCENTILES.iter().map(|(percentile, _, _)| {
            format!("{:.0}", micros(latency.value_at_percentile(*percentile)))
        }));
        row.push(format!("{:.0}", micros(latency.max())));
        row.push(self.errors().to_string());
        row
    }
}

/// Nanoseconds as microseconds with one decimal.
fn micros(nanos: u64) -> f64 {
    (nanos as f64 / 100.0).round() / 10.0
}

/// The answer of the command: done only if no operation failed and no node was lost.
pub(super) fn answer(
    nodes: &[NodeName],
    summary: &Summary,
    tables: &[Table],
    lost: &[ClientError],
) -> Answer {
    let failed =
        !lost.is_empty() || tables.is_empty() || tables.iter().any(|table| table.errors() > 0);
    let exit = if failed { Exit::Unknown } else { Exit::Done };
    let mut json = Map::new();
    let nodes: Vec<_> = nodes.iter().map(ToString::to_string).collect();
    json.insert("nodes".to_owned(), json!(nodes));
    json.insert("concurrency".to_owned(), json!(summary.concurrency));
    json.insert("value_size".to_owned(), json!(summary.value_size));
    json.insert("keys".to_owned(), json!(summary.keys));
    json.insert(
        "phases".to_owned(),
        tables.iter().map(Table::json).collect(),
    );
    let lost: Vec<_> = lost.iter().map(ToString::to_string).collect();
    json.insert("lost".to_owned(), json!(lost));
    json.insert(
        "outcome".to_owned(),
        json!(if failed { "failed" } else { "done" }),
    );
    if failed {
        let error = lost
            .first()
            .cloned()
            .unwrap_or_else(|| "some operations failed".to_owned());
        json.insert("error".to_owned(), json!(error));
    }
    Answer::new(exit, json, text(summary, tables, &lost))
}

fn text(summary: &Summary, tables: &[Table], lost: &[String]) -> String {
    let mut table = comfy_table::Table::new();
    table.load_preset(presets::NOTHING);
    let names = PERCENTILES.iter().map(|(_, name, _)| *name);
    let head = ["phase", "kind", "ops", "ops/s"]
        .into_iter()
        .chain(names)
        .chain(["max", "errors"]);
    table.set_header(head);
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for measured in tables {
        table.add_row(measured.row());
    }
    let mut lines = vec![format!(
        "{} in flight, values of {} bytes, {} keys; latencies in µs",
        summary.concurrency, summary.value_size, summary.keys
    )];
    lines.push(table.trim_fmt());
    for measured in tables {
        for (name, count) in &measured.meter.errors {
            lines.push(format!(
                "{} {}: {count} × {name}",
                measured.phase, measured.kind
            ));
        }
    }
    lines.extend(lost.iter().cloned());
    lines.join("\n")
}
