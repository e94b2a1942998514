//! The hashes of pieces: of version 1 over all files as one stream, of version 2 a tree for each file.

use overlay::Id;
use sha2::{Digest, Sha256};

/// Bytes of a block, of which the leaves of a tree are hashes (BEP 52).
pub(super) const BLOCK_BYTES: usize = 16 << 10;

/// A hash of version 2.
pub(super) type Hash = [u8; 32];

/// Pieces of version 1.
#[derive(Debug)]
pub(super) struct Pieces {
    piece_bytes: usize,
    held: Vec<u8>,
    pub(super) hashes: Vec<u8>,
}

impl Pieces {
    pub(super) fn new(piece_bytes: usize) -> Self {
        Self {
            piece_bytes,
            held: Vec::with_capacity(piece_bytes),
            hashes: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = self.piece_bytes - self.held.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.held.extend_from_slice(now);
            bytes = later;
            if self.held.len() == self.piece_bytes {
                self.end();
            }
        }
    }

    /// Zeros up to the next piece; gives how many.
    pub(super) fn pad(&mut self) -> usize {
        if self.held.is_empty() {
            return 0;
        }
        let count = self.piece_bytes - self.held.len();
        self.held.resize(self.piece_bytes, 0);
        self.end();
        count
    }

    /// What is there is a piece.
    pub(super) fn end(&mut self) {
        if !self.held.is_empty() {
            self.hashes.extend(Id::of(&self.held).0);
            self.held.clear();
        }
    }
}

/// The tree of one file.
#[derive(Debug, Default)]
pub(super) struct Tree {
    held: Vec<u8>,
    leaves: Vec<Hash>,
}

impl Tree {
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = BLOCK_BYTES - self.held.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.held.extend_from_slice(now);
            bytes = later;
            if self.held.len() == BLOCK_BYTES {
                self.block();
            }
        }
    }

    fn block(&mut self) {
        self.leaves.push(Sha256::digest(&self.held).into());
        self.held.clear();
    }

    /// The root, and the hashes of the pieces when there are more than one. None for an empty file.
    pub(super) fn end(mut self, piece_bytes: usize) -> Option<(Hash, Vec<Hash>)> {
        if !self.held.is_empty() {
            self.block();
        }
        let blocks = piece_bytes / BLOCK_BYTES;
        if self.leaves.is_empty() {
            return None;
        }
        if self.leaves.len() <= blocks {
            // The tree of a file below a piece is as high as it must be.
            return Some((root(self.leaves, Hash::default()), Vec::new()));
        }
        let layer: Vec<Hash> = self
            .leaves
            .chunks(blocks)
            .map(|leaves| {
                let mut leaves = leaves.to_vec();
                // The last piece may be short; what is missing counts as hashes of zeros.
                leaves.resize(blocks, Hash::default());
                root(leaves, Hash::default())
            })
            .collect();
        let nothing = root(vec![Hash::default(); blocks], Hash::default());
        Some((root(layer.clone(), nothing), layer))
    }
}

/// The root over a layer, which is filled up with `filler` to a power of two.
fn root(mut layer: Vec<Hash>, filler: Hash) -> Hash {
    layer.resize(layer.len().next_power_of_two(), filler);
    while layer.len() > 1 {
        layer = layer
            .chunks(2)
            .map(|pair| Sha256::digest(pair.concat()).into())
            .collect();
    }
    layer.first().copied().unwrap_or_default()
}
