//! Swarms that compute: who has computed which pieces of a task, and who works on which.
//!
//! A swarm has a name, and its pieces have numbers. What a worker says of 2,048 pieces
//! ([`PIECES_PER_BLOCK`]) is *one* holder with the worker's address, whose text has two bits for each
//! piece ([`Block`]): so announcing many pieces at once is one write for each block that they are in,
//! and asking for a range of pieces is one question for each. It works on every overlay, through any
//! node, and needs nothing of a node but holders.
//!
//! - [`Worker::announce`] says what this worker computes, has computed, or has given up;
//! - [`Asker::who`] says who has or works on the pieces of a range, and whether that is proven to be all;
//! - [`Asker::changes`] waits until something of that changes: asked again and again, it is a stream.
//!
//! An announcement is no lock: two workers that begin the same piece at the same moment both find out
//! by asking afterwards. Nodes renew what a worker has said until it [leaves](Worker::leave), also when
//! it has died; [`Said::age_s`] says how long ago it said so, and a reader decides what is too long.

mod asker;
mod block;
mod link;
mod worker;

pub use asker::{Answer, Asker, Change, Said};
pub use block::{Block, PIECES_PER_BLOCK, Work};
pub use worker::Worker;

use crate::control::client::ClientError;
use overlay::{Failure, Id};
use std::ops::Range;

/// Longest name of a swarm in bytes: as long as a key.
pub const MAX_NAME_BYTES: usize = overlay::MAX_KEY_BYTES;
/// Most blocks of one call, a million pieces: each is a question to the overlay.
pub const MAX_BLOCKS: u32 = 512;

/// Why a swarm could not be asked or told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComputeError {
    /// The node was not reached, or the connection broke. A write may have taken effect.
    #[error("{0}")]
    Client(#[from] ClientError),
    /// The node says that it could not be done.
    #[error("{0}")]
    Failed(#[from] Failure),
    /// A name that is empty or too long.
    #[error("a swarm's name has 1 to {MAX_NAME_BYTES} bytes, and this one has {0}; give another")]
    Name(usize),
    /// Too many pieces at once.
    #[error(
        "pieces {0:?} are in more than {MAX_BLOCKS} blocks of {PIECES_PER_BLOCK}; ask for fewer at a time"
    )]
    TooMany(Range<u32>),
    /// The node answered something else.
    #[error("the node answered another question; use a node of the same version")]
    Nonsense,
}

/// The name of a swarm.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Name(Vec<u8>);

impl Name {
    fn new(name: &[u8]) -> Result<Self, ComputeError> {
        match name.len() {
            1..=MAX_NAME_BYTES => Ok(Self(name.to_owned())),
            other => Err(ComputeError::Name(other)),
        }
    }

    /// Where a block of it is said.
    fn key(&self, block: u32) -> Id {
        let parts = [b"compute swarm\0", self.0.as_slice(), &block.to_be_bytes()];
        Id::of(&parts.concat())
    }
}

/// The blocks that pieces are in.
fn blocks_of(pieces: &Range<u32>) -> Result<Range<u32>, ComputeError> {
    if pieces.is_empty() {
        return Ok(0..0);
    }
    let first = pieces.start / PIECES_PER_BLOCK;
    let end = (pieces.end - 1) / PIECES_PER_BLOCK + 1;
    if end - first > MAX_BLOCKS {
        return Err(ComputeError::TooMany(pieces.clone()));
    }
    Ok(first..end)
}

/// The pieces of a block, numbered from its first, that are in a range.
fn within(block: u32, pieces: &Range<u32>) -> Range<u32> {
    let first = u64::from(block) * u64::from(PIECES_PER_BLOCK);
    let clamp = |piece: u32| {
        let inside = u64::from(piece).saturating_sub(first);
        // At most 2,048.
        inside.min(PIECES_PER_BLOCK.into()) as u32
    };
    clamp(pieces.start)..clamp(pieces.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_in_their_blocks_up_to_the_last_number() {
        assert_eq!(blocks_of(&(5..5)).unwrap(), 0..0);
        assert_eq!(blocks_of(&(0..2_048)).unwrap(), 0..1);
        assert_eq!(blocks_of(&(2_047..2_049)).unwrap(), 0..2);
        let last = u32::MAX / PIECES_PER_BLOCK;
        assert_eq!(
            blocks_of(&(u32::MAX - 1..u32::MAX)).unwrap(),
            last..last + 1
        );
        assert!(matches!(
            blocks_of(&(0..u32::MAX)),
            Err(ComputeError::TooMany(_))
        ));
        assert_eq!(within(1, &(2_000..2_100)), 0..52);
        assert_eq!(within(0, &(2_000..2_100)), 2_000..2_048);
        assert_eq!(within(last, &(0..u32::MAX)), 0..2_047);
        assert!(within(3, &(0..10)).is_empty());
    }

    #[test]
    fn names_have_limits_and_keys_of_their_own() {
        assert!(matches!(Name::new(b""), Err(ComputeError::Name(0))));
        assert!(matches!(
            Name::new(&[b'x'; 1_025]),
            Err(ComputeError::Name(1_025))
        ));
        let keys = [b"a", b"b"].map(|name| Name::new(name).unwrap().key(0));
        assert_ne!(keys[0], keys[1]);
        assert_ne!(keys[0], Name::new(b"a").unwrap().key(1));
    }
}
