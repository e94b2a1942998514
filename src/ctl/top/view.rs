//! Drawing: a head, curves, the table or one node, and what keys do.

use super::app::{App, Mode};
use super::columns::{Column, GAP, that_fit};
use super::details;
use super::figures;
use super::model::{Health, Row};
use crate::ctl::holders::printable;
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Sparkline, Table, TableState, Wrap};
use std::collections::VecDeque;

/// Screens lower than this show no curves.
const LOW: u16 = 16;
/// Lines of the curves, with their titles.
const CURVES: u16 = 4;
/// Columns that a curve needs at least.
const NARROWEST_CURVE: u16 = 24;
/// Longest address that is shown: more takes the room of figures.
const WIDEST_ADDR: u16 = 24;
/// Lines in which a key that was looked up is told.
const LOCATED: u16 = 4;

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, app: &App) {
    let area = frame.area();
    let curves = if area.height >= LOW { CURVES } else { 0 };
    let located = if app.located.is_some() && area.height >= LOW {
        LOCATED
    } else {
        u16::from(app.located.is_some())
    };
    let parts = [
        Constraint::Length(1),
        Constraint::Length(curves),
        Constraint::Min(1),
        Constraint::Length(located),
        Constraint::Length(1),
    ];
    let [head, graphs, middle, answer, keys] = Layout::vertical(parts).areas(area);
    frame.render_widget(Paragraph::new(headline(app)), head);
    if curves > 0 {
        draw_curves(frame, graphs, app);
    }
    match app.mode {
        Mode::Details => details::draw(frame, middle, app),
        Mode::Help => frame.render_widget(help(), middle),
        Mode::Table | Mode::Asking(_) => draw_table(frame, middle, app),
    }
    if located > 0 {
        let told = Paragraph::new(details::located(app, located > 1)).wrap(Wrap { trim: false });
        frame.render_widget(told, answer);
    }
    frame.render_widget(Paragraph::new(foot(app)), keys);
}

/// The network in one line.
pub(super) fn headline(app: &App) -> Line<'static> {
    let totals = &app.model.totals;
    if app.model.rows.is_empty() {
        return Line::from(format!("asking {} …", app.through));
    }
    let word = |count: usize, one: &str, more: &str| match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {more}"),
    };
    let mut spans = vec![
        Span::from(totals.overlay.clone()).bold(),
        Span::from(format!(" · {}", word(totals.answering, "node", "nodes"))),
    ];
    let mut bad = |count: usize, text: &str| {
        if count > 0 {
            spans.push(Span::from(" · "));
            spans.push(Span::from(format!("{count} {text}")).red().bold());
        }
    };
    bad(totals.unreachable, "unreachable");
    bad(totals.cut_off, "cut off");
    let copies = figures::count(totals.copies);
    let bytes = figures::bytes(totals.stored_bytes);
    spans.push(Span::from(format!(
        " · {copies} copies of records, {bytes}"
    )));
    let moving = format!("{} to move", figures::count(totals.to_move));
    spans.push(Span::from(" · "));
    spans.push(match totals.to_move {
        0 => Span::from(moving),
        _ => Span::from(moving).yellow(),
    });
    if totals.truncated {
        spans.push(Span::from(" · not all nodes fit").red());
    }
    spans.push(Span::from(format!(" · seen from {}", app.through)).dim());
    Line::from(spans)
}

fn draw_curves(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let history = &app.model.history;
    let rates = app.model.totals.rates;
    let failed = rates.map_or(0.0, |rates| rates.failed_per_s);
    let failures = if failed > 0.0 {
        format!(", {} failed", figures::rate(Some(failed)))
    } else {
        String::new()
    };
    let ops = figures::rate(rates.map(|rates| rates.operations_per_s));
    let latency = figures::span(rates.and_then(|rates| rates.latency));
    let moved = figures::rate(rates.map(|rates| rates.moved_per_s));
    let messages = figures::rate(rates.map(|rates| rates.messages_per_s));
    let all = [
        (
            format!("operations/s {ops}{failures}"),
            &history.operations,
            Color::Green,
        ),
        (
            format!("latency {latency}"),
            &history.latency_us,
            Color::Cyan,
        ),
        (
            format!("records moved/s {moved}"),
            &history.moved,
            Color::Yellow,
        ),
        (
            format!("messages/s {messages}"),
            &history.messages,
            Color::Blue,
        ),
    ];
    let fit = usize::from((area.width / NARROWEST_CURVE).clamp(1, 4));
    let widths = vec![Constraint::Fill(1); fit];
    let areas = Layout::horizontal(widths).spacing(2).split(area);
    for ((title, values, colour), area) in all.into_iter().zip(areas.iter()) {
        let title = format!("{title} ");
        let block = Block::new().title(title).borders(Borders::TOP);
        let curve = Sparkline::default()
            .block(block)
            .data(newest(values, area.width))
            .style(Style::new().fg(colour));
        frame.render_widget(curve, *area);
    }
}

/// The newest values, as many as there are columns; the newest is at the right.
fn newest(values: &VecDeque<u64>, width: u16) -> Vec<u64> {
    let width = usize::from(width);
    let missing = width.saturating_sub(values.len());
    let kept = values.iter().skip(values.len().saturating_sub(width));
    std::iter::repeat_n(0, missing)
        .chain(kept.copied())
        .collect()
}

/// How wide the column of addresses is.
pub(super) fn addr_width(rows: &[&Row]) -> u16 {
    let lengths = rows.iter().map(|row| row.contact.addr.to_string().len());
    let widest = lengths.max().unwrap_or_default();
    u16::try_from(widest)
        .unwrap_or(WIDEST_ADDR)
        .clamp(7, WIDEST_ADDR)
}

const fn colour(health: Health) -> Color {
    match health {
        Health::Unreachable | Health::CutOff => Color::Red,
        Health::Leaving | Health::Copying => Color::Yellow,
        Health::Settled => Color::Green,
    }
}

fn draw_table(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let rows = app.rows();
    let addr = addr_width(&rows);
    let columns = that_fit(area.width, addr);
    let titles = columns.iter().map(|column| {
        let is_sorted = *column == app.sort;
        let title = column.title();
        let cell = Text::from(title).alignment(aligned(*column));
        let style = Style::new().add_modifier(Modifier::BOLD);
        Cell::from(cell).style(if is_sorted {
            style.add_modifier(Modifier::REVERSED)
        } else {
            style
        })
    });
    let replicas = details::replicas(app);
    let lines = rows.iter().map(|row| {
        let cells = columns.iter().map(|column| {
            let text = Text::from(column.text(row)).alignment(aligned(*column));
            match column {
                Column::Health => Cell::from(text.fg(colour(row.health))),
                Column::Id if replicas.contains(&row.contact.id) => {
                    Cell::from(text.fg(Color::Magenta).bold())
                }
                _ => Cell::from(text),
            }
        });
        let line = ratatui::widgets::Row::new(cells);
        match row.health {
            Health::Unreachable => line.dim(),
            _ => line,
        }
    });
    let widths = columns
        .iter()
        .map(|column| Constraint::Length(column.width(addr)));
    let table = Table::new(lines, widths)
        .column_spacing(GAP)
        .header(ratatui::widgets::Row::new(titles))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::default().with_selected(app.place(&rows));
    frame.render_stateful_widget(table, area, &mut state);
}

const fn aligned(column: Column) -> Alignment {
    if column.is_figure() {
        Alignment::Right
    } else {
        Alignment::Left
    }
}

/// The last line: what is wrong, what is typed, or what keys do.
fn foot(app: &App) -> Line<'static> {
    if let Mode::Asking(text) = &app.mode {
        let typed = printable(text);
        return Line::from(vec![
            Span::from("key to look up: ").bold(),
            Span::from(typed),
            Span::from("█"),
        ]);
    }
    if let Some(trouble) = &app.trouble {
        return Line::from(Span::from(printable(trouble)).red());
    }
    let order = if app.reversed { "reversed" } else { "" };
    let text = match app.mode {
        Mode::Table => format!(
            "q quit  ↑↓ choose  ⏎ details  s sort ({}{}{order})  r reverse  / look up  ? keys",
            app.sort.title(),
            if order.is_empty() { "" } else { ", " },
        ),
        _ => "q quit  esc back  ↑↓ other nodes".to_owned(),
    };
    Line::from(text).dim()
}

fn help() -> Paragraph<'static> {
    let text = "\
\x20q, ctrl-c          quit
 ↑ ↓ k j, page, g G choose a node
 enter              details of the node; again: back
 s →, S ←           sort by the next column, the one before
 r                  reverse the order
 /                  look a key up: its replicas, and the way there
 esc                back; forget the key

 health      settled: all that it answers for is complete and copied; copying: it is not, yet;
             leaving; cut off: it is in no network; unreachable: others know it, it is silent here
 ops/s       calls of users and programs that the node answered, and latency what they took
 rtt         how long the node took for its status, from here
 repairs     records that are still to be copied or handed over, and those that are, a second";
    Paragraph::new(text)
}
