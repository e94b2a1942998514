//! What is drawn, from what real nodes say.

use super::app::{Act, App, Mode};
use super::columns::Column;
use super::{print, view};
use crate::control::client::ClientError;
use crate::control::{Load, StatusReport};
use crate::crawl::{Found, Missing, NetworkView, Unreachable};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use overlay::{Contact, Id, LocateReport, Movement, Neighbours, Purpose, WaitsFor};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::Instant;

const INTERVAL: Duration = Duration::from_secs(1);

fn contact(number: u16) -> Contact {
    Contact {
        id: Id::of(&number.to_be_bytes()),
        addr: SocketAddr::from(([127, 0, 0, 1], 4_000 + number)),
    }
}

fn report(number: u16, operations: u64) -> StatusReport {
    let mut report = StatusReport::of(contact(number));
    report.status.peers = 3;
    report.status.values = 1_000 * u64::from(number);
    report.status.holders = 5;
    report.status.stored_bytes = 2_000_000;
    report.status.neighbours = Neighbours::Ring {
        predecessor: None,
        successors: vec![contact(number + 1)],
        fingers: Vec::new(),
    };
    report.uptime_s = 3_600;
    report.connections = 2;
    report.load = Some(Load {
        operations,
        operations_us: operations * 1_500,
        ..Load::default()
    });
    report
}

/// Three nodes that answer and one that does not.
fn network(operations: u64) -> NetworkView {
    let mut view = NetworkView::default();
    for number in 1..=3 {
        let mut report = Box::new(report(number, operations * u64::from(number)));
        if number == 3 {
            report.status.settled = false;
            report.status.moved_records = operations;
            report.status.moving = vec![Movement {
                purpose: Purpose::Repair,
                peer: Some(contact(1)),
                arc: None,
                records: 1_500,
                moved: 300,
                bytes: 0,
                bytes_per_s: 0,
                waits_for: WaitsFor::Pace,
            }];
        }
        let rtt = Some(Duration::from_micros(840));
        let at = Some(contact(number).addr);
        view.nodes
            .insert(contact(number).id, Found { report, at, rtt });
    }
    let dead = contact(9);
    let addr = dead.addr;
    let silent = Unreachable {
        contact: dead,
        known_by: 2,
        why: Missing::Silent(ClientError::NobodyListens { addr }),
    };
    view.unreachable.insert(dead.id, silent);
    view
}

/// Two pictures, two seconds apart.
fn app() -> App {
    let mut app = App::new(contact(1).addr, INTERVAL);
    let begin = Instant::now();
    app.take(contact(1).addr, network(0), begin);
    app.take(
        contact(1).addr,
        network(100),
        begin + Duration::from_secs(2),
    );
    app
}

fn drawn(app: &App, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view::draw(frame, app)).unwrap();
    let buffer = terminal.backend().buffer();
    let rows = buffer.content().chunks(usize::from(width));
    let line = |row: &[ratatui::buffer::Cell]| row.iter().map(|cell| cell.symbol()).collect();
    let lines = rows.map(|row| -> String { line(row) });
    lines.map(|line| line.trim_end().to_owned()).collect()
}

fn press(app: &mut App, code: KeyCode) -> Act {
    app.key(KeyEvent::new(code, KeyModifiers::NONE))
}

/// Goes down from the first row to a node.
fn choose(app: &mut App, number: u16) {
    press(app, KeyCode::Home);
    for _ in 0..app.rows().len() {
        if app.chosen().unwrap().contact == contact(number) {
            return;
        }
        press(app, KeyCode::Down);
    }
    panic!("node {number} is in no row");
}

fn line_of<'a>(lines: &'a [String], word: &str) -> &'a str {
    let found = lines.iter().find(|line| line.contains(word));
    found.unwrap_or_else(|| panic!("no {word:?} in {lines:#?}"))
}

#[test]
fn all_nodes_are_shown_with_their_rates() {
    let lines = drawn(&app(), 140, 24);
    let head = &lines[0];
    for part in [
        "chord",
        "3 nodes",
        "1 unreachable",
        "6.0k copies",
        "1.2k to move",
    ] {
        assert!(head.contains(part), "no {part:?} in {head}");
    }
    // 100, 200 and 300 operations in two seconds.
    assert!(line_of(&lines, "operations/s").contains("operations/s 300"));
    assert!(line_of(&lines, "latency ").contains("latency 1.5ms"));
    let second = line_of(&lines, "127.0.0.1:4002");
    for part in ["settled", "100", "1.5ms", "840µs", "2.0k", "2.0MB", "1h00m"] {
        assert!(second.contains(part), "no {part:?} in {second}");
    }
    let third = line_of(&lines, "127.0.0.1:4003");
    assert!(
        third.contains("copying") && third.contains("1.2k 50/s"),
        "{third}"
    );
    assert!(line_of(&lines, "127.0.0.1:4009").contains("unreachable"));
    assert!(lines[23].contains("q quit"), "{lines:#?}");
}

#[test]
fn narrow_and_low_terminals_show_what_matters() {
    let lines = drawn(&app(), 40, 8);
    assert!(lines.iter().all(|line| line.chars().count() <= 40));
    assert!(
        !lines.iter().any(|line| line.contains("operations/s")),
        "{lines:#?}"
    );
    assert!(line_of(&lines, "127.0.0.1:4009").contains("unreachable"));
    assert!(line_of(&lines, "copying").contains("4003"));
    // Nothing breaks where nothing fits.
    for (width, height) in [(1, 1), (3, 2), (20, 3), (10, 30)] {
        drawn(&app(), width, height);
    }
}

#[test]
fn rows_are_sorted_by_any_column_and_the_choice_stays_with_its_node() {
    let mut app = app();
    press(&mut app, KeyCode::Down);
    let chosen = app.chosen().unwrap().contact;
    while app.sort != Column::Operations {
        press(&mut app, KeyCode::Char('s'));
    }
    let ports = |app: &App| -> Vec<u16> {
        app.rows()
            .iter()
            .map(|row| row.contact.addr.port())
            .collect()
    };
    assert_eq!(ports(&app), [4_003, 4_002, 4_001, 4_009]);
    press(&mut app, KeyCode::Char('r'));
    assert_eq!(ports(&app), [4_009, 4_001, 4_002, 4_003]);
    assert_eq!(app.chosen().unwrap().contact, chosen);
    press(&mut app, KeyCode::Home);
    press(&mut app, KeyCode::PageDown);
    assert_eq!(app.chosen().unwrap().contact, contact(3));
}

#[test]
fn a_node_is_shown_in_full() {
    let mut app = app();
    choose(&mut app, 9);
    press(&mut app, KeyCode::Enter);
    let lines = drawn(&app, 120, 24);
    assert!(line_of(&lines, "known by").contains("2 nodes"));
    assert!(line_of(&lines, "why").contains("nobody listens"));
    assert!(line_of(&lines, &contact(9).id.to_string()).contains("id"));
    press(&mut app, KeyCode::Esc);
    choose(&mut app, 3);
    press(&mut app, KeyCode::Enter);
    let lines = drawn(&app, 120, 24);
    assert!(line_of(&lines, "repairing").contains("300 of 1,500 records"));
    assert!(line_of(&lines, "successor 1").contains("127.0.0.1:4004"));
    assert_eq!(press(&mut app, KeyCode::Char('q')), Act::Quit);
}

#[test]
fn a_key_is_typed_looked_up_and_shown() {
    let mut app = app();
    press(&mut app, KeyCode::Char('/'));
    // While one types, letters are letters.
    for letter in "quin".chars() {
        assert_eq!(press(&mut app, KeyCode::Char(letter)), Act::Nothing);
    }
    press(&mut app, KeyCode::Backspace);
    assert!(line_of(&drawn(&app, 80, 24), "key to look up").contains("qui"));
    let act = press(&mut app, KeyCode::Enter);
    assert_eq!(act, Act::Locate("qui".to_owned()));
    assert_eq!(app.mode, Mode::Table);
    app.locating("qui".to_owned());
    assert!(line_of(&drawn(&app, 80, 24), "qui: ").contains("looking"));
    let report = LocateReport {
        key: Id::of(b"qui"),
        replicas: vec![contact(2), contact(3)],
        path: vec![contact(1), contact(2)],
        hops: 1,
        timeouts: 0,
        reached: None,
        hop_us: Vec::new(),
    };
    // The answer to an earlier question is not taken for this one.
    app.located("other", Err("too late".to_owned()));
    app.located("qui", Ok((report, Duration::from_millis(3))));
    let lines = drawn(&app, 80, 24);
    assert!(line_of(&lines, "qui: ").contains("1 hop, 3.0ms"));
    assert!(line_of(&lines, "replicas").contains("127.0.0.1:4002, 127.0.0.1:4003"));
    assert!(line_of(&lines, "way").contains("127.0.0.1:4001, 127.0.0.1:4002"));
    press(&mut app, KeyCode::Esc);
    assert!(app.located.is_none());
}

#[test]
fn a_node_that_was_started_anew_has_no_rates_below_zero() {
    let mut app = app();
    let mut view = network(5);
    for found in view.nodes.values_mut() {
        found.report.uptime_s = 1;
    }
    app.take(
        contact(1).addr,
        view,
        Instant::now() + Duration::from_secs(3_600),
    );
    for row in &app.model.rows {
        let rates = row.rates.unwrap_or_default();
        assert!(rates.operations_per_s >= 0.0 && rates.operations_per_s < 100.0);
    }
}

#[test]
fn a_node_that_tells_no_figures_and_a_network_that_is_silent_are_shown() {
    let mut app = app();
    let mut view = network(100);
    for found in view.nodes.values_mut() {
        found.report.load = None;
    }
    app.take(
        contact(1).addr,
        view,
        Instant::now() + Duration::from_secs(9),
    );
    assert!(app.model.totals.rates.is_none());
    app.trouble(&ClientError::NobodyListens {
        addr: contact(1).addr,
    });
    let lines = drawn(&app, 120, 24);
    assert!(line_of(&lines, "127.0.0.1:4002").contains('-'));
    assert!(lines[23].contains("nobody listens"), "{lines:#?}");
}

#[test]
fn documents_and_text_say_the_same() {
    let app = app();
    let document = json!(print::document(&app));
    assert_eq!(document["overlay"], "chord");
    assert_eq!(document["answering"], 3);
    assert_eq!(document["unreachable"], 1);
    assert_eq!(document["operations_per_s"], 300.0);
    assert_eq!(document["latency_us"], 1_500);
    let nodes = document["nodes"].as_array().unwrap();
    let of = |number: u16| {
        let addr = contact(number).addr.to_string();
        let found = nodes.iter().find(|node| node["addr"] == addr.as_str());
        found.unwrap()
    };
    assert_eq!(of(3)["health"], "copying");
    assert_eq!(of(3)["records_to_move"], 1_200);
    assert_eq!(of(2)["operations_per_s"], 100.0);
    assert_eq!(of(9)["health"], "unreachable");
    assert_eq!(of(9)["known_by"], 2);
    assert_eq!(of(9)["values"], json!(null));
    let text = print::text(&app);
    assert_eq!(text.lines().count(), 2 + 4);
    assert!(text.contains("127.0.0.1:4009"), "{text}");
}
