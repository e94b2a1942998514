//! The words of what this node has, in memory: the texts of holders from the store, and the texts that
//! came with values.

use crate::routes::word_position;
use overlay::words::{Query, Term, Words};
use overlay::{Id, Slot};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

/// Most bytes of texts that are indexed: 64,000 of the longest. What is beyond is found by key only.
pub const MAX_INDEX_BYTES: usize = 64 << 20;
/// Most texts that one query looks at: about a millisecond of a core. Only a query of several words, each
/// of which is in more texts than that, and that few texts have together, misses something by it;
/// the answer says that there may be more.
pub const MAX_LOOKED: usize = 2_048;
/// Most different words with the same beginning that are counted, to find the rarest term. A
/// beginning of more words than that is taken for the commonest of all.
const MAX_COUNTED: usize = 64;

type Place = (Id, Slot);

/// Texts and their words.
#[derive(Debug, Default)]
pub(crate) struct Index {
    texts: BTreeMap<Place, Text>,
    words: BTreeMap<Arc<str>, BTreeSet<Place>>,
    bytes: usize,
}

/// A text with its words, so that nobody has to cut it up again to compare it with a query.
#[derive(Debug)]
struct Text {
    text: String,
    /// In order; the letters are those of the index.
    words: Box<[Arc<str>]>,
}

impl Text {
    fn has(&self, term: &Term) -> bool {
        let letters = term.letters();
        let at = self.words.partition_point(|word| **word < *letters);
        self.words.get(at).is_some_and(|word| match term {
            Term::Word(_) => **word == *letters,
            Term::Prefix(_) => word.starts_with(letters),
        })
    }

    fn matches(&self, query: &Query) -> bool {
        query.terms().iter().all(|term| self.has(term))
    }
}

/// What a query by words comes to.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// Texts that match, in order.
    pub(crate) places: BTreeSet<Place>,
    /// Texts that were looked at.
    pub(crate) texts: usize,
    /// Whether some were not looked at because there were too many.
    pub(crate) is_cut: bool,
}

impl Index {
    /// The text of a record is this now.
    pub(crate) fn set(&mut self, place: Place, text: &str) {
        if self.texts.get(&place).is_some_and(|it| it.text == text) {
            return;
        }
        self.remove(place);
        if text.is_empty() || self.bytes + text.len() > MAX_INDEX_BYTES {
            return;
        }
        let words = Words::of(text);
        let words = words
            .iter()
            .map(|word| self.add_word(word, place))
            .collect();
        self.bytes += text.len();
        let text = text.to_owned();
        self.texts.insert(place, Text { text, words });
    }

    fn add_word(&mut self, word: &str, place: Place) -> Arc<str> {
        let known = self.words.get_key_value(word).map(|(word, _)| word);
        let word = known.cloned().unwrap_or_else(|| Arc::from(word));
        self.words.entry(word.clone()).or_default().insert(place);
        word
    }

    /// The record is gone.
    pub(crate) fn remove(&mut self, place: Place) {
        let Some(text) = self.texts.remove(&place) else {
            return;
        };
        self.bytes -= text.text.len();
        for word in &text.words {
            if let Some(places) = self.words.get_mut(word) {
                places.remove(&place);
                if places.is_empty() {
                    self.words.remove(word);
                }
            }
        }
    }

    /// The text of a record.
    pub(crate) fn text(&self, place: Place) -> &str {
        self.texts.get(&place).map_or("", |it| &it.text)
    }

    /// Records whose texts have everything that a query demands, `most` at most, of the first
    /// `looks` texts that have its rarest term.
    pub(crate) fn find(&self, query: &Query, most: usize, looks: usize) -> Looked {
        let mut looked = Looked::default();
        let Some(rarest) = query.terms().iter().min_by_key(|term| self.count(term)) else {
            return looked;
        };
        for place in self.having(rarest).flatten() {
            if looked.places.len() >= most {
                break;
            }
            if looked.texts >= looks {
                looked.is_cut = true;
                break;
            }
            looked.texts += 1;
            let text = self.texts.get(place);
            if text.is_some_and(|text| text.matches(query)) {
                looked.places.insert(*place);
            }
        }
        looked
    }

    fn having<'a>(&'a self, term: &'a Term) -> impl Iterator<Item = &'a BTreeSet<Place>> {
        let letters = term.letters();
        let is_word = matches!(term, Term::Word(_));
        let from = (Bound::Included(letters), Bound::Unbounded);
        self.words
            .range::<str, _>(from)
            .take_while(move |(word, _)| {
                if is_word {
                    ***word == *letters
                } else {
                    word.starts_with(letters)
                }
            })
            .map(|(_, places)| places)
    }

    /// How many texts have a term, as far as that is quickly counted.
    fn count(&self, term: &Term) -> usize {
        let mut sets = self.having(term);
        let count = sets.by_ref().take(MAX_COUNTED).map(BTreeSet::len).sum();
        sets.next().map_or(count, |_| usize::MAX)
    }

    /// The positions of all words in a query routing table.
    pub(crate) fn positions(&self) -> Vec<u32> {
        self.words.keys().map(|word| word_position(word)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_by_all_their_words() {
        let mut index = Index::default();
        let place = |number: u64| (Id::from_u64(number), Slot::Value);
        index.set(place(1), "Ubuntu installation image");
        index.set(place(2), "ubuntu server");
        let find = |index: &Index, text: &str| -> Vec<Place> {
            let query = Query::parse(text).expect("a query");
            index.find(&query, 10, 100).places.into_iter().collect()
        };
        assert_eq!(find(&index, "ubuntu"), [place(1), place(2)]);
        assert_eq!(find(&index, "ubu* ser*"), [place(2)]);
        assert_eq!(find(&index, "image ubuntu"), [place(1)]);
        index.set(place(1), "debian image");
        assert_eq!(find(&index, "ubuntu"), [place(2)]);
        index.remove(place(2));
        index.remove(place(1));
        assert!(index.words.is_empty() && index.texts.is_empty() && index.bytes == 0);
    }

    #[test]
    fn a_query_looks_at_no_more_texts_than_it_may() {
        let mut index = Index::default();
        let place = |number: u64| (Id::of(&number.to_be_bytes()), Slot::Value);
        for number in 0..300 {
            index.set(place(number), &format!("red number{number}"));
            index.set(place(1_000 + number), "blue");
        }
        index.set(place(5_000), "red blue");
        let find = |text: &str, most: usize, looks: usize| {
            let looked = index.find(&Query::parse(text).expect("a query"), most, looks);
            (looked.places.len(), looked.texts, looked.is_cut)
        };
        assert_eq!(find("red blue", 10, 400), (1, 301, false));
        assert_eq!(find("red blue", 10, 0), (0, 0, true));
        let (_, texts, is_cut) = find("red blue", 10, 100);
        assert_eq!((texts, is_cut), (100, true));
        // Enough is enough, and the rarest term says where to look.
        assert_eq!(find("red", 10, 100), (10, 10, false));
        assert_eq!(find("numb* number7", 10, 100), (1, 1, false));
        assert_eq!(find("red numb* re*", 500, 500), (300, 301, false));
    }
}
