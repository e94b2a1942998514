//! Reading a torrent file: what it names, and under which hashes.

use crate::bencode::{Malformed, Order, Value, read_prefix_within};
use crate::ids::InfoHash;
use overlay::Id;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// Most values in a torrent file. Each takes two bytes at least, and no file of more than a megabyte
/// is stored.
const MAX_VALUES: usize = 1 << 19;
/// Most names of files that are kept, for the index: a text of it has room for 64 words.
const MAX_NAMES: usize = 64;
/// Most trackers that are kept: more would make no magnet link any better.
const MAX_TRACKERS: usize = 32;
/// How deep folders may be: as deep as bencoding is read, less what is around the tree.
const MAX_DEPTH: usize = 24;

/// Why something is no torrent file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetainfoError {
    /// It is not bencoded.
    #[error("it is not bencoded: {0}")]
    Malformed(#[from] Malformed),
    /// It is bencoded, but no torrent file.
    #[error("it is no torrent file: {0}")]
    Wrong(&'static str),
}

/// What a torrent file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metainfo {
    /// The hash of version 1; none when it is of version 2 alone.
    pub v1: Option<InfoHash>,
    /// The hash of version 2 in full; none when it is of version 1 alone.
    pub v2: Option<[u8; 32]>,
    /// The name of the file or folder.
    pub name: String,
    /// How many files there are.
    pub files: usize,
    /// The names of the first of them, without folders; empty when there is one file.
    pub names: Vec<String>,
    /// Bytes of all files.
    pub length: u64,
    /// Its trackers.
    pub trackers: Vec<String>,
}

impl Metainfo {
    /// Reads a torrent file.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, MetainfoError> {
        let (mut info, mut infos) = (None, 0);
        let mut trackers = Vec::new();
        for_each_field(bytes, |key, value, raw| match key {
            b"info" => {
                info = Some((value, raw));
                infos += 1;
            }
            b"announce" => add_tracker(&mut trackers, &value),
            b"announce-list" => {
                for tier in value.list().unwrap_or_default() {
                    for url in tier.list().unwrap_or_default() {
                        add_tracker(&mut trackers, url);
                    }
                }
            }
            _ => {}
        })?;
        let (info, raw) = info.ok_or(MetainfoError::Wrong("it has no info"))?;
        if infos > 1 {
            // Programs would not agree on which one counts.
            return Err(Malformed::Duplicate.into());
        }
        let name = info.get(b"name").and_then(Value::bytes);
        let name = name.ok_or(MetainfoError::Wrong("it has no name"))?;
        let is_v2 = info.get(b"meta version").and_then(Value::int) == Some(2);
        let tree = info.get(b"file tree").filter(|_| is_v2);
        let is_v1 = info.get(b"pieces").and_then(Value::bytes).is_some();
        if !is_v1 && tree.is_none() {
            return Err(MetainfoError::Wrong("it has no pieces"));
        }
        let mut files = Files::default();
        match tree {
            Some(tree) => files.of_tree(tree, b"", MAX_DEPTH),
            None => files.of_list(&info),
        }
        if files.names.len() == 1 {
            files.names.clear();
        }
        Ok(Self {
            v1: is_v1.then(|| InfoHash(Id::of(raw).0)),
            v2: tree.map(|_| Sha256::digest(raw).into()),
            name: String::from_utf8_lossy(name).into_owned(),
            files: files.count,
            names: files.names,
            length: files.length,
            trackers,
        })
    }

    /// The hashes of 20 bytes under which its clients announce: of a hybrid there are two.
    pub fn hashes(&self) -> impl Iterator<Item = InfoHash> {
        self.v1.into_iter().chain(self.v2.map(|v2| short(&v2)))
    }

    /// The link that tells a client all but the files.
    #[must_use]
    pub fn magnet(&self) -> String {
        magnet(self.v1, self.v2, &self.name, self.length, &self.trackers)
    }
}

/// The first 20 bytes of a hash of version 2 (BEP 52).
#[must_use]
pub fn short(v2: &[u8; 32]) -> InfoHash {
    let mut hash = InfoHash::default();
    for (to, from) in hash.0.iter_mut().zip(v2) {
        *to = *from;
    }
    hash
}

/// A magnet link (BEP 9, 52).
#[must_use]
pub fn magnet(
    v1: Option<InfoHash>,
    v2: Option<[u8; 32]>,
    name: &str,
    length: u64,
    trackers: &[String],
) -> String {
    let mut link = "magnet:?".to_owned();
    // Writing into a string does not fail.
    if let Some(v1) = v1 {
        let _ = write!(link, "xt=urn:btih:{v1}&");
    }
    if let Some(v2) = v2 {
        link += "xt=urn:btmh:1220";
        for byte in v2 {
            let _ = write!(link, "{byte:02x}");
        }
        link.push('&');
    }
    link += "dn=";
    escape(name, &mut link);
    let _ = write!(link, "&xl={length}");
    for url in trackers {
        link += "&tr=";
        escape(url, &mut link);
    }
    link
}

fn escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

fn add_tracker(trackers: &mut Vec<String>, url: &Value<'_>) {
    let url = url.bytes().and_then(|url| std::str::from_utf8(url).ok());
    if let Some(url) = url.filter(|url| !url.is_empty())
        && trackers.len() < MAX_TRACKERS
        && !trackers.iter().any(|known| known == url)
    {
        trackers.push(url.to_owned());
    }
}

/// Goes through the dictionary that a file is: key, value, and the value as it is written, of which
/// the hash is taken.
fn for_each_field<'a>(
    bytes: &'a [u8],
    mut each: impl FnMut(&'a [u8], Value<'a>, &'a [u8]),
) -> Result<(), MetainfoError> {
    let mut rest = bytes
        .strip_prefix(b"d")
        .ok_or(MetainfoError::Wrong("it is no dictionary"))?;
    while !rest.starts_with(b"e") {
        let (key, after) = read_prefix_within(rest, Order::Any, 1)?;
        let key = key.bytes().ok_or(Malformed::Key)?;
        let (value, next) = read_prefix_within(after, Order::Any, MAX_VALUES)?;
        let raw = after.get(..after.len() - next.len()).unwrap_or_default();
        each(key, value, raw);
        rest = next;
    }
    match rest.len() {
        1 => Ok(()),
        more => Err(Malformed::Trailing(more - 1).into()),
    }
}

/// What is known of the files.
#[derive(Default)]
struct Files {
    count: usize,
    length: u64,
    names: Vec<String>,
}

impl Files {
    fn add(&mut self, name: &[u8], length: Option<&Value<'_>>) {
        let length = length.and_then(Value::int).unwrap_or_default();
        self.count += 1;
        self.length = self
            .length
            .saturating_add(u64::try_from(length).unwrap_or_default());
        if self.names.len() < MAX_NAMES {
            self.names.push(String::from_utf8_lossy(name).into_owned());
        }
    }

    /// Version 1: one file, or a list.
    fn of_list(&mut self, info: &Value<'_>) {
        let Some(files) = info.get(b"files").and_then(Value::list) else {
            self.add(b"", info.get(b"length"));
            return;
        };
        for file in files {
            let attributes = file.get(b"attr").and_then(Value::bytes).unwrap_or_default();
            // Padding (BEP 47) is no file.
            if attributes.contains(&b'p') {
                continue;
            }
            let path = file.get(b"path").and_then(Value::list).unwrap_or_default();
            let name = path.last().and_then(Value::bytes).unwrap_or_default();
            self.add(name, file.get(b"length"));
        }
    }

    /// Version 2: folders in folders; a file is a folder with an entry that has no name.
    fn of_tree(&mut self, tree: &Value<'_>, name: &[u8], depth: usize) {
        let (Value::Dict(entries), Some(depth)) = (tree, depth.checked_sub(1)) else {
            return;
        };
        for (key, value) in entries {
            if key.is_empty() {
                self.add(name, value.get(b"length"));
            } else {
                self.of_tree(value, key, depth);
            }
        }
    }
}
