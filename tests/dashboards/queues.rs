//! Queues and tables of the drivers: each shows how much is in it, and how much may be.

use crate::nodes::{Served, fetch, spawn};
use crate::support::{SOON, alone, wait_until};
use p2pnode::client::Client;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

/// What the issue names, and whatever has a named limit in the drivers.
const QUEUES: [&str; 31] = [
    "answers",
    "answers_fullest",
    "calls",
    "commands",
    "connections",
    "dials",
    "event_readers",
    "events",
    "handshakes",
    "held_off",
    "http_connections",
    "inbox",
    "large_reads",
    "mainline",
    "mainline_puts",
    "peer_fullest",
    "peers",
    "questions",
    "refused_peers",
    "requests",
    "requests_fullest",
    "store_loads",
    "store_writes",
    "tracker_connections",
    "tracker_lookups",
    "tracker_peers",
    "tracker_published",
    "tracker_swarms",
    "tracker_udp",
    "tracker_writes",
    "urgent",
];

const TRACKER: [&str; 6] = [
    "--tracker-http",
    "127.0.0.1:0",
    "--tracker-udp",
    "127.0.0.1:0",
    "--mainline",
    "127.0.0.1:0",
];

/// The samples of one family, by the value of their only label.
fn family(node: &Served, name: &str) -> BTreeMap<String, f64> {
    let samples = node.samples().into_iter();
    let of = |(sample, value): (String, f64)| {
        let labels = sample.strip_prefix(name)?.strip_prefix('{')?;
        let (_, label) = labels.strip_suffix("\"}")?.split_once("=\"")?;
        Some((label.to_owned(), value))
    };
    samples.filter_map(of).collect()
}

/// Tables whose size follows from that of others, and has no figure of its own.
const fn bounded_by_others(overlay: &str) -> &'static [&'static str] {
    match overlay.as_bytes() {
        b"gnutella" => &["names_of_searches", "waiting_for_the_disk"],
        _ => &[
            "deadlines",
            "deadlines_of_lookups",
            "messages_to_itself",
            "questions_of_iterative_lookups",
            "things_waiting_for_a_commit",
        ],
    }
}

fn every_queue_has_a_depth_and_a_size(overlay: &str) {
    let _alone = alone();
    let node = Served::of(spawn(overlay, None, &TRACKER));
    let depths = wait_until("all queues are shown", SOON, || {
        let depths = family(&node, "p2p_queue_depth");
        let names: Vec<&str> = depths.keys().map(String::as_str).collect();
        match names == QUEUES {
            true => Ok(depths.clone()),
            false => Err(format!("{names:?}")),
        }
    });
    let capacities = family(&node, "p2p_queue_capacity");
    let of_bytes = family(&node, "p2p_queue_capacity_bytes");
    for (name, depth) in &depths {
        let most = capacities.get(name);
        let is_bounded = most.is_some() || of_bytes.contains_key(name);
        assert!(is_bounded, "{name} has no size");
        assert!(most.is_none_or(|most| depth <= most), "{name}: {depth}");
    }
    assert_eq!(capacities["http_connections"], 128.0);
    assert_eq!(capacities["questions"], 16.0);
    let bytes = family(&node, "p2p_queue_bytes");
    assert!(bytes.keys().eq(of_bytes.keys()), "{bytes:?} {of_bytes:?}");
    assert!(bytes.contains_key("store_writes"));
    let tables = family(&node, "p2p_under_way");
    let bounds = family(&node, "p2p_under_way_capacity");
    let has_none = |table: &&String| !bounds.contains_key(*table);
    let unbounded: Vec<&String> = tables.keys().filter(has_none).collect();
    assert_eq!(unbounded, bounded_by_others(overlay));
    for (table, most) in &bounds {
        assert!(tables[table] <= *most, "{table}: {tables:?}");
    }
}

/// An announce over HTTP counts there; nobody has come by the other ways.
#[test]
fn peers_and_swarms_of_the_tracker_are_counted_by_their_way() {
    let _alone = alone();
    let node = Served::of(spawn("chord", None, &TRACKER));
    let announce = format!(
        "/announce?info_hash={}&peer_id=-XX0000-012345678901&port=1&uploaded=0&downloaded=0&left=0",
        "%aa".repeat(20)
    );
    fetch(node.tracker.expect("a tracker"), &announce).expect("an answer of the tracker");
    for name in [
        "p2p_tracker_front_end_peers",
        "p2p_tracker_front_end_swarms",
    ] {
        wait_until(name, SOON, || {
            let ways = family(&node, name);
            let [http, udp, mainline, overlay] =
                ["http", "udp", "mainline", "overlay"].map(|way| ways[way]);
            match [http, udp, mainline, overlay] == [1.0, 0.0, 0.0, 0.0] {
                true => Ok(()),
                false => Err(format!("{ways:?}")),
            }
        });
    }
}

#[test]
fn every_queue_of_chord_has_a_depth_and_a_size() {
    every_queue_has_a_depth_and_a_size("chord");
}

#[test]
fn every_queue_of_gnutella_has_a_depth_and_a_size() {
    every_queue_has_a_depth_and_a_size("gnutella");
}

/// Connections over HTTP, readers of events by either way, and a request of a client that is in flight.
#[test]
fn what_clients_keep_open_is_counted_until_they_go() {
    let _alone = alone();
    let node = Served::of(spawn("chord", None, &[]));
    let shows = |what: &str, expected: [(&str, f64); 4]| {
        wait_until(what, SOON, || {
            let depths = family(&node, "p2p_queue_depth");
            match expected.iter().all(|(name, depth)| depths[*name] == *depth) {
                true => Ok(()),
                false => Err(format!("{depths:?}")),
            }
        });
    };
    // The one that asks is itself connected.
    let nobody = [
        ("http_connections", 1.0),
        ("event_readers", 0.0),
        ("requests", 0.0),
        ("requests_fullest", 0.0),
    ];
    shows("nobody is there", nobody);
    let connect = || TcpStream::connect(node.http).expect("a connection");
    let idle = [(); 3].map(|()| connect());
    let mut reader = connect();
    write!(
        reader,
        "GET /v1/events HTTP/1.1\r\nHost: {}\r\n\r\n",
        node.http
    )
    .expect("a request");
    let mut head = [0; 12];
    reader.read_exact(&mut head).expect("an answer");
    assert_eq!(&head, b"HTTP/1.1 200");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let following = runtime.block_on(async {
        let client = Client::connect(node.node.listen).await.expect("a client");
        let client = client.with_key(node.node.key_file());
        client.events().await.expect("events")
    });
    let all = [
        ("http_connections", 5.0),
        ("event_readers", 2.0),
        ("requests", 1.0),
        ("requests_fullest", 1.0),
    ];
    shows("all are counted", all);
    drop((idle, reader));
    runtime.block_on(async {
        drop(following);
        // What tells the node that the client has gone leaves when the runtime's other tasks had a turn.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    });
    shows("all have gone", nobody);
}
