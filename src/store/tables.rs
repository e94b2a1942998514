//! What the engine says of its own files, checked before it reads it.
//!
//! Each tree of the engine has a file that lists its tables, `v` and a number, and a file `current`
//! that holds that number and a checksum of the list. The engine writes the checksum and does not
//! look at it: a damaged list can make it ask for more memory than there is, which ends the process
//! without a word (found by fuzzing).

use super::engine::EngineError;
use std::fs;
use std::io;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_128;

/// Where the engine has its trees, one directory each.
const TREES: &str = "keyspaces";
const CURRENT: &str = "current";
/// The only kind of checksum that is known here.
const XXH3: u8 = 0;

/// Checks the lists of all trees.
pub(super) fn check(engine: &Path) -> Result<(), EngineError> {
    for entry in fs::read_dir(engine.join(TREES))? {
        let path = entry?.path();
        if path.is_dir() {
            check_tree(&path)?;
        }
    }
    Ok(())
}

fn check_tree(tree: &Path) -> Result<(), EngineError> {
    let damaged = |what: &str| {
        let name = tree.file_name().unwrap_or_default().to_string_lossy();
        EngineError::Damaged(format!("in `engine/{TREES}/{name}` {what}"))
    };
    let current = match fs::read(tree.join(CURRENT)) {
        Ok(bytes) => bytes,
        // A tree that was just being made.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let (number, checksum) = decode(&current).ok_or_else(|| damaged("`current` is broken"))?;
    let list = match fs::read(tree.join(format!("v{number}"))) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(damaged("the list of tables is missing"));
        }
        Err(error) => return Err(error.into()),
    };
    if xxh3_128(&list) != checksum {
        return Err(damaged("the list of tables is broken"));
    }
    Ok(())
}

/// The number of a list and its checksum.
fn decode(bytes: &[u8]) -> Option<(u64, u128)> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    let (checksum, kind) = rest.split_first_chunk::<16>()?;
    let found = (u64::from_le_bytes(*number), u128::from_le_bytes(*checksum));
    (kind == [XXH3]).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_with_another_checksum_is_found() {
        let temp = tempfile::tempdir().unwrap();
        let tree = temp.path().join("keyspaces/0");
        fs::create_dir_all(&tree).unwrap();
        assert!(
            check(temp.path()).is_ok(),
            "a tree that was just being made"
        );
        let mut current = 7u64.to_le_bytes().to_vec();
        current.extend(xxh3_128(b"the list").to_le_bytes());
        current.push(XXH3);
        fs::write(tree.join(CURRENT), &current).unwrap();
        assert!(check(temp.path()).is_err(), "it is missing");
        fs::write(tree.join("v7"), "the list").unwrap();
        assert!(check(temp.path()).is_ok());
        fs::write(tree.join("v7"), "the lost").unwrap();
        let error = check(temp.path()).unwrap_err().to_string();
        assert!(
            error.contains("keyspaces/0") && error.contains("broken"),
            "{error}"
        );
        fs::write(tree.join(CURRENT), &current[1..]).unwrap();
        assert!(check(temp.path()).is_err());
    }
}
