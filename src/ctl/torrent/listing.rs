//! What a search by words says of torrents: a magnet link each, and who shares it.

use crate::control::session::Session;
use crate::control::window::Window;
use crate::control::{ControlBody, ReplyBody};
use crate::ctl::holders::printable;
use crate::ctl::output::count_of;
use crate::ctl::{Asking, CtlError};
use crate::documents::torrents::{IN_FLIGHT, Listed, among, swarm_questions};
use crate::runtime::wall;
use indicatif::{DecimalBytes, HumanCount};
use overlay::{Reply, TextHit};
use std::collections::BTreeMap;
use tracker::metainfo::Description;

/// What a person reads of a torrent: a line, and the link.
pub(in crate::ctl) fn lines(torrent: &Listed) -> [String; 2] {
    let shared = match torrent.counts {
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
    } = &torrent.description;
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
    [line, torrent.magnet()]
}

/// The torrents among the results, by their place in the list, with their counts.
pub(in crate::ctl) async fn torrents(
    asking: &Asking,
    session: &mut Session,
    hits: &[TextHit],
) -> Result<BTreeMap<usize, Listed>, CtlError> {
    let mut listed = among(hits);
    let mut to_ask = swarm_questions(&listed).into_iter();
    let window = Window {
        session,
        limit: IN_FLIGHT,
        timeout: asking.timeout,
    };
    let wall = wall();
    let next = || {
        let (place, request) = to_ask.next()?;
        Some((place, ControlBody::Data(request)))
    };
    let ran = window.run(next, |place, answer, _| {
        if let (Ok(ReplyBody::Data(Reply::Searched(report))), Some(torrent)) =
            (answer, listed.get_mut(&place))
        {
            torrent.heard(&report, wall);
        }
    });
    ran.await.map_err(CtlError::Unanswered)?;
    Ok(listed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay::{HitKind, Version};
    use tracker::InfoHash;
    use tracker::metainfo::Metainfo;
    use tracker::table::Counts;

    #[test]
    fn a_line_says_what_it_is_and_who_shares_it() {
        let metainfo = Metainfo {
            v1: None,
            v2: Some([7; 32]),
            name: "Ubuntu\u{1b}[31m".to_owned(),
            files: 1,
            names: Vec::new(),
            length: 2_000_000,
            trackers: Vec::new(),
        };
        let hit = TextHit {
            key: InfoHash([7; 20]).into(),
            indexed: None,
            text: Description::encode(&metainfo),
            kind: HitKind::Value {
                version: Version::default(),
                size: 7,
            },
        };
        let mut listed = among(&[hit]).remove(&0).expect("a torrent");
        let [line, _] = lines(&listed);
        assert_eq!(
            line,
            "torrent Ubuntu [31m  1 file of 2.00 MB, seeders unknown"
        );
        listed.counts = Some(Counts {
            complete: 1,
            ..Counts::default()
        });
        assert!(lines(&listed)[0].ends_with("1 seeder, 0 leechers"));
    }
}
