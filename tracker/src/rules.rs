//! Who may use the tracker, and for what.

use crate::announce::MAX_PASSKEY_BYTES;
use crate::ids::{HASH_BYTES, InfoHash, PeerId};
use std::collections::BTreeSet;

/// Most entries of one list: 40 MB of info-hashes.
pub const MAX_LIST: usize = 1 << 20;

/// Allow and deny lists. What is not given is no restriction; what is denied is denied even when it is
/// allowed, too.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Only these torrents.
    pub allowed_hashes: Option<BTreeSet<InfoHash>>,
    /// Not these torrents.
    pub denied_hashes: BTreeSet<InfoHash>,
    /// Only clients whose peer id begins so (BEP 20), `-TR` for instance.
    pub allowed_clients: Option<BTreeSet<Vec<u8>>>,
    /// Not these clients.
    pub denied_clients: BTreeSet<Vec<u8>>,
    /// Private mode: only who knows one of these.
    pub passkeys: Option<BTreeSet<Vec<u8>>>,
}

/// Why a list is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ListError {
    line: usize,
    reason: String,
}

/// What is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// The torrent.
    Torrent,
    /// The client.
    Client,
    /// The passkey is missing or wrong.
    Passkey,
}

impl Rules {
    /// Whether this torrent, with this passkey, is served.
    ///
    /// # Errors
    /// What is not allowed.
    pub fn check_torrent(&self, hash: &InfoHash, passkey: Option<&[u8]>) -> Result<(), Breach> {
        let knows = |keys: &BTreeSet<Vec<u8>>| passkey.is_some_and(|key| keys.contains(key));
        if self.passkeys.as_ref().is_some_and(|keys| !knows(keys)) {
            return Err(Breach::Passkey);
        }
        let listed = self
            .allowed_hashes
            .as_ref()
            .is_none_or(|list| list.contains(hash));
        if listed && !self.denied_hashes.contains(hash) {
            Ok(())
        } else {
            Err(Breach::Torrent)
        }
    }

    /// Whether this client is served.
    ///
    /// # Errors
    /// [`Breach::Client`].
    pub fn check_client(&self, peer_id: &PeerId) -> Result<(), Breach> {
        let among = |list: &BTreeSet<Vec<u8>>| {
            // A prefix of the id is in the list.
            (1..=HASH_BYTES).any(|end| peer_id.0.get(..end).is_some_and(|head| list.contains(head)))
        };
        let denied = !self.denied_clients.is_empty() && among(&self.denied_clients);
        if denied
            || self
                .allowed_clients
                .as_ref()
                .is_some_and(|list| !among(list))
        {
            return Err(Breach::Client);
        }
        Ok(())
    }
}

/// Reads a list of info-hashes, one a line in hexadecimal; what follows a `#` is passed over.
///
/// # Errors
/// When a line is something else, or there are more than [`MAX_LIST`].
pub fn parse_hashes(text: &str) -> Result<BTreeSet<InfoHash>, ListError> {
    parse_list(text, |line| {
        line.parse().map_err(|error| format!("{error}"))
    })
}

/// Reads a list of the beginnings of peer ids, 1 to 20 bytes each.
///
/// # Errors
/// When a line is too long, or there are more than [`MAX_LIST`].
pub fn parse_clients(text: &str) -> Result<BTreeSet<Vec<u8>>, ListError> {
    parse_list(text, |line| match line.len() {
        1..=HASH_BYTES => Ok(line.as_bytes().to_vec()),
        _ => Err(format!(
            "a peer id has {HASH_BYTES} bytes, and this is longer"
        )),
    })
}

/// Reads a list of passkeys.
///
/// # Errors
/// When one is too long or has a slash, or there are more than [`MAX_LIST`].
pub fn parse_passkeys(text: &str) -> Result<BTreeSet<Vec<u8>>, ListError> {
    parse_list(text, |line| {
        if line.len() > MAX_PASSKEY_BYTES || line.contains(['/', '?']) {
            return Err(format!(
                "a passkey has up to {MAX_PASSKEY_BYTES} bytes and no slash"
            ));
        }
        Ok(line.as_bytes().to_vec())
    })
}

fn parse_list<T: Ord>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<BTreeSet<T>, ListError> {
    let mut list = BTreeSet::new();
    for (number, line) in text.lines().enumerate() {
        let wrong = |reason| ListError {
            line: number + 1,
            reason,
        };
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        if list.len() >= MAX_LIST {
            return Err(wrong(format!("more than {MAX_LIST} entries")));
        }
        list.insert(parse(line).map_err(wrong)?);
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_denied_is_denied_although_it_is_allowed() {
        let (one, two) = (InfoHash([1; 20]), InfoHash([2; 20]));
        let rules = Rules {
            allowed_hashes: Some([one, two].into()),
            denied_hashes: [two].into(),
            ..Rules::default()
        };
        assert_eq!(rules.check_torrent(&one, None), Ok(()));
        assert_eq!(rules.check_torrent(&two, None), Err(Breach::Torrent));
        assert_eq!(
            rules.check_torrent(&InfoHash([3; 20]), None),
            Err(Breach::Torrent)
        );
        assert_eq!(Rules::default().check_torrent(&two, None), Ok(()));
    }

    #[test]
    fn clients_are_known_by_the_beginning_of_their_ids() {
        let id = PeerId(*b"-TR4000-abcdefghijkl");
        let rules = |allowed: &str, denied: &str| Rules {
            allowed_clients: (!allowed.is_empty()).then(|| parse_clients(allowed).unwrap()),
            denied_clients: parse_clients(denied).unwrap(),
            ..Rules::default()
        };
        assert_eq!(rules("-TR\n-lt", "").check_client(&id), Ok(()));
        assert_eq!(rules("-lt", "").check_client(&id), Err(Breach::Client));
        assert_eq!(rules("", "-TR4").check_client(&id), Err(Breach::Client));
        assert_eq!(rules("", "-TR3 # old").check_client(&id), Ok(()));
    }

    #[test]
    fn private_mode_wants_a_key() {
        let rules = Rules {
            passkeys: Some(parse_passkeys("one\n\ntwo\n").unwrap()),
            ..Rules::default()
        };
        let hash = InfoHash([1; 20]);
        assert_eq!(rules.check_torrent(&hash, Some(b"two")), Ok(()));
        assert_eq!(
            rules.check_torrent(&hash, Some(b"three")),
            Err(Breach::Passkey)
        );
        assert_eq!(rules.check_torrent(&hash, None), Err(Breach::Passkey));
    }

    #[test]
    fn mistakes_in_lists_are_named() {
        let error = parse_hashes("# none\n12345").unwrap_err().to_string();
        assert!(
            error.starts_with("line 2: \"12345\" is no info-hash"),
            "{error}"
        );
        assert!(parse_clients(&"a".repeat(21)).is_err());
        assert!(parse_passkeys("a/b").is_err());
    }
}
