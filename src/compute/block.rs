//! What one worker says of one block of pieces, and how that is written into the text of a holder.

use overlay::WallMs;
use std::ops::Range;
use tracker::exchange::{signs_of, unsigned};

/// Pieces of which a worker speaks in one text: with two bits each they fit 1 KiB whatever is said.
pub const PIECES_PER_BLOCK: u32 = 2_048;
/// Four pieces in each byte.
const BYTES: usize = PIECES_PER_BLOCK as usize / 4;
/// Which form the rest of a text has. Summaries of swarms and descriptions of torrents have others.
const FORM: u8 = 0xb3;
/// Bytes before the pieces: the form, and the time.
const HEAD_BYTES: usize = 1 + 6;

/// What a worker does with a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// It is computing it.
    Computing,
    /// It has computed it, and has the result.
    Computed,
}

impl Work {
    const fn bits(work: Option<Self>) -> u8 {
        match work {
            None => 0,
            Some(Self::Computing) => 1,
            Some(Self::Computed) => 2,
        }
    }
}

/// What a worker says of the pieces of a block, numbered from the first of the block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pieces: [u8; BYTES],
}

impl Default for Block {
    fn default() -> Self {
        Self { pieces: [0; BYTES] }
    }
}

impl Block {
    /// What it says of a piece; nothing of one that is not in the block.
    #[must_use]
    pub fn get(&self, piece: u32) -> Option<Work> {
        let byte = self.pieces.get(piece as usize / 4)?;
        match byte >> (piece % 4 * 2) & 3 {
            1 => Some(Work::Computing),
            2 => Some(Work::Computed),
            _ => None,
        }
    }

    /// Says something of pieces; those that are not in the block are passed over.
    pub fn set(&mut self, pieces: Range<u32>, work: Option<Work>) {
        for piece in pieces.start..pieces.end.min(PIECES_PER_BLOCK) {
            if let Some(byte) = self.pieces.get_mut(piece as usize / 4) {
                let shift = piece % 4 * 2;
                *byte = *byte & !(3 << shift) | Work::bits(work) << shift;
            }
        }
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.iter().all(|byte| *byte == 0)
    }

    /// Pieces of a range one after another of which the same is said, as far as something is.
    #[must_use]
    pub fn runs(&self, pieces: Range<u32>) -> Vec<(Range<u32>, Work)> {
        self.differences(&Self::default(), pieces)
            .into_iter()
            .filter_map(|(run, work)| Some((run, work?)))
            .collect()
    }

    /// Pieces of a range one after another of which it says the same, and something else than
    /// `before` did.
    #[must_use]
    pub fn differences(
        &self,
        before: &Self,
        pieces: Range<u32>,
    ) -> Vec<(Range<u32>, Option<Work>)> {
        let mut runs: Vec<(Range<u32>, Option<Work>)> = Vec::new();
        for piece in pieces.start..pieces.end.min(PIECES_PER_BLOCK) {
            let work = self.get(piece);
            if work == before.get(piece) {
                continue;
            }
            match runs.last_mut() {
                Some((run, same)) if run.end == piece && *same == work => run.end += 1,
                _ => runs.push((piece..piece + 1, work)),
            }
        }
        runs
    }

    /// The text, without words: nothing of it goes into an index.
    pub(super) fn encode(&self, at: WallMs) -> String {
        let mut bytes = vec![FORM];
        bytes.extend(at.0.to_be_bytes().get(2..).unwrap_or_default());
        let said = self.pieces.iter().rposition(|byte| *byte != 0);
        let length = said.map_or(0, |last| last + 1);
        bytes.extend(self.pieces.iter().take(length));
        signs_of(&bytes)
    }

    /// Reads a text back, and when it was written. None when it is something else.
    pub(super) fn decode(text: &str) -> Option<(Self, WallMs)> {
        let bytes = unsigned(text)?;
        let (head, pieces) = bytes.split_at_checked(HEAD_BYTES)?;
        let (form, at) = head.split_first()?;
        if *form != FORM || pieces.len() > BYTES {
            return None;
        }
        let at = at
            .iter()
            .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        let mut block = Self::default();
        for (to, from) in block.pieces.iter_mut().zip(pieces) {
            // The fourth of two bits means nothing yet.
            if from & from >> 1 & 0x55 != 0 {
                return None;
            }
            *to = *from;
        }
        Some((block, WallMs(at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay::MAX_TEXT_BYTES;
    use overlay::words::Words;
    use proptest::prelude::*;

    fn work() -> impl Strategy<Value = Option<Work>> {
        prop_oneof![
            Just(None),
            Just(Some(Work::Computing)),
            Just(Some(Work::Computed))
        ]
    }

    proptest! {
        #[test]
        fn what_is_said_is_read_back(said in prop::collection::vec((0..2_100_u32, 0..300_u32, work()), 0..20)) {
            let mut block = Block::default();
            let mut plain = vec![None; PIECES_PER_BLOCK as usize];
            for (start, length, work) in said {
                block.set(start..start + length, work);
                for piece in (start..start + length).take_while(|piece| *piece < PIECES_PER_BLOCK) {
                    plain[piece as usize] = work;
                }
            }
            let text = block.encode(WallMs(7_000_000_000_000));
            prop_assert!(text.len() <= MAX_TEXT_BYTES && Words::of(&text).is_empty());
            prop_assert_eq!(Block::decode(&text), Some((block.clone(), WallMs(7_000_000_000_000))));
            let mut runs = vec![None; PIECES_PER_BLOCK as usize];
            for (run, work) in block.runs(0..PIECES_PER_BLOCK) {
                runs[run.start as usize..run.end as usize].fill(Some(work));
            }
            prop_assert_eq!(runs, plain);
        }

        #[test]
        fn other_texts_do_no_harm(text in "[!-/:-@\\[-`{-~]{0,900}") {
            if let Some((block, at)) = Block::decode(&text) {
                prop_assert_eq!(Block::decode(&block.encode(at)), Some((block, at)));
            }
        }
    }

    #[test]
    fn the_fullest_block_fits_and_summaries_are_others() {
        let mut block = Block::default();
        block.set(0..PIECES_PER_BLOCK, Some(Work::Computed));
        assert!(block.encode(WallMs(1)).len() <= MAX_TEXT_BYTES);
        assert_eq!(block.runs(3..9), [(3..9, Work::Computed)]);
        assert_eq!(Block::decode(""), None);
        assert_eq!(Block::decode("words"), None);
        assert!(tracker::exchange::Summary::decode(&block.encode(WallMs(1))).is_none());
        assert_eq!(Block::default().differences(&block, 0..2), [(0..2, None)]);
    }
}
