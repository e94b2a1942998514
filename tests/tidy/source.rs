//! Rules for one file: its length, its first line, its open ends.

use crate::tree::Tree;

/// Most lines of a Rust file: what one reads in one go. A longer one has two subjects.
const MAX_LINES: usize = 400;

/// Files that may be longer, each with the reason why it cannot be split.
const LONGER: [(&str, &str); 0] = [];

/// Words that mark something not done. Put together here, so that this file passes its own rule.
const MARKS: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

/// Finds a file that is too long.
pub(crate) fn too_long(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    let excepted = LONGER.iter().any(|(file, _)| *file == path);
    (lines > MAX_LINES && !excepted).then(|| format!("{path}: {lines} lines, limit {MAX_LINES}"))
}

/// Finds exceptions without a reason, and those that are no longer needed.
pub(crate) fn stale_exceptions(tree: &Tree) -> Vec<String> {
    LONGER
        .iter()
        .filter(|(path, reason)| {
            reason.is_empty()
                || tree
                    .text(path)
                    .is_none_or(|text| text.lines().count() <= MAX_LINES)
        })
        .map(|(path, _)| (*path).to_owned())
        .collect()
}

/// Finds a file that does not say what it is for.
pub(crate) fn no_module_doc(path: &str, text: &str) -> Option<String> {
    let says = text.strip_prefix("//!").is_some_and(|doc| {
        doc.lines()
            .next()
            .is_some_and(|line| line.trim().chars().any(char::is_alphabetic))
    });
    (!says).then(|| path.to_owned())
}

/// Finds marks of unfinished work that name no issue.
pub(crate) fn open_ends(path: &str, text: &str) -> Vec<String> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| {
            MARKS.iter().any(|mark| {
                line.match_indices(mark).any(|(at, _)| {
                    let part_of_name = line[..at].ends_with(|c: char| c.is_alphanumeric());
                    !part_of_name && !names_issue(&line[at + mark.len()..])
                })
            })
        })
        .map(|(number, line)| format!("{path}:{}: {}", number + 1, line.trim()))
        .collect()
}

/// Whether the text begins with an issue in the form `(#12)`.
fn names_issue(rest: &str) -> bool {
    rest.strip_prefix("(#")
        .and_then(|rest| rest.split_once(')'))
        .is_some_and(|(number, _)| number.parse::<u32>().is_ok())
}

#[test]
fn a_long_file_is_found() {
    assert_eq!(too_long("a.rs", &"x\n".repeat(MAX_LINES)), None);
    let found = too_long("a.rs", &"x\n".repeat(MAX_LINES + 1));
    assert_eq!(found.as_deref(), Some("a.rs: 401 lines, limit 400"));
}

#[test]
fn a_file_without_a_doc_is_found() {
    assert_eq!(no_module_doc("a.rs", "//! Doc.\nuse b;"), None);
    for text in [
        "",
        "use b;",
        "// A comment.\n//! Doc.",
        "//!\n",
        "\n//! Doc.",
    ] {
        assert_eq!(
            no_module_doc("a.rs", text).as_deref(),
            Some("a.rs"),
            "for {text:?}"
        );
    }
}

#[test]
fn an_open_end_is_found_unless_it_names_an_issue() {
    for mark in MARKS {
        assert_eq!(
            open_ends("a.rs", &format!("// {mark}(#12): b")),
            Vec::<String>::new()
        );
        for bad in ["", ": b", "(#): b", "(me): b", " (#12): b", "(#12"] {
            let found = open_ends("a.rs", &format!("x\n// {mark}{bad}"));
            assert_eq!(found.len(), 1, "for {bad:?}");
            assert!(found[0].starts_with("a.rs:2: "), "{found:?}");
        }
    }
}
