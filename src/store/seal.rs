//! How a store proves that it is whole: the seal inside it, the witness beside it.
//!
//! The seal is written with each commit: the commit's number, how many records there are, and a
//! digest of all of them and of what the store vouches for. Records that vanished from the engine's files do not agree with it. It
//! cannot show that the last commits vanished with their seals, as they do when a journal is cut
//! off; the witness shows that. It holds the number of the last commit that is durable, written
//! before anybody hears of it. It is never synchronised, so that it costs next to nothing: after a
//! loss of power it may name an earlier commit, never a later one.

use super::record::{PlaceBytes, encode_place};
use dht::Meta;
use overlay::Slot;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Name of the witness file.
pub(super) const WITNESS_FILE: &str = "witness";

const WITNESS_BYTES: usize = 16;
const SEAL_BYTES: usize = 40;

/// How many records there are, and what they come to, whatever their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    /// Number of records, tombstones included.
    pub(super) records: u64,
    /// Whether the store was part of a network with other nodes.
    pub(super) shared: bool,
    digest: u64,
}

impl Sum {
    /// Takes a record in whose place is encoded already.
    pub(super) fn add_encoded(&mut self, place: &[u8], meta: &Meta) {
        self.records = self.records.wrapping_add(1);
        self.digest ^= digest(place, meta);
    }

    /// Exchanges what was in a place.
    pub(super) fn replace(
        &mut self,
        place: (overlay::Id, Slot),
        before: Option<&Meta>,
        after: Option<&Meta>,
    ) {
        let place: PlaceBytes = encode_place(place);
        if let Some(before) = before {
            self.records = self.records.wrapping_sub(1);
            self.digest ^= digest(&place, before);
        }
        if let Some(after) = after {
            self.add_encoded(&place, after);
        }
    }
}

impl Sum {
    /// Exchanges what the store vouches for, encoded; nothing counts for nothing.
    pub(super) fn vouch(&mut self, before: &[u8], after: &[u8]) {
        for parts in [before, after]
            .into_iter()
            .filter(|parts| !parts.is_empty())
        {
            self.digest ^= xxh3_64(parts);
        }
    }
}

fn digest(place: &[u8], meta: &Meta) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(place);
    hasher.update(&meta.version.clock.0.to_le_bytes());
    hasher.update(&meta.version.writer.0);
    if let Some(end) = meta.expires {
        hasher.update(&end.0.to_le_bytes());
    }
    if let Some(length) = meta.length {
        hasher.update(&length.to_le_bytes());
    }
    hasher.digest()
}

/// What a commit says of the whole store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seal {
    /// The commit's number, from 1.
    pub(super) commit: u64,
    /// All records after it.
    pub(super) sum: Sum,
}

impl Seal {
    pub(super) fn encode(&self) -> [u8; SEAL_BYTES] {
        let mut bytes = [0; SEAL_BYTES];
        bytes[..8].copy_from_slice(&self.commit.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.sum.records.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.sum.digest.to_le_bytes());
        bytes[24..32].copy_from_slice(&u64::from(self.sum.shared).to_le_bytes());
        let check = xxh3_64(&bytes[..32]);
        bytes[32..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    /// None when the bytes are no seal.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, check) = bytes.split_last_chunk::<8>()?;
        let [commit, records, digest, shared] = body.as_chunks::<8>().0 else {
            return None;
        };
        if body.len() != SEAL_BYTES - 8 || xxh3_64(body) != u64::from_le_bytes(*check) {
            return None;
        }
        Some(Self {
            commit: u64::from_le_bytes(*commit),
            sum: Sum {
                records: u64::from_le_bytes(*records),
                shared: u64::from_le_bytes(*shared) != 0,
                digest: u64::from_le_bytes(*digest),
            },
        })
    }
}

/// The file that names the last commit that was reported durable.
#[derive(Debug)]
pub(super) struct Witness {
    file: File,
}

impl Witness {
    /// Makes one for a store without commits.
    pub(super) fn create(dir: &Path) -> io::Result<()> {
        let file = File::create_new(dir.join(WITNESS_FILE))?;
        let witness = Self { file };
        witness.write(0)?;
        witness.file.sync_all()
    }

    /// Opens it and says what it holds; none when its bytes make no sense.
    pub(super) fn open(dir: &Path) -> io::Result<(Self, Option<u64>)> {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .open(dir.join(WITNESS_FILE))?;
        let mut bytes = [0; WITNESS_BYTES];
        let whole = match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
            Err(error) => return Err(error),
        };
        let (body, check) = bytes.split_at(8);
        let commit = u64::from_le_bytes(body.try_into().unwrap_or_default());
        let sound = whole && check == xxh3_64(body).to_le_bytes();
        Ok((Self { file }, sound.then_some(commit)))
    }

    /// Remembers that this commit was reported.
    pub(super) fn write(&self, commit: u64) -> io::Result<()> {
        let mut bytes = [0; WITNESS_BYTES];
        bytes[..8].copy_from_slice(&commit.to_le_bytes());
        let check = xxh3_64(&bytes[..8]);
        bytes[8..].copy_from_slice(&check.to_le_bytes());
        self.file.write_all_at(&bytes, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay::{Hlc, Id, Version};

    fn meta(clock: u64) -> Meta {
        Meta {
            version: Version {
                clock: Hlc(clock),
                writer: Id::ZERO,
            },
            expires: None,
            length: Some(3),
        }
    }

    #[test]
    fn a_sum_follows_what_is_exchanged() {
        let place = |key| (Id::from_u64(key), Slot::Value);
        let mut sum = Sum::default();
        sum.replace(place(1), None, Some(&meta(1)));
        sum.replace(place(2), None, Some(&meta(2)));
        sum.replace(place(1), Some(&meta(1)), Some(&meta(3)));
        sum.replace(place(2), Some(&meta(2)), None);
        let mut other = Sum::default();
        other.replace(place(1), None, Some(&meta(3)));
        assert_eq!(sum, other);
        other.vouch(b"", b"these parts");
        assert_ne!(sum, other);
        other.vouch(b"these parts", b"");
        assert_eq!(sum, other);
        other.replace(place(1), Some(&meta(3)), Some(&meta(4)));
        assert_ne!(sum, other);
    }

    #[test]
    fn a_seal_comes_back_or_is_refused() {
        let mut seal = Seal {
            commit: 7,
            ..Seal::default()
        };
        seal.sum.shared = true;
        seal.sum
            .replace((Id::ZERO, Slot::Value), None, Some(&meta(1)));
        let mut bytes = seal.encode();
        assert_eq!(Seal::decode(&bytes), Some(seal));
        bytes[3] ^= 1;
        assert_eq!(Seal::decode(&bytes), None);
        assert_eq!(Seal::decode(b"short"), None);
    }

    #[test]
    fn a_witness_remembers() {
        let dir = tempfile::tempdir().unwrap();
        Witness::create(dir.path()).unwrap();
        let (witness, commit) = Witness::open(dir.path()).unwrap();
        assert_eq!(commit, Some(0));
        witness.write(9).unwrap();
        assert_eq!(Witness::open(dir.path()).unwrap().1, Some(9));
        std::fs::write(dir.path().join(WITNESS_FILE), "torn").unwrap();
        assert_eq!(Witness::open(dir.path()).unwrap().1, None);
    }
}
