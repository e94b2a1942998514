//! What entries say.

use super::place::{Low, Tree, path};
use bytes::Bytes;
use overlay::words::Words;
use overlay::{HitKind, Id, TextHit, Version, WallMs, wire};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// What an index finds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// The resource or value.
    pub key: Id,
    /// Which of what is there.
    pub subject: Subject,
    /// Its words; may be empty.
    pub text: String,
    /// The bytes of the key, when it is to be found by its beginning.
    pub indexed: Option<Bytes>,
}

/// A holder or the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Subject {
    /// The holder at this address.
    Holder(SocketAddr),
    /// The value.
    Value {
        /// Its version.
        version: Version,
        /// Its bytes.
        size: u32,
    },
}

/// The body of an entry that is no marker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// In the trees of words and of names.
    Document(Document),
    /// In the dictionary.
    Word(String),
}

/// The body of a `Slot::Text`: what a value says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Described {
    pub(crate) text: String,
    pub(crate) indexed: Option<Bytes>,
    /// Bytes of the value.
    pub(crate) size: u32,
}

/// An entry that has to come to its tree.
#[derive(Clone, Debug)]
pub(crate) struct ToPlace {
    pub(crate) tree: Tree,
    pub(crate) digits: Vec<u8>,
    pub(crate) low: Low,
    pub(crate) body: Bytes,
}

impl Entry {
    /// The bytes of the entry.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        wire::encode(self).into()
    }

    /// The entry, unless the bytes are none.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        wire::decode(bytes).ok()
    }
}

impl Described {
    /// The bytes of what a value says of itself, if it says anything.
    pub(crate) fn of_value(text: String, indexed: Option<Bytes>, size: usize) -> Option<Bytes> {
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        let described = Self {
            text,
            indexed,
            size,
        };
        let is_empty = described.text.is_empty() && described.indexed.is_none();
        (!is_empty).then(|| described.encode())
    }

    pub(crate) fn encode(&self) -> Bytes {
        wire::encode(self).into()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        wire::decode(bytes).ok()
    }

    /// What the index says of a value that describes itself so.
    pub(crate) fn document(self, key: Id, version: Version) -> Document {
        let size = self.size;
        Document {
            key,
            subject: Subject::Value { version, size },
            text: self.text,
            indexed: self.indexed,
        }
    }
}

impl Document {
    /// The same for each version of a value, and for each lease of a holder.
    #[must_use]
    pub fn identity(&self) -> Id {
        let mut bytes = self.key.0.to_vec();
        if let Subject::Holder(addr) = self.subject {
            bytes.extend_from_slice(addr.to_string().as_bytes());
        }
        Id::of(&bytes)
    }

    /// Whether there is nothing to find it by.
    pub(crate) fn is_empty(&self) -> bool {
        self.indexed.is_none() && Words::of(&self.text).is_empty()
    }

    /// The entry for each of its words, and for its name.
    pub(crate) fn entries(&self) -> Vec<ToPlace> {
        let (identity, body) = (self.identity(), Entry::Document(self.clone()).encode());
        let place = |tree: Tree, order: &[u8]| {
            let (digits, low) = path(&tree, order, identity);
            let body = body.clone();
            ToPlace {
                tree,
                digits,
                low,
                body,
            }
        };
        let words = Words::of(&self.text);
        let mut all: Vec<ToPlace> = words
            .iter()
            .map(|word| place(Tree::Word(word.to_owned()), b""))
            .collect();
        all.extend(self.indexed.iter().map(|name| place(Tree::Names, name)));
        all
    }

    /// What a searcher is told.
    pub(crate) fn hit(self, expires: WallMs, wall: WallMs) -> TextHit {
        TextHit {
            key: self.key,
            kind: match self.subject {
                Subject::Holder(addr) => HitKind::Holder {
                    addr,
                    expires_in_s: expires.secs_after(wall),
                },
                Subject::Value { version, size } => HitKind::Value { version, size },
            },
            text: self.text,
            indexed: self.indexed,
        }
    }
}

/// The entry of a word in the dictionary.
pub(crate) fn dictionary_entry(word: &str) -> ToPlace {
    let tree = Tree::Dictionary;
    let (digits, low) = path(&tree, word.as_bytes(), Id::of(word.as_bytes()));
    ToPlace {
        tree,
        digits,
        low,
        body: Entry::Word(word.to_owned()).encode(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay::MAX_ENTRY_BYTES;
    use overlay::{MAX_KEY_BYTES, MAX_TEXT_BYTES};

    #[test]
    fn the_longest_entry_fits() {
        let document = Document {
            key: Id::MAX,
            subject: Subject::Value {
                version: Version::default(),
                size: u32::MAX,
            },
            text: "x".repeat(MAX_TEXT_BYTES),
            indexed: Some(vec![7; MAX_KEY_BYTES].into()),
        };
        let entries = document.entries();
        assert_eq!(entries.len(), 2, "one word and the name");
        assert!(
            entries
                .iter()
                .all(|entry| entry.body.len() <= MAX_ENTRY_BYTES)
        );
        assert_eq!(
            Entry::decode(&entries[0].body),
            Some(Entry::Document(document))
        );
    }
}
