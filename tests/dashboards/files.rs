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
            let is_rate = matches!(unit, Some("ops" | "Bps"));
            for target in panel["targets"].as_array().expect("targets") {
                let text = target["expr"].as_str().unwrap_or_default();
                let counts = text.contains("rate(") || text.contains(":rate");
                assert!(counts || !is_rate, "{title}: no rate: {text}");
                let overrides = panel["fieldConfig"]["overrides"].to_string();
                assert!(
                    !text.starts_with("time()") || unit == Some("s") || overrides.contains("\"s\""),
                    "{title}: an age is in seconds: {text}"
                );
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

/// Everything but what builds containers, and it is found where the package has it.
#[test]
fn the_package_brings_all_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = read_to_string(root.join("Cargo.toml")).expect("Cargo.toml");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array();
    let assets: Vec<[&str; 2]> = assets
        .expect("assets")
        .iter()
        .map(|asset| [0_usize, 1].map(|at| asset[at].as_str().expect("text")))
        .collect();
    let mut folders = vec!["dashboards".to_owned()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in read_dir(root.join(&folder)).expect("a folder") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("a name");
            let path = format!("{folder}/{name}");
            // Lists are written by users; containers are built from the source.
            if ["dashboards/targets", "dashboards/compose.yml"].contains(&path.as_str()) {
                continue;
            }
            if entry.path().is_dir() {
                folders.push(path);
                continue;
            }
            let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
            let patterns = [
                path.clone(),
                format!("{folder}/*"),
                format!("{folder}/*.{extension}"),
            ];
            let to = format!("usr/share/p2pnode/{folder}/");
            let is_there = |[from, into]: &[&str; 2]| {
                patterns.iter().any(|pattern| pattern == from) && *into == to
            };
            assert!(assets.iter().any(is_there), "{path} is not in the package");
            seen += 1;
        }
    }
    assert!(seen >= 10, "{seen} files");
}

/// Containers are not started here; what the file names is there, and the node has the flags.
#[test]
fn the_compose_file_names_what_is_there() {
    let text = read_to_string(folder().join("compose.yml")).expect("the file");
    let mounts = text.lines().filter_map(|line| {
        let (from, _) = line.trim().strip_prefix("- ./")?.split_once(':')?;
        Some(from)
    });
    let mounts: Vec<&str> = mounts.collect();
    assert!(mounts.len() > 5, "{mounts:?}");
    for from in mounts {
        assert!(folder().join(from).exists(), "no {from}");
    }
    let helps = [env!("CARGO_BIN_EXE_p2pnode"), env!("CARGO_BIN_EXE_p2pctl")].map(|program| {
        let mut all = String::new();
        for arguments in [&["--help"][..], &["peers", "--help"]] {
            let ran = run(bare(program).args(arguments), None);
            all += &String::from_utf8_lossy(&ran.stdout);
        }
        all
    });
    let lists = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("command: "));
    for list in lists {
        let words: Vec<String> = serde_json::from_str(list).expect("a list");
        for flag in words.iter().filter(|word| word.starts_with("--")) {
            let is_known = helps.iter().any(|help| help.contains(flag.as_str()));
            assert!(is_known, "{flag} is no flag");
        }
    }
}
