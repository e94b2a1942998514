//! `p2psim compare`, small: what the lecture says of each technique must hold of what is measured.

use clap::Parser;
use p2pnode::p2psim::cli::{Cli, Experiment};
use p2pnode::p2psim::compare::{self, CompareReport, Row};
use std::process::Command;

fn run(nodes: u64) -> CompareReport {
    let line = format!("p2psim compare --nodes {nodes} --searches 20 --seed 3");
    let cli = Cli::try_parse_from(line.split_whitespace()).expect("a correct command line");
    let Experiment::Compare(args) = cli.experiment else {
        panic!("{line} is no comparison");
    };
    compare::run(&args).expect("the experiment runs")
}

fn row<'a>(report: &'a CompareReport, technique: &str) -> &'a Row {
    let mut rows = report.rows.iter();
    rows.find(|row| row.technique == technique)
        .expect("every technique has a row")
}

/// How a cost grows when the network does, by a factor.
fn growth(reports: &[CompareReport; 2], technique: &str, of: impl Fn(&Row) -> f64) -> f64 {
    let [small, large] = reports;
    of(row(large, technique)) / of(row(small, technique))
}

#[test]
fn costs_grow_as_the_lecture_says() {
    let reports = [run(100), run(1_600)];
    for report in &reports {
        let nodes = report.nodes;
        for row in &report.rows {
            assert!(row.popular.found > 0.99, "{nodes}: {row:?}");
            assert!(row.rare.found > 0.99, "{nodes}: {row:?}");
        }
        assert_eq!(row(report, "unstructured").update_messages, 0.0);
        assert_eq!(row(report, "unstructured").storage.max, 1);
        let directory = row(report, "directory");
        assert_eq!(directory.storage.max, nodes, "a record of everybody");
        assert!(directory.storage.mean < 2.0);
        assert_eq!(directory.update_messages, 1.0, "the directory is told");
        let everywhere = row(report, "full replication");
        assert_eq!(everywhere.update_messages, (nodes - 1) as f64);
        assert_eq!(everywhere.storage.max, nodes);
        for dht in ["chord", "pastry"] {
            let mean = row(report, dht).storage.mean;
            assert!((mean - 3.0).abs() < 1e-9, "three replicas, not {mean}");
        }
    }
    let messages = |technique| growth(&reports, technique, |row| row.rare.messages);
    assert!((12.0..=20.0).contains(&messages("unstructured")), "N");
    assert!((0.8..=1.5).contains(&messages("directory")), "1");
    let popular = growth(&reports, "directory", |row| row.popular.messages);
    assert!(popular <= 1.5, "however many have it: 1, not {popular}");
    assert!((2.0..=8.0).contains(&messages("super-peers")), "C, √N here");
    assert!((1.0..=2.5).contains(&messages("chord")), "log n");
    assert!((1.0..=2.5).contains(&messages("pastry")), "log n");
    let update = |technique| growth(&reports, technique, |row| row.update_messages);
    assert!(update("super-peers") < 1.5, "1");
    assert!((1.0..=2.5).contains(&update("chord")), "log n");
    let index = growth(&reports, "super-peers", |row| row.storage.max as f64);
    assert!((2.0..=8.0).contains(&index), "N/C, not {index}");
}

#[test]
fn the_same_seed_is_the_same_comparison_and_its_json_has_these_keys() {
    let compare = || {
        let program = env!("CARGO_BIN_EXE_p2psim");
        let line = "compare --nodes 64 --searches 3 --seed 5 --json";
        let out = Command::new(program)
            .args(line.split_whitespace())
            .output()
            .expect("p2psim runs");
        assert!(out.status.success(), "{out:?}");
        String::from_utf8(out.stdout).expect("text")
    };
    let text = compare();
    assert_eq!(text, compare());
    let json: serde_json::Value = serde_json::from_str(&text).expect("one document");
    let keys = |value: &serde_json::Value| {
        let map = value.as_object().expect("an object");
        let mut keys: Vec<String> = map.keys().cloned().collect();
        keys.sort();
        keys.join(" ")
    };
    assert_eq!(keys(&json), "curve nodes rows seed super_peers trace_hash");
    let rows = json["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 6);
    for row in rows {
        assert_eq!(
            keys(row),
            "computed lecture peers popular rare searches storage technique trace_hash update_messages"
        );
        assert_eq!(keys(&row["rare"]), "copies found hops latency_ms messages");
        assert_eq!(keys(&row["lecture"]), "latency messages storage update");
        assert_eq!(keys(&row["storage"]), "max mean");
    }
}
