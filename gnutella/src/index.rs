//! The words of what this node has, in memory: the texts of holders from the store, and the texts that
//! came with values.

use crate::routes::word_position;
use overlay::words::{Query, Term, Words};
use overlay::{Id, Slot};
use std::collections::{BTreeMap, BTreeSet};

/// Most bytes of texts that are indexed: 64,000 of the longest. What is beyond is found by key only.
pub const MAX_INDEX_BYTES: usize = 64 << 20;

type Place = (Id, Slot);

/// Texts and their words.
#[derive(Debug, Default)]
pub(crate) struct Index {
    texts: BTreeMap<Place, String>,
    words: BTreeMap<String, BTreeSet<Place>>,
    bytes: usize,
}

impl Index {
    /// The text of a record is this now.
    pub(crate) fn set(&mut self, place: Place, text: &str) {
        if self.texts.get(&place).is_some_and(|known| known == text) {
            return;
        }
        self.remove(place);
        if text.is_empty() || self.bytes + text.len() > MAX_INDEX_BYTES {
            return;
        }
        for word in Words::of(text).iter() {
            self.words.entry(word.to_owned()).or_default().insert(place);
        }
        self.bytes += text.len();
        self.texts.insert(place, text.to_owned());
    }

    /// The record is gone.
    pub(crate) fn remove(&mut self, place: Place) {
        let Some(text) = self.texts.remove(&place) else {
            return;
        };
        self.bytes -= text.len();
        for word in Words::of(&text).iter() {
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
        self.texts.get(&place).map_or("", String::as_str)
    }

    /// Records whose texts have everything that a query demands, in order, `most` at most.
    pub(crate) fn find(&self, query: &Query, most: usize) -> Vec<Place> {
        let Some(rarest) = query.terms().iter().min_by_key(|term| self.count(term)) else {
            return Vec::new();
        };
        let mut places: Vec<Place> = self.having(rarest).flatten().copied().collect();
        places.sort_unstable();
        places.dedup();
        let matches = |place: &Place| query.matches_text(self.text(*place));
        places.into_iter().filter(matches).take(most).collect()
    }

    fn having<'a>(&'a self, term: &'a Term) -> impl Iterator<Item = &'a BTreeSet<Place>> {
        let (letters, is_word) = match term {
            Term::Word(letters) => (letters, true),
            Term::Prefix(letters) => (letters, false),
        };
        let from = self.words.range::<String, _>(letters..);
        from.take_while(move |(word, _)| {
            if is_word {
                *word == letters
            } else {
                word.starts_with(letters.as_str())
            }
        })
        .map(|(_, places)| places)
    }

    fn count(&self, term: &Term) -> usize {
        self.having(term).map(BTreeSet::len).sum()
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
        let find =
            |index: &Index, text: &str| index.find(&Query::parse(text).expect("a query"), 10);
        assert_eq!(find(&index, "ubuntu"), [place(1), place(2)]);
        assert_eq!(find(&index, "ubu* ser*"), [place(2)]);
        assert_eq!(find(&index, "image ubuntu"), [place(1)]);
        index.set(place(1), "debian image");
        assert_eq!(find(&index, "ubuntu"), [place(2)]);
        index.remove(place(2));
        index.remove(place(1));
        assert!(index.words.is_empty() && index.texts.is_empty() && index.bytes == 0);
    }
}
