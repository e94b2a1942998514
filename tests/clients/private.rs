//! Who is served: with passkeys, of the programs on a list; and over IPv6.

use crate::bad_input::{Client, announce, failure, hash, udp_announce};
use crate::support::{SOON, Starting, alone};
use crate::{get, serving_with};
use std::net::{SocketAddr, TcpListener};
use tracker::bencode::{Order, Value, read};

/// A file with these lines, and its folder.
fn list(lines: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("list");
    std::fs::write(&path, lines).expect("a list");
    let path = path.to_str().expect("a path").to_owned();
    (folder, path)
}

#[test]
fn with_passkeys_only_who_has_one_is_served() {
    let _one = alone();
    let (_folder, path) = list("correct-horse\nsecond-key\n");
    let served = serving_with(&["--passkeys", &path]);
    let ask = |path: &str| {
        let target = announce(1, "&port=7000&left=0");
        let query = target.strip_prefix("/announce").expect("its path");
        failure(served.http, &format!("{path}{query}"))
    };
    for right in ["/correct-horse/announce", "/announce/second-key"] {
        assert_eq!(ask(right), None, "{right}");
    }
    for wrong in ["/announce", "/incorrect-horse/announce", "/announce/x"] {
        let reason = ask(wrong).unwrap_or_default();
        assert!(reason.contains("passkey"), "{wrong}: {reason:?}");
    }
    // Of whom one may not know a scrape says nothing.
    let scrape = |path: &str| {
        let target = format!("{path}/scrape?info_hash={}", hash(1));
        let body = get(served.http, &target).expect("an answer");
        String::from_utf8_lossy(&body).into_owned()
    };
    assert_eq!(scrape(""), "d5:filesdee");
    assert!(scrape("/correct-horse").contains("8:completei1e"));
    // Over UDP the path is an option behind the announce (BEP 41), in pieces of up to 255 bytes.
    let client = Client::new(served.udp);
    let id = client.connect();
    let announces = |pieces: &[&str]| {
        let mut datagram = udp_announce(id, 2, [0; 4], 7_001);
        for piece in pieces {
            datagram.extend([2, piece.len() as u8]);
            datagram.extend(piece.as_bytes());
        }
        client.ask(&datagram).expect("an answer")
    };
    assert_eq!(announces(&["/correct-horse/announce"])[3], 1);
    assert_eq!(announces(&["/announce/sec", "ond-key"])[3], 1);
    for wrong in [&[][..], &["/announce"], &["/incorrect-horse/announce"]] {
        let answer = announces(wrong);
        let text = String::from_utf8_lossy(&answer).into_owned();
        assert!(
            answer[3] == 3 && text.contains("passkey"),
            "{wrong:?}: {text}"
        );
    }
}

#[test]
fn only_clients_on_the_list_are_served() {
    let _one = alone();
    let (_folder, path) = list("-TR\n-qB\n");
    let served = serving_with(&["--allow-clients", &path]);
    let ask = |client: &str| {
        let target = announce(1, "&port=7000&left=0").replace("-XX0000-", client);
        failure(served.http, &target)
    };
    assert_eq!(ask("-TR4000-"), None);
    assert_eq!(ask("-qB4520-"), None);
    let reason = ask("-XX0000-").expect("a refusal");
    assert!(reason.contains("client"), "{reason}");
    let udp = Client::new(served.udp);
    let answer = udp.ask(&udp_announce(udp.connect(), 2, [0; 4], 7_001));
    assert_eq!(answer.map(|answer| answer[3]), Some(3), "it is -XX0000-");
}

#[test]
fn ipv6_clients_find_each_other_over_http() {
    let _one = alone();
    if TcpListener::bind("[::1]:0").is_err() {
        println!("skipped: this machine has no IPv6");
        return;
    }
    let (_node, line) =
        Starting::spawn_with("chord", None, &["--tracker-http", "[::1]:0"]).ready_line();
    let mut fields = line.split_whitespace();
    let http = fields.find_map(|field| field.strip_prefix("tracker_http="));
    let http: SocketAddr = http.and_then(|text| text.parse().ok()).expect("an address");
    let ask = |port: u16| {
        let body = get(
            http,
            &announce(1, &format!("&port={port}&left=1&key={port}")),
        );
        body.expect("an answer")
    };
    ask(7_001);
    let body = ask(7_002);
    let answer = read(&body, Order::Sorted).expect("bencoding");
    let peers = answer.get(b"peers6").and_then(Value::bytes);
    let first = [
        &std::net::Ipv6Addr::LOCALHOST.octets()[..],
        &7_001_u16.to_be_bytes(),
    ]
    .concat();
    assert_eq!(peers, Some(&first[..]), "{}", body.escape_ascii());
    assert_eq!(answer.get(b"incomplete").and_then(Value::int), Some(2));
}

/// Nobody has to wait for an answer that says no.
#[test]
fn the_dht_of_a_private_tracker_tells_of_nobody() {
    let _one = alone();
    let (_folder, path) = list("correct-horse\n");
    let served = serving_with(&["--passkeys", &path]);
    let target = announce(1, "&port=7000&left=0").replace("/announce", "/correct-horse/announce");
    assert_eq!(failure(served.http, &target), None);
    let client = crate::dht::Asker::new(served.mainline);
    let mut hash = [0; 20];
    hash[19] = 1;
    assert_eq!(client.peers(hash, false, SOON), Vec::<u16>::new());
}
