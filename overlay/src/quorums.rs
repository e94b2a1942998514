//! How many replicas each record has, and how many of them take part in a write and in a read.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Most replicas of a record: their contacts travel with answers, and no list of neighbours from
/// which they are taken is longer than this.
pub const MAX_REPLICAS: u8 = 8;

/// N, W and R of a network: all of its nodes have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quorums {
    /// Replicas of each record, N. Default 3.
    pub replicas: u8,
    /// Replicas that must hold a write durably before it is acknowledged, W. Default 2.
    pub write: u8,
    /// Replicas that must answer a read, R. Default 2.
    pub read: u8,
}

impl Default for Quorums {
    fn default() -> Self {
        Self {
            replicas: 3,
            write: 2,
            read: 2,
        }
    }
}

/// Why quorums are impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuorumError {
    /// N is out of range.
    #[error("--replicas is from 1 to {MAX_REPLICAS}, not {0}")]
    Replicas(u8),
    /// W is out of range.
    #[error("--write-quorum is from 1 to --replicas, which is {replicas}, not {write}")]
    Write {
        /// W.
        write: u8,
        /// N.
        replicas: u8,
    },
    /// R is out of range.
    #[error("--read-quorum is from 1 to --replicas, which is {replicas}, not {read}")]
    Read {
        /// R.
        read: u8,
        /// N.
        replicas: u8,
    },
}

impl Quorums {
    /// Whether these can be.
    ///
    /// # Errors
    /// Which one cannot, and its limits.
    pub const fn check(self) -> Result<Self, QuorumError> {
        let Self {
            replicas,
            write,
            read,
        } = self;
        if replicas == 0 || replicas > MAX_REPLICAS {
            return Err(QuorumError::Replicas(replicas));
        }
        if write == 0 || write > replicas {
            return Err(QuorumError::Write { write, replicas });
        }
        if read == 0 || read > replicas {
            return Err(QuorumError::Read { read, replicas });
        }
        Ok(self)
    }

    /// Whether every read meets every acknowledged write at one replica at least.
    #[must_use]
    pub const fn overlap(self) -> bool {
        self.read as u16 + self.write as u16 > self.replicas as u16
    }

    /// What is lost with these, if anything is.
    #[must_use]
    pub fn warning(self) -> Option<String> {
        (!self.overlap()).then(|| {
            format!(
                "{self}: R + W is not above N, so a read may miss the newest acknowledged write, and may find a key that was deleted, until the replicas have been compared"
            )
        })
    }
}

impl fmt::Display for Quorums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            replicas,
            write,
            read,
        } = self;
        write!(
            f,
            "--replicas {replicas} --write-quorum {write} --read-quorum {read}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn quorums(replicas: u8, write: u8, read: u8) -> Quorums {
        Quorums {
            replicas,
            write,
            read,
        }
    }

    #[test]
    fn the_impossible_is_refused() {
        for (replicas, write, read, words) in [
            (0, 1, 1, "--replicas"),
            (9, 1, 1, "--replicas"),
            (3, 0, 2, "--write-quorum"),
            (3, 4, 2, "--write-quorum"),
            (3, 2, 0, "--read-quorum"),
            (3, 2, 4, "--read-quorum"),
        ] {
            let error = quorums(replicas, write, read).check();
            let text = error.expect_err("it is impossible").to_string();
            assert!(text.contains(words), "{text}");
        }
        assert!(quorums(1, 1, 1).check().is_ok() && Quorums::default().check().is_ok());
    }

    #[test]
    fn quorums_that_do_not_meet_are_warned_of() {
        assert_eq!(Quorums::default().warning(), None);
        let warning = quorums(3, 1, 2).warning().expect("a warning");
        assert!(warning.contains("miss the newest"), "{warning}");
    }
}
