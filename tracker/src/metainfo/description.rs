//! A torrent as the index has it: its names, by which it is found, and what a magnet link needs.
//!
//! The text of a value is words for people, so what is for programs is written in signs that are no
//! words, as the summaries of swarms are.

use super::read::{Metainfo, magnet};
use crate::exchange::{signs_of, unsigned};
use crate::ids::InfoHash;
use overlay::MAX_TEXT_BYTES;
use overlay::words::Words;

/// Which form the signs have. Summaries have another.
const FORM: u8 = 0xb2;
/// What the text begins with, for people, and to be found by.
const WORD: &str = "torrent";

/// What the text of a stored torrent says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The name of the file or folder.
    pub name: String,
    /// Bytes of all files.
    pub length: u64,
    /// How many files there are.
    pub files: u32,
    /// Whether it has a hash of version 1.
    pub is_v1: bool,
    /// Its hash of version 2.
    pub v2: Option<[u8; 32]>,
}

impl Description {
    /// The text: name first, then names of files for as long as there is room.
    #[must_use]
    pub fn encode(metainfo: &Metainfo) -> String {
        let mut bytes = vec![FORM, metainfo.v1.is_some().into()];
        bytes.extend(metainfo.length.to_be_bytes());
        bytes.extend(
            u32::try_from(metainfo.files)
                .unwrap_or(u32::MAX)
                .to_be_bytes(),
        );
        bytes.extend(metainfo.v2.iter().flatten());
        let mut text = format!("{WORD} {} ", signs_of(&bytes));
        text.push_str(&cut(&line(&metainfo.name), MAX_TEXT_BYTES - text.len()));
        // A name of very many words: the first of them.
        while Words::parse(&text).is_err() {
            text.pop();
        }
        for name in &metainfo.names {
            let longer = format!("{text}\n{}", line(name));
            if longer.len() <= MAX_TEXT_BYTES && Words::parse(&longer).is_ok() {
                text = longer;
            }
        }
        text
    }

    /// Reads a text back. None when it is another's.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let mut parts = text.lines().next()?.splitn(3, ' ');
        let (word, signs, name) = (parts.next()?, parts.next()?, parts.next()?);
        let bytes = unsigned(signs)?;
        let (head, v2) = bytes.split_first_chunk::<14>()?;
        let [form, is_v1, rest @ ..] = head;
        let (length, files) = rest.split_first_chunk::<8>()?;
        if word != WORD || *form != FORM {
            return None;
        }
        Some(Self {
            name: name.to_owned(),
            length: u64::from_be_bytes(*length),
            files: u32::from_be_bytes(files.try_into().ok()?),
            is_v1: *is_v1 == 1,
            v2: match v2 {
                [] => None,
                v2 => Some(v2.try_into().ok()?),
            },
        })
    }

    /// The link, for a torrent that is stored under `hash`. It names no tracker: whoever stores a text
    /// must not choose where clients announce.
    #[must_use]
    pub fn magnet(&self, hash: InfoHash) -> String {
        magnet(
            Some(hash).filter(|_| self.is_v1),
            self.v2,
            &self.name,
            self.length,
            &[],
        )
    }
}

/// Without what would end a line.
fn line(name: &str) -> String {
    name.replace(char::is_control, " ")
}

/// The beginning of a text, of so many bytes at most.
fn cut(text: &str, most: usize) -> String {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
