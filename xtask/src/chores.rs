//! The smaller verbs: `cargo xtask wasm`, `ci` and `deny`.

use crate::steps::{cargo, command, step, works};

pub(crate) const CI_HELP: &str = "\
Run .ci/run: what must pass before a merge.

Usage: cargo xtask ci

In this order: the lock file is current, `cargo xtask test`, `cargo xtask wasm`, formatting, clippy
and docs with warnings as errors, and the demo in the release profile.
";

pub(crate) const WASM_HELP: &str = "\
Check that the protocol crates and the simulator build for wasm32-unknown-unknown, which has no
clock, entropy, sockets or threads.

Usage: cargo xtask wasm

Where that target is not installed, it says so on one line and succeeds.
";

pub(crate) const DENY_HELP: &str = "\
Check licences, advisories and sources of all dependencies, as deny.toml says.

Usage: cargo xtask deny

Needs cargo-deny and the network (the advisory database is fetched), so it is no part of CI.
";

/// Runs the script that holds the one list of checks.
pub(crate) fn ci(words: &[String]) -> Result<bool, String> {
    no_flags(words)?;
    step("ci", command("bash", &[".ci/run"]))
}

/// Checks that the pure crates are pure.
pub(crate) fn wasm(words: &[String]) -> Result<bool, String> {
    no_flags(words)?;
    crate::wasm::check()
}

/// Runs cargo-deny, or says how to get it.
pub(crate) fn deny(words: &[String]) -> Result<bool, String> {
    no_flags(words)?;
    if !works(cargo(&["deny", "--version"])) {
        return Err(
            "cargo-deny is not installed; `cargo install --locked cargo-deny` brings it".into(),
        );
    }
    step("deny", cargo(&["deny", "--workspace", "check"]))
}

fn no_flags(words: &[String]) -> Result<(), String> {
    match words.first() {
        None => Ok(()),
        Some(word) => Err(format!("takes no flags, but got `{word}`; see --help")),
    }
}
