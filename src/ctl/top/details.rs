//! One node, and a key that was looked up.

use super::app::App;
use super::figures;
use super::model::Row;
use crate::ctl::holders::printable;
use crate::ctl::{moving, neighbours};
use overlay::Id;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Stylize;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Wrap};
use std::collections::BTreeSet;

/// Draws the chosen node.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let lines = match app.chosen() {
        Some(row) => lines(row),
        None => vec![Line::from("this node is no longer known to anybody")],
    };
    let block = Block::bordered().title(" node ");
    let text = Paragraph::new(lines)
        .wrap(Wrap { trim: false })
        .block(block);
    frame.render_widget(text, area);
}

fn lines(row: &Row) -> Vec<Line<'static>> {
    let mut rows = vec![
        ("id".to_owned(), row.contact.id.to_string()),
        ("address".to_owned(), row.contact.addr.to_string()),
        ("health".to_owned(), row.health.word().to_owned()),
    ];
    if let Some((known_by, why)) = &row.silence {
        let nodes = if *known_by == 1 { "node" } else { "nodes" };
        rows.push(("known by".to_owned(), format!("{known_by} {nodes}")));
        rows.push(("why".to_owned(), printable(why)));
    }
    if let Some(rates) = &row.rates {
        let text = format!(
            "{} operations, {} failed, {} messages, {} records moved; an operation takes {}",
            figures::rate(Some(rates.operations_per_s)),
            figures::rate(Some(rates.failed_per_s)),
            figures::rate(Some(rates.messages_per_s)),
            figures::rate(Some(rates.moved_per_s)),
            figures::span(rates.latency),
        );
        rows.push(("a second".to_owned(), text));
    }
    if let Some(report) = &row.report {
        let status = &report.status;
        let up = format!(
            "{}, version {}",
            figures::age(report.uptime_s),
            printable(&report.version)
        );
        rows.push(("up".to_owned(), up));
        if let Some(http) = report.http {
            rows.push(("http".to_owned(), http.to_string()));
        }
        let stores = format!(
            "{} values, {} holders, {} entries of the index, {}",
            status.values,
            status.holders,
            status.entries,
            figures::bytes(status.stored_bytes)
        );
        rows.push(("stores".to_owned(), stores));
        rows.extend(moving::rows(status));
        let peers = format!("{}, {} connected", status.peers, report.connections);
        rows.push(("peers".to_owned(), peers));
        rows.extend(neighbours::rows(&status.neighbours));
    }
    let width = rows.iter().map(|(name, _)| name.chars().count()).max();
    let width = width.unwrap_or_default();
    let line = |(name, text): (String, String)| {
        Line::from(vec![
            Span::from(format!(" {name:width$}  ")).bold(),
            Span::from(text),
        ])
    };
    rows.into_iter().map(line).collect()
}

/// The replicas of the key that was looked up.
pub(super) fn replicas(app: &App) -> BTreeSet<Id> {
    let located = app.located.as_ref();
    let answer = located.and_then(|located| located.answer.as_ref());
    match answer {
        Some(Ok((report, _))) => report.replicas.iter().map(|replica| replica.id).collect(),
        _ => BTreeSet::new(),
    }
}

/// What is known of the key that was looked up.
pub(super) fn located(app: &App, at_length: bool) -> Vec<Line<'static>> {
    let Some(located) = &app.located else {
        return Vec::new();
    };
    let key = Span::from(printable(&located.key)).bold();
    let list = |contacts: &[overlay::Contact]| {
        let all = contacts.iter().map(|contact| contact.addr.to_string());
        all.collect::<Vec<_>>().join(", ")
    };
    let (report, took) = match &located.answer {
        None => return vec![Line::from(vec![key, Span::from(": looking …")])],
        Some(Err(why)) => {
            let why = Span::from(format!(": {}", printable(why))).red();
            return vec![Line::from(vec![key, why])];
        }
        Some(Ok((report, took))) => (report, took),
    };
    let hops = if report.hops == 1 { "hop" } else { "hops" };
    let mut first = format!(": {} {hops}, {}", report.hops, figures::span(Some(*took)));
    if report.timeouts > 0 {
        first += &format!(", {} silent on the way", report.timeouts);
    }
    if let Some(reached) = report.reached {
        first += &format!(", {reached} nodes have looked");
    }
    let mut lines = vec![Line::from(vec![key, Span::from(first)])];
    if at_length {
        let replicas = list(&report.replicas);
        lines.push(Line::from(vec![
            Span::from("  replicas ").bold(),
            Span::from(if replicas.is_empty() {
                "none".to_owned()
            } else {
                replicas
            })
            .magenta(),
        ]));
        let way = vec![
            Span::from("  way      ").bold(),
            Span::from(list(&report.path)),
        ];
        lines.push(Line::from(way));
    }
    lines
}
