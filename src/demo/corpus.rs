//! What the demo stores: real files, or the lines of one.

use super::DemoError;
use bytes::Bytes;
use overlay::{MAX_KEY_BYTES, MAX_VALUE_BYTES};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Most keys of one demo, so that a directory of everything does not fill the memory.
const MAX_ITEMS: usize = 200_000;
/// Most bytes of one demo: eight nodes on one machine hold three copies of each in memory.
const MAX_TOTAL_BYTES: u64 = 512 << 20;
/// Directories that hold what can be made again.
const PASSED_OVER: [&str; 3] = ["target", ".git", "node_modules"];

/// A key and its value.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) key: Vec<u8>,
    pub(super) value: Bytes,
}

/// Everything that the demo stores, and what it leaves out.
#[derive(Debug, Default)]
pub(super) struct Corpus {
    /// Where it comes from.
    pub(super) source: String,
    pub(super) items: Vec<Item>,
    /// Sum of the values.
    pub(super) bytes: u64,
    /// What was left out, and why.
    pub(super) skipped: Vec<(String, &'static str)>,
}

impl Corpus {
    /// Collects the files below `data`, the lines of it, or the source files of this directory.
    pub(super) fn collect(data: Option<&Path>) -> Result<Self, DemoError> {
        let named = data.unwrap_or(Path::new("."));
        let wrong =
            |error: std::io::Error| DemoError(format!("cannot read {}: {error}", named.display()));
        let metadata = fs::metadata(named).map_err(wrong)?;
        let mut corpus = Self {
            source: named.display().to_string(),
            ..Self::default()
        };
        if metadata.is_file() {
            corpus.take_lines(&fs::read(named).map_err(wrong)?);
            return Ok(corpus);
        }
        let listed = if data.is_none() {
            tracked_files(named)
        } else {
            None
        };
        let paths = match listed {
            Some(paths) => paths,
            None => walk(named).map_err(wrong)?,
        };
        for path in paths {
            corpus.take_file(named, &path);
        }
        Ok(corpus)
    }

    fn take_lines(&mut self, content: &[u8]) {
        let lines = content.split(|&byte| byte == b'\n').enumerate();
        for (number, line) in lines.filter(|(_, line)| !line.is_empty()) {
            let name = || format!("line {}", number + 1);
            if line.len() > MAX_KEY_BYTES {
                self.skipped
                    .push((name(), "longer than a key may be (1 KiB)"));
            } else {
                self.take(line.to_vec(), line.to_vec(), name);
            }
        }
        // A line that comes twice is one key.
        self.items.sort_by(|one, other| one.key.cmp(&other.key));
        self.items.dedup_by(|one, other| one.key == other.key);
        self.bytes = self.items.iter().map(|item| item.value.len() as u64).sum();
    }

    fn take_file(&mut self, root: &Path, path: &Path) {
        let name = || path.display().to_string();
        let key = path.as_os_str().as_encoded_bytes().to_vec();
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            self.skipped
                .push((name(), "its path is longer than a key may be (1 KiB)"));
            return;
        }
        let mut value = Vec::new();
        let read = fs::File::open(root.join(path)).and_then(|file| {
            file.take(MAX_VALUE_BYTES as u64 + 1)
                .read_to_end(&mut value)
        });
        match read {
            Err(_) => self.skipped.push((name(), "unreadable")),
            Ok(_) if value.len() > MAX_VALUE_BYTES => {
                self.skipped
                    .push((name(), "longer than a value may be (1 MiB)"));
            }
            Ok(_) => self.take(key, value, name),
        }
    }

    fn take(&mut self, key: Vec<u8>, value: Vec<u8>, name: impl Fn() -> String) {
        let bytes = self.bytes + value.len() as u64;
        if self.items.len() >= MAX_ITEMS || bytes > MAX_TOTAL_BYTES {
            self.skipped
                .push((name(), "more than a demo takes (200000 keys, 512 MiB)"));
            return;
        }
        self.bytes = bytes;
        self.items.push(Item {
            key,
            value: value.into(),
        });
    }
}

/// The files that git tracks below `root` and that exist; none when it is no repository.
fn tracked_files(root: &Path) -> Option<Vec<PathBuf>> {
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(["ls-files", "-z", "--cached"])
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let names = output
        .stdout
        .split(|&byte| byte == 0)
        .filter(|name| !name.is_empty());
    let paths: Vec<_> = names
        .filter_map(|name| std::str::from_utf8(name).ok().map(PathBuf::from))
        .filter(|path| root.join(path).is_file())
        .collect();
    if paths.is_empty() { None } else { Some(paths) }
}

/// All regular files below `root`, by path; links are not followed.
fn walk(root: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(root.join(&directory))? {
            let entry = entry?;
            let (kind, name) = (entry.file_type()?, entry.file_name());
            let passed_over = PASSED_OVER.iter().any(|other| name == *other);
            if kind.is_dir() && !passed_over {
                open.push(directory.join(name));
            } else if kind.is_file() {
                found.push(directory.join(name));
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_become_keys_and_what_is_too_long_is_said() {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir_all(temp.path().join("sub/target")).unwrap();
        fs::write(temp.path().join("sub/empty"), b"").unwrap();
        fs::write(temp.path().join("binary"), [0xff, 0, 0xfe]).unwrap();
        fs::write(temp.path().join("large"), vec![0; MAX_VALUE_BYTES + 1]).unwrap();
        fs::write(temp.path().join("sub/target/made"), b"x").unwrap();
        let corpus = Corpus::collect(Some(temp.path())).unwrap();
        let keys: Vec<_> = corpus
            .items
            .iter()
            .map(|item| item.key.as_slice())
            .collect();
        assert_eq!(keys, [&b"binary"[..], b"sub/empty"]);
        assert_eq!(corpus.bytes, 3);
        assert_eq!(corpus.skipped.len(), 1);
        assert_eq!(corpus.skipped[0].0, "large");
    }

    #[test]
    fn lines_become_keys_once_each() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("words");
        fs::write(&path, "one\ntwo\n\none\nthree").unwrap();
        let corpus = Corpus::collect(Some(&path)).unwrap();
        let keys: Vec<_> = corpus
            .items
            .iter()
            .map(|item| item.key.as_slice())
            .collect();
        assert_eq!(keys, [&b"one"[..], b"three", b"two"]);
        assert_eq!(corpus.bytes, 11);
    }
}
