//! Why a store cannot be opened or closed.

use super::format::VERSION;
use overlay::Id;
use std::io;
use std::path::{Path, PathBuf};

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is not whole. Opening it dropped nothing that could be read.
    #[error(
        "the store in {} is damaged: {cause}. Restore it from a backup, or move it away: the node \
         then starts with an empty one, and the other replicas fill it",
        path.display()
    )]
    Damaged {
        /// The store's directory.
        path: PathBuf,
        /// What does not agree.
        cause: String,
    },
    /// A later version of the program wrote it. Nothing was changed.
    #[error(
        "the store in {} has format {version}, and this program reads format {VERSION}: start the \
         newer program that wrote it, or move the store away: the node then starts with an empty \
         one, and the other replicas fill it",
        path.display()
    )]
    Newer {
        /// The store's directory.
        path: PathBuf,
        /// The version of its format.
        version: u32,
    },
    /// It belongs to another node. Nothing was changed.
    #[error(
        "the store in {} belongs to node {owner}, and this node is {node}: name the data directory \
         of this node with --data-dir, or move the store away",
        path.display()
    )]
    Foreign {
        /// The store's directory.
        path: PathBuf,
        /// Whose it is.
        owner: Id,
        /// Who wanted it.
        node: Id,
    },
    /// Another process has it open. Nothing was changed.
    #[error("the store in {} is in use by another process; stop that one first", path.display())]
    InUse {
        /// The store's directory.
        path: PathBuf,
    },
    /// The file system refused. Nothing was changed.
    #[error("the store in {} cannot be opened: {source}", path.display())]
    Io {
        /// The store's directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl OpenError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// Why a store was not closed in order.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// The last writes are not on disk; none of them was reported durable.
    #[error("{writes} writes to the store in {} are not on disk; nothing said that they were", path.display())]
    NotDurable {
        /// The store's directory.
        path: PathBuf,
        /// How many.
        writes: u64,
    },
}
