//! How a client finds the key of a node on the same machine.
//!
//! A running node writes `<runtime dir>/p2pnode/<ip>_<port>.path`, which holds the absolute path
//! of its data directory, and removes it when it ends. What a killed node leaves there is removed
//! by the next one that starts. The key in that directory is readable by
//! its owner only, so finding it gives nobody a right that he did not have.
//!
//! The runtime directory is `$XDG_RUNTIME_DIR`; without one, a directory of the user's own below
//! the system's directory for temporary files, with mode 0700 and its owner checked, so that no
//! other user can plant a path there.

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Name of the key file in a data directory.
pub const KEY_FILE: &str = "node.key";
/// Name of the list of authorized clients in a data directory.
pub const AUTHORIZED_FILE: &str = "authorized_clients";
/// Longest entry that is read: no path is longer.
const MAX_PATH_BYTES: u64 = 4_096;
/// Most entries that are looked at for what killed nodes left: more than a machine has nodes, few
/// enough that a start does not wait for it.
const MAX_SWEPT: usize = 4_096;

/// The entry of a running node; removed when this is dropped.
#[derive(Debug)]
pub struct Announcement {
    path: PathBuf,
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // Somebody may have cleaned up already; there is nobody to tell.
        let _ = fs::remove_file(&self.path);
    }
}

/// Says where the node that listens at `listen` has its data, which this process must hold
/// locked: any other entry that names the same directory is taken for left over, and removed.
///
/// # Errors
/// When the runtime directory cannot be written or belongs to somebody else.
pub fn announce(listen: SocketAddr, data_dir: &Path) -> io::Result<Announcement> {
    let directory = own_directory(true)?;
    let path = directory.join(entry_name(listen));
    let absolute = fs::canonicalize(data_dir)?;
    sweep(&directory, &absolute);
    let unfinished = directory.join(format!("{}.{}", entry_name(listen), std::process::id()));
    fs::write(&unfinished, absolute.as_os_str().as_encoded_bytes())?;
    fs::rename(&unfinished, &path)?;
    Ok(Announcement { path })
}

/// The data directory of the node at `node`, if one runs on this machine under this user.
#[must_use]
pub fn find_data_dir(node: SocketAddr) -> Option<PathBuf> {
    let directory = own_directory(false).ok()?;
    candidates(node)
        .into_iter()
        .find_map(|address| read_entry(&directory.join(entry_name(address))))
}

fn read_entry(path: &Path) -> Option<PathBuf> {
    let size = fs::symlink_metadata(path).ok()?.len();
    let text = (size <= MAX_PATH_BYTES).then(|| fs::read_to_string(path).ok())??;
    Some(PathBuf::from(text.trim_end()))
}

/// Removes what killed nodes left in `directory`. What cannot be removed does no harm.
fn sweep(directory: &Path, data_dir: &Path) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.take(MAX_SWEPT).flatten() {
        let path = entry.path();
        if is_left_over(&path, data_dir) {
            let _ = fs::remove_file(&path);
        }
    }
}

/// Whether no running node can have written this file: an entry that names our own directory or
/// one that is gone, or an unfinished one of a process that has ended.
fn is_left_over(path: &Path, data_dir: &Path) -> bool {
    let extension = path.extension().and_then(std::ffi::OsStr::to_str);
    match extension.unwrap_or_default() {
        "path" => read_entry(path).is_some_and(|named| named == data_dir || is_gone(&named)),
        number => number
            .parse()
            .ok()
            .and_then(Pid::from_raw)
            .is_some_and(|writer| test_kill_process(writer) == Err(Errno::SRCH)),
    }
}

/// Only a directory that is certainly not there; one that cannot be looked at may be.
fn is_gone(path: &Path) -> bool {
    matches!(path.try_exists(), Ok(false))
}

/// The key file of the node at `node`, if one runs on this machine under this user.
#[must_use]
pub fn find_key(node: SocketAddr) -> Option<PathBuf> {
    find_data_dir(node)
        .map(|directory| directory.join(KEY_FILE))
        .filter(|key| key.is_file())
}

/// `<ip>_<port>`, the name under which a node's files are kept.
#[must_use]
pub fn address_name(address: SocketAddr) -> String {
    format!("{}_{}", address.ip(), address.port()).replace(':', "-")
}

fn entry_name(address: SocketAddr) -> String {
    format!("{}.path", address_name(address))
}

/// The address itself, and the unspecified ones: a node may listen on all of its addresses.
fn candidates(node: SocketAddr) -> Vec<SocketAddr> {
    let any_v4 = SocketAddr::from(([0, 0, 0, 0], node.port()));
    let any_v6 = SocketAddr::from(([0u16; 8], node.port()));
    vec![node, any_v4, any_v6]
}

fn own_directory(create: bool) -> io::Result<PathBuf> {
    let base = match std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()) {
        Some(runtime) => PathBuf::from(runtime),
        None => {
            let uid = rustix::process::getuid().as_raw();
            let own = std::env::temp_dir().join(format!("p2pnode-{uid}"));
            private_directory(&own, create)?;
            own
        }
    };
    let directory = base.join("p2pnode");
    private_directory(&directory, create)?;
    Ok(directory)
}

/// Makes sure that the directory exists, is no symbolic link, is ours, and is closed to others.
fn private_directory(path: &Path, create: bool) -> io::Result<()> {
    if create {
        match rustix::fs::mkdir(path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = fs::File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let metadata = opened.metadata()?;
    let is_directory = FileType::from_raw_mode(metadata.mode()).is_dir();
    if !is_directory || metadata.uid() != rustix::process::getuid().as_raw() {
        let text = format!("{} does not belong to this user", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    if metadata.permissions().mode() & 0o022 != 0 {
        let text = format!("{} can be written by others", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_others_can_write_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("shared");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(
            private_directory(&path, true).unwrap_err().kind(),
            io::ErrorKind::PermissionDenied
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        private_directory(&path, true).unwrap();
    }

    #[test]
    fn a_symbolic_link_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let link = temp.path().join("link");
        std::os::unix::fs::symlink(temp.path(), &link).unwrap();
        assert!(
            private_directory(&link, false).is_err(),
            "followed a symbolic link"
        );
    }

    #[test]
    fn what_killed_nodes_left_is_removed_and_nothing_else() {
        let temp = tempfile::tempdir().unwrap();
        let [entries, ours, other] =
            ["entries", "ours", "other"].map(|name| temp.path().join(name));
        for directory in [&entries, &ours, &other] {
            fs::create_dir(directory).unwrap();
        }
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        // No process has the highest number that the type can hold.
        let (own, ended) = (std::process::id(), i32::MAX);
        for (name, content, kept) in [
            ("127.0.0.1_4000.path", text(&ours), false),
            (
                "127.0.0.1_4001.path",
                text(&temp.path().join("gone")),
                false,
            ),
            (&format!("127.0.0.1_4002.path.{ended}"), text(&ours), false),
            ("127.0.0.1_4003.path", text(&other), true),
            (&format!("127.0.0.1_4004.path.{own}"), text(&other), true),
            ("README", "not ours".to_owned(), true),
        ] {
            let path = entries.join(name);
            fs::write(&path, content).unwrap();
            sweep(&entries, &ours);
            assert_eq!(path.exists(), kept, "{name}");
        }
    }

    #[test]
    fn names_have_no_colon() {
        assert_eq!(
            address_name("127.0.0.1:4000".parse().unwrap()),
            "127.0.0.1_4000"
        );
        assert_eq!(address_name("[::1]:4000".parse().unwrap()), "--1_4000");
    }
}
