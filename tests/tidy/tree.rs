//! The files of the project: tracked ones, and new ones that are not ignored.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

/// All files by their path from the root, with `/` between folders.
pub(crate) struct Tree {
    /// `None` for a file that is not text.
    files: BTreeMap<String, Option<String>>,
}

impl Tree {
    /// Asks git for the list, so that build output and other ignored files stay out.
    pub(crate) fn load() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let listed = Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .current_dir(root)
            .output()
            .expect("git must be installed: `cargo xtask test` sees to it");
        assert!(
            listed.status.success(),
            "git cannot list the files: {}",
            String::from_utf8_lossy(&listed.stderr),
        );
        let names = String::from_utf8(listed.stdout).expect("file names must be UTF-8");
        let files = names
            .split('\0')
            .filter(|name| !name.is_empty())
            // A tracked file that was deleted but not yet committed is listed, too.
            .filter_map(|name| Some((name.to_owned(), std::fs::read(root.join(name)).ok()?)))
            .map(|(name, bytes)| (name, text_of(bytes)))
            .collect();
        Self { files }
    }

    /// A tree from fixtures.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned())))
            .collect();
        Self { files }
    }

    /// All text files.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    /// All Rust files.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts().filter(|(path, _)| path.ends_with(".rs"))
    }

    /// The text of one file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.as_deref()
    }

    /// Whether there is a file or a folder of this name.
    pub(crate) fn exists(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        path.is_empty()
            || self.files.contains_key(path)
            || self.files.keys().any(|file| file.starts_with(&folder))
    }
}

fn text_of(bytes: Vec<u8>) -> Option<String> {
    if bytes.contains(&0) {
        return None;
    }
    String::from_utf8(bytes).ok()
}

/// The folder of a path, without the last `/`; empty for the root.
pub(crate) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Resolves `relative` against `folder`; `None` when it leaves the project.
pub(crate) fn resolve(folder: &str, relative: &str) -> Option<String> {
    let mut path = PathBuf::from(folder);
    for part in Path::new(relative).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    path.to_str().map(str::to_owned)
}

#[test]
fn relative_paths_are_resolved() {
    assert_eq!(resolve("a/b", "../c.md").as_deref(), Some("a/c.md"));
    assert_eq!(resolve("", "./c.md").as_deref(), Some("c.md"));
    assert_eq!(resolve("a", "../../c.md"), None);
    assert_eq!(resolve("a", "/c.md"), None);
}

#[test]
fn folders_exist_through_their_files() {
    let tree = Tree::of(&[("a/b.rs", "")]);
    assert!(tree.exists("a/b.rs") && tree.exists("a") && tree.exists("a/"));
    assert!(!tree.exists("a/b") && !tree.exists("b.rs"));
}
