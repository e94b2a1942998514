//! The words of a text, and the queries that find texts by them: the same on every overlay.
//!
//! A text is decomposed (NFKD), loses its accents and has its case folded, so that `Größe`, `GROSSE`
//! and `grosse` are one word; then it is cut at the word boundaries of Unicode (UAX #29). What has
//! no letter and no digit is no word.
//!
//! Deviation: UAX #29 keeps `release_notes.txt` together. Here `.`, `_`, `:` and the like end a
//! word, because names of files join words with them; apostrophes are left out, so that `don't` is
//! `dont`.
//!
//! A query asks for words, all of which a text must have; a last `*` makes a word a prefix.

use std::fmt;
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

/// Most different words of one text. A text has at most [`MAX_TEXT_BYTES`](crate::MAX_TEXT_BYTES);
/// a name and a description have ten to thirty words, and each costs a record in the index of a
/// structured overlay.
pub const MAX_WORDS_PER_TEXT: usize = 64;
/// Longest word in bytes, as it is compared; longer ones are cut. Longer than any word of a
/// language, and than a SHA-256 in hexadecimal digits is.
pub const MAX_WORD_BYTES: usize = 64;
/// Most words of one query: each may cost a question to another node.
pub const MAX_WORDS_PER_QUERY: usize = 8;
/// Longest query in bytes: as long as the longest text.
pub const MAX_QUERY_BYTES: usize = crate::MAX_TEXT_BYTES;
/// Shortest prefix in bytes, as it is compared: a single letter begins too much.
pub const MIN_PREFIX_BYTES: usize = 2;
/// Most results of one search by words or by the beginning of keys: all of them, with texts, fit
/// one message.
pub const MAX_TEXT_RESULTS: u32 = 1_000;

/// The different words of a text, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(Vec<String>);

/// A text has too many words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text has {0} different words, at most {MAX_WORDS_PER_TEXT} are kept: shorten it")]
pub struct TooManyWords(pub usize);

impl Words {
    /// The words of a text that was checked already: of too many only the first are kept.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut words = Vec::new();
        each_word(text, |word| {
            if words.len() < MAX_WORDS_PER_TEXT && !words.contains(&word) {
                words.push(word);
            }
        });
        words.sort_unstable();
        Self(words)
    }

    /// The words of a text from outside.
    ///
    /// # Errors
    ///
    /// When it has more than [`MAX_WORDS_PER_TEXT`] different ones.
    pub fn parse(text: &str) -> Result<Self, TooManyWords> {
        let mut words = Vec::new();
        each_word(text, |word| words.push(word));
        words.sort_unstable();
        words.dedup();
        if words.len() > MAX_WORDS_PER_TEXT {
            return Err(TooManyWords(words.len()));
        }
        Ok(Self(words))
    }

    /// The words, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    fn has(&self, term: &Term) -> bool {
        match term {
            Term::Word(word) => self.0.binary_search(word).is_ok(),
            Term::Prefix(prefix) => {
                let at = self.0.partition_point(|word| word < prefix);
                self.0.get(at).is_some_and(|word| word.starts_with(prefix))
            }
        }
    }
}

/// One demand of a query.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Term {
    /// This word.
    Word(String),
    /// Some word that begins so.
    Prefix(String),
}

impl Term {
    /// The word or the beginning of one.
    #[must_use]
    pub fn letters(&self) -> &str {
        match self {
            Self::Word(letters) | Self::Prefix(letters) => letters,
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}

/// What a search by words asks for: a text must meet every demand.
///
/// It displays as a text that parses to the same query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query(Vec<Term>);

/// The text is no query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// No letter and no digit in it.
    #[error("there is no word in the query: give one to {MAX_WORDS_PER_QUERY} words")]
    Empty,
    /// Longer than [`MAX_QUERY_BYTES`].
    #[error("the query has {0} bytes, at most {MAX_QUERY_BYTES} are allowed: give fewer words")]
    TooLong(usize),
    /// More than [`MAX_WORDS_PER_QUERY`].
    #[error(
        "the query has {0} different words, at most {MAX_WORDS_PER_QUERY} are allowed: leave out the common ones"
    )]
    TooManyWords(usize),
    /// A `*` that is not at the end of a word.
    #[error("a `*` stands only at the end of a word, as in `ubun*`; it does not in {0:?}")]
    Star(String),
    /// A prefix that begins too much.
    #[error("{0:?} begins too many words: give at least {MIN_PREFIX_BYTES} letters before the `*`")]
    ShortPrefix(String),
}

impl Query {
    /// The query that a person wrote.
    ///
    /// # Errors
    ///
    /// When there is no word, or too many, or a `*` in a wrong place.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        if text.len() > MAX_QUERY_BYTES {
            return Err(QueryError::TooLong(text.len()));
        }
        let mut terms = Vec::new();
        for part in text.split_whitespace() {
            let (letters, is_prefix) = match part.strip_suffix('*') {
                Some(letters) => (letters, true),
                None => (part, false),
            };
            let wrong = || part.chars().take(MAX_WORD_BYTES).collect::<String>();
            if letters.contains('*') {
                return Err(QueryError::Star(wrong()));
            }
            let before = terms.len();
            each_word(letters, |word| terms.push(Term::Word(word)));
            if !is_prefix {
                continue;
            }
            // Of `notes.tx*` only the last word goes on.
            match terms.pop() {
                Some(Term::Word(last)) if terms.len() >= before => {
                    if last.len() < MIN_PREFIX_BYTES {
                        return Err(QueryError::ShortPrefix(wrong()));
                    }
                    terms.push(Term::Prefix(last));
                }
                _ => return Err(QueryError::ShortPrefix(wrong())),
            }
        }
        terms.sort_unstable();
        terms.dedup();
        match terms.len() {
            0 => Err(QueryError::Empty),
            many if many > MAX_WORDS_PER_QUERY => Err(QueryError::TooManyWords(many)),
            _ => Ok(Self(terms)),
        }
    }

    /// What it demands: at least one term, whole words before prefixes.
    #[must_use]
    pub fn terms(&self) -> &[Term] {
        &self.0
    }

    /// Whether a text with these words meets every demand.
    #[must_use]
    pub fn matches(&self, words: &Words) -> bool {
        self.0.iter().all(|term| words.has(term))
    }

    /// Whether this text meets every demand.
    #[must_use]
    pub fn matches_text(&self, text: &str) -> bool {
        self.matches(&Words::of(text))
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, term) in self.0.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}{term}")?;
        }
        Ok(())
    }
}

/// Calls `take` for every word of a text, normalised, in the order of the text.
fn each_word(text: &str, mut take: impl FnMut(String)) {
    if text.is_ascii() {
        return each_ascii_word(text, take);
    }
    // The whole text first: what comes out is then cut in the same places when it is asked for.
    let folded: String = text
        .nfkd()
        .filter(|letter| !is_left_out(*letter))
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .nfkd()
        .filter(|letter| !is_left_out(*letter))
        .nfc()
        .collect();
    let is_letter = |letter: char| {
        letter.is_alphanumeric() || unicode_normalization::char::is_combining_mark(letter)
    };
    for part in folded.split(|letter| !is_letter(letter)) {
        for word in part.unicode_words() {
            take(cut(word).to_owned());
        }
    }
}

/// The same for the texts that most people write, ten times as fast.
fn each_ascii_word(text: &str, mut take: impl FnMut(String)) {
    let is_apart = |byte: &u8| !byte.is_ascii_alphanumeric() && *byte != b'\'';
    for part in text.as_bytes().split(is_apart) {
        let word: String = part
            .iter()
            .filter(|byte| **byte != b'\'')
            .map(|byte| char::from(byte.to_ascii_lowercase()))
            .collect();
        if !word.is_empty() {
            take(cut(&word).to_owned());
        }
    }
}

/// The accents of European scripts, marks for symbols, apostrophes, and what is not seen: soft
/// hyphens and joiners. The dependent vowels of other scripts are combining marks too, and stay:
/// without them other words would come out.
const fn is_left_out(letter: char) -> bool {
    matches!(letter,
        '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}'
        | '\'' | '\u{2018}' | '\u{2019}' | '\u{2bc}'
        | '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// At most [`MAX_WORD_BYTES`] of a word.
fn cut(word: &str) -> &str {
    let mut end = word.len().min(MAX_WORD_BYTES);
    while !word.is_char_boundary(end) {
        end -= 1;
    }
    &word[..end]
}

#[cfg(test)]
mod tests;
