//! Finds what works on one machine only: its folders, and the hosts of registries.
//!
//! The words are put together here, so that this file passes its own rule.

/// Folders that differ from machine to machine.
const FOLDERS: [&str; 4] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
];

/// Hosts and settings of registries. The registry is the default one, under its alias.
const REGISTRIES: [&str; 6] = [
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("sparse", "+http"),
    concat!("replace", "-with"),
    concat!("[regis", "tries"),
    concat!("[sou", "rce."),
];

/// The key of a dependency that names another registry.
const KEY: &str = concat!("registry", " = \"");

/// The only source that the lock file may name.
const LOCKED_SOURCE: &str = concat!(
    "source = \"registry",
    "+https://github.com/rust-lang/crates.io-index\""
);

/// Finds absolute paths into such folders.
pub(crate) fn machine_paths(path: &str, text: &str) -> Vec<String> {
    found_lines(path, text, |line| {
        FOLDERS
            .iter()
            .any(|folder| line.match_indices(folder).any(|(at, _)| is_start(line, at)))
    })
}

/// Whether an absolute path starts there, and no longer one or a URL goes on.
fn is_start(line: &str, at: usize) -> bool {
    !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-/~}*".contains(c))
}

/// Finds hosts of registries, and locked sources other than the default registry.
pub(crate) fn registries(path: &str, text: &str) -> Vec<String> {
    let is_lock = path.ends_with("Cargo.lock");
    found_lines(path, text, |line| {
        let foreign = is_lock && line.starts_with("source = ") && line != LOCKED_SOURCE;
        let named = line
            .match_indices(KEY)
            .any(|(at, _)| line[..at].is_empty() || line[..at].ends_with([' ', '{', ',']));
        foreign || named || REGISTRIES.iter().any(|word| line.contains(word))
    })
}

fn found_lines(path: &str, text: &str, is_bad: impl Fn(&str) -> bool) -> Vec<String> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| is_bad(line))
        .map(|(number, line)| format!("{path}:{}: {}", number + 1, line.trim()))
        .collect()
}

#[test]
fn a_path_of_a_machine_is_found() {
    for folder in FOLDERS {
        for bad in [
            format!("cd {folder}x"),
            format!("\"{folder}\""),
            format!("file:{folder}x"),
        ] {
            assert_eq!(machine_paths("a.md", &bad).len(), 1, "for {bad}");
        }
        for good in [
            format!("a{folder}b"),
            format!("https://a.org{folder}"),
            format!("~{folder}"),
        ] {
            assert_eq!(
                machine_paths("a.md", &good),
                Vec::<String>::new(),
                "for {good}"
            );
        }
    }
}

#[test]
fn a_registry_is_found() {
    assert_eq!(
        registries("deny.toml", &format!("unknown-{KEY}deny\"")),
        Vec::<String>::new()
    );
    for bad in REGISTRIES.iter().chain([&KEY]) {
        assert_eq!(
            registries("a.toml", &format!("x {bad} y")).len(),
            1,
            "for {bad}"
        );
    }
    assert_eq!(
        registries("Cargo.lock", LOCKED_SOURCE),
        Vec::<String>::new()
    );
    assert_eq!(
        registries("Cargo.lock", "source = \"git+https://a.org/b\"").len(),
        1
    );
    assert_eq!(
        registries("a.md", "published on crates.io"),
        Vec::<String>::new()
    );
}
