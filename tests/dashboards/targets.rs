//! The list of targets that `p2pctl` writes, and what Prometheus makes of it.

use crate::nodes::{fetch, network};
use crate::prometheus::Prometheus;
use crate::support::{Node, SETTLE, SOON, alone, wait_until};
use std::os::unix::fs::PermissionsExt;

/// The list for Prometheus has who serves HTTP, and says who does not.
#[test]
fn p2pctl_lists_who_is_to_be_scraped() {
    let _alone = alone();
    let nodes = network("chord", 2, &[], &[]);
    let silent = Node::start("chord", Some(nodes[0].node.listen));
    let others = nodes.iter().map(|served| &served.node);
    wait_until("all know each other", SETTLE, || {
        let status = nodes[0].node.status()?;
        let text = status.to_string();
        let knows = others
            .clone()
            .skip(1)
            .chain([&silent])
            .all(|node| text.contains(&node.id));
        knows.then_some(()).ok_or(text)
    });
    let ran = nodes[0].node.ctl(["peers", "--prometheus"]).exits(0);
    let list: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    let mut expected: Vec<String> = nodes.iter().map(|node| node.http.to_string()).collect();
    let mut targets: Vec<&str> = list[0]["targets"]
        .as_array()
        .expect("targets")
        .iter()
        .filter_map(serde_json::Value::as_str)
        .collect();
    expected.sort();
    targets.sort_unstable();
    assert_eq!(targets, expected);
    assert_eq!(list[0]["labels"]["__meta_p2p_overlay"], "chord");
    let left_out = format!("{}: it serves no HTTP", silent.listen);
    assert!(ran.stderr.contains(&left_out), "{}", ran.stderr);
    let document = nodes[0]
        .node
        .json(["peers", "--prometheus"])
        .exits(0)
        .document();
    assert_eq!(document["left_out"][0]["addr"], silent.listen.to_string());
    let wrong = nodes[0]
        .node
        .ctl(["peers", "--prometheus", "--out", "list.txt"]);
    wrong.exits(2).complains(".json");
    nodes[0].node.ctl(["peers", "--out", "list.json"]).exits(2);
}

/// The lines for a token that `prometheus.yml` has as a comment: with them nodes are scraped that want one.
#[test]
fn nodes_that_want_a_token_are_scraped_with_it() {
    let _alone = alone();
    let own = tempfile::tempdir().expect("a directory");
    let file = own.path().join("token");
    let token = "correct-horse-battery-staple-0123";
    std::fs::write(&file, token).expect("a token");
    let owner = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&file, owner).expect("a file of the owner's");
    let flags = ["--http-token-file", file.to_str().expect("a path")];
    let nodes = network("chord", 2, &flags, &[]);
    let refused = fetch(nodes[0].http, "/metrics").expect("an answer");
    assert!(!refused.contains("p2p_member"), "it asks for a token");
    for (with, expected) in [(None, 0.0), (Some(token), 1.0)] {
        let prometheus = Prometheus::start_with(&[], with);
        prometheus.scrape("own", &nodes[0]);
        wait_until("both are asked", SOON, || {
            let up = prometheus.query("up")?;
            let all = up.len() == 2 && up.iter().all(|(_, value)| *value == expected);
            all.then_some(()).ok_or_else(|| format!("{up:?}"))
        });
    }
}
