//! The project's chores, run as `cargo xtask VERB`.
//!
//! It depends on nothing but the standard library, so that it builds in seconds on a machine that
//! has only Rust. Each verb is one file.

mod chores;
mod figures;
mod package;
mod packages;
mod steps;
mod survive;
mod tally;
mod test;
mod wasm;

use std::process::ExitCode;

const HELP: &str = "\
The project's chores.

Usage: cargo xtask VERB [FLAGS]

Verbs:
  test      Install what the tests need, then build and run all of them, doc tests included
  wasm      Check that the pure crates build where there is no operating system
  ci        Run .ci/run: test, wasm, format, clippy, docs, demo, survival; what must pass before a merge
  survive   Kill, stop, add, remove and cut off real nodes while clients write and read
  figures   Measure store and tracker with real processes: commits, repair, leases, announces
  package   Build the Debian package, or static programs; try the package on a booted Debian
  deny      Check licences, advisories and sources of all dependencies with cargo-deny
  help      Show this text

`cargo xtask VERB --help` explains a verb and its flags.
";

/// What every verb answers: whether it succeeded, or one line that says why it could not run.
type Outcome = Result<bool, String>;

/// Exit code for wrong use, as `p2pctl` has it.
const WRONG_USE: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((verb, flags)) = arguments.split_first() else {
        eprint!("{HELP}");
        return ExitCode::from(WRONG_USE);
    };
    let wants_help = flags.iter().any(|flag| flag == "--help" || flag == "-h");
    let (help, run): (&str, fn(&[String]) -> Outcome) = match verb.as_str() {
        "test" => (test::HELP, test::run),
        "wasm" => (chores::WASM_HELP, chores::wasm),
        "figures" => (figures::HELP, figures::run),
        "ci" => (chores::CI_HELP, chores::ci),
        "survive" => (survive::HELP, survive::run),
        "package" => (package::HELP, package::run),
        "deny" => (chores::DENY_HELP, chores::deny),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        unknown => {
            eprintln!("xtask: no verb `{unknown}`\n\n{HELP}");
            return ExitCode::from(WRONG_USE);
        }
    };
    if wants_help {
        print!("{help}");
        return ExitCode::SUCCESS;
    }
    match run(flags) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("xtask {verb}: {why}");
            ExitCode::from(WRONG_USE)
        }
    }
}
