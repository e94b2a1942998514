//! `p2psim words`, small: everything is found, the index is spread, and a seed says what happens.

use clap::Parser;
use p2pnode::p2psim::cli::{Cli, Experiment};
use p2pnode::p2psim::words::{self, WordsReport};
use std::process::Command;

const QUERIES: u64 = 90;

fn run(overlay: &str, seed: u64) -> WordsReport {
    let line = format!(
        "p2psim words --overlay {overlay} --nodes 60 --texts 3000 --vocabulary 500 --queries {QUERIES} --limit 50 --seed {seed}"
    );
    let cli = Cli::try_parse_from(line.split_whitespace()).expect("a correct command line");
    let Experiment::Words(args) = cli.experiment else {
        panic!("{line} is no search by words");
    };
    words::run(&args).expect("the experiment runs")
}

#[test]
fn everything_is_found_and_no_node_carries_the_index_alone() {
    for overlay in ["chord", "pastry"] {
        let report = run(overlay, 3);
        assert_eq!((report.recall, report.wrong), (1.0, 0), "{overlay}");
        assert!(
            (1.0..3.0).contains(&report.load_max_over_mean),
            "{overlay}: the busiest node has {} times the mean",
            report.load_max_over_mean
        );
        let sent = report
            .queries
            .iter()
            .map(|row| row.queries as f64 * row.messages.mean);
        let sent = sent.sum::<f64>() / report.nodes as f64;
        assert!(
            (1.0..sent).contains(&report.asked_mean),
            "{overlay}: {} questions a node",
            report.asked_mean
        );
        assert!(
            (1.0..8.0).contains(&report.asked_max_over_mean),
            "{overlay}: the node that is asked most has {} times the mean",
            report.asked_max_over_mean
        );
        // Queries have one, two and three words in turn.
        let words: Vec<_> = report.queries.iter().map(|row| row.words).collect();
        assert_eq!(words, [1, 2, 3], "{overlay}");
        let queries = report.queries.iter().map(|row| row.queries);
        assert_eq!(queries.sum::<u64>(), QUERIES, "{overlay}");
        for row in &report.queries {
            // The query is made of a text that is there.
            assert!(row.results.mean >= 1.0, "{overlay}: {row:?}");
            assert!(row.messages.mean >= 1.0 && row.bytes.mean > row.messages.mean);
        }
        let [one, _, three] = &report.queries[..] else {
            panic!("{overlay}: no three rows");
        };
        assert!(
            one.results.mean > three.results.mean,
            "{overlay}: all words are required"
        );
    }
}

#[test]
fn a_seed_says_what_happens() {
    let (one, again, other) = (run("chord", 5), run("chord", 5), run("chord", 6));
    assert_eq!(one.trace_hash, again.trace_hash);
    assert_ne!(one.trace_hash, other.trace_hash);
}

#[test]
fn the_command_prints_what_was_measured() {
    let program = env!("CARGO_BIN_EXE_p2psim");
    let line = "words --nodes 30 --texts 300 --vocabulary 100 --queries 9 --seed 2";
    let ran = |more: &[&str]| {
        let out = Command::new(program)
            .args(line.split_whitespace().chain(more.iter().copied()))
            .output()
            .expect("p2psim runs");
        assert!(out.status.success(), "{out:?}");
        String::from_utf8(out.stdout).expect("text")
    };
    let json: serde_json::Value = serde_json::from_str(&ran(&["--json"])).expect("one document");
    assert_eq!(json["wrong"], 0);
    assert_eq!(json["queries"].as_array().map(Vec::len), Some(3));
    let text = ran(&[]);
    assert!(text.contains("recall: 100.0000 %"), "{text}");
    assert!(text.contains(json["trace_hash"].as_str().expect("a hash")));
}
