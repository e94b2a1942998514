//! What whoever runs a tracker relies on: proxies, metrics, lists.

use crate::bad_input::{Client, announce, failure, hash, udp_announce};
use crate::support::{Node, SOON, alone, wait_until};
use crate::{Served, get, serving, serving_with};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;

#[test]
fn only_a_trusted_proxy_says_who_its_client_is() {
    let _one = alone();
    let ask = |served: &Served, port: u16, from: &str| {
        let target = announce(1, &format!("&port={port}&left=1&key={port}"));
        let mut stream = TcpStream::connect(served.http).expect("a connection");
        stream.set_read_timeout(Some(SOON)).expect("a time-out");
        let rest = format!("X-Forwarded-For: {from}\r\nConnection: close\r\n\r\n");
        write!(stream, "GET {target} HTTP/1.1\r\n{rest}").expect("room");
        let mut text = Vec::new();
        stream.read_to_end(&mut text).expect("an answer");
        text
    };
    let has = |text: &[u8], peer: &[u8]| text.windows(peer.len()).any(|part| part == peer);
    let one = [203, 0, 113, 9, 0x1b, 0x59];
    let served = serving_with(&[
        "--tracker-proxy-header",
        "X-Forwarded-For",
        "--tracker-trusted-proxy",
        "127.0.0.0/8",
    ]);
    ask(&served, 7_001, "6.6.6.6, 203.0.113.9, 127.0.0.9");
    let answer = ask(&served, 7_002, "203.0.113.10");
    assert!(has(&answer, &one), "{}", answer.escape_ascii());
    let answer = ask(&served, 7_003, "unknown");
    assert!(
        answer.starts_with(b"HTTP/1.1 400 "),
        "{}",
        answer.escape_ascii()
    );
    // Without the flags it says nothing.
    let served = serving(None);
    ask(&served, 7_001, "203.0.113.9");
    let answer = ask(&served, 7_002, "203.0.113.10");
    let local = [127, 0, 0, 1, 0x1b, 0x59];
    assert!(has(&answer, &local), "{}", answer.escape_ascii());
}

#[test]
fn what_was_refused_and_answered_is_on_the_page_of_metrics() {
    let _one = alone();
    let flags = ["--http", "127.0.0.1:0", "--swarm-announce-rate", "1"];
    let served = serving_with(&flags);
    let good = announce(1, "&port=7000&left=0");
    let answers: Vec<_> = (0..60).map(|_| failure(served.http, &good)).collect();
    let refused = answers.iter().flatten().collect::<Vec<_>>();
    assert!(!refused.is_empty(), "a swarm takes 50 at once");
    assert!(refused[0].contains("announced too often"), "{refused:?}");
    failure(served.http, "/announce?left=-1");
    get(served.http, &format!("/scrape?info_hash={}", hash(1))).expect("an answer");
    let client = Client::new(served.udp);
    assert_eq!(client.ask(&udp_announce(7, 0, [0; 4], 7_000)), None);
    let at = served.page.expect("an address for the metrics");
    let count = refused.len();
    for line in [
        &*format!("p2p_tracker_announces_total{{front_end=\"http\",outcome=\"refused\"}} {count}"),
        &format!(
            "p2p_tracker_refused_total{{front_end=\"http\",reason=\"swarm_too_often\"}} {count}"
        ),
        "p2p_tracker_errors_total{front_end=\"http\"} 1",
        "p2p_tracker_scrapes_total{front_end=\"http\"} 1",
        "p2p_tracker_unproven_total 1",
        "p2p_tracker_peers 1",
        "p2p_tracker_swarms 1",
    ] {
        wait_until("the page has it", SOON, || {
            let page = String::from_utf8_lossy(&get(at, "/metrics")?).into_owned();
            let lines = || page.lines().filter(|line| line.starts_with("p2p_tracker"));
            let found = lines().any(|found| found == line);
            let all = || lines().collect::<Vec<_>>().join("\n");
            found
                .then_some(())
                .ok_or_else(|| format!("no {line} in\n{}", all()))
        });
    }
}

#[test]
fn lists_that_are_broken_leave_the_old_ones_in_force() {
    let _one = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let list = folder.path().join("denied");
    let hex = |number: u32| format!("{number:040x}\n");
    std::fs::write(&list, hex(1)).expect("a list");
    let served = serving_with(&["--deny-torrents", list.to_str().expect("a path")]);
    let denied = |number: u32| failure(served.http, &announce(number, "&port=7000&left=0"));
    assert!(denied(1).is_some() && denied(2).is_none());
    std::fs::write(&list, format!("{}no hash\n", hex(2))).expect("a list");
    served.node.signal("HUP");
    wait_until("the mistake is named", SOON, || {
        let log = served.node.log();
        let words = ["line 2", "no info-hash", "stay as they were"];
        if words.iter().all(|word| log.contains(word)) {
            Ok(())
        } else {
            Err(log)
        }
    });
    assert!(
        denied(1).is_some() && denied(2).is_none(),
        "the old list holds"
    );
    std::fs::write(&list, hex(2)).expect("a list");
    served.node.signal("HUP");
    wait_until("the new list holds", SOON, || {
        let holds = denied(1).is_none() && denied(2).is_some();
        holds.then_some(()).ok_or_else(|| served.node.log())
    });
}

#[test]
fn how_an_answer_comes_about_is_shown_with_its_evidence() {
    let _one = alone();
    let served = serving_with(&["--location", "dc1/rack7"]);
    let hex = format!("{:040x}", 1);
    let explain = |addr: &str| served.node.json(["swarm", "explain", &hex, "--for", addr]);
    let nobody = explain("192.0.2.1").exits(1).document();
    assert_eq!(
        nobody["outcome"], "absent",
        "proven by the overlay: {nobody}"
    );
    assert_eq!(nobody["known"], false);
    for port in 7_000..7_060 {
        // The first three have everything.
        let left = u32::from(port > 7_002);
        let more = format!("&port={port}&left={left}&key={port}");
        assert_eq!(failure(served.http, &announce(1, &more)), None);
    }
    let shown = explain("127.0.0.1:7050").exits(0).document();
    for (key, expected) in [
        ("outcome", json!("found")),
        ("seeders", json!(3)),
        ("leechers", json!(57)),
        ("listed", json!(true)),
        ("as_seed", json!(false)),
        ("place", json!("dc1/rack7")),
        ("place_rule", json!("location")),
        ("peers", json!(60)),
    ] {
        assert_eq!(shown[key], expected, "{key}: {shown}");
    }
    assert_eq!(shown["chosen"]["seeds"], 3, "seeds first: {shown}");
    assert_eq!(shown["chosen"]["near"], 40, "{shown}");
    assert_eq!(shown["chosen"]["random"], 10, "a fifth: {shown}");
    assert_eq!(shown["left_out"]["asker"], 1, "{shown}");
    let seed = explain("127.0.0.1:7000").exits(0).document();
    assert_eq!(seed["left_out"]["seeds"], 2, "{seed}");
    let text = served
        .node
        .ctl(["swarm", "explain", &hex, "--for", "127.0.0.1:7050"]);
    let text = String::from_utf8(text.exits(0).stdout).expect("text");
    assert!(text.starts_with("found: 60 peers listed here"), "{text}");
    assert!(
        !text.contains('\u{1b}'),
        "no colour without a terminal: {text}"
    );
    let columns: std::collections::BTreeSet<_> = text
        .lines()
        .filter(|line| line.starts_with("  "))
        .map(|line| line.find("dc1/rack7"))
        .collect();
    assert_eq!(columns.len(), 1, "the table lines up: {text}");
    served
        .node
        .ctl(["swarm", "explain", &hex, "--for", "nowhere"])
        .exits(2);
}

#[test]
fn a_node_without_a_tracker_says_so() {
    let _one = alone();
    let node = Node::start("chord", None);
    let hex = "0".repeat(40);
    let ran = node.ctl(["swarm", "explain", &hex, "--for", "192.0.2.1"]);
    ran.exits(2).complains("is no tracker");
}
