//! The arrows between the crates point down only, as drawn in ARCHITECTURE.md.

use crate::purity::PURE;
use crate::tree::Tree;

/// What one crate of the workspace may use.
struct Layer {
    name: &'static str,
    /// Workspace crates below it.
    uses: &'static [&'static str],
    /// Workspace crates that its tests may use besides.
    tests_use: &'static [&'static str],
}

/// Every crate that there is or will be. The root package may use all but xtask.
const LAYERS: [Layer; 9] = [
    Layer {
        name: "overlay",
        uses: &[],
        tests_use: &["sim"],
    },
    Layer {
        name: "chord",
        uses: &["overlay"],
        tests_use: &["sim"],
    },
    Layer {
        name: "pastry",
        uses: &["overlay"],
        tests_use: &["sim"],
    },
    Layer {
        name: "gnutella",
        uses: &["overlay"],
        tests_use: &["sim"],
    },
    Layer {
        name: "dht",
        uses: &["overlay"],
        tests_use: &["sim", "chord", "pastry"],
    },
    Layer {
        name: "tracker",
        uses: &["overlay"],
        tests_use: &["sim"],
    },
    Layer {
        name: "swarm",
        uses: &["overlay"],
        tests_use: &["sim"],
    },
    Layer {
        name: "sim",
        uses: &["overlay"],
        tests_use: &[],
    },
    Layer {
        name: "xtask",
        uses: &[],
        tests_use: &[],
    },
];

/// Libraries that do I/O, read clocks or draw entropy: not for the protocol crates.
const IMPURE_LIBRARIES: [&str; 14] = [
    "tokio",
    "quinn",
    "quinn-proto",
    "rustls",
    "socket2",
    "mio",
    "rustix",
    "libc",
    "getrandom",
    "rand",
    "redb",
    "fjall",
    "axum",
    "tempfile",
];

/// Lists dependencies that the layers do not allow.
pub(crate) fn violations(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts() {
        let Some(folder) = path.strip_suffix("/Cargo.toml") else {
            continue;
        };
        match LAYERS.iter().find(|layer| layer.name == folder) {
            Some(layer) => findings.extend(of_manifest(layer, text)),
            None if text.contains("[workspace]") => {}
            None => findings.push(format!("{path}: LAYERS does not say what it may use")),
        }
    }
    if let Some(root) = tree.text("Cargo.toml") {
        let uses_xtask = dependencies(root).iter().any(|(_, name)| name == "xtask");
        findings.extend(uses_xtask.then(|| "Cargo.toml: nothing uses xtask".to_owned()));
    }
    findings
}

fn of_manifest(layer: &Layer, text: &str) -> Vec<String> {
    let is_local = |name: &str| name == "p2pnode" || LAYERS.iter().any(|other| other.name == name);
    let is_pure = PURE.contains(&layer.name);
    dependencies(text)
        .into_iter()
        .filter(|(kind, name)| {
            let name = name.as_str();
            let for_tests = *kind == Kind::Tests && layer.tests_use.contains(&name);
            let upwards = is_local(name) && !layer.uses.contains(&name) && !for_tests;
            let impure = is_pure && *kind == Kind::Shipped && IMPURE_LIBRARIES.contains(&name);
            upwards || impure
        })
        .map(|(_, name)| format!("{} uses {name}", layer.name))
        .collect()
}

/// What a dependency is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Shipped,
    Tests,
}

/// The names in the dependency tables of a manifest.
fn dependencies(text: &str) -> Vec<(Kind, String)> {
    let mut found = Vec::new();
    let mut table = None;
    for line in text.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            let header = header.split(']').next().unwrap_or_default();
            table = kind_of(header);
            // `[dependencies.name]` is a table of its own, whose lines are no names.
            if let (Some(kind), Some(name)) = (table, own_table(header)) {
                found.push((kind, name.to_owned()));
                table = None;
            }
        } else if let Some(kind) = table
            && let Some((key, _)) = line.split_once('=')
            && !line.starts_with('#')
        {
            let name = key.split('.').next().unwrap_or_default();
            found.push((kind, name.trim().trim_matches('"').to_owned()));
        }
    }
    found
}

fn kind_of(header: &str) -> Option<Kind> {
    if header.starts_with("workspace") {
        None
    } else if header.contains("dev-dependencies") {
        Some(Kind::Tests)
    } else if header.contains("dependencies") {
        Some(Kind::Shipped)
    } else {
        None
    }
}

fn own_table(header: &str) -> Option<&str> {
    header
        .rsplit_once("dependencies.")
        .map(|(_, name)| name.trim_matches('"'))
}

#[test]
fn an_arrow_that_points_up_is_found() {
    let manifest = "[dependencies]\noverlay.workspace = true\n# sim = \"1\"\nserde = \"1\"\n";
    let good = [("chord/Cargo.toml", manifest)];
    assert_eq!(violations(&Tree::of(&good)), Vec::<String>::new());
    for (bad, name) in [
        ("[dependencies]\ndht.workspace = true", "dht"),
        ("[dependencies]\nsim = { path = \"../sim\" }", "sim"),
        ("[dependencies.p2pnode]\npath = \"..\"", "p2pnode"),
        ("[target.'cfg(unix)'.dependencies]\ntokio = \"1\"", "tokio"),
        ("[build-dependencies]\nxtask.workspace = true", "xtask"),
        ("[dev-dependencies]\ndht.workspace = true", "dht"),
    ] {
        let found = violations(&Tree::of(&[("chord/Cargo.toml", bad)]));
        assert_eq!(found, [format!("chord uses {name}")], "for {bad}");
    }
}

#[test]
fn tests_may_use_the_simulator() {
    let manifest = "[dev-dependencies]\nsim.workspace = true\ntempfile = \"3\"";
    assert_eq!(
        violations(&Tree::of(&[("chord/Cargo.toml", manifest)])),
        Vec::<String>::new()
    );
}

#[test]
fn an_unknown_crate_is_found() {
    let found = violations(&Tree::of(&[("more/Cargo.toml", "[package]")]));
    assert_eq!(
        found,
        ["more/Cargo.toml: LAYERS does not say what it may use"]
    );
}
