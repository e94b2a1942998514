//! The file that says what a store is: its format's version, and whose it is.

use super::error::OpenError;
use overlay::Id;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

/// Name of the file.
pub(super) const FORMAT_FILE: &str = "format";

/// The version that is written. Version 1 had nothing that the store vouches for, and is read too.
pub(super) const VERSION: u32 = 2;
/// The oldest that is read.
const OLDEST: u32 = 1;

const MAGIC: &str = "p2pnode-store";
/// Longest file that is read; the text below is shorter.
const MAX_BYTES: u64 = 256;

/// Writes the file, durably.
pub(super) fn write(dir: &Path, node: Id) -> io::Result<()> {
    let mut file = File::create_new(dir.join(FORMAT_FILE))?;
    file.write_all(text(node).as_bytes())?;
    file.sync_all()
}

fn text(node: Id) -> String {
    format!("{MAGIC}\nversion {VERSION}\nnode {node}\n")
}

/// Says in the store of an older version, which was checked, that it is of this one from now on:
/// whoever knows only the older one must not take what is written next for damage.
pub(super) fn renew(dir: &Path, node: Id) -> io::Result<()> {
    let path = dir.join(FORMAT_FILE);
    if fs::read_to_string(&path)? == text(node) {
        return Ok(());
    }
    let new = path.with_extension("new");
    let written = File::create(&new).and_then(|mut file| {
        file.write_all(text(node).as_bytes())?;
        file.sync_all()
    });
    match written {
        // A full store still serves. What it cannot say now it says at the next start; until then
        // an older program takes what is written for damage, and loses nothing by that.
        Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
        other => other?,
    }
    fs::rename(&new, &path)?;
    File::open(dir)?.sync_all()
}

/// Checks the version, and whose store it is; says whose.
pub(super) fn check(dir: &Path, node: Option<Id>) -> Result<Id, OpenError> {
    let damaged = |cause: String| OpenError::Damaged {
        path: dir.to_owned(),
        cause,
    };
    let mut text = String::new();
    File::open(dir.join(FORMAT_FILE))
        .and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text))
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::InvalidData => {
                damaged(format!("its file `{FORMAT_FILE}` cannot be read ({error})"))
            }
            _ => OpenError::io(dir, error),
        })?;
    let no_format = || damaged(format!("its file `{FORMAT_FILE}` does not say what it is"));
    let mut lines = text.lines();
    if lines.next() != Some(MAGIC) {
        return Err(no_format());
    }
    let mut field = |name: &str| {
        let line = lines.next().and_then(|line| line.strip_prefix(name));
        line.map(str::trim).ok_or_else(no_format)
    };
    let version: u32 = field("version ")?.parse().map_err(|_| no_format())?;
    if version > VERSION {
        return Err(OpenError::Newer {
            path: dir.to_owned(),
            version,
        });
    }
    if version < OLDEST {
        return Err(no_format());
    }
    let owner: Id = field("node ")?.parse().map_err(|_| no_format())?;
    match node {
        Some(node) if node != owner => Err(OpenError::Foreign {
            path: dir.to_owned(),
            owner,
            node,
        }),
        _ => Ok(owner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_store_of_a_known_version_is_taken() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path();
        let (own, other) = (Id::of(b"own"), Id::of(b"other"));
        write(dir, own).unwrap();
        assert_eq!(check(dir, Some(own)).unwrap(), own);
        let error = check(dir, Some(other)).unwrap_err();
        assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
        let file = dir.join(FORMAT_FILE);
        let text = fs::read_to_string(&file).unwrap();
        let older = text.replace("version 2", "version 1");
        fs::write(&file, older).unwrap();
        assert_eq!(check(dir, Some(own)).unwrap(), own);
        renew(dir, own).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
        fs::write(&file, text.replace("version 2", "version 3")).unwrap();
        let error = check(dir, Some(own)).unwrap_err();
        assert!(
            matches!(error, OpenError::Newer { version: 3, .. }),
            "{error}"
        );
        for wrong in ["", "nonsense\n", "p2pnode-store\nversion 0\n", &text[..20]] {
            fs::write(&file, wrong).unwrap();
            let error = check(dir, Some(own)).unwrap_err();
            assert!(
                matches!(error, OpenError::Damaged { .. }),
                "{wrong:?}: {error}"
            );
        }
    }
}
