//! Making a torrent file from the contents of files, which the caller reads.

use super::hashing::{BLOCK_BYTES, Hash, Pieces, Tree};
use super::read::short;
use crate::bencode::Writer;
use crate::ids::InfoHash;
use overlay::Id;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Smallest piece: a block of version 2.
pub const LEAST_PIECE_BYTES: usize = BLOCK_BYTES;
/// Largest piece: clients keep some of them in memory.
pub const MOST_PIECE_BYTES: usize = 16 << 20;
/// Most files of one torrent: their names take some megabytes then.
pub const MAX_FILES: usize = 100_000;
/// So many pieces are aimed at: 40 KB of hashes, which fit what a network stores with room to spare.
const PIECES_AIMED_AT: u64 = 2_048;
/// Deepest folders.
const MAX_DEPTH: usize = 20;

/// Which versions of the protocol a torrent is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// BEP 3.
    V1,
    /// BEP 52.
    V2,
    /// Both: clients of either share one set of files.
    Hybrid,
}

/// One file that is to be shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its folders and its name, below the name of the torrent; empty when the torrent is one file.
    pub path: Vec<String>,
    /// Its bytes.
    pub length: u64,
}

/// What is to be made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// For which versions.
    pub kind: Kind,
    /// The name of the file or folder.
    pub name: String,
    /// Bytes of a piece: a power of two from [`LEAST_PIECE_BYTES`] to [`MOST_PIECE_BYTES`].
    pub piece_bytes: usize,
    /// Its trackers, the best first.
    pub trackers: Vec<String>,
    /// Whether clients may find each other only through its trackers (BEP 27).
    pub private: bool,
    /// The files. A plan puts them into their order.
    pub files: Vec<Source>,
}

/// What is wrong with a plan, or with what was read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// No file, or nothing in them.
    #[error("there is nothing to share: no file has a byte")]
    Empty,
    /// Too many files.
    #[error("there are more than {MAX_FILES} files")]
    TooMany,
    /// A name that clients would refuse, or a file that is a folder as well.
    #[error("{0:?} cannot be a path in a torrent")]
    Path(String),
    /// Not a power of two in the limits.
    #[error("a piece has a power of two of bytes, from 16 KiB to 16 MiB")]
    Piece,
    /// A file has another length than it had.
    #[error("{0:?} changed while it was read")]
    Changed(String),
}

/// Bytes of a piece that suit so many bytes.
#[must_use]
pub fn piece_bytes_for(length: u64) -> usize {
    let aimed = length.div_ceil(PIECES_AIMED_AT);
    let aimed = usize::try_from(aimed).unwrap_or(MOST_PIECE_BYTES);
    let aimed = aimed.clamp(LEAST_PIECE_BYTES, MOST_PIECE_BYTES);
    aimed.next_power_of_two()
}

impl Plan {
    /// Checks it, and puts the files into the order in which they are to be read.
    ///
    /// # Errors
    /// When there is nothing to make, or it cannot be.
    pub fn check(mut self) -> Result<Self, PlanError> {
        let Self { piece_bytes, .. } = self;
        let range = LEAST_PIECE_BYTES..=MOST_PIECE_BYTES;
        if !piece_bytes.is_power_of_two() || !range.contains(&piece_bytes) {
            return Err(PlanError::Piece);
        }
        if self.files.len() > MAX_FILES {
            return Err(PlanError::TooMany);
        }
        if self.files.iter().all(|file| file.length == 0) {
            return Err(PlanError::Empty);
        }
        // The order of version 2, whose folders are dictionaries; version 1 takes any.
        self.files.sort_by(|one, two| one.path.cmp(&two.path));
        let wrong = |path: &[String]| Err(PlanError::Path(path.join("/")));
        let is_name =
            |name: &String| !matches!(name.as_str(), "" | "." | "..") && !name.contains('/');
        if !is_name(&self.name) {
            return Err(PlanError::Path(self.name));
        }
        for file in &self.files {
            if file.path.len() > MAX_DEPTH || !file.path.iter().all(is_name) {
                return wrong(&file.path);
            }
        }
        for pair in self.files.windows(2) {
            if let [one, two] = pair
                && two.path.starts_with(&one.path)
            {
                return wrong(&one.path);
            }
        }
        Ok(self)
    }
}

/// What was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// The torrent file.
    pub bytes: Vec<u8>,
    /// Its hash of version 1.
    pub v1: Option<InfoHash>,
    /// Its hash of version 2.
    pub v2: Option<Hash>,
}

impl Made {
    /// The hash that it is stored under.
    #[must_use]
    pub fn hash(&self) -> InfoHash {
        self.v1.or(self.v2.map(|v2| short(&v2))).unwrap_or_default()
    }
}

/// Takes the contents of the files, one after another.
#[derive(Debug)]
pub struct Maker {
    plan: Plan,
    pieces: Option<Pieces>,
    tree: Option<Tree>,
    /// Of the file that is being read.
    read: u64,
    /// Of the files before it: padding behind each, and its root.
    done: Vec<(usize, Option<Hash>)>,
    layers: BTreeMap<Hash, Vec<Hash>>,
}

impl Maker {
    /// For a plan that was checked.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let v1 = plan.kind != Kind::V2;
        let mut maker = Self {
            pieces: v1.then(|| Pieces::new(plan.piece_bytes)),
            tree: None,
            read: 0,
            done: Vec::new(),
            layers: BTreeMap::new(),
            plan,
        };
        maker.begin();
        maker
    }

    /// The files, in the order in which they are to be read.
    #[must_use]
    pub fn files(&self) -> &[Source] {
        &self.plan.files
    }

    /// More of the present file.
    pub fn push(&mut self, bytes: &[u8]) {
        self.read += bytes.len() as u64;
        if let Some(pieces) = &mut self.pieces {
            pieces.push(bytes);
        }
        if let Some(tree) = &mut self.tree {
            tree.push(bytes);
        }
    }

    /// The present file ends, and the next begins.
    ///
    /// # Errors
    /// When it has not as many bytes as the plan says.
    pub fn end_file(&mut self) -> Result<(), PlanError> {
        let at = self.done.len();
        let file = self.plan.files.get(at);
        if file.is_none_or(|file| file.length != self.read) {
            let path = file.map(|file| file.path.join("/"));
            // One file alone has the name of the torrent.
            let path = path.filter(|path| !path.is_empty());
            let path = path.unwrap_or_else(|| self.plan.name.clone());
            return Err(PlanError::Changed(path));
        }
        let root = self
            .tree
            .take()
            .and_then(|tree| tree.end(self.plan.piece_bytes));
        let root = root.map(|(root, layer)| {
            if !layer.is_empty() {
                self.layers.insert(root, layer);
            }
            root
        });
        let is_last = at + 1 == self.plan.files.len();
        let padding = match (&mut self.pieces, self.plan.kind) {
            // Of a hybrid each file begins with a piece, as in version 2.
            (Some(pieces), Kind::Hybrid) if !is_last => pieces.pad(),
            _ => 0,
        };
        self.done.push((padding, root));
        self.begin();
        Ok(())
    }

    fn begin(&mut self) {
        self.read = 0;
        self.tree = (self.plan.kind != Kind::V1).then(Tree::default);
    }

    /// The torrent file, when all files have been read.
    #[must_use]
    pub fn finish(mut self) -> Made {
        if let Some(pieces) = &mut self.pieces {
            pieces.end();
        }
        let info = self.info();
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes);
        writer.dict();
        if let Some(first) = self.plan.trackers.first() {
            writer.bytes(b"announce").bytes(first.as_bytes());
        }
        if self.plan.trackers.len() > 1 {
            writer.bytes(b"announce-list").list();
            for url in &self.plan.trackers {
                writer.list().bytes(url.as_bytes()).end();
            }
            writer.end();
        }
        writer.bytes(b"created by").bytes(b"p2pnode");
        writer.bytes(b"info").raw(&info);
        if self.plan.kind != Kind::V1 {
            writer.bytes(b"piece layers").dict();
            for (root, layer) in &self.layers {
                writer.bytes(root).bytes(layer.as_flattened());
            }
            writer.end();
        }
        writer.end();
        Made {
            bytes,
            v1: (self.plan.kind != Kind::V2).then(|| InfoHash(Id::of(&info).0)),
            v2: (self.plan.kind != Kind::V1).then(|| Sha256::digest(&info).into()),
        }
    }

    fn info(&self) -> Vec<u8> {
        let Plan {
            kind,
            name,
            piece_bytes,
            private,
            files,
            ..
        } = &self.plan;
        let mut info = Vec::new();
        let mut writer = Writer::new(&mut info);
        writer.dict();
        if *kind != Kind::V1 {
            writer.bytes(b"file tree");
            self.write_tree(&mut writer);
        }
        if *kind != Kind::V2 {
            match files.as_slice() {
                [Source { path, length }] if path.is_empty() => {
                    writer.bytes(b"length").count(*length);
                }
                _ => self.write_list(&mut writer),
            }
        }
        if *kind != Kind::V1 {
            writer.bytes(b"meta version").int(2);
        }
        writer.bytes(b"name").bytes(name.as_bytes());
        writer.bytes(b"piece length").count(*piece_bytes as u64);
        if let Some(pieces) = &self.pieces {
            writer.bytes(b"pieces").bytes(&pieces.hashes);
        }
        if *private {
            writer.bytes(b"private").int(1);
        }
        writer.end();
        info
    }

    /// Version 1: files one after another, and padding between them (BEP 47).
    fn write_list(&self, writer: &mut Writer<'_>) {
        writer.bytes(b"files").list();
        for (file, (padding, _)) in self.plan.files.iter().zip(&self.done) {
            writer.dict().bytes(b"length").count(file.length);
            writer.bytes(b"path").list();
            for name in &file.path {
                writer.bytes(name.as_bytes());
            }
            writer.end().end();
            if *padding > 0 {
                let name = padding.to_string();
                writer.dict().bytes(b"attr").bytes(b"p");
                writer.bytes(b"length").count(*padding as u64);
                writer
                    .bytes(b"path")
                    .list()
                    .bytes(b".pad")
                    .bytes(name.as_bytes());
                writer.end().end();
            }
        }
        writer.end();
    }

    /// Version 2: dictionaries in dictionaries. The files are in their order.
    fn write_tree(&self, writer: &mut Writer<'_>) {
        writer.dict();
        let mut open: Vec<&String> = Vec::new();
        for (file, (_, root)) in self.plan.files.iter().zip(&self.done) {
            // One file alone has the name of the torrent.
            let path = if file.path.is_empty() {
                std::slice::from_ref(&self.plan.name)
            } else {
                &file.path
            };
            let (name, folders) = path.split_last().unwrap_or((&self.plan.name, &[]));
            let pairs = open.iter().zip(folders);
            let shared = pairs.take_while(|(open, folder)| **open == *folder).count();
            for _ in open.drain(shared..) {
                writer.end();
            }
            for folder in folders.iter().skip(shared) {
                writer.bytes(folder.as_bytes()).dict();
                open.push(folder);
            }
            writer.bytes(name.as_bytes()).dict().bytes(b"").dict();
            writer.bytes(b"length").count(file.length);
            if let Some(root) = root {
                writer.bytes(b"pieces root").bytes(root);
            }
            writer.end().end();
        }
        for _ in open {
            writer.end();
        }
        writer.end();
    }
}
