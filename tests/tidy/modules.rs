//! Finds Rust files that no `mod` declaration leads to, and that are therefore never compiled.
//!
//! A simple scan: declarations stand on a line of their own, and a module written inside another
//! file has no files of its own.

use crate::tree::{Tree, folder_of, resolve};
use std::collections::BTreeSet;

/// Lists the files that cannot be reached from any crate root.
pub(crate) fn dead_files(tree: &Tree) -> Vec<String> {
    let mut reached: BTreeSet<String> = BTreeSet::new();
    let mut open: Vec<String> = tree
        .rust()
        .map(|(path, _)| path.to_owned())
        .filter(|path| is_root(path))
        .collect();
    while let Some(path) = open.pop() {
        if let Some(text) = tree.text(&path) {
            open.extend(
                declared(&path, text)
                    .into_iter()
                    .filter(|file| !reached.contains(file)),
            );
            reached.insert(path);
        }
    }
    tree.rust()
        .filter(|(path, _)| !reached.contains(*path))
        .map(|(path, _)| path.to_owned())
        .collect()
}

/// Whether cargo compiles the file by its place alone.
fn is_root(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        [.., "src", "lib.rs" | "main.rs"] | [.., "build.rs"] => true,
        [.., "src", "bin", _] => true,
        [.., "src", "bin", _, "main.rs"] => true,
        [.., "tests" | "benches" | "examples", _, "main.rs"] => !parts.contains(&"src"),
        [.., "tests" | "benches" | "examples" | "fuzz_targets", _] => !parts.contains(&"src"),
        _ => false,
    }
}

/// The files that the `mod` declarations of a file may mean.
fn declared(path: &str, text: &str) -> Vec<String> {
    let folder = folder_of(path);
    let stem = path
        .rsplit('/')
        .next()
        .unwrap_or(path)
        .trim_end_matches(".rs");
    let children = if is_root(path) || stem == "mod" {
        folder.to_owned()
    } else {
        join(folder, stem)
    };
    let mut files = Vec::new();
    let mut given_path = None;
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("#[path = \"") {
            given_path = rest.split('"').next();
        } else if let Some(name) = module_name(line) {
            match given_path.take() {
                Some(given) => files.extend(resolve(folder, given)),
                None => files.extend([
                    join(&children, &format!("{name}.rs")),
                    join(&children, &format!("{name}/mod.rs")),
                ]),
            }
        }
    }
    files
}

/// The name in `mod name;`, with any visibility before it.
fn module_name(line: &str) -> Option<&str> {
    let line = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(')')?.1,
        Some(rest) => rest,
        None => line,
    };
    line.trim_start()
        .strip_prefix("mod ")?
        .split_once(';')
        .map(|(name, _)| name.trim())
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

#[test]
fn a_dead_file_is_found() {
    let tree = Tree::of(&[
        (
            "src/lib.rs",
            "mod a;\npub mod b;\npub(crate) mod c;\n// mod dead;\nmod inline {}",
        ),
        ("src/a.rs", "mod below;"),
        ("src/a/below.rs", ""),
        ("src/b/mod.rs", "mod below;"),
        ("src/b/below.rs", ""),
        ("src/c.rs", ""),
        ("src/dead.rs", "mod deader;"),
        ("src/dead/deader.rs", ""),
        ("src/below.rs", ""),
    ]);
    assert_eq!(
        dead_files(&tree),
        ["src/below.rs", "src/dead.rs", "src/dead/deader.rs"]
    );
}

#[test]
fn places_that_cargo_knows_are_alive() {
    let tree = Tree::of(&[
        ("k/src/main.rs", ""),
        ("src/bin/one.rs", ""),
        ("src/bin/two/main.rs", "mod part;"),
        ("src/bin/two/part.rs", ""),
        (
            "tests/all.rs",
            "mod common;\n#[path = \"all/x.rs\"]\nmod y;",
        ),
        ("tests/common/mod.rs", ""),
        ("tests/all/x.rs", ""),
        ("tests/all/y.rs", ""),
        ("src/tests/z.rs", ""),
    ]);
    assert_eq!(dead_files(&tree), ["src/tests/z.rs", "tests/all/y.rs"]);
}
