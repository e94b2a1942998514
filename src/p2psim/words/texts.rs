//! Texts whose words are Zipf-distributed, and what a query must find in them.

use sim::Dice;

/// Words drawn for each text; the same one may come twice.
const WORDS_PER_TEXT: usize = 8;
/// The weight of the most frequent word: large enough that those of rare ones differ.
const FIRST_WEIGHT: u64 = 1 << 40;

/// All texts, as lists of words, and for each word the texts that have it, in order.
pub(super) struct Texts {
    pub(super) words_of: Vec<Vec<u32>>,
    pub(super) with_word: Vec<Vec<u32>>,
}

impl Texts {
    /// So many texts from a vocabulary in which the word of rank r is r times as rare as the first.
    pub(super) fn new(dice: &mut Dice, count: usize, vocabulary: usize) -> Self {
        let mut sum = 0;
        let upto: Vec<u64> = (1..=vocabulary as u64)
            .map(|rank| {
                sum += FIRST_WEIGHT / rank;
                sum
            })
            .collect();
        let mut with_word = vec![Vec::new(); vocabulary];
        let words_of = (0..count as u32)
            .map(|text| {
                let mut words: Vec<u32> = (0..WORDS_PER_TEXT)
                    .map(|_| {
                        let drawn = dice.below(sum);
                        upto.partition_point(|upto| *upto <= drawn) as u32
                    })
                    .collect();
                words.sort_unstable();
                words.dedup();
                for word in &words {
                    with_word[*word as usize].push(text);
                }
                words
            })
            .collect();
        Self {
            words_of,
            with_word,
        }
    }

    /// The word of a rank, as it is written.
    pub(super) fn word(rank: u32) -> String {
        format!("w{rank}")
    }

    /// A text as it is written.
    pub(super) fn text(&self, number: u32) -> String {
        let words = self.words_of[number as usize].iter();
        words
            .map(|rank| Self::word(*rank))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Whether a text has all of these words.
    pub(super) fn matches(&self, text: u32, ranks: &[u32]) -> bool {
        let mut lists = ranks.iter().map(|rank| &self.with_word[*rank as usize]);
        lists.all(|list| list.binary_search(&text).is_ok())
    }

    /// How many texts have all of these words; of more than `most`, one more than that. Nobody
    /// needs them all: the first word is in half of the texts.
    pub(super) fn matching(&self, ranks: &[u32], most: usize) -> usize {
        let lists = ranks.iter().map(|rank| &self.with_word[*rank as usize]);
        let Some(shortest) = lists.min_by_key(|list| list.len()) else {
            return 0;
        };
        let has = |text: &&u32| self.matches(**text, ranks);
        shortest
            .iter()
            .filter(has)
            .take(most.saturating_add(1))
            .count()
    }
}
