//! The hosts that a node keeps for its next start, so that it finds its network again by itself.
//!
//! One line for each: the id and the address. The file is replaced as a whole; one that is damaged
//! costs the node nothing but these hosts.

use super::driver::{Driver, Due};
use overlay::{Contact, Locate};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Name of the file in the data directory.
const HOSTS_FILE: &str = "hosts";
/// Most hosts that are read and written.
const MAX_HOSTS: usize = 1_000;
/// Longest file that is read: that many lines with the longest addresses.
const MAX_BYTES: u64 = 128 << 10;

/// How often the known hosts are written down: what a kill costs at most. It is a small file.
const KEEP_HOSTS_EVERY: overlay::Duration = overlay::Duration::from_secs(2);

/// The file, with what is in it.
#[derive(Debug)]
pub(super) struct HostsFile {
    path: PathBuf,
    written: Vec<Contact>,
}

impl HostsFile {
    pub(super) fn in_dir(data_dir: &Path) -> Self {
        Self {
            path: data_dir.join(HOSTS_FILE),
            written: Vec::new(),
        }
    }

    /// The hosts of an earlier life.
    pub(super) fn read(&self) -> Vec<Contact> {
        let mut text = String::new();
        let read =
            File::open(&self.path).and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text));
        if let Err(error) = read {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(%error, path = %self.path.display(), "cannot read the known hosts");
            }
            return Vec::new();
        }
        text.lines().filter_map(host).take(MAX_HOSTS).collect()
    }

    /// Writes the hosts if they are others than before. An empty list is not written: whoever knows
    /// nobody now may find those again that were known before.
    pub(super) fn write(&mut self, mut hosts: Vec<Contact>) {
        hosts.truncate(MAX_HOSTS);
        if hosts.is_empty() || hosts == self.written {
            return;
        }
        match self.replace(&hosts) {
            Ok(()) => self.written = hosts,
            Err(error) => {
                tracing::warn!(%error, path = %self.path.display(), "cannot keep the known hosts");
            }
        }
    }

    fn replace(&self, hosts: &[Contact]) -> io::Result<()> {
        let mut text = String::new();
        for host in hosts {
            text.push_str(&format!("{} {}\n", host.id, host.addr));
        }
        let new = self.path.with_extension("new");
        File::create(&new)?.write_all(text.as_bytes())?;
        fs::rename(new, &self.path)
    }
}

impl<M: Locate + 'static> Driver<M> {
    /// Writes down whom the machine knows, if it wants that, and does so again in a while.
    pub(super) fn keep_hosts(&mut self) {
        if self.write_hosts() {
            let at = self.clock.now() + KEEP_HOSTS_EVERY;
            self.timers.arm(at, Due::KeepHosts);
        }
    }

    /// Writes down whom the machine knows; false when it does not want that.
    pub(super) fn write_hosts(&mut self) -> bool {
        let Some(hosts) = self.machine.hosts() else {
            return false;
        };
        self.hosts.write(hosts);
        true
    }
}

fn host(line: &str) -> Option<Contact> {
    let (id, addr) = line.split_once(' ')?;
    Some(Contact {
        id: id.parse().ok()?,
        addr: addr.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay::Id;

    #[test]
    fn hosts_are_read_back_and_nonsense_is_passed_over() {
        let temp = tempfile::tempdir().unwrap();
        let mut file = HostsFile::in_dir(temp.path());
        assert_eq!(file.read(), []);
        let one = Contact {
            id: Id::of(b"one"),
            addr: "127.0.0.1:4000".parse().unwrap(),
        };
        let other = Contact {
            id: Id::of(b"other"),
            addr: "[::1]:4001".parse().unwrap(),
        };
        file.write(vec![one, other]);
        assert_eq!(file.read(), [one, other]);
        file.write(Vec::new());
        assert_eq!(file.read(), [one, other], "an empty list was written");
        let text = fs::read_to_string(&file.path).unwrap();
        fs::write(&file.path, format!("nonsense\n{} x\n{text}", one.id)).unwrap();
        assert_eq!(file.read(), [one, other]);
    }
}
