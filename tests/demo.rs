//! `p2pnode demo` as a user runs it.

mod support;

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use support::{alone, bare, file_in, run, wait_until};

fn demo(args: &[&str]) -> support::Ran {
    run(
        bare(env!("CARGO_BIN_EXE_p2pnode")).arg("demo").args(args),
        None,
    )
}

#[test]
fn a_directory_of_real_files_survives_two_killed_nodes() {
    let _alone = alone();
    let temp = tempfile::tempdir().expect("a temporary directory");
    for at in 0..40u32 {
        let content: Vec<u8> = (0..at * 37).map(|byte| (byte % 251) as u8).collect();
        file_in(temp.path(), &format!("file {at}"), &content);
    }
    file_in(temp.path(), "large", &vec![1; (1 << 20) + 1]);
    file_in(temp.path(), "largest that fits", &vec![2; 1 << 20]);
    let directory = temp.path().to_str().expect("text");
    let ran = demo(&["--json", "--data", directory]).exits(0);
    let report = ran.document();
    assert_eq!(report["keys"], 41, "{report}");
    assert_eq!(report["found_before"], 41, "{report}");
    assert_eq!(report["found_after"], 41, "{report}");
    assert_eq!(report["killed"], 2);
    assert_eq!(report["ok"], true);
    assert_eq!(
        report["skipped"][0]["name"], "large",
        "what is left out is said: {report}"
    );
    assert_eq!(report["stored"]["found"], Value::Null, "{report}");
    for row in ["stored", "read_before", "read_after"] {
        check_row(&report[row], row, report["bytes"].as_u64());
    }
}

/// A row of a demo that lost nothing, as the table has it.
fn check_row(row: &Value, name: &str, bytes: Option<u64>) {
    assert_eq!(row["keys"], 41, "{name}: {row}");
    assert_eq!(row["bytes"].as_u64(), bytes, "{name}: {row}");
    assert_eq!(row["missing"], 0, "{name}: {row}");
    if name != "stored" {
        assert_eq!([&row["found"], &row["wrong"]], [41, 0], "{name}: {row}");
    }
    let positive = |field: &str| row[field].as_f64().is_some_and(|number| number > 0.0);
    let measured = [
        "ops_per_s",
        "p50_us",
        "p90_us",
        "p99_us",
        "max_us",
        "mean_hops",
    ];
    for field in measured {
        assert!(positive(field), "{name} has no {field}: {row}");
    }
}

/// The words of the table's row that begins with `name`.
fn row<'a>(table: &'a str, name: &str) -> Vec<&'a str> {
    let found = table
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(name));
    let words = found.unwrap_or_else(|| panic!("no row {name:?} in {table}"));
    words.split_whitespace().collect()
}

#[test]
fn the_lines_of_a_file_are_keys_and_the_table_says_so() {
    let _alone = alone();
    let temp = tempfile::tempdir().expect("a temporary directory");
    let words = file_in(
        temp.path(),
        "words",
        "alpha\nbeta\ngamma\nbeta\n".as_bytes(),
    );
    let ran = demo(&[
        "--nodes",
        "4",
        "--kill",
        "1",
        "--data",
        words.to_str().expect("text"),
    ])
    .exits(0);
    let table = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(
        table.contains("found before 3 of 3, after 3 of 3"),
        "{table}"
    );
    for column in [
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
    ] {
        assert!(table.contains(column), "no column {column}: {table}");
    }
    // keys, bytes, ops/s, three percentiles, mean hops, found, missing, wrong
    for (name, end) in [
        ("stored", ["-", "0", "-"]),
        ("read back", ["3", "0", "0"]),
        ("after kill", ["3", "0", "0"]),
    ] {
        let cells = row(&table, name);
        assert_eq!(cells.len(), 10, "{table}");
        assert_eq!(cells[..2], ["3", "14"], "{table}");
        assert_eq!(cells[7..], end, "{table}");
    }
    assert!(
        table.lines().all(|line| line.chars().count() <= 100),
        "wider than 100 columns: {table}"
    );
    assert!(ran.stderr.contains("killed 1"), "{}", ran.stderr);
}

#[test]
fn what_cannot_be_shown_is_refused() {
    demo(&["--nodes", "0"]).exits(2);
    demo(&["--nodes", "2", "--kill", "2"]).exits(2);
    demo(&["--kill", "3"]).exits(2);
    demo(&["--overlay", "kademlia"]).exits(2);
    let ran = demo(&["--data", "/no/such/directory"]).exits(2);
    assert!(ran.stderr.contains("/no/such/directory"), "{}", ran.stderr);
    let empty = tempfile::tempdir().expect("a temporary directory");
    demo(&["--data", empty.path().to_str().expect("text")]).exits(2);
}

#[test]
fn the_network_stays_until_it_is_told_to_end_and_leaves_no_process() {
    let _alone = alone();
    let temp = tempfile::tempdir().expect("a temporary directory");
    let words = file_in(temp.path(), "words", b"alpha\nbeta\n");
    let mut command = bare(env!("CARGO_BIN_EXE_p2pnode"));
    command
        .args(["demo", "--nodes", "3", "--kill", "0", "--stay", "--data"])
        .arg(&words);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("p2pnode starts");
    let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let mut tried = String::new();
    for line in lines.map_while(Result::ok) {
        if let Some(rest) = line.trim().strip_prefix("p2pctl ") {
            tried = if tried.is_empty() {
                rest.to_owned()
            } else {
                tried
            };
        }
        if line.contains("until Ctrl-C") {
            break;
        }
    }
    // The first command that is offered works as it is printed.
    let mut offered = bare(env!("CARGO_BIN_EXE_p2pctl"));
    run(offered.args(tried.split_whitespace()), None).exits(0);
    let node = tried
        .split_whitespace()
        .nth(1)
        .expect("an address")
        .to_owned();
    let interrupted = Command::new("kill")
        .arg("-INT")
        .arg(child.id().to_string())
        .status();
    assert!(interrupted.expect("kill").success());
    let ended = child.wait().expect("it ends");
    assert!(
        ended.success(),
        "nothing was missing, so Ctrl-C is a good end: {ended}"
    );
    wait_until("the nodes end", support::SOON, || {
        let ran = support::ctl_at(&node, ["--timeout", "2s", "status"]);
        if ran.code == 3 {
            Ok(())
        } else {
            Err("a node still answers".to_owned())
        }
    });
}
