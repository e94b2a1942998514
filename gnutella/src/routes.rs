//! Query routing tables: which keys and words somebody has, as bits.
//!
//! After the query routing protocol of Rohrs (Gnutella 0.6): 64 KiB of bits, one for the hash of
//! each key and each word. A table never misses what is there; it may suppose what is not. Tables
//! with few bits are kept as lists of positions: a node with a hundred records costs its
//! neighbours 400 bytes, not 64 KiB.
//!
//! Deviation: tables travel as the positions that changed, not as compressed blocks of all.

use overlay::Id;
use overlay::words::{Query as WordQuery, Term, Words};

/// Bits of a table: 64 KiB.
pub const TABLE_BITS: u32 = 64 * 1_024 * 8;
/// From so many positions on, bits take no more room than the list of them.
const DENSE: usize = TABLE_BITS as usize / 32;

/// A set of positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryTable {
    bits: Bits,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Bits {
    /// In order.
    Few(Vec<u32>),
    Many(Box<[u64]>),
}

impl Default for QueryTable {
    fn default() -> Self {
        Self {
            bits: Bits::Few(Vec::new()),
        }
    }
}

/// The position of a key: its id is a hash already.
#[must_use]
pub fn key_position(key: Id) -> u32 {
    let [a, b, c, d, ..] = key.0;
    u32::from_be_bytes([a, b, c, d]) % TABLE_BITS
}

/// The position of a word: FNV-1a, which every program has at hand.
#[must_use]
pub fn word_position(word: &str) -> u32 {
    let hash = word.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    (hash ^ (hash >> 16)) % TABLE_BITS
}

/// What a query looks up in tables: it may be there only if all positions are set. A word of which
/// only the beginning is known has none.
pub(crate) fn positions(query: &WordQuery) -> Vec<u32> {
    let word = |term: &Term| match term {
        Term::Word(word) => Some(word_position(word)),
        Term::Prefix(_) => None,
    };
    query.terms().iter().filter_map(word).collect()
}

impl QueryTable {
    /// A table of these positions.
    #[must_use]
    pub fn of(mut positions: Vec<u32>) -> Self {
        positions.sort_unstable();
        positions.dedup();
        positions.retain(|at| *at < TABLE_BITS);
        let mut table = Self {
            bits: Bits::Few(positions),
        };
        table.settle();
        table
    }

    /// The positions of a record: its key and the words of its text.
    pub fn of_record(key: Id, words: &Words, out: &mut Vec<u32>) {
        out.push(key_position(key));
        out.extend(words.iter().map(word_position));
    }

    /// Whether a position is set.
    #[must_use]
    pub fn has(&self, at: u32) -> bool {
        match &self.bits {
            Bits::Few(list) => list.binary_search(&at).is_ok(),
            Bits::Many(words) => words
                .get(at as usize / 64)
                .is_some_and(|word| word >> (at % 64) & 1 == 1),
        }
    }

    /// Whether all are set.
    #[must_use]
    pub fn has_all(&self, positions: &[u32]) -> bool {
        positions.iter().all(|at| self.has(*at))
    }

    /// The positions that are set, in order.
    #[must_use]
    pub fn positions(&self) -> Vec<u32> {
        match &self.bits {
            Bits::Few(list) => list.clone(),
            Bits::Many(_) => (0..TABLE_BITS).filter(|at| self.has(*at)).collect(),
        }
    }

    /// How many positions are set.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.bits {
            Bits::Few(list) => list.len(),
            Bits::Many(words) => words.iter().map(|word| word.count_ones() as usize).sum(),
        }
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sets and clears positions.
    pub fn change(&mut self, set: &[u32], cleared: &[u32]) {
        match &mut self.bits {
            Bits::Few(list) => {
                list.extend(set.iter().filter(|at| **at < TABLE_BITS));
                list.sort_unstable();
                list.dedup();
                if !cleared.is_empty() {
                    list.retain(|at| cleared.binary_search(at).is_err());
                }
                self.settle();
            }
            Bits::Many(words) => {
                for at in set.iter().filter(|at| **at < TABLE_BITS) {
                    words[*at as usize / 64] |= 1 << (at % 64);
                }
                for at in cleared.iter().filter(|at| **at < TABLE_BITS) {
                    words[*at as usize / 64] &= !(1 << (at % 64));
                }
            }
        }
    }

    /// Sets what another table has.
    pub fn join(&mut self, other: &Self) {
        self.change(&other.positions(), &[]);
    }

    /// What must be set and cleared to make this table into `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> (Vec<u32>, Vec<u32>) {
        let (mine, theirs) = (self.positions(), other.positions());
        let set = theirs.iter().filter(|at| !self.has(**at));
        let cleared = mine.iter().filter(|at| !other.has(**at));
        (set.copied().collect(), cleared.copied().collect())
    }

    fn settle(&mut self) {
        if let Bits::Few(list) = &self.bits
            && list.len() > DENSE
        {
            let mut words = vec![0_u64; TABLE_BITS as usize / 64].into_boxed_slice();
            for at in list {
                words[*at as usize / 64] |= 1 << (at % 64);
            }
            self.bits = Bits::Many(words);
        }
    }

    /// Positions in order as the first and the distances between them: most fit one byte or three.
    #[must_use]
    pub fn to_gaps(positions: &[u32]) -> Vec<u32> {
        let mut last = 0;
        let gap = |at: &u32| at - std::mem::replace(&mut last, *at);
        positions.iter().map(gap).collect()
    }

    /// The positions again.
    #[must_use]
    pub fn from_gaps(gaps: &[u32]) -> Vec<u32> {
        let mut at = 0_u32;
        let step = |gap: &u32| {
            at = at.saturating_add(*gap);
            at
        };
        gaps.iter().map(step).collect()
    }

    /// Whether a peer's distances lead to positions in order, within the table.
    #[must_use]
    pub fn are_gaps(gaps: &[u32]) -> bool {
        let sum = gaps.iter().map(|gap| u64::from(*gap)).sum::<u64>();
        sum < u64::from(TABLE_BITS) && gaps.iter().skip(1).all(|gap| *gap > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_bits_are_the_same_set() {
        let few: Vec<u32> = (0..1_000).map(|at| at * 37).collect();
        let many: Vec<u32> = (0..DENSE as u32 + 5).map(|at| at * 3).collect();
        let (few_table, many_table) = (QueryTable::of(few.clone()), QueryTable::of(many.clone()));
        assert!(matches!(few_table.bits, Bits::Few(_)));
        assert!(matches!(many_table.bits, Bits::Many(_)));
        assert_eq!((few_table.len(), many_table.len()), (few.len(), many.len()));
        let mut both = few_table.clone();
        both.join(&many_table);
        assert!(both.has_all(&few) && both.has_all(&many));
        let (set, cleared) = many_table.difference(&few_table);
        let mut back = many_table;
        back.change(&set, &cleared);
        assert_eq!(back.positions(), few_table.positions());
    }

    #[test]
    fn gaps_lead_back() {
        let positions = [3, 4, 900, TABLE_BITS - 1];
        let gaps = QueryTable::to_gaps(&positions);
        assert!(QueryTable::are_gaps(&gaps));
        assert_eq!(QueryTable::from_gaps(&gaps), positions);
        assert!(!QueryTable::are_gaps(&[1, 0]));
        assert!(!QueryTable::are_gaps(&[TABLE_BITS]));
        assert!(QueryTable::are_gaps(&[]));
    }

    #[test]
    fn what_a_record_has_is_never_missed() {
        let mut positions = Vec::new();
        let words = Words::of("A film of the Fifties");
        QueryTable::of_record(Id::of(b"film"), &words, &mut positions);
        let table = QueryTable::of(positions);
        let query = WordQuery::parse("film fif*").expect("a query");
        assert!(table.has_all(&super::positions(&query)));
        let query = WordQuery::parse("film sixties").expect("a query");
        assert!(!table.has_all(&super::positions(&query)));
        assert!(table.has(key_position(Id::of(b"film"))));
    }
}
