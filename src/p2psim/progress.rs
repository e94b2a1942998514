//! What a person sees while a run works, and what it cost. None of it is part of the result.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// How often the bar is told of progress: a step must not cost more than what it counts.
const STRIDE: u64 = 256;

/// A progress bar on standard error, if that is a terminal, and a stopwatch.
pub(super) struct Progress {
    bar: ProgressBar,
    started: Instant,
    done: u64,
}

impl Progress {
    /// A bar of `length` steps.
    #[must_use]
    #[allow(clippy::disallowed_methods)] // The cost of a run is measured by the real clock.
    pub(super) fn new(what: &str, length: u64) -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(length), target);
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}") {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        Self {
            bar,
            started: Instant::now(),
            done: 0,
        }
    }

    /// One step more.
    pub(super) fn step(&mut self) {
        self.done += 1;
        if self.done.is_multiple_of(STRIDE) || self.done < STRIDE {
            self.bar.set_position(self.done);
        }
    }

    /// Says what is worked on.
    pub(super) fn say(&self, what: String) {
        self.bar.set_message(what);
    }

    /// So many steps more.
    pub(super) fn advance(&mut self, steps: u64) {
        self.done += steps;
        self.bar.set_position(self.done);
    }

    /// Removes the bar; gives the time since the start.
    #[must_use]
    pub(super) fn finish(self) -> Duration {
        self.bar.finish_and_clear();
        self.started.elapsed()
    }
}

/// One line on standard error: wall time and peak memory.
pub(super) fn print_cost(wall: Duration) {
    let memory = sim::peak_memory_bytes().map_or_else(String::new, |bytes| {
        format!(
            ", at most {:.0} MiB of memory",
            bytes as f64 / f64::from(1 << 20)
        )
    });
    eprintln!("took {:.1} s{memory}", wall.as_secs_f64());
}
