//! The data directory of a node: where it is, and that only one node uses it.

use crate::control::local::{AUTHORIZED_FILE, KEY_FILE, address_name};
use crate::tls::{Identity, IdentityError};
use overlay::Id;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Name of the lock file.
const LOCK_FILE: &str = "lock";
/// Longest list of authorized clients that is read: some 20,000 ids.
const MAX_AUTHORIZED_BYTES: u64 = 1 << 20;

/// Why a data directory cannot be used. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataDirError {
    /// No place for it is known.
    #[error("no data directory: HOME is not set; name a directory with --data-dir")]
    NoHome,
    /// It cannot be made or written.
    #[error("the data directory {} cannot be written ({source}); name another one with --data-dir", path.display())]
    Unwritable {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another node uses it.
    #[error(
        "the data directory {} is in use by another node ({holder}); stop that node, or name another directory with --data-dir",
        path.display()
    )]
    Locked {
        /// The directory.
        path: PathBuf,
        /// Who uses it, as far as the lock file says.
        holder: String,
    },
    /// The key in it cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// A data directory that this process holds.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// The lock lasts as long as the file is open.
    _lock: File,
}

impl DataDir {
    /// Where the data of the node at `listen` is kept unless it is told otherwise:
    /// `$XDG_STATE_HOME/p2pnode/<ip>_<port>`, or below `~/.local/state`.
    ///
    /// # Errors
    /// When neither variable is set.
    pub fn default_path(listen: SocketAddr) -> Result<PathBuf, DataDirError> {
        let set = |name| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let state = set("XDG_STATE_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| set("HOME").map(|home| home.join(".local/state")))
            .ok_or(DataDirError::NoHome)?;
        Ok(state.join("p2pnode").join(address_name(listen)))
    }

    /// Makes the directory if needed, and locks it.
    ///
    /// # Errors
    /// When it cannot be written, or another node uses it.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let unwritable = |source| DataDirError::Unwritable {
            path: path.to_owned(),
            source,
        };
        fs::create_dir_all(path).map_err(unwritable)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut lock = options.open(path.join(LOCK_FILE)).map_err(unwritable)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(DataDirError::Locked {
                    path: path.to_owned(),
                    holder: holder(&lock),
                });
            }
            Err(error) => return Err(unwritable(error.into())),
        }
        let write_pid = |lock: &mut File| -> io::Result<()> {
            lock.set_len(0)?;
            lock.rewind()?;
            write!(lock, "{}", std::process::id())
        };
        write_pid(&mut lock).map_err(unwritable)?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a node has lived here before: it has a key.
    #[must_use]
    pub fn was_used(&self) -> bool {
        self.path.join(KEY_FILE).exists()
    }

    /// The key of the node that lives here; made when there is none.
    ///
    /// # Errors
    /// When the key is damaged, or cannot be read or written.
    pub fn identity(&self) -> Result<Identity, DataDirError> {
        Ok(Identity::load_or_create(&self.path.join(KEY_FILE))?)
    }
}

fn holder(lock: &File) -> String {
    let mut text = String::new();
    match lock.take(32).read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => format!("process {}", text.trim()),
        _ => "its process is not known".to_owned(),
    }
}

/// Whether the list of authorized clients names this id. One id a line; `#` begins a comment.
/// A list that is missing or cannot be read names nobody.
#[must_use]
pub fn is_authorized(data_dir: &Path, client: Id) -> bool {
    let path = data_dir.join(AUTHORIZED_FILE);
    let Ok(file) = File::open(path) else {
        return false;
    };
    let mut text = String::new();
    if file
        .take(MAX_AUTHORIZED_BYTES)
        .read_to_string(&mut text)
        .is_err()
    {
        return false;
    }
    text.lines()
        .filter_map(|line| line.split('#').next())
        .any(|line| line.trim().parse::<Id>() == Ok(client))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_serves_one_node_at_a_time() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("node");
        let held = DataDir::open(&path).unwrap();
        let error = DataDir::open(&path).unwrap_err();
        assert!(matches!(&error, DataDirError::Locked { .. }), "{error}");
        assert!(
            error.to_string().contains(&std::process::id().to_string()),
            "{error}"
        );
        drop(held);
        DataDir::open(&path).unwrap();
    }

    #[test]
    fn a_path_below_a_file_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        fs::write(&file, "").unwrap();
        let error = DataDir::open(&file.join("node")).unwrap_err();
        assert!(matches!(&error, DataDirError::Unwritable { .. }), "{error}");
        assert!(error.to_string().contains("--data-dir"), "{error}");
    }

    #[test]
    fn only_listed_clients_are_authorized() {
        let temp = tempfile::tempdir().unwrap();
        let (listed, other) = (Id::of(b"listed"), Id::of(b"other"));
        assert!(!is_authorized(temp.path(), listed), "without a list");
        let text = format!("# operators\n{listed} # first\n#{other}\nnonsense\n");
        fs::write(temp.path().join(AUTHORIZED_FILE), text).unwrap();
        assert!(is_authorized(temp.path(), listed));
        assert!(
            !is_authorized(temp.path(), other),
            "a comment authorized somebody"
        );
    }
}
