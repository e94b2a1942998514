//! Many puts or inserts from one file: each line has its outcome, whatever happens.

mod lone;
mod support;

use lone::{bereaved, lone_node};
use support::{alone, bare, ctl_fed, file_in};

fn documents_of(stdout: Vec<u8>) -> Vec<serde_json::Value> {
    let text = String::from_utf8(stdout).expect("text");
    let documents = text.lines().map(serde_json::from_str);
    documents.map(|line| line.expect("a document")).collect()
}

fn numbers_of(documents: &[serde_json::Value]) -> Vec<u64> {
    let numbers = documents.iter().map(|line| line["line"].as_u64());
    numbers.map(|number| number.expect("a number")).collect()
}

#[test]
fn a_batch_reports_every_line_in_order() {
    let _alone = alone();
    let node = lone_node();
    let mut lines = String::new();
    for number in 1..=300 {
        lines += &match number {
            7 => "{\"key\":\"k\"}\n".to_owned(),
            9 => "\n".to_owned(),
            _ => format!("{{\"key\":\"k{number}\",\"value\":\"v{number}\",\"ttl\":\"1h\"}}\n"),
        };
    }
    let temp = tempfile::tempdir().expect("a temporary directory");
    let file = file_in(temp.path(), "lines", lines.as_bytes());
    let ran = node.json(["put", "--batch", file.to_str().expect("text")]);
    let ran = ran.exits(2);
    let documents = documents_of(ran.stdout);
    let numbers = numbers_of(&documents);
    let expected: Vec<u64> = (1..=300).filter(|number| *number != 9).collect();
    assert_eq!(numbers, expected, "an empty line is passed over");
    for document in &documents {
        let bad = document["line"] == 7;
        let outcome = if bad { "failed" } else { "stored" };
        assert_eq!(document["outcome"], outcome, "{document}");
        assert_eq!(document["error"].is_string(), bad, "{document}");
    }
    assert_eq!(node.ctl(["get", "k300"]).exits(0).stdout, b"v300");
    let address = node.listen.to_string();
    let again = ctl_fed(
        &address,
        ["put", "--batch", "-", "--if-absent"],
        lines.as_bytes(),
    );
    let again = again.exits(2);
    assert!(
        again.stderr.contains("line 300: conflict:"),
        "{}",
        again.stderr
    );
    let holders =
        "{\"key\":\"film\"}\n{\"key\":\"film\",\"holder\":\"192.0.2.1:6881\",\"text\":\"a b\"}";
    ctl_fed(&address, ["insert", "--batch", "-"], holders.as_bytes()).exits(0);
    let found = node.json(["search", "film"]).exits(0).document();
    assert_eq!(
        found["holders"].as_array().map(Vec::len),
        Some(2),
        "{found}"
    );
}

#[test]
fn a_batch_whose_node_dies_reports_the_lines_that_were_not_asked() {
    const LINES: u64 = 50_000;
    let _alone = alone();
    let node = lone_node();
    let lines: String = (1..=LINES)
        .map(|number| format!("{{\"key\":\"k{number}\",\"value\":\"v\"}}\n"))
        .collect();
    let temp = tempfile::tempdir().expect("a temporary directory");
    let file = file_in(temp.path(), "lines", lines.as_bytes());
    let mut command = bare(env!("CARGO_BIN_EXE_p2pctl"));
    command.args(["--json", "--node", &node.listen.to_string()]);
    command.args(["put", "--batch", file.to_str().expect("text")]);
    let said = std::fs::File::create(temp.path().join("said")).expect("a file");
    let output = bereaved(node, command.stdout(said));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("nothing was asked from line"), "{said}");
    let documents = documents_of(std::fs::read(temp.path().join("said")).expect("a file"));
    // The last document is about the whole command.
    let (last, lines) = documents.split_last().expect("documents");
    assert!(last["line"].is_null(), "{last}");
    assert_eq!(numbers_of(lines), (1..=LINES).collect::<Vec<_>>());
    let of = |outcome: &str| {
        lines
            .iter()
            .filter(|line| line["outcome"] == outcome)
            .count()
    };
    assert!(
        of("stored") > 0 && of("failed") > 0,
        "{} stored",
        of("stored")
    );
    assert_eq!(lines[LINES as usize - 1]["outcome"], "failed");
}
