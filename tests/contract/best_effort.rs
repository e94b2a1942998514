//! What an overlay without structure says and does.

use crate::support::{self, Node, Starting, addrs, network, settle, wait_until};
use std::net::SocketAddr;

pub(crate) fn locate_lists_the_nodes_that_hit(overlay: &str) {
    let nodes = network(overlay, 6);
    settle(&nodes);
    crate::data::put(&nodes[0], "greeting", "hello");
    for node in &nodes {
        let answer = node.json(["locate", "greeting"]).exits(0).document();
        assert_eq!(addrs(&answer["replicas"]).len(), 3, "{answer}");
        assert_eq!(addrs(&answer["path"]).first(), Some(&node.listen));
    }
    nodes[3].json(["locate", "nowhere"]).exits(3);
}

pub(crate) fn a_search_says_how_many_nodes_it_reached(overlay: &str) {
    let nodes = network(overlay, 7);
    settle(&nodes);
    nodes[1].json(["insert", "film"]).exits(0);
    for key in ["film", "nowhere"] {
        let code = if key == "film" { 0 } else { 3 };
        let answer = nodes[5].json(["search", key]).exits(code).document();
        assert_eq!(answer["nodes_reached"], 7, "{answer}");
    }
    let ran = nodes[5].ctl(["search", "nowhere"]).exits(3);
    assert!(ran.stderr.contains("7 nodes were reached"), "{ran:?}");
}

pub(crate) fn a_killed_node_finds_its_network_again_by_itself(overlay: &str) {
    let mut nodes = network(overlay, 5);
    settle(&nodes);
    nodes[0].json(["insert", "film"]).exits(0);
    // Hosts are written down every two seconds.
    wait_until("the hosts are kept", support::SOON, || {
        let kept = std::fs::read_to_string(nodes[2].data().join("hosts"));
        match kept.map(|text| text.lines().count()) {
            Ok(4) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    let again = nodes.remove(2).kill_and_start_again(overlay);
    wait_until("it has neighbours", support::SOON, || {
        let status = again.status()?;
        match addrs(&status["neighbours"]).len() {
            4 => Ok(()),
            other => Err(format!("{other} neighbours")),
        }
    });
    again.json(["search", "film"]).exits(0);
}

/// Nodes of these roles; all join the first.
fn with_roles(overlay: &str, roles: &[&str]) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for role in roles {
        let via: Option<SocketAddr> = nodes.first().map(|node| node.listen);
        let node = Starting::spawn_with(overlay, via, &["--role", role]).ready();
        nodes.push(node);
    }
    nodes
}

pub(crate) fn every_architecture_finds_what_is_there(overlay: &str) {
    let directory = ["ultrapeer", "leaf", "leaf", "leaf", "leaf"];
    let super_peers = ["ultrapeer", "ultrapeer", "leaf", "leaf", "leaf"];
    let flat = ["peer"; 5];
    for roles in [directory, super_peers, flat] {
        let nodes = with_roles(overlay, &roles);
        wait_until("all have links", support::SOON, || {
            nodes.iter().try_for_each(|node| {
                let links = addrs(&node.status()?["neighbours"]).len();
                let leaves = addrs(&node.status()?["leaves"]).len();
                if links + leaves == 0 {
                    return Err(format!("{} has none", node.listen));
                }
                Ok(())
            })
        });
        assert_eq!(nodes[4].status().expect("status")["role"], roles[4]);
        nodes[3]
            .json(["insert", "film", "--text", "a film"])
            .exits(0);
        // A leaf tells its ultrapeers within a second or so what it has.
        for node in &nodes {
            wait_until("it is found", support::SOON, || {
                match node.json(["search", "film"]).code {
                    0 => Ok(()),
                    other => Err(format!("{other} through {} of {roles:?}", node.listen)),
                }
            });
        }
    }
}

pub(crate) fn every_way_to_search_finds_what_is_there(overlay: &str) {
    let first = Node::start(overlay, None);
    first.json(["insert", "film"]).exits(0);
    let ways = ["flood", "ring", "walk", "dynamic", "auto"];
    let nodes: Vec<Node> = ways
        .iter()
        .map(|way| Starting::spawn_with(overlay, Some(first.listen), &["--search", way]).ready())
        .collect();
    for (node, way) in nodes.iter().zip(ways) {
        let ran = node.json(["search", "film"]);
        assert_eq!(ran.code, 0, "{way}: {ran:?}");
    }
}

pub(crate) fn words_find_holders_and_values(overlay: &str) {
    let nodes = network(overlay, 5);
    settle(&nodes);
    let insert = ["insert", "iso", "--holder", "192.0.2.7:6881"];
    let insert = insert.into_iter().chain(["--text", "Ubuntu image"]);
    nodes[0].json(insert).exits(0);
    nodes[1]
        .json(["put", "note", "12345", "--text", "Größe of each image"])
        .exits(0);
    for node in &nodes {
        for (text, count) in [("image", 2), ("GROSSE ima*", 1), ("ubuntu image", 1)] {
            let answer = node.json(["search", "--text", text]).exits(0).document();
            let results = answer["results"].as_array().expect("results");
            assert_eq!(results.len(), count, "{text}: {answer}");
            assert_eq!(answer["complete"], false, "nobody can know that");
        }
        node.json(["search", "--text", "debian"]).exits(3);
    }
    nodes[2].json(["search", "--prefix", "i"]).exits(2);
}
