//! Pictures without a terminal: as documents, and as text.

use super::app::App;
use super::columns::{Column, GAP};
use super::model::{Health, Rates, Row, Totals};
use super::view::{addr_width, headline};
use overlay::Id;
use serde::Serialize;
use std::net::SocketAddr;

/// A picture as a document.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    /// The node by way of which the network was seen.
    through: SocketAddr,
    #[serde(flatten)]
    totals: &'a Totals,
    latency_us: Option<u64>,
    nodes: Vec<NodeEntry<'a>>,
}

#[derive(Serialize)]
struct NodeEntry<'a> {
    id: Id,
    addr: SocketAddr,
    health: Health,
    values: Option<u64>,
    holders: Option<u64>,
    index_entries: Option<u64>,
    stored_bytes: Option<u64>,
    peers: Option<u32>,
    connections: Option<u32>,
    uptime_s: Option<u64>,
    version: Option<&'a str>,
    rtt_us: Option<u64>,
    records_to_move: Option<u64>,
    #[serde(flatten)]
    rates: Option<Rates>,
    latency_us: Option<u64>,
    /// Of a silent node: how many know it, and why it is silent.
    known_by: Option<usize>,
    why: Option<&'a str>,
}

fn latency_us(rates: Option<&Rates>) -> Option<u64> {
    let latency = rates.and_then(|rates| rates.latency)?;
    u64::try_from(latency.as_micros()).ok()
}

impl<'a> From<&'a Row> for NodeEntry<'a> {
    fn from(row: &'a Row) -> Self {
        let report = row.report.as_deref();
        let status = report.map(|report| &report.status);
        let rtt = row.rtt.and_then(|rtt| u64::try_from(rtt.as_micros()).ok());
        Self {
            id: row.contact.id,
            addr: row.contact.addr,
            health: row.health,
            values: status.map(|status| status.values),
            holders: status.map(|status| status.holders),
            index_entries: status.map(|status| status.entries),
            stored_bytes: status.map(|status| status.stored_bytes),
            peers: status.map(|status| status.peers),
            connections: report.map(|report| report.connections),
            uptime_s: report.map(|report| report.uptime_s),
            version: report.map(|report| report.version.as_str()),
            rtt_us: rtt,
            records_to_move: status.map(|_| row.to_move),
            rates: row.rates,
            latency_us: latency_us(row.rates.as_ref()),
            known_by: row.silence.as_ref().map(|(known_by, _)| *known_by),
            why: row.silence.as_ref().map(|(_, why)| why.as_str()),
        }
    }
}

/// The present picture as a document.
pub(super) fn document(app: &App) -> Document<'_> {
    let totals = &app.model.totals;
    Document {
        through: app.through,
        totals,
        latency_us: latency_us(totals.rates.as_ref()),
        nodes: app.rows().into_iter().map(NodeEntry::from).collect(),
    }
}

/// The present picture as text, with all columns.
pub(super) fn text(app: &App) -> String {
    let rows = app.rows();
    let addr = addr_width(&rows);
    let line = |cell: &dyn Fn(Column) -> String| {
        let cells = Column::ALL.map(|column| {
            let (text, width) = (cell(column), usize::from(column.width(addr)));
            if column.is_figure() {
                format!("{text:>width$}")
            } else {
                format!("{text:width$}")
            }
        });
        let gap = " ".repeat(usize::from(GAP));
        cells.join(&gap).trim_end().to_owned()
    };
    let head = headline(app).to_string();
    let titles = line(&|column| column.title().to_owned());
    let nodes = rows.iter().map(|row| line(&|column| column.text(row)));
    let all = [head, titles].into_iter().chain(nodes);
    all.collect::<Vec<_>>().join("\n")
}
