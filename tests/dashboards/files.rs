//! The files alone: their form, and that they are valid where they are published.

use crate::prometheus::{folder, promtool};
use crate::support::{bare, run};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{read_dir, read_to_string};
use std::path::Path;

/// All dashboards, with the names of their files.
pub(crate) fn dashboards() -> Vec<(String, Value)> {
    let entries = read_dir(folder()).expect("dashboards");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let json = paths.filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    json.map(|path| {
        let text = read_to_string(&path).expect("a dashboard");
        let name = path.file_stem().and_then(|stem| stem.to_str());
        let dashboard = serde_json::from_str(&text).expect("JSON");
        (name.expect("a name").to_owned(), dashboard)
    })
    .collect()
}

pub(crate) fn panels(dashboard: &Value) -> &[Value] {
    dashboard["panels"].as_array().expect("panels")
}

#[test]
fn each_panel_asks_a_question_and_says_what_it_shows() {
    let mut uids = BTreeSet::new();
    let all = dashboards();
    assert_eq!(all.len(), 5);
    for (name, dashboard) in &all {
        assert_eq!(
            dashboard["uid"],
            name.as_str(),
            "the file is named by its uid"
        );
        assert!(uids.insert(name), "{name} is there twice");
        assert!(dashboard["description"].is_string(), "{name}");
        let mut titles = BTreeSet::new();
        for panel in panels(dashboard) {
            let title = panel["title"].as_str().expect("a title");
            assert!(title.ends_with('?'), "{name}: {title} is no question");
            assert!(titles.insert(title), "{name}: {title} is there twice");
            let about = panel["description"].as_str().unwrap_or_default();
            assert!(about.len() > 20, "{name}: {title} has no description");
            let unit = panel["fieldConfig"]["defaults"]["unit"].as_str();
            assert!(
                unit.is_some_and(|unit| !unit.is_empty()),
                "{name}: {title} has no unit"
            );
            for target in panel["targets"].as_array().expect("targets") {
                let expression = target["expr"].as_str().expect("an expression");
                assert!(
                    expression.contains("$job"),
                    "{title} is of all networks: {expression}"
                );
            }
        }
    }
}

#[test]
fn dashboards_are_valid_by_the_schema_of_grafana() {
    // Where `cargo xtask test` installs programs in Python: beside what is built.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let python = target.expect("a folder").join("python/bin/python3");
    assert!(
        python.is_file(),
        "no {}; `cargo xtask test` makes it",
        python.display()
    );
    let check = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dashboards/schema.py");
    let mut command = bare(python);
    command
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(check)
        .arg(folder());
    let ran = run(&mut command, None);
    let said = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(ran.code, 0, "{said}{}", ran.stderr);
}

#[test]
fn settings_and_rules_are_valid() {
    promtool(&["check", "config", "prometheus.yml"], None);
    promtool(
        &["check", "rules", "rules/recording.yml", "rules/alerts.yml"],
        None,
    );
}

/// With the durations that ship.
#[test]
fn alerts_wait_as_long_as_they_say() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dashboards/alerts.yml");
    promtool(&["test", "rules", cases.to_str().expect("a path")], None);
}

/// The README's table has each alert, and no other.
#[test]
fn the_readme_says_what_to_do_about_each_alert() {
    let rules = read_to_string(folder().join("rules/alerts.yml")).expect("rules");
    let names = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let names: BTreeSet<&str> = names.collect();
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = read_to_string(readme).expect("README.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `P2P"));
    let rows: BTreeSet<String> = rows
        .filter_map(|row| Some(format!("P2P{}", row.split_once('`')?.0)))
        .collect();
    assert_eq!(rows, names.iter().map(|name| (*name).to_owned()).collect());
}
