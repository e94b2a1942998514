//! Figures for people and for programs.

use hdrhistogram::Histogram;
use serde::Serialize;

/// Significant digits that a distribution keeps: enough for percentiles, exact below 2,000.
const DIGITS: u8 = 3;

/// A distribution of whole numbers. The mean is exact; percentiles have three digits.
#[derive(Clone, Debug)]
pub struct Distribution {
    histogram: Histogram<u64>,
    sum: u128,
}

impl Default for Distribution {
    fn default() -> Self {
        Self {
            histogram: Self::histogram(),
            sum: 0,
        }
    }
}

/// The figures of a distribution that reports show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// The mean.
    pub mean: f64,
    /// One in a hundred is not above.
    pub p1: f64,
    /// The median.
    pub p50: f64,
    /// All but one in a hundred are not above.
    pub p99: f64,
    /// The largest.
    pub max: f64,
}

impl Distribution {
    #[allow(clippy::expect_used)]
    fn histogram() -> Histogram<u64> {
        Histogram::new(DIGITS).expect("three digits are within the histogram's range")
    }

    /// Takes in one number.
    pub fn record(&mut self, number: u64) {
        // Only a histogram of fixed size refuses a number, and this one grows.
        let recorded = self.histogram.record(number);
        debug_assert!(recorded.is_ok(), "a growing histogram takes every number");
        self.sum += u128::from(number);
    }

    /// How many numbers it has.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The mean; zero of nothing.
    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.count() == 0 {
            0.0
        } else {
            self.sum as f64 / self.count() as f64
        }
    }

    /// The number that `percent` of all do not exceed.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> u64 {
        self.histogram.value_at_percentile(percent)
    }

    /// The figures, each divided by `unit`.
    #[must_use]
    pub fn summary(&self, unit: f64) -> Summary {
        Summary {
            mean: self.mean() / unit,
            p1: self.percentile(1.0) as f64 / unit,
            p50: self.percentile(50.0) as f64 / unit,
            p99: self.percentile(99.0) as f64 / unit,
            max: self.histogram.max() as f64 / unit,
        }
    }
}

/// A table of text with aligned columns: the first to the left, all others to the right.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column heads.
    #[must_use]
    pub fn new(heads: &[&str]) -> Self {
        Self {
            rows: vec![heads.iter().map(|&head| head.to_owned()).collect()],
        }
    }

    /// Adds a row.
    pub fn row<I: IntoIterator<Item = String>>(&mut self, cells: I) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let room = widths[column];
                if column == 0 {
                    line.push_str(&format!("{cell:<room$}"));
                } else {
                    line.push_str(&format!("  {cell:>room$}"));
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// The most memory that this process has had resident, where the system tells (Linux).
#[must_use]
pub fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}
