//! Reading the lists.

use super::options::Lists;
use crate::runtime::StartError;
use std::io::Read;
use std::path::Path;
use tracker::place::Places;
use tracker::rules::{self, Rules};

/// Longest list that is read: a million info-hashes with comments.
const MAX_LIST_BYTES: u64 = 128 << 20;

/// What the files say.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) rules: Rules,
    pub(super) places: Places,
}

impl Lists {
    /// Reads all files.
    ///
    /// # Errors
    /// When one cannot be read or is not understood; which, and where.
    pub(super) fn read(&self) -> Result<Contents, StartError> {
        let rules = Rules {
            allowed_hashes: of(self.allow_torrents.as_deref(), rules::parse_hashes)?,
            denied_hashes: of(self.deny_torrents.as_deref(), rules::parse_hashes)?
                .unwrap_or_default(),
            allowed_clients: of(self.allow_clients.as_deref(), rules::parse_clients)?,
            denied_clients: of(self.deny_clients.as_deref(), rules::parse_clients)?
                .unwrap_or_default(),
            passkeys: of(self.passkeys.as_deref(), rules::parse_passkeys)?,
        };
        let places = of(self.locations.as_deref(), Places::parse)?.unwrap_or_default();
        Ok(Contents { rules, places })
    }
}

fn of<T, E: std::error::Error>(
    path: Option<&Path>,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, StartError> {
    let Some(path) = path else {
        return Ok(None);
    };
    let wrong = |reason: String| StartError::List {
        path: path.to_owned(),
        reason,
    };
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_LIST_BYTES).read_to_string(&mut text))
        .map_err(|error| wrong(error.to_string()))?;
    parse(&text)
        .map(Some)
        .map_err(|error| wrong(error.to_string()))
}
