//! Searches by words and by the beginning of keys.

use crate::support::{Node, SOON, network, settle, wait_until};
use serde_json::Value;

fn results(node: &Node, how: [&str; 2]) -> Vec<Value> {
    let ran = node.json(["search", how[0], how[1]]);
    let code = ran.code;
    let answer = ran.document();
    let results = answer["results"].as_array().expect("results").clone();
    let outcome = if results.is_empty() {
        "absent"
    } else {
        "found"
    };
    assert_eq!(answer["outcome"], outcome, "{answer}");
    assert_eq!(code, i32::from(results.is_empty()), "{answer}");
    assert_eq!(answer["complete"], true, "{answer}");
    assert!(answer["answered"].as_u64() <= answer["asked"].as_u64());
    results
}

pub(crate) fn words_and_beginnings_find_holders_and_values(overlay: &str) {
    let nodes = network(overlay, 6);
    settle(&nodes);
    let insert = [
        "insert",
        "iso/ubuntu",
        "--holder",
        "192.0.2.7:6881",
        "--text",
        "Ubuntu 24.04 installation image",
        "--indexed",
    ];
    nodes[0].json(insert).exits(0);
    let put = [
        "put",
        "iso/größe",
        "12345",
        "--text",
        "Größe of each image",
        "--indexed",
    ];
    nodes[1].json(put).exits(0);
    nodes[2].json(["put", "other", "x"]).exits(0);
    for node in &nodes {
        let found = results(node, ["--text", "image UBUNTU"]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0]["kind"], "holder");
        assert_eq!(found[0]["addr"], "192.0.2.7:6881");
        assert_eq!(found[0]["key_text"], "iso/ubuntu");
        assert!(found[0]["expires_in_s"].as_u64() > Some(0));
        let found = results(node, ["--text", "grosse"]);
        assert_eq!(
            (&found[0]["kind"], &found[0]["size"]),
            (&"value".into(), &5.into())
        );
        assert_eq!(results(node, ["--text", "ima*"]).len(), 2);
        assert_eq!(results(node, ["--text", "image debian"]).len(), 0);
        let names: Vec<Value> = results(node, ["--prefix", "iso/"])
            .iter()
            .map(|found| found["key_text"].clone())
            .collect();
        assert_eq!(names, ["iso/größe", "iso/ubuntu"]);
        assert_eq!(results(node, ["--prefix", "iso/debian"]).len(), 0);
    }
    let entries = |node: &Node| node.status().ok()?["index_entries"].as_u64();
    let entries: u64 = nodes.iter().filter_map(entries).sum();
    // Four words and a name of each of the two, at three replicas.
    assert!(entries >= 30, "{entries} entries of the index");
    for wrong in [
        &["search", "--text", "..."][..],
        &["search", "--text", "a", "--prefix", "b"],
        &["put", "k", "v", "--hex", "--indexed"],
    ] {
        nodes[0].json(wrong).exits(2);
    }
    let one = nodes[3].json(["search", "--text", "image", "--limit", "1"]);
    let one = one.exits(0).document();
    assert_eq!(one["results"].as_array().map(Vec::len), Some(1), "{one}");
    assert_eq!(one["complete"], false, "{one}");
    let gone = ["delete", "iso/ubuntu", "--holder", "192.0.2.7:6881"];
    nodes[0].json(gone).exits(0);
    nodes[4].json(["delete", "iso/größe"]).exits(0);
    // What was deleted is told to the owners of its entries, which is a matter of moments.
    wait_until("the words of what was deleted end", SOON, || {
        let left = nodes[5].json(["search", "--text", "image"]).code;
        let names = nodes[5].json(["search", "--prefix", "iso/"]).code;
        if (left, names) == (1, 1) {
            Ok(())
        } else {
            Err(format!("exit codes {left} and {names}"))
        }
    });
}
