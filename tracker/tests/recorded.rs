//! Recorded sessions of real clients: each packet is read as it was meant.
//!
//! Each file in `recorded/` is one client of Debian 12 (aria2 1.36.0, libtorrent 2.0.8, rTorrent 0.9.8,
//! qBittorrent 4.5.2, Transmission 3.00) as the seed of one torrent, from its start to its end, with a
//! node's HTTP or UDP tracker or its DHT: a packet on each line in hexadecimal, `>` to the node and `<`
//! from it.

use std::path::Path;
use tracker::{Announce, Event, http, krpc, udp};

/// The torrent that all of them share.
const HASH: &str = "8bd2fa99dc2997a6cd629ab7de6c8d6c1054dc1c";
/// The clients, and how their peer ids begin.
const CLIENTS: [(&str, &str); 5] = [
    ("aria2", "A2-1-36-0-"),
    ("libtorrent", "-LT2080-"),
    ("qbittorrent", "-qB4520-"),
    ("rtorrent", "-lt0D80-"),
    ("transmission", "-TR3000-"),
];

/// The packets to and from the node.
struct Session {
    to: Vec<Vec<u8>>,
    from: Vec<Vec<u8>>,
}

fn session(client: &str, way: &str) -> Session {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    let path = folder.join(format!("{client}.{way}.txt"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let of = |sign: &str| {
        let lines = text.lines().filter_map(|line| line.strip_prefix(sign));
        lines.map(|line| unhex(line.trim())).collect::<Vec<_>>()
    };
    let (to, from) = (of(">"), of("<"));
    assert_eq!(to.len() + from.len(), text.lines().count(), "{path:?}");
    assert!(to.len() >= 2 && !from.is_empty(), "{path:?}");
    Session { to, from }
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a digit") as u8;
    let pairs = text.as_bytes().chunks_exact(2);
    pairs
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

/// What every client says when it begins to seed, and when it ends.
fn check(announces: &[Announce], begins: &str, client: &str) {
    for announce in announces {
        assert_eq!(announce.info_hash.to_string(), HASH, "{client}");
        assert!(
            announce.peer_id.0.starts_with(begins.as_bytes()),
            "{client}: {announce:?}"
        );
        assert!(
            announce.port.is_some() && announce.is_seed(),
            "{client}: {announce:?}"
        );
        assert!(announce.key.is_some(), "{client}: {announce:?}");
    }
    let mut events: Vec<Event> = announces.iter().map(|announce| announce.event).collect();
    if client == "transmission" {
        // It says that it stops while it still looks at the file, and only then begins; killed at
        // once, it does not always come to say that it ends.
        assert_eq!(events.first(), Some(&Event::Stopped), "{events:?}");
        events.rotate_left(1);
    }
    assert_eq!(
        events.first(),
        Some(&Event::Started),
        "{client}: {events:?}"
    );
    assert_eq!(events.last(), Some(&Event::Stopped), "{client}: {events:?}");
}

#[test]
fn announces_over_http_are_understood() {
    for (client, begins) in CLIENTS {
        let mut announces = Vec::new();
        let Session { to, from } = session(client, "http");
        for packet in to {
            let line = packet.split(|byte| *byte == b'\r').next().expect("a line");
            let mut parts = line.split(|byte| *byte == b' ');
            assert_eq!(parts.next(), Some(&b"GET"[..]), "{client}");
            let target = parts.next().expect("a target");
            match http::parse(target) {
                Ok(http::Request::Announce {
                    announce, compact, ..
                }) => {
                    assert!(compact, "{client}");
                    announces.push(announce);
                }
                Ok(http::Request::Scrape { hashes, .. }) => {
                    assert_eq!(hashes[0].to_string(), HASH, "{client}");
                }
                Err(error) => panic!("{client}: {error} in {}", target.escape_ascii()),
            }
        }
        check(&announces, begins, client);
        for packet in from {
            assert!(packet.starts_with(b"HTTP/1.1 200 OK"), "{client}");
        }
    }
}

#[test]
fn datagrams_to_the_tracker_are_understood() {
    for (client, begins) in CLIENTS {
        let (mut announces, mut ids) = (Vec::new(), Vec::new());
        let Session { to, from } = session(client, "udp");
        for packet in &from {
            if let [0, 0, 0, 0, _, _, _, _, id @ ..] = packet.as_slice() {
                ids.push(u64::from_be_bytes(id.try_into().expect("eight bytes")));
            }
        }
        for packet in &to {
            match udp::parse(packet) {
                Ok(udp::Request::Connect { .. }) => {}
                Ok(udp::Request::Announce {
                    connection,
                    announce,
                    ..
                }) => {
                    assert!(
                        ids.contains(&connection),
                        "{client}: an id that was given out"
                    );
                    announces.push(announce);
                }
                Ok(udp::Request::Scrape {
                    connection, hashes, ..
                }) => {
                    assert!(ids.contains(&connection), "{client}");
                    assert_eq!(hashes[0].to_string(), HASH, "{client}");
                }
                Err(error) => panic!("{client}: {error:?} in {}", packet.escape_ascii()),
            }
        }
        check(&announces, begins, client);
    }
}

#[test]
fn messages_of_the_dht_are_understood() {
    for (client, _) in CLIENTS {
        let Session { to, from } = session(client, "dht");
        let (mut searched, mut announced) = (0, 0);
        for packet in &to {
            let read = krpc::parse(packet);
            let read = read
                .unwrap_or_else(|error| panic!("{client}: {error} in {}", packet.escape_ascii()));
            let krpc::Body::Query { query, .. } = read.body else {
                // It answers the node's own questions.
                continue;
            };
            match query {
                krpc::Query::GetPeers { info_hash, .. } if info_hash.to_string() == HASH => {
                    searched += 1;
                }
                krpc::Query::AnnouncePeer { info_hash, .. } => {
                    assert_eq!(info_hash.to_string(), HASH, "{client}");
                    announced += 1;
                }
                _ => {}
            }
        }
        assert!(
            searched > 0 && announced > 0,
            "{client}: {searched} and {announced}"
        );
        for packet in &from {
            assert!(
                krpc::parse(packet).is_ok(),
                "{client}: {}",
                packet.escape_ascii()
            );
        }
    }
}
