//! What is seen while the demo works: bars on a terminal, else a line for each phase.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// How often a bar without a measure turns.
const TURN_EVERY: Duration = Duration::from_millis(100);

/// Where progress is shown.
pub(super) struct Progress {
    terminal: bool,
}

/// One phase.
pub(super) struct Step {
    bar: ProgressBar,
    terminal: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
        }
    }

    /// A phase whose length nobody knows.
    pub(super) fn step(&self, what: &str) -> Step {
        let bar = if self.terminal {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        bar.set_message(what.to_owned());
        if self.terminal {
            bar.enable_steady_tick(TURN_EVERY);
        }
        Step {
            bar,
            terminal: self.terminal,
        }
    }

    /// A phase of so many steps.
    pub(super) fn bar(&self, what: &str, steps: usize) -> Step {
        let bar = if self.terminal {
            ProgressBar::new(steps as u64)
        } else {
            ProgressBar::hidden()
        };
        if let Ok(style) =
            ProgressStyle::with_template("{prefix:13} {wide_bar} {pos}/{len} {per_sec}")
        {
            bar.set_style(style);
        }
        Step {
            bar: bar.with_prefix(what.to_owned()),
            terminal: self.terminal,
        }
    }
}

impl Step {
    /// One step further.
    pub(super) fn advance(&self) {
        if self.terminal {
            self.bar.inc(1);
        }
    }

    /// The phase is over; one line remains of it.
    pub(super) fn done(self, line: &str) {
        self.bar.finish_and_clear();
        eprintln!("{line}");
    }
}
