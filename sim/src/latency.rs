//! How long a message travels.

use crate::Dice;
use crate::dice::mix;
use overlay::Duration;
use std::sync::Arc;

/// Shortest and longest access delay of a node with a measured matrix, one way: two nodes on one
/// host are not at distance zero. Our choice: a last mile of 0.2 to 2 ms.
const ACCESS_US: (u64, u64) = (200, 2_000);

/// A model of one-way delays.
#[derive(Clone, Debug)]
pub enum Latency {
    /// The same between any two nodes.
    Constant(Duration),
    /// Drawn anew for each message, both ends included.
    Uniform {
        /// Shortest.
        low: Duration,
        /// Longest.
        high: Duration,
    },
    /// Measured between hosts; node `n` lives at host `n mod hosts`, and has an access delay of
    /// its own besides.
    Matrix(Arc<Matrix>),
}

impl Latency {
    /// The mean delay of messages from one node to another.
    #[must_use]
    pub fn mean(&self, from: usize, to: usize) -> Duration {
        match self {
            Self::Constant(delay) => *delay,
            Self::Uniform { low, high } => Duration(u64::midpoint(low.0, high.0)),
            Self::Matrix(matrix) => matrix.one_way(from, to),
        }
    }

    /// The delay of one message.
    pub(crate) fn sample(&self, from: usize, to: usize, dice: &mut Dice) -> Duration {
        match self {
            Self::Constant(delay) => *delay,
            Self::Uniform { low, high } => dice.span(*low, *high),
            Self::Matrix(matrix) => matrix.one_way(from, to),
        }
    }
}

/// Measured round trips between hosts.
#[derive(Debug)]
pub struct Matrix {
    hosts: usize,
    one_way_us: Vec<u32>,
}

/// Why a text is no latency matrix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MatrixError {
    /// No line at all.
    #[error("the matrix is empty; give a square of round-trip times in milliseconds")]
    Empty,
    /// A line has the wrong number of entries.
    #[error("line {line} has {found} entries instead of {expected}; the matrix must be square")]
    NotSquare {
        /// Counted from 1.
        line: usize,
        /// Entries in it.
        found: usize,
        /// Lines of the matrix.
        expected: usize,
    },
    /// An entry is no time.
    #[error("line {line}: {entry:?} is no round-trip time in milliseconds from 0 to 3600000")]
    NotATime {
        /// Counted from 1.
        line: usize,
        /// The entry.
        entry: String,
    },
}

impl Matrix {
    /// Reads a square of round-trip times in milliseconds, separated by white space.
    ///
    /// # Errors
    /// When the text is not that.
    pub fn parse(text: &str) -> Result<Self, MatrixError> {
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        let hosts = lines.len();
        if hosts == 0 {
            return Err(MatrixError::Empty);
        }
        let mut one_way_us = Vec::with_capacity(hosts * hosts);
        for (at, line) in lines.iter().enumerate() {
            let before = one_way_us.len();
            for entry in line.split_whitespace() {
                one_way_us.push(half_in_us(entry, at + 1)?);
            }
            let found = one_way_us.len() - before;
            if found != hosts {
                return Err(MatrixError::NotSquare {
                    line: at + 1,
                    found,
                    expected: hosts,
                });
            }
        }
        Ok(Self { hosts, one_way_us })
    }

    /// Number of hosts.
    #[must_use]
    pub const fn hosts(&self) -> usize {
        self.hosts
    }

    /// The delay from one node to another.
    #[must_use]
    pub fn one_way(&self, from: usize, to: usize) -> Duration {
        let between = self.one_way_us[(from % self.hosts) * self.hosts + to % self.hosts];
        Duration(u64::from(between) + access_us(from) + access_us(to))
    }
}

fn half_in_us(entry: &str, line: usize) -> Result<u32, MatrixError> {
    let wrong = || MatrixError::NotATime {
        line,
        entry: entry.chars().take(32).collect(),
    };
    let rtt_ms: f64 = entry.parse().map_err(|_| wrong())?;
    if !(0.0..=3_600_000.0).contains(&rtt_ms) {
        return Err(wrong());
    }
    Ok((rtt_ms * 500.0 + 0.5) as u32)
}

const fn access_us(node: usize) -> u64 {
    ACCESS_US.0 + mix(node as u64) % (ACCESS_US.1 - ACCESS_US.0)
}
