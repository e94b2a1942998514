//! What may be said of data while the network is at rest.

use crate::support::{Node, addrs, is_id, network, settle};
use overlay::Id;
use serde_json::Value;

/// How an overlay says that something is not there: an exit code, and a word. Where absence proves
/// nothing, it is unknown.
const fn nothing(overlay: &str) -> (i32, &'static str) {
    match overlay.as_bytes() {
        b"gnutella" => (3, "unknown"),
        _ => (1, "absent"),
    }
}

pub(crate) fn put(node: &Node, key: &str, value: &str) {
    let answer = node.json(["put", key, value]).exits(0).document();
    assert_eq!(answer["key"], Id::of(key.as_bytes()).to_string());
    assert!(answer["version"].is_string(), "{answer}");
    let (durable, replicas) = (&answer["replicas_durable"], &answer["replicas"]);
    assert!(
        durable.as_u64() >= Some(1) && durable.as_u64() <= replicas.as_u64(),
        "{answer}"
    );
}

pub(crate) fn found(node: &Node, key: &str, value: &str) -> Result<(), String> {
    let ran = node.ctl(["get", key]);
    match ran.code {
        0 if ran.stdout == value.as_bytes() => Ok(()),
        0 => panic!("{key} has other bytes through {}: {ran:?}", node.listen),
        1 => panic!(
            "{key} was stored and is called absent through {}: {}",
            node.listen, ran.stderr
        ),
        _ => Err(format!("{key} through {}: {}", node.listen, ran.stderr)),
    }
}

pub(crate) fn a_value_is_found_through_every_node(overlay: &str) {
    let nodes = network(overlay, 5);
    settle(&nodes);
    put(&nodes[0], "greeting", "hello");
    for node in &nodes {
        let answer = node.json(["get", "greeting"]).exits(0).document();
        assert_eq!(answer["outcome"], "found");
        assert_eq!(answer["value_base64"], "aGVsbG8=");
        assert!(answer["version"].is_string());
        assert!(answer["replicas_answered"].as_u64() <= answer["replicas_asked"].as_u64());
        let plain = node.ctl(["get", "greeting"]).exits(0);
        assert_eq!(
            plain.stdout, b"hello",
            "standard output holds the value and nothing else"
        );
        assert!(
            plain.stderr.contains("answered"),
            "no evidence in {:?}",
            plain.stderr
        );
    }
    put(&nodes[1], "greeting", "good day");
    for node in &nodes {
        found(node, "greeting", "good day").expect("the newer value");
    }
    let deleted = nodes[2].json(["delete", "greeting"]).exits(0).document();
    assert_eq!(deleted["outcome"], "found");
    let (code, word) = nothing(overlay);
    for node in &nodes {
        let answer = node.json(["get", "greeting"]).exits(code).document();
        assert_eq!(answer["outcome"], word);
        assert_eq!(answer["value_base64"], Value::Null);
    }
    // A deletion of what may be there is done, one of what is proven absent is not.
    let again = i32::from(code == 1);
    nodes[3].json(["delete", "greeting"]).exits(again);
    nodes[4].json(["get", "never stored"]).exits(code);
    let all = nodes[0]
        .json(["put", "all", "x", "--consistency", "all"])
        .exits(0)
        .document();
    assert_eq!(all["replicas_durable"], 3);
    nodes[1]
        .json(["get", "all", "--consistency", "one"])
        .exits(0);
}

pub(crate) fn holders_are_listed_until_they_are_removed(overlay: &str) {
    let nodes = network(overlay, 5);
    settle(&nodes);
    let listed = |node: &Node| {
        let answer = node.json(["search", "film"]).exits(0).document();
        assert_eq!(answer["outcome"], "found");
        for holder in answer["holders"].as_array().expect("holders") {
            assert!(
                holder["text"].is_string() && holder["expires_in_s"].as_u64() > Some(0),
                "{holder}"
            );
        }
        addrs(&answer["holders"])
    };
    let (code, _) = nothing(overlay);
    nodes[0].json(["search", "film"]).exits(code);
    let own = nodes[0].json(["insert", "film"]).exits(0).document();
    assert_eq!(
        own["holder"],
        nodes[0].listen.to_string(),
        "the default holder is the node asked"
    );
    let given = [
        "insert",
        "film",
        "--holder",
        "192.0.2.7:6881",
        "--ttl",
        "5m",
        "--text",
        "a film",
    ];
    nodes[1].json(given).exits(0);
    for node in &nodes {
        let addrs = listed(node);
        assert_eq!(addrs.len(), 2, "{addrs:?}");
        assert!(addrs.contains(&nodes[0].listen), "{addrs:?}");
    }
    let one = nodes[2]
        .json(["search", "film", "--limit", "1"])
        .exits(0)
        .document();
    assert_eq!(addrs(&one["holders"]).len(), 1);
    // The node that inserted a holder renews it: only there can it be removed for good.
    nodes[1]
        .json(["delete", "film", "--holder", "192.0.2.7:6881"])
        .exits(0);
    for node in &nodes {
        assert_eq!(listed(node), [nodes[0].listen]);
    }
    nodes[0]
        .json(["delete", "film", "--holder", &nodes[0].listen.to_string()])
        .exits(0);
    nodes[3].json(["search", "film"]).exits(code);
}

pub(crate) fn the_replica_set_of_a_key_is_the_same_from_everywhere(overlay: &str) {
    let nodes = network(overlay, 8);
    settle(&nodes);
    for key in ["one", "two", "three", "four"] {
        let mut sets = Vec::new();
        for node in &nodes {
            for way in [&["locate", key][..], &["locate", key, "--iterative"]] {
                let answer = node.json(way).exits(0).document();
                let (replicas, path) = (addrs(&answer["replicas"]), addrs(&answer["path"]));
                assert_eq!(
                    path.first(),
                    Some(&node.listen),
                    "the path starts where it was asked"
                );
                assert_eq!(path.last(), replicas.first(), "the path ends at the root");
                assert_eq!(
                    answer["hops"].as_u64(),
                    Some(path.len() as u64 - 1),
                    "{answer}"
                );
                assert!(
                    is_id(&answer["key"]) && is_id(&answer["replicas"][0]["id"]),
                    "{answer}"
                );
                sets.push(replicas);
            }
        }
        sets.dedup();
        assert_eq!(
            sets.len(),
            1,
            "{key} has other replicas from elsewhere: {sets:?}"
        );
        assert_eq!(sets[0].len(), 3);
    }
}

pub(crate) fn a_lone_node_serves(overlay: &str) {
    let node = Node::start(overlay, None);
    settle(std::slice::from_ref(&node));
    put(&node, "alone", "yes");
    found(&node, "alone", "yes").expect("found");
    node.ctl(["get", "nothing"]).exits(nothing(overlay).0);
    assert_eq!(
        node.json(["peers"]).exits(0).document()["peers"],
        serde_json::json!([])
    );
}

pub(crate) fn the_load_generator_finds_what_it_stored(overlay: &str) {
    let nodes = network(overlay, 4);
    settle(&nodes);
    let names: Vec<_> = nodes.iter().map(|node| node.listen.to_string()).collect();
    let names = names.join(",");
    let args = [
        "bench",
        "--ops",
        "400",
        "--warmup",
        "40",
        "--concurrency",
        "16",
        "--nodes",
        &names,
    ];
    let report = nodes[0].json(args).exits(0).document();
    let phases = report["phases"].as_array().expect("phases").clone();
    let kinds: Vec<_> = phases.iter().map(|phase| phase["kind"].clone()).collect();
    assert_eq!(kinds, ["put", "get"]);
    for phase in &phases {
        assert_eq!(
            (&phase["ops"], &phase["errors"]),
            (&400.into(), &0.into()),
            "{phase}"
        );
        assert!(
            phase["p50_us"].as_f64() <= phase["p99_us"].as_f64(),
            "{phase}"
        );
        assert!(phase["ops_per_s"].as_f64() > Some(0.0), "{phase}");
    }
    let mixed = nodes[0]
        .json(["bench", "--ops", "300", "--mix", "20:80"])
        .exits(0)
        .document();
    let ops: u64 = mixed["phases"]
        .as_array()
        .expect("phases")
        .iter()
        .filter_map(|phase| phase["ops"].as_u64())
        .sum();
    assert_eq!(ops, 300, "{mixed}");
}
