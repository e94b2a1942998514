//! Reads the results of tests out of what `cargo test` and `cargo nextest` print.

use std::fmt;

/// Who runs the tests. A failing test may print the other runner's summary, so each is read alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runner {
    /// `cargo test`: a summary for each test program.
    Libtest,
    /// `cargo nextest run`: one summary in all.
    Nextest,
}

/// Numbers of tests by result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed, timed out or could not be run.
    pub(crate) failed: u64,
    /// Tests that were left out.
    pub(crate) ignored: u64,
}

impl Tally {
    /// Both together.
    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            ignored: self.ignored + other.ignored,
        }
    }

    /// What one line reports; nothing unless it is a summary line of the runner.
    pub(crate) fn of_line(runner: Runner, line: &str) -> Self {
        let line = plain(line);
        let line = line.trim();
        let counts = match runner {
            Runner::Libtest => line
                .strip_prefix("test result: ")
                .and_then(|rest| rest.split_once(". "))
                .map(|(_, counts)| Self::of_counts(counts.split(';'))),
            Runner::Nextest => line
                .strip_prefix("Summary [")
                .and_then(|rest| rest.split_once(" run: "))
                .map(|(_, counts)| Self::of_counts(without_parentheses(counts).split(','))),
        };
        counts.unwrap_or_default()
    }

    fn of_counts<'a>(parts: impl Iterator<Item = &'a str>) -> Self {
        let mut tally = Self::default();
        for part in parts {
            let Some((count, what)) = part.trim().split_once(' ') else {
                continue;
            };
            let Ok(count) = count.parse::<u64>() else {
                continue;
            };
            match what.trim() {
                "passed" => tally.passed += count,
                "failed" | "timed out" | "exec failed" => tally.failed += count,
                "ignored" | "skipped" => tally.ignored += count,
                _ => {}
            }
        }
        tally
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} ignored",
            self.passed, self.failed, self.ignored
        )
    }
}

/// The text without terminal colours.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            // A colour ends with the letter m.
            characters.by_ref().find(|end| end.is_ascii_alphabetic());
        } else {
            text.push(character);
        }
    }
    text
}

/// `4 passed (1 slow, 1 leaky), 1 failed` without its remarks.
fn without_parentheses(counts: &str) -> String {
    let mut depth = 0_u32;
    counts
        .chars()
        .filter(|character| match character {
            '(' => {
                depth += 1;
                false
            }
            ')' => {
                depth = depth.saturating_sub(1);
                false
            }
            _ => depth == 0,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Runner, Tally};

    #[test]
    fn reads_the_summary_of_cargo_test() {
        let line = "test result: FAILED. 5 passed; 2 failed; 1 ignored; 0 measured; \
                    9 filtered out; finished in 0.00s\n";
        assert_eq!(
            Tally::of_line(Runner::Libtest, line),
            Tally {
                passed: 5,
                failed: 2,
                ignored: 1
            }
        );
    }

    #[test]
    fn reads_the_summary_of_nextest_with_colours_and_remarks() {
        let line = "\u{1b}[32;1m     Summary\u{1b}[0m [   1.013s] \u{1b}[1m8/9\u{1b}[0m tests run: \
                    \u{1b}[1m5\u{1b}[0m passed (1 slow, 1 leaky), 2 failed, 1 timed out, 3 skipped";
        assert_eq!(
            Tally::of_line(Runner::Nextest, line),
            Tally {
                passed: 5,
                failed: 3,
                ignored: 3
            }
        );
        let one = "     Summary [   0.002s] 1 test run: 1 passed, 0 skipped";
        assert_eq!(
            Tally::of_line(Runner::Nextest, one),
            Tally {
                passed: 1,
                failed: 0,
                ignored: 0
            }
        );
    }

    #[test]
    fn counts_nothing_in_other_lines() {
        for line in ["test a ... ok", "running 7 tests", "7 passed, 1 failed", ""] {
            for runner in [Runner::Libtest, Runner::Nextest] {
                assert_eq!(
                    Tally::of_line(runner, line),
                    Tally::default(),
                    "in {line:?}"
                );
            }
        }
    }

    #[test]
    fn does_not_count_what_a_failing_test_printed_under_nextest() {
        let line = "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured";
        assert_eq!(Tally::of_line(Runner::Nextest, line), Tally::default());
    }
}
