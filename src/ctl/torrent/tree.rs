//! What is below a path, as the files of a torrent.

use crate::ctl::CtlError;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use tracker::metainfo::{MAX_FILES, Source};

/// Deepest folders that are looked into: a torrent's paths may be no deeper.
const MAX_DEPTH: usize = 20;

/// The files of a torrent.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Its name.
    pub(super) name: String,
    /// The files.
    pub(super) files: Vec<Source>,
    /// Links to folders, sockets and the like, which are not shared.
    pub(super) skipped: Vec<PathBuf>,
}

impl Tree {
    /// Looks at a file, or at everything in a folder.
    pub(super) fn of(path: &Path) -> Result<Self, CtlError> {
        let whole = path.canonicalize().map_err(|error| unread(path, &error))?;
        let name = whole.file_name().ok_or_else(|| {
            let text = "has no name; name a file, or a folder that has one";
            CtlError::WrongUse(format!("{} {text}", path.display()))
        })?;
        let mut tree = Self {
            name: text_of(name, path)?,
            ..Self::default()
        };
        let about = whole.metadata().map_err(|error| unread(path, &error))?;
        if about.is_file() {
            tree.files.push(Source {
                path: Vec::new(),
                length: about.len(),
            });
        } else if about.is_dir() {
            tree.look_into(&whole, &mut Vec::new())?;
        } else {
            let text = "is neither a file nor a folder; name one of these";
            return Err(CtlError::WrongUse(format!("{} {text}", path.display())));
        }
        Ok(tree)
    }

    fn look_into(&mut self, folder: &Path, names: &mut Vec<String>) -> Result<(), CtlError> {
        if names.len() >= MAX_DEPTH {
            return Err(CtlError::WrongUse(format!(
                "{} is more than {MAX_DEPTH} folders deep, which clients refuse; name a folder nearer to it",
                folder.display()
            )));
        }
        let entries = std::fs::read_dir(folder).map_err(|error| unread(folder, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| unread(folder, &error))?;
            let path = entry.path();
            let kind = entry.file_type().map_err(|error| unread(&path, &error))?;
            // A link to a file is shared as that file; one to a folder may lead round in a circle.
            let about = path.metadata().ok();
            names.push(text_of(&entry.file_name(), &path)?);
            match about {
                _ if kind.is_dir() => self.look_into(&path, names)?,
                Some(about) if about.is_file() => self.files.push(Source {
                    path: names.clone(),
                    length: about.len(),
                }),
                _ => self.skipped.push(path),
            }
            names.pop();
            if self.files.len() > MAX_FILES {
                return Err(CtlError::WrongUse(format!(
                    "{} has more than {MAX_FILES} files; pack them into an archive, or share its folders one by one",
                    folder.display()
                )));
            }
        }
        Ok(())
    }
}

/// Where a file of a torrent of `root` is.
pub(super) fn place(root: &Path, source: &Source) -> PathBuf {
    let mut path = root.to_path_buf();
    path.extend(&source.path);
    path
}

pub(super) fn unread(path: &Path, error: &std::io::Error) -> CtlError {
    CtlError::WrongUse(format!(
        "cannot read {}: {error}; check the path, and that you may read it",
        path.display()
    ))
}

fn text_of(name: &OsStr, path: &Path) -> Result<String, CtlError> {
    name.to_str().map(str::to_owned).ok_or_else(|| {
        CtlError::WrongUse(format!(
            "the name of {} is not UTF-8, as names in torrents are; rename it",
            path.display()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_in_folders_and_links_to_folders_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("shared");
        std::fs::create_dir_all(root.join("deep/er")).unwrap();
        std::fs::write(root.join("deep/er/one"), b"12345").unwrap();
        std::fs::write(root.join("two"), b"1").unwrap();
        std::os::unix::fs::symlink(&root, root.join("circle")).unwrap();
        std::os::unix::fs::symlink("two", root.join("three")).unwrap();
        let mut tree = Tree::of(&root).unwrap();
        tree.files.sort_by(|one, two| one.path.cmp(&two.path));
        let found: Vec<_> = tree
            .files
            .iter()
            .map(|file| (file.path.join("/"), file.length))
            .collect();
        let expected = [("deep/er/one", 5), ("three", 1), ("two", 1)];
        assert_eq!(
            found,
            expected.map(|(path, length)| (path.to_owned(), length))
        );
        assert_eq!((tree.name.as_str(), tree.skipped.len()), ("shared", 1));
        assert_eq!(place(&root, &tree.files[0]), root.join("deep/er/one"));
    }

    #[test]
    fn what_cannot_be_shared_is_said() {
        let said = |path: &str| Tree::of(Path::new(path)).unwrap_err().to_string();
        assert!(said("/no/such/file").contains("cannot read /no/such/file"));
        assert!(said("/").contains("has no name"));
        assert!(said("/dev/null").contains("neither a file nor a folder"));
    }
}
