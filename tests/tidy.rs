//! The rules of the house that lints cannot check.
//!
//! Each module below holds one rule as a function from text to findings, with self-tests that
//! show that it can fail; the tests here apply the rules to every file of the project, tracked or
//! new, and list all findings at once.

#[path = "tidy/code.rs"]
mod code;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/links.rs"]
mod links;
#[path = "tidy/modules.rs"]
mod modules;
#[path = "tidy/places.rs"]
mod places;
#[path = "tidy/purity.rs"]
mod purity;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/tree.rs"]
mod tree;

use tree::Tree;

/// Fails with all findings, one a line.
#[track_caller]
fn expect_none(rule: &str, findings: &[String]) {
    assert!(
        findings.is_empty(),
        "{rule}:\n  {}\n",
        findings.join("\n  ")
    );
}

#[test]
fn the_tree_is_seen() {
    let tree = Tree::load();
    assert!(
        tree.text("Cargo.toml").is_some(),
        "Cargo.toml is not among the files"
    );
    assert!(
        tree.rust().count() > 20,
        "only {} Rust files were found",
        tree.rust().count()
    );
}

#[test]
fn files_are_short() {
    let tree = Tree::load();
    let findings: Vec<_> = tree
        .rust()
        .filter_map(|(path, text)| source::too_long(path, text))
        .collect();
    expect_none("split these files by subject", &findings);
    expect_none("remove these exceptions", &source::stale_exceptions(&tree));
}

#[test]
fn files_say_what_they_are_for() {
    let tree = Tree::load();
    let findings: Vec<_> = tree
        .rust()
        .filter_map(|(path, text)| source::no_module_doc(path, text))
        .collect();
    expect_none("begin these files with a `//!` line", &findings);
}

#[test]
fn open_ends_have_an_issue() {
    let tree = Tree::load();
    let findings: Vec<_> = tree
        .texts()
        .flat_map(|(path, text)| source::open_ends(path, text))
        .collect();
    expect_none("do it now, or name the issue that will", &findings);
}

#[test]
fn no_file_is_dead() {
    let tree = Tree::load();
    expect_none(
        "no `mod` declaration leads to these files",
        &modules::dead_files(&tree),
    );
}

#[test]
fn protocol_crates_are_pure() {
    let tree = Tree::load();
    let findings: Vec<_> = tree
        .rust()
        .flat_map(|(path, text)| purity::impurities(path, text))
        .collect();
    expect_none(
        "a machine does no I/O and has no clock, entropy, thread or hash order",
        &findings,
    );
}

#[test]
fn arrows_point_down_only() {
    let tree = Tree::load();
    expect_none(
        "the layers in ARCHITECTURE.md do not allow this",
        &layers::violations(&tree),
    );
}

#[test]
fn no_file_names_a_machine() {
    let tree = Tree::load();
    let findings: Vec<_> = tree
        .texts()
        .flat_map(|(path, text)| {
            [
                places::machine_paths(path, text),
                places::registries(path, text),
            ]
            .concat()
        })
        .collect();
    expect_none("these work on one machine only", &findings);
}

#[test]
fn links_lead_somewhere() {
    let tree = Tree::load();
    let findings: Vec<_> = tree
        .texts()
        .filter(|(path, _)| path.ends_with(".md"))
        .flat_map(|(path, text)| links::broken(path, text, &|target| tree.exists(target)))
        .collect();
    expect_none("these links are broken", &findings);
}
