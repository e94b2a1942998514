//! Torrent files through real processes: made, stored, found by their words, and got back.

#[path = "../support/mod.rs"]
mod support;

mod making;

use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use support::{Node, SOON, Starting, alone, file_in, settle, wait_until};

/// Four nodes, of which the first is a tracker, too.
fn nodes(overlay: &str) -> (Vec<Node>, SocketAddr) {
    let tracker = ["--tracker-http", "127.0.0.1:0"];
    let (founder, line) = Starting::spawn_with(overlay, None, &tracker).ready_line();
    let mut fields = line.split_whitespace();
    let http = fields.find_map(|field| field.strip_prefix("tracker_http="));
    let http = http.expect("a tracker").parse().expect("its address");
    let join = Some(founder.listen);
    let starting: Vec<_> = (0..3).map(|_| Starting::spawn(overlay, join)).collect();
    let mut nodes = vec![founder];
    nodes.extend(starting.into_iter().map(Starting::ready));
    settle(&nodes);
    (nodes, http)
}

/// A client announces.
fn announce(tracker: SocketAddr, hash: &str, port: u16, left: u32) {
    let digits: Vec<char> = hash.chars().collect();
    let escaped: String = digits
        .chunks(2)
        .flat_map(|pair| ['%', pair[0], pair[1]])
        .collect();
    let mut stream = TcpStream::connect(tracker).expect("a connection");
    write!(
        stream,
        "GET /announce?info_hash={escaped}&peer_id=-XX0000-{port:012}&port={port}&left={left} \
         HTTP/1.0\r\n\r\n"
    )
    .expect("room");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(!answer.contains("failure"), "{answer}");
}

/// Makes a torrent of a file; gives its path and what was said.
fn make(node: &Node, folder: &Path, name: &str, kind: &str) -> (PathBuf, Value) {
    let shared = file_in(folder, name, name.repeat(9_000).as_bytes());
    let out = folder.join(format!("{name}.{}.torrent", kind.trim_start_matches('-')));
    let args = [
        "torrent".as_ref(),
        "make".as_ref(),
        shared.as_os_str(),
        kind.as_ref(),
        "--out".as_ref(),
        out.as_os_str(),
    ];
    let said = node.json(args).exits(0).document();
    (out, said)
}

fn add(node: &Node, torrent: &Path) -> Value {
    let args = ["torrent".as_ref(), "add".as_ref(), torrent.as_os_str()];
    node.json(args).exits(0).document()
}

/// The results of a search, when there are so many.
fn listed(node: &Node, words: &str, count: usize) -> Result<Vec<Value>, String> {
    let answer = node.json(["search", "--text", words]).document();
    let results = answer["results"].as_array().cloned().unwrap_or_default();
    if results.len() == count {
        Ok(results)
    } else {
        Err(answer.to_string())
    }
}

fn torrents_are_found_through_every_node(overlay: &str) {
    let _one = alone();
    let (nodes, tracker) = nodes(overlay);
    let folder = tempfile::tempdir().expect("a folder");
    let mut made = Vec::new();
    for (number, (name, kind)) in [
        ("Ubuntu_24.iso", "--v1"),
        ("ubuntu-arm.iso", "--v2"),
        ("debian.iso", "--hybrid"),
    ]
    .into_iter()
    .enumerate()
    {
        let (torrent, said) = make(&nodes[number], folder.path(), name, kind);
        let stored = add(&nodes[number], &torrent);
        assert_eq!(stored["key"], said["info_hash"], "{stored}");
        assert_eq!(stored["torrent"]["name"], *name);
        assert!(stored["replicas_durable"].as_u64() >= Some(2), "{stored}");
        made.push((torrent, said));
    }
    let hash = made[0].1["info_hash"].as_str().expect("a hash");
    announce(tracker, hash, 7_001, 0);
    announce(tracker, hash, 7_002, 0);
    announce(tracker, hash, 7_003, 9);
    for node in &nodes {
        wait_until("the swarm is counted", SOON, || {
            let results = listed(node, "ubuntu iso", 2)?;
            let of = |result: &&Value| result["key"] == hash;
            let found = results.iter().find(of).ok_or("not that torrent")?;
            let torrent = &found["torrent"];
            assert_eq!(torrent["magnet"], made[0].1["magnet"]);
            assert_eq!(
                (&torrent["v1"], &torrent["files"]),
                (&hash.into(), &1.into())
            );
            if (&torrent["seeders"], &torrent["leechers"]) == (&2.into(), &1.into()) {
                Ok(())
            } else {
                Err(found.to_string())
            }
        });
        let hybrid = &listed(node, "debian", 1).expect("one, though it has two hashes")[0];
        assert_eq!(hybrid["torrent"]["magnet"], made[2].1["magnet"]);
        // That nobody shares it is proven where that can be proven.
        let nobody = &hybrid["torrent"]["seeders"];
        let expected: Value = if overlay == "gnutella" {
            Value::Null
        } else {
            0.into()
        };
        assert_eq!(*nobody, expected, "{hybrid}");
        for (torrent, said) in &made {
            for hash in [&said["v1"], &said["v2"]]
                .into_iter()
                .filter_map(Value::as_str)
            {
                got_back(node, hash, torrent);
            }
        }
    }
    let shown = nodes[1].ctl(["search", "--text", "ubuntu 24"]).exits(0);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("2 seeders, 1 leecher\n"), "{shown}");
    assert!(shown.contains(" magnet:?xt=urn:btih:"), "{shown}");
}

fn got_back(node: &Node, hash: &str, torrent: &Path) {
    let out = torrent.with_extension("back");
    let args = ["torrent", "get", hash, "--out"];
    let args = args
        .iter()
        .map(std::ffi::OsStr::new)
        .chain([out.as_os_str()]);
    let said = node.json(args).exits(0).document();
    assert_eq!(said["outcome"], "found", "{said}");
    assert!(said["replicas_answered"].as_u64() >= Some(1), "{said}");
    let (back, sent) = (std::fs::read(&out), std::fs::read(torrent));
    assert_eq!(back.expect("what came"), sent.expect("what went"));
    std::fs::remove_file(&out).expect("it was there");
}

fn what_is_not_there_or_not_right_is_not_taken(overlay: &str) {
    let _one = alone();
    let (nodes, _) = nodes(overlay);
    let nobody = "00".repeat(20);
    let absent = if overlay == "gnutella" { 3 } else { 1 };
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out.torrent");
    let get = |hash: &str| {
        let args = ["torrent", "get", hash, "--out"].map(std::ffi::OsString::from);
        nodes[1].json(args.into_iter().chain([out.clone().into_os_string()]))
    };
    let said = get(&nobody).exits(absent).document();
    assert!(
        said["replicas_asked"].is_u64() && said["value_base64"].is_null(),
        "{said}"
    );
    // Under its hash, but of another torrent; and no torrent at all.
    let (torrent, _) = make(&nodes[0], folder.path(), "forged.bin", "--v1");
    let forged = torrent.to_str().expect("a path");
    nodes[0]
        .json(["put", "--hex", &nobody, "--file", forged])
        .exits(0);
    let said = get(&nobody).exits(3).document();
    assert!(
        said["reason"]
            .as_str()
            .expect("why")
            .contains("another hash"),
        "{said}"
    );
    nodes[0]
        .json(["put", "--hex", &nobody, "no torrent"])
        .exits(0);
    let said = get(&nobody).exits(3).document();
    assert_eq!(
        (&said["outcome"], &said["torrent"]),
        (&"unknown".into(), &Value::Null)
    );
    assert!(!out.exists(), "nothing is written of what was not taken");
    let text = nodes[1].ctl(["torrent", "get", &nobody]).exits(3);
    assert!(text.stdout.is_empty());
    text.complains("no torrent");
    // A hash of version 2 of which only the beginning is right.
    let (torrent, said) = make(&nodes[0], folder.path(), "second.bin", "--v2");
    add(&nodes[0], &torrent);
    let whole = said["v2"].as_str().expect("a hash");
    let other = format!("{}{}", &whole[..40], "0".repeat(24));
    get(&other).exits(3);
    get(whole).exits(0);
}

#[test]
fn chord_lists_torrents() {
    torrents_are_found_through_every_node("chord");
}

#[test]
fn pastry_lists_torrents() {
    torrents_are_found_through_every_node("pastry");
}

#[test]
fn gnutella_lists_torrents() {
    torrents_are_found_through_every_node("gnutella");
}

#[test]
fn chord_gives_no_other_torrent() {
    what_is_not_there_or_not_right_is_not_taken("chord");
}

#[test]
fn pastry_gives_no_other_torrent() {
    what_is_not_there_or_not_right_is_not_taken("pastry");
}

#[test]
fn gnutella_gives_no_other_torrent() {
    what_is_not_there_or_not_right_is_not_taken("gnutella");
}
