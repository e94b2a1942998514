//! What a search by words says of torrents: a magnet link each, and who shares it.

use super::hex;
use crate::control::session::Session;
use crate::control::window::Window;
use crate::control::{ControlBody, ReplyBody};
use crate::ctl::holders::printable;
use crate::ctl::output::count_of;
use crate::ctl::{Asking, CtlError};
use crate::runtime::wall;
use indicatif::{DecimalBytes, HumanCount};
use overlay::{Consistency, HitKind, HolderInfo, Id, Outcome, Reply, Request, TextHit, WallMs};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tracker::InfoHash;
use tracker::exchange::{MAX_PUBLISHERS, tally};
use tracker::metainfo::{Description, short};
use tracker::table::Counts;

/// Most torrents whose clients are counted in one search: each costs a question to the overlay, and
/// nobody reads more. It is the number of results that are listed unless told otherwise.
const MAX_COUNTED: usize = 100;
/// Questions under way at a time.
const IN_FLIGHT: usize = 32;

/// A torrent among the results of a search.
#[derive(Debug)]
pub(in crate::ctl) struct Listed {
    description: Description,
    hash: InfoHash,
    /// Who shares it; none when that could not be found out.
    counts: Option<Counts>,
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

    pub(in crate::ctl) fn json(&self) -> Value {
        let Description {
            name,
            length,
            files,
            is_v1,
            v2,
        } = &self.description;
        json!({
            "name": name, "length": length, "files": files,
            "v1": is_v1.then(|| self.hash.to_string()), "v2": v2.map(|v2| hex(&v2)),
            "magnet": self.description.magnet(self.hash),
            "seeders": self.counts.map(|counts| counts.complete),
            "leechers": self.counts.map(|counts| counts.incomplete),
        })
    }

    /// What a person reads of it: a line, and the link.
    pub(in crate::ctl) fn lines(&self) -> [String; 2] {
        let shared = match self.counts {
            Some(counts) => format!(
                "{}, {}",
                count_of(counts.complete, "seeder"),
                count_of(counts.incomplete, "leecher")
            ),
            None => "seeders unknown".to_owned(),
        };
        let Description {
            name,
            length,
            files,
            ..
        } = &self.description;
        let counted = format!(
            "{} {}",
            HumanCount((*files).into()),
            if *files == 1 { "file" } else { "files" }
        );
        let line = format!(
            "torrent {}  {counted} of {}, {shared}",
            printable(name),
            DecimalBytes(*length)
        );
        [line, self.description.magnet(self.hash)]
    }
}

/// The torrents among the results, by their place in the list, with their counts.
pub(in crate::ctl) async fn torrents(
    asking: &Asking,
    session: &mut Session,
    hits: &[TextHit],
) -> Result<BTreeMap<usize, Listed>, CtlError> {
    let mut listed: BTreeMap<usize, Listed> = hits
        .iter()
        .enumerate()
        .filter_map(|(place, hit)| Some((place, Listed::of(hit)?)))
        .collect();
    let swarms: Vec<(usize, Id)> = listed
        .iter()
        .take(MAX_COUNTED)
        .flat_map(|(place, torrent)| torrent.swarms().map(|key| (*place, key)))
        .collect();
    let mut to_ask = swarms.into_iter();
    let window = Window {
        session,
        limit: IN_FLIGHT,
        timeout: asking.timeout,
    };
    let wall = wall();
    let next = || {
        let (place, key) = to_ask.next()?;
        let request = Request::Search {
            key,
            limit: MAX_PUBLISHERS,
            consistency: Consistency::Quorum,
        };
        Some((place, ControlBody::Data(request)))
    };
    let ran = window.run(next, |place, answer, _| {
        if let (Ok(ReplyBody::Data(Reply::Searched(report))), Some(torrent)) =
            (answer, listed.get_mut(&place))
            && let Some(counts) = counts(report.outcome, &report.holders, wall)
        {
            // Clients of both versions are in both swarms: they count once.
            let before = torrent.counts.unwrap_or_default();
            torrent.counts = Some(Counts {
                complete: before.complete.max(counts.complete),
                incomplete: before.incomplete.max(counts.incomplete),
                ..counts
            });
        }
    });
    ran.await.map_err(CtlError::Unanswered)?;
    Ok(listed)
}

/// Nobody is a count when it is proven.
fn counts(outcome: Outcome, holders: &[HolderInfo], wall: WallMs) -> Option<Counts> {
    match outcome {
        Outcome::Unknown if holders.is_empty() => None,
        _ => Some(tally(holders, wall)),
    }
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
            name: "Ubuntu\u{1b}[31m".to_owned(),
            files: 1,
            names: Vec::new(),
            length: 2_000_000,
            trackers: Vec::new(),
        };
        let text = Description::encode(&metainfo);
        let mut listed = Listed::of(&hit(text.clone(), InfoHash([7; 20]))).expect("a torrent");
        assert_eq!(listed.swarms().count(), 1);
        let [line, link] = listed.lines();
        assert_eq!(
            line,
            "torrent Ubuntu [31m  1 file of 2.00 MB, seeders unknown"
        );
        assert!(link.starts_with("magnet:?xt=urn:btmh:1220070707"), "{link}");
        listed.counts = Some(Counts {
            complete: 1,
            ..Counts::default()
        });
        assert!(listed.lines()[0].ends_with("1 seeder, 0 leechers"));
        assert!(Listed::of(&hit(text, InfoHash([8; 20]))).is_none());
        assert!(Listed::of(&hit("torrent of words".to_owned(), InfoHash([7; 20]))).is_none());
        metainfo.v1 = Some(InfoHash([8; 20]));
        let both = Listed::of(&hit(Description::encode(&metainfo), InfoHash([8; 20])));
        assert_eq!(both.expect("a torrent").swarms().count(), 2);
    }

    #[test]
    fn nobody_is_said_only_when_it_is_proven() {
        let none = |outcome| counts(outcome, &[], WallMs(0));
        assert_eq!(none(Outcome::Absent), Some(Counts::default()));
        assert_eq!(none(Outcome::Unknown), None);
    }
}
