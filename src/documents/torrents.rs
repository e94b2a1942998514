//! Torrents among what a search by words finds: a magnet link each, and who shares it.

use super::HexId;
use overlay::{Consistency, HitKind, Id, Outcome, Request, SearchReport, TextHit, WallMs};
use serde::Serialize;
use std::collections::BTreeMap;
use tracker::InfoHash;
use tracker::exchange::{MAX_PUBLISHERS, tally};
use tracker::metainfo::{Description, short};
use tracker::table::Counts;
use utoipa::ToSchema;

/// Most torrents whose clients are counted in one search: each costs a question to the overlay, and
/// nobody reads more. It is the number of results that are listed unless told otherwise.
const MAX_COUNTED: usize = 100;
/// Questions under way at a time.
pub(crate) const IN_FLIGHT: usize = 32;

/// A torrent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Torrent {
    name: String,
    /// Bytes of all its files.
    length: u64,
    files: u32,
    /// Its info-hash of version 1, if it has one.
    #[schema(value_type = Option<HexId>)]
    v1: Option<String>,
    /// Its info-hash of version 2, if it has one: 64 hexadecimal digits.
    v2: Option<String>,
    magnet: String,
    /// Clients with all of it; none when that could not be found out.
    seeders: Option<u64>,
    /// Clients with less.
    leechers: Option<u64>,
}

/// A torrent among the results of a search.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) description: Description,
    hash: InfoHash,
    /// Who shares it; none when that could not be found out.
    pub(crate) counts: Option<Counts>,
}

impl Listed {
    /// Reads a result; none when it is no torrent.
    fn of(hit: &TextHit) -> Option<Self> {
        if !matches!(hit.kind, HitKind::Value { .. }) {
            return None;
        }
        let description = Description::decode(&hit.text)?;
        let hash = InfoHash(hit.key.0);
        // One of version 2 alone is under the beginning of its hash.
        let is_right = description.is_v1 || description.v2.map(|v2| short(&v2)) == Some(hash);
        is_right.then_some(Self {
            description,
            hash,
            counts: None,
        })
    }

    /// The keys under which its clients are: of one of both versions there are two.
    fn swarms(&self) -> impl Iterator<Item = Id> {
        let v2 = self.description.v2.map(|v2| short(&v2));
        let second = v2.filter(|hash| *hash != self.hash);
        std::iter::once(self.hash).chain(second).map(Id::from)
    }

    /// Takes what is known of one of its swarms.
    pub(crate) fn heard(&mut self, report: &SearchReport, wall: WallMs) {
        let Some(counts) = counts(report, wall) else {
            return;
        };
        // Clients of both versions are in both swarms: they count once.
        let before = self.counts.unwrap_or_default();
        self.counts = Some(Counts {
            complete: before.complete.max(counts.complete),
            incomplete: before.incomplete.max(counts.incomplete),
            ..counts
        });
    }

    pub(crate) fn magnet(&self) -> String {
        self.description.magnet(self.hash)
    }
}

impl From<&Listed> for Torrent {
    fn from(listed: &Listed) -> Self {
        let Description {
            name,
            length,
            files,
            is_v1,
            v2,
        } = &listed.description;
        Self {
            name: name.clone(),
            length: *length,
            files: *files,
            v1: is_v1.then(|| listed.hash.to_string()),
            v2: v2.map(|v2| hex(&v2)),
            magnet: listed.magnet(),
            seeders: listed.counts.map(|counts| counts.complete),
            leechers: listed.counts.map(|counts| counts.incomplete),
        }
    }
}

/// The torrents among results, by their place in the list.
pub(crate) fn among(hits: &[TextHit]) -> BTreeMap<usize, Listed> {
    let torrents = hits.iter().enumerate();
    let torrents = torrents.filter_map(|(place, hit)| Some((place, Listed::of(hit)?)));
    torrents.collect()
}

/// What to ask the overlay about them, so that [`Listed::heard`] can count.
pub(crate) fn swarm_questions(torrents: &BTreeMap<usize, Listed>) -> Vec<(usize, Request)> {
    let counted = torrents.iter().take(MAX_COUNTED);
    let swarms = counted.flat_map(|(place, torrent)| torrent.swarms().map(|key| (*place, key)));
    let asked = swarms.map(|(place, key)| {
        let request = Request::Search {
            key,
            limit: MAX_PUBLISHERS,
            consistency: Consistency::Quorum,
        };
        (place, request)
    });
    asked.collect()
}

/// Nobody is a count when it is proven.
fn counts(report: &SearchReport, wall: WallMs) -> Option<Counts> {
    match report.outcome {
        Outcome::Unknown if report.holders.is_empty() => None,
        _ => Some(tally(InfoHash(report.key.0), &report.holders, wall)),
    }
}

/// Bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay::Version;
    use tracker::metainfo::Metainfo;

    fn hit(text: String, key: InfoHash) -> TextHit {
        TextHit {
            key: key.into(),
            indexed: None,
            text,
            kind: HitKind::Value {
                version: Version::default(),
                size: 7,
            },
        }
    }

    #[test]
    fn a_torrent_is_listed_with_its_link_and_what_claims_another_hash_is_not() {
        let mut metainfo = Metainfo {
            v1: None,
            v2: Some([7; 32]),
            name: "Ubuntu".to_owned(),
            files: 1,
            names: Vec::new(),
            length: 2_000_000,
            trackers: Vec::new(),
        };
        let text = Description::encode(&metainfo);
        let listed = Listed::of(&hit(text.clone(), InfoHash([7; 20]))).expect("a torrent");
        assert_eq!(listed.swarms().count(), 1);
        let link = listed.magnet();
        assert!(link.starts_with("magnet:?xt=urn:btmh:1220070707"), "{link}");
        let document = Torrent::from(&listed);
        assert_eq!((document.v1, document.seeders), (None, None));
        assert!(Listed::of(&hit(text, InfoHash([8; 20]))).is_none());
        assert!(Listed::of(&hit("torrent of words".to_owned(), InfoHash([7; 20]))).is_none());
        metainfo.v1 = Some(InfoHash([8; 20]));
        let both = Listed::of(&hit(Description::encode(&metainfo), InfoHash([8; 20])));
        assert_eq!(both.expect("a torrent").swarms().count(), 2);
    }

    #[test]
    fn nobody_is_said_only_when_it_is_proven() {
        let none = |outcome| {
            let report = SearchReport {
                key: Id([7; 20]),
                outcome,
                holders: Vec::new(),
                replicas_answered: 0,
                replicas_asked: 3,
                reason: None,
                reached: None,
            };
            counts(&report, WallMs(0))
        };
        assert_eq!(none(Outcome::Absent), Some(Counts::default()));
        assert_eq!(none(Outcome::Unknown), None);
    }
}
