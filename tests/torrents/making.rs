//! `torrent make`: libtorrent makes the same of the same files, and bad input is told.

use crate::support::{bare, ctl_at, file_in, run};
use std::path::Path;
use std::process::Command;

/// Nobody is there: making a torrent asks no node.
const NOWHERE: &str = "127.0.0.1:1";

/// A folder with files of all sizes that matter: none, a byte, less than a block, several pieces.
fn folder(at: &Path) {
    let content: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::create_dir_all(at.join("Disc/deep/er")).expect("folders");
    file_in(&at.join("Disc"), "none", b"");
    file_in(&at.join("Disc"), "byte", b"x");
    file_in(&at.join("Disc/deep"), "block", &content[..16_384]);
    file_in(&at.join("Disc/deep/er"), "many", &content);
    file_in(at, "single.bin", &content[..70_001]);
}

#[test]
fn libtorrent_makes_the_same_of_the_same_files() {
    let at = tempfile::tempdir().expect("a folder");
    folder(at.path());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torrents/libtorrent_make.py");
    for name in ["Disc", "single.bin"] {
        for kind in ["v1", "v2", "hybrid"] {
            let out = at.path().join(format!("{name}.{kind}.torrent"));
            let mut made = bare(env!("CARGO_BIN_EXE_p2pctl"));
            made.current_dir(at.path())
                .args(["--json", "torrent", "make", name]);
            made.arg(format!("--{kind}")).arg("--out").arg(&out);
            let said = run(&mut made, None).exits(0).document();
            let mut theirs = Command::new("/usr/bin/python3");
            theirs
                .current_dir(at.path())
                .arg(&script)
                .arg(&out)
                .args([name, kind]);
            let theirs = run(&mut theirs, None).exits(0).document();
            assert_eq!(theirs["read"], theirs["made"], "{name} {kind}: {said}");
            for version in ["v1", "v2"] {
                assert_eq!(
                    theirs["made"][version], said[version],
                    "{name} {kind}: {theirs}"
                );
            }
        }
    }
}

#[test]
fn bad_input_is_told_with_what_to_type_next() {
    let at = tempfile::tempdir().expect("a folder");
    let shared = file_in(at.path(), "shared", b"content");
    let empty = file_in(at.path(), "empty", b"");
    let large = file_in(at.path(), "large.torrent", &vec![b'x'; (1 << 20) + 1]);
    let path = |path: &Path| path.to_str().expect("a path").to_owned();
    for (args, said) in [
        (
            vec!["make".to_owned(), "/no/such".to_owned()],
            "check the path",
        ),
        (vec!["make".to_owned(), path(&empty)], "something in it"),
        (
            vec![
                "make".to_owned(),
                path(&shared),
                "--out".to_owned(),
                "/no/such/f".to_owned(),
            ],
            "no folder /no/such",
        ),
        (
            vec![
                "make".to_owned(),
                path(&shared),
                "--announce".to_owned(),
                "a:1".to_owned(),
            ],
            "give one such as",
        ),
        (
            vec![
                "make".to_owned(),
                path(&shared),
                "--v1".to_owned(),
                "--v2".to_owned(),
            ],
            "cannot be used with",
        ),
        (
            vec!["make".to_owned(), path(&shared), "--private".to_owned()],
            "--announce",
        ),
        (vec!["add".to_owned(), path(&large)], "1 MiB"),
        (vec!["add".to_owned(), path(&shared)], "torrent make"),
        (
            vec!["add".to_owned(), "/no/such".to_owned()],
            "check the path",
        ),
        (
            vec!["get".to_owned(), "abc".to_owned()],
            "40 hexadecimal digits",
        ),
    ] {
        let all = || std::iter::once("torrent".to_owned()).chain(args.iter().cloned());
        ctl_at(NOWHERE, all()).exits(2).complains(said);
        let document = ctl_at(NOWHERE, std::iter::once("--json".to_owned()).chain(all()));
        let document = document.exits(2).document();
        let command = format!("torrent {}", args[0]);
        assert_eq!(document["command"], command, "{document}");
        assert_eq!(document["outcome"], "failed", "{document}");
    }
    let mut twice = bare(env!("CARGO_BIN_EXE_p2pctl"));
    twice
        .current_dir(at.path())
        .args(["torrent", "make", "shared"]);
    run(&mut twice, None).exits(0);
    run(&mut twice, None).exits(2).complains("with --out");
}
