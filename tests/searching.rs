//! `p2psim search`, small: what the ways to search an unstructured overlay cost beside each other.

use std::process::Command;

fn search(line: &str) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_p2psim"))
        .args(line.split_whitespace())
        .output()
        .expect("p2psim runs");
    assert!(out.status.success(), "{out:?}");
    String::from_utf8(out.stdout).expect("text")
}

#[test]
fn each_way_finds_what_is_popular_and_plans_cost_least() {
    let line = "search --nodes 1000 --searches 10 --seed 2 --json";
    let text = search(line);
    assert_eq!(text, search(line), "the same seed, the same figures");
    let json: serde_json::Value = serde_json::from_str(&text).expect("one document");
    let rows = json["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 10, "five ways, two items");
    let row = |way: &str, item: &str| {
        let mut rows = rows.iter();
        rows.find(|row| row["way"] == way && row["item"] == item)
            .expect("every way has a row")
    };
    let number = |row: &serde_json::Value, name: &str| row[name].as_f64().expect("a number");
    for way in [
        "flood",
        "expanding ring",
        "16 walkers",
        "flood, super-peers",
    ] {
        assert_eq!(number(row(way, "popular"), "found"), 1.0, "{way}");
    }
    let plan = row("dynamic, super-peers", "popular");
    assert_eq!(number(plan, "found"), 1.0);
    assert_eq!(number(row("dynamic, super-peers", "rare"), "found"), 1.0);
    let flood = number(row("flood", "popular"), "messages_per_success");
    assert!(
        number(plan, "messages_per_success") * 20.0 < flood,
        "{plan} and {flood} messages of a flood"
    );
    for way in ["flood, super-peers", "dynamic, super-peers"] {
        for item in ["popular", "rare"] {
            let stopped = number(row(way, item), "needless_stopped");
            assert!(stopped >= 0.95, "{way}, {item}: {stopped}");
        }
    }
}

#[test]
fn people_get_a_table() {
    let text = search("search --nodes 200 --searches 2 --seed 1");
    for part in [
        "200 nodes, 2 searches a row, seed 1",
        "16 walkers",
        "last hop stopped",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
