//! The lecture's table for people: what was measured, and beside it what the lecture says.

use super::report::{CompareReport, Row};
use crate::p2psim::RunError;
use sim::Table;
use std::io::Write;

/// Prints it.
pub(super) fn print(report: &CompareReport, out: &mut dyn Write) -> Result<(), RunError> {
    let mut table = Table::new(&[
        "",
        "hops",
        "ms",
        "lecture",
        "messages: rare",
        "popular",
        "lecture",
        "update",
        "lecture",
        "stored: max",
        "mean",
        "lecture",
        "peers",
        "found: rare",
        "popular",
    ]);
    for row in &report.rows {
        table.row(cells(row));
    }
    writeln!(
        out,
        "n = N = {} nodes, C = {} super-peers, seed {}\n\n{table}",
        report.nodes, report.super_peers, report.seed
    )?;
    writeln!(
        out,
        "hops and ms: to a rare resource (three nodes have it); 50 ms one way\n\
         messages: of one search; the popular resource is with one node in a hundred\n\
         update: messages of one insert\n\
         stored: records and entries of indexes on a node, when each node shares one resource\n\
         peers: that a node knows, on average\n\
         * computed from what it is, not measured\n\
         trace {}",
        report.trace_hash
    )?;
    Ok(())
}

fn cells(row: &Row) -> Vec<String> {
    let (rare, popular, lecture) = (&row.rare, &row.popular, &row.lecture);
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let mark = if row.computed { " *" } else { "" };
    vec![
        format!("{}{mark}", row.technique),
        format!("{:.1}", rare.hops),
        format!("{:.0}", rare.latency_ms.mean),
        lecture.latency.to_owned(),
        number(rare.messages),
        number(popular.messages),
        lecture.messages.to_owned(),
        number(row.update_messages),
        lecture.update.to_owned(),
        row.storage.max.to_string(),
        format!("{:.1}", row.storage.mean),
        lecture.storage.to_owned(),
        format!("{:.1}", row.peers.mean),
        percent(rare.found),
        percent(popular.found),
    ]
}

/// Small numbers with a digit after the point.
fn number(number: f64) -> String {
    if number < 100.0 {
        format!("{number:.1}")
    } else {
        format!("{number:.0}")
    }
}
