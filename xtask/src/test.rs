//! `cargo xtask test`: everything that a test needs, then every test.

use crate::packages;
use crate::python;
use crate::steps::{cargo, counted_step, step, works};
use crate::tally::Runner;

pub(crate) const HELP: &str = "\
Install what the tests need, then build and run all of them, doc tests included.

Usage: cargo xtask test [--ignored] [--no-install]

  --ignored      Also run the large tests that are left out by default
  --no-install   Look for no Debian and Python packages and install none

Tests run under cargo-nextest when it is installed, and under `cargo test` otherwise.
The last line sums up; the exit code is 0 only if everything passed.
";

#[derive(Debug, Default, PartialEq, Eq)]
struct Flags {
    ignored: bool,
    no_install: bool,
}

impl Flags {
    fn parse(words: &[String]) -> Result<Self, String> {
        let mut flags = Self::default();
        for word in words {
            match word.as_str() {
                "--ignored" => flags.ignored = true,
                "--no-install" => flags.no_install = true,
                unknown => return Err(format!("unknown flag `{unknown}`; see --help")),
            }
        }
        Ok(flags)
    }
}

/// Runs the verb. Later steps run even when earlier tests fail, so that one run tells all.
pub(crate) fn run(words: &[String]) -> Result<bool, String> {
    let flags = Flags::parse(words)?;
    let is_equipped = flags.no_install || packages::install()? && python::install()?;
    if !is_equipped {
        return Ok(false);
    }
    // The same call builds for both runners, so that nothing is built twice.
    if !step("build", cargo(&["test", "--workspace", "--no-run"]))? {
        return Ok(false);
    }
    let has_nextest = works(cargo(&["nextest", "--version"]));
    let runner = if has_nextest {
        Runner::Nextest
    } else {
        Runner::Libtest
    };
    let tests = cargo(&arguments(runner, flags.ignored));
    let (tests_good, tests) = counted_step("tests", runner, tests)?;
    let docs = cargo(&["test", "--workspace", "--doc", "--no-fail-fast"]);
    let (docs_good, docs) = counted_step("doc tests", Runner::Libtest, docs)?;
    let all = tests.plus(docs);
    let good = tests_good && docs_good;
    if !good && all.failed == 0 {
        eprintln!("\nxtask test: a test program was not built or ended early; see above");
    }
    println!("\n{all}");
    Ok(good && all.failed == 0)
}

fn arguments(runner: Runner, ignored: bool) -> Vec<&'static str> {
    let (mut words, include_ignored): (Vec<_>, &[_]) = match runner {
        Runner::Nextest => (vec!["nextest", "run"], &["--run-ignored", "all"]),
        Runner::Libtest => (
            vec!["test", "--lib", "--bins", "--tests"],
            &["--", "--include-ignored"],
        ),
    };
    words.extend(["--workspace", "--no-fail-fast"]);
    if ignored {
        words.extend(include_ignored);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::{Flags, Runner, arguments};

    #[test]
    fn refuses_a_flag_that_it_does_not_know() {
        let flags = Flags::parse(&["--ignored".into()]);
        assert_eq!(
            flags,
            Ok(Flags {
                ignored: true,
                no_install: false
            })
        );
        let refused = Flags::parse(&["--ignore".into()]);
        assert_eq!(refused, Err("unknown flag `--ignore`; see --help".into()));
    }

    #[test]
    fn asks_either_runner_for_the_ignored_tests_only_on_request() {
        assert!(arguments(Runner::Nextest, true).ends_with(&["--run-ignored", "all"]));
        assert!(arguments(Runner::Libtest, true).ends_with(&["--", "--include-ignored"]));
        assert!(!arguments(Runner::Nextest, false).contains(&"--run-ignored"));
        assert!(!arguments(Runner::Libtest, false).contains(&"--include-ignored"));
    }
}
