//! Torrents that are made, read and described.

use super::*;
use crate::bencode::Malformed;
use overlay::{Id, MAX_TEXT_BYTES};
use proptest::prelude::*;

fn source(path: &str, length: u64) -> Source {
    let parts = path.split('/').filter(|part| !part.is_empty());
    Source {
        path: parts.map(str::to_owned).collect(),
        length,
    }
}

/// Files whose bytes are all alike.
fn make(kind: Kind, files: &[(&str, u64)]) -> Made {
    let plan = Plan {
        kind,
        name: "shared".to_owned(),
        piece_bytes: LEAST_PIECE_BYTES,
        trackers: vec![
            "http://192.0.2.1/announce".to_owned(),
            "udp://192.0.2.2:1".to_owned(),
        ],
        private: false,
        files: files
            .iter()
            .map(|(path, length)| source(path, *length))
            .collect(),
    };
    let mut maker = Maker::new(plan.check().unwrap());
    for file in maker.files().to_vec() {
        for _ in 0..file.length {
            maker.push(b"x");
        }
        maker.end_file().unwrap();
    }
    maker.finish()
}

#[test]
fn a_torrent_of_one_small_file_is_what_bep_3_says() {
    let made = make(Kind::V1, &[("", 3)]);
    let piece = Id::of(b"xxx").0;
    let info = [
        &b"d6:lengthi3e4:name6:shared12:piece lengthi16384e6:pieces20:"[..],
        &piece,
        b"e",
    ]
    .concat();
    let hash = Id::of(&info).0;
    assert_eq!(made.v1.map(|hash| hash.0), Some(hash));
    assert!(made.bytes.ends_with(&[&info[..], b"e"].concat()));
    let read = Metainfo::parse(&made.bytes).unwrap();
    assert_eq!(
        (read.v1, read.v2, read.length, read.files),
        (made.v1, None, 3, 1)
    );
    assert_eq!((read.name.as_str(), read.trackers.len()), ("shared", 2));
    assert_eq!(
        read.magnet(),
        format!(
            "magnet:?xt=urn:btih:{}&dn=shared&xl=3&tr=http%3A%2F%2F192.0.2.1%2Fannounce&tr=udp%3A%2F%2F192.0.2.2%3A1",
            made.hash()
        )
    );
}

#[test]
fn what_is_made_is_read_back_in_every_version() {
    let files = [
        ("b/deep/two.txt", 20_000),
        ("a.txt", 1),
        ("b/one.txt", 40_000),
        ("empty", 0),
    ];
    for kind in [Kind::V1, Kind::V2, Kind::Hybrid] {
        let made = make(kind, &files);
        let read = Metainfo::parse(&made.bytes).unwrap();
        assert_eq!((read.v1, read.v2), (made.v1, made.v2), "{kind:?}");
        assert_eq!((read.length, read.files), (60_001, 4), "{kind:?}");
        assert_eq!(
            read.names,
            ["a.txt", "two.txt", "one.txt", "empty"],
            "{kind:?}"
        );
        assert_eq!(
            read.hashes().count(),
            if kind == Kind::Hybrid { 2 } else { 1 }
        );
    }
}

#[test]
fn impossible_plans_are_refused() {
    let plan = |files: &[(&str, u64)]| Plan {
        kind: Kind::Hybrid,
        name: "n".to_owned(),
        piece_bytes: LEAST_PIECE_BYTES,
        trackers: Vec::new(),
        private: true,
        files: files
            .iter()
            .map(|(path, length)| source(path, *length))
            .collect(),
    };
    assert!(plan(&[("a", 1)]).check().is_ok());
    assert_eq!(plan(&[("a", 0)]).check().unwrap_err(), PlanError::Empty);
    for files in [
        [("a", 1), ("a", 1)],
        [("a/b", 1), ("a", 1)],
        [("", 1), ("a", 1)],
        [("a/../b", 1), ("c", 1)],
    ] {
        assert!(
            matches!(plan(&files).check(), Err(PlanError::Path(_))),
            "{files:?}"
        );
    }
    for piece_bytes in [0, 1 << 13, 20_000, 1 << 25] {
        let wrong = Plan {
            piece_bytes,
            ..plan(&[("a", 1)])
        };
        assert_eq!(wrong.check().unwrap_err(), PlanError::Piece);
    }
    let mut maker = Maker::new(plan(&[("a", 2)]).check().unwrap());
    maker.push(b"x");
    assert_eq!(maker.end_file(), Err(PlanError::Changed("a".to_owned())));
}

#[test]
fn pieces_fit_the_size() {
    assert_eq!(piece_bytes_for(0), LEAST_PIECE_BYTES);
    assert_eq!(piece_bytes_for(20 << 20), 16 << 10);
    assert_eq!(piece_bytes_for(4 << 30), 2 << 20);
    assert_eq!(piece_bytes_for(u64::MAX), MOST_PIECE_BYTES);
}

#[test]
fn only_torrent_files_are_taken() {
    let whole = make(Kind::Hybrid, &[("a", 50_000), ("b", 1)]).bytes;
    for end in 0..whole.len() {
        assert!(Metainfo::parse(&whole[..end]).is_err(), "{end}");
    }
    let longer = [&whole[..], b"x"].concat();
    assert_eq!(Metainfo::parse(&longer), Err(Malformed::Trailing(1).into()));
    let twice = b"d4:infod4:name1:a6:pieces0:e4:infod4:name1:b6:pieces0:ee";
    assert_eq!(Metainfo::parse(twice), Err(Malformed::Duplicate.into()));
    for wrong in [
        &b"de"[..],
        b"i1e",
        b"d4:infodee",
        b"d4:infod4:name1:aee",
        b"d4:infoi1ee",
    ] {
        let read = Metainfo::parse(wrong);
        assert!(
            matches!(read, Err(MetainfoError::Wrong(_))),
            "{}",
            wrong.escape_ascii()
        );
    }
}

#[test]
fn descriptions_are_found_by_names_and_give_links() {
    let made = make(Kind::Hybrid, &[("disc/ubuntu.iso", 9), ("readme", 1)]);
    let read = Metainfo::parse(&made.bytes).unwrap();
    let text = Description::encode(&read);
    assert!(
        text.starts_with("torrent ") && text.ends_with(" shared\nubuntu.iso\nreadme"),
        "{text}"
    );
    let described = Description::decode(&text).unwrap();
    assert_eq!(
        (described.length, described.files, described.v2),
        (10, 2, made.v2)
    );
    let link = described.magnet(made.hash());
    assert!(link.starts_with(&format!(
        "magnet:?xt=urn:btih:{}&xt=urn:btmh:1220",
        made.hash()
    )));
    assert!(link.ends_with("&dn=shared&xl=10"), "{link}");
    for other in [
        "",
        "torrent",
        "torrent x y",
        "torrent ~~~~ name",
        "a torrent of words",
    ] {
        assert_eq!(Description::decode(other), None, "{other}");
    }
}

proptest! {
    #[test]
    fn long_names_are_cut_and_still_described(name in "\\PC{0,1200}", files in prop::collection::vec("[a-z -]{0,80}", 0..70)) {
        let metainfo = Metainfo {
            v1: Some(crate::InfoHash([7; 20])), v2: None, name, files: files.len(), names: files,
            length: 5, trackers: Vec::new(),
        };
        let text = Description::encode(&metainfo);
        prop_assert!(text.len() <= MAX_TEXT_BYTES);
        prop_assert!(overlay::words::Words::parse(&text).is_ok());
        let described = Description::decode(&text).unwrap();
        prop_assert_eq!((described.length, described.is_v1), (5, true));
    }

    #[test]
    fn damaged_torrents_do_not_panic(at in 0_usize..400, byte: u8, cut in 0_usize..400) {
        let mut bytes = make(Kind::Hybrid, &[("a/b", 17_000), ("c", 1)]).bytes;
        let length = bytes.len();
        bytes[at % length] = byte;
        bytes.truncate(length - cut % length);
        if let Ok(read) = Metainfo::parse(&bytes) {
            prop_assert!(Description::encode(&read).len() <= MAX_TEXT_BYTES);
        }
    }
}
