//! The smaller verbs: `cargo xtask ci` and `cargo xtask deny`.

use crate::steps::{cargo, command, step, works};

pub(crate) const CI_HELP: &str = "\
Run .ci/run: what must pass before a merge.

Usage: cargo xtask ci

In this order: the lock file is current, `cargo xtask test`, formatting, clippy and docs with
warnings as errors, and the demo in the release profile.
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
