//! What may be said while nodes come, go and die.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are drivers and may read the clock"
)]

use crate::data::{found, put};
use crate::support::{
    self, Node, Starting, addrs, check_neighbours, is_id, nearest_after, network, settle,
    wait_for_ring, wait_until,
};
use std::time::{Duration, Instant};

pub(crate) fn status_and_peers_say_what_they_must(overlay: &str) {
    let nodes = network(overlay, 3);
    settle(&nodes);
    put(&nodes[0], "a", "1");
    let status = nodes[0].status().expect("status");
    assert_eq!(status["id"], nodes[0].id);
    assert_eq!(status["overlay"], overlay);
    assert_eq!(status["listen"], nodes[0].listen.to_string());
    assert_eq!(status["peers"], 2);
    let keys = match overlay {
        "pastry" => ["/leaf_set/smaller/0/id", "/leaf_set/larger/0/id"],
        "gnutella" => ["/neighbours/0/id", "/neighbours/1/id"],
        _ => ["/predecessor/id", "/successors/0/id"],
    };
    for key in keys {
        assert!(status.pointer(key).is_some_and(is_id), "{key}: {status}");
    }
    wait_until(
        "three nodes hold the value three times",
        support::SOON,
        || {
            let values = nodes
                .iter()
                .map(|node| Ok(node.status()?["values"].as_u64().unwrap_or(0)));
            match values.sum::<Result<u64, String>>()? {
                3 => Ok(()),
                other => Err(format!("{other} values")),
            }
        },
    );
    nodes[1].json(["insert", "b"]).exits(0);
    assert!(nodes[1].status().expect("status")["holders"].is_u64());
    let peers = nodes[0].json(["peers"]).exits(0).document();
    let peers = peers["peers"].as_array().expect("peers").clone();
    assert_eq!(peers.len(), 2);
    assert!(
        peers
            .iter()
            .all(|peer| is_id(&peer["id"]) && peer["role"].is_string()),
        "{peers:?}"
    );
    let text = nodes[0].ctl(["status"]).exits(0);
    assert!(String::from_utf8_lossy(&text.stdout).contains(&nodes[0].id));
}

fn stored(nodes: &[Node], count: usize) -> Vec<(String, String)> {
    let items: Vec<_> = (0..count)
        .map(|at| (format!("key {at}"), format!("value {at}")))
        .collect();
    for (at, (key, value)) in items.iter().enumerate() {
        put(&nodes[at % nodes.len()], key, value);
    }
    items
}

fn all_found(nodes: &[Node], items: &[(String, String)]) {
    for (at, (key, value)) in items.iter().enumerate() {
        let node = &nodes[(at + 1) % nodes.len()];
        wait_until("a stored value is found", support::SOON, || {
            found(node, key, value)
        });
    }
}

pub(crate) fn a_node_that_leaves_loses_nothing(overlay: &str) {
    let mut nodes = network(overlay, 6);
    settle(&nodes);
    let items = stored(&nodes, 40);
    // The founder goes as well as any other; and at once, without waiting for copies.
    let told = nodes.remove(0);
    told.ctl(["leave"]).exits(0);
    assert!(told.ended().success(), "leaving is an orderly end");
    let signalled = nodes.remove(2);
    signalled.signal("TERM");
    assert!(signalled.ended().success(), "SIGTERM is an orderly end");
    all_found(&nodes, &items);
    wait_for_ring(&nodes);
    all_found(&nodes, &items);
}

pub(crate) fn only_the_owner_of_the_key_may_send_a_node_away(overlay: &str) {
    let nodes = network(overlay, 2);
    let other = nodes[1].key_file();
    let ran = nodes[0]
        .json(["leave", "--key", other.to_str().expect("text")])
        .exits(3);
    assert_eq!(ran.document()["outcome"], "failed");
    assert_eq!(
        nodes[0].status().expect("it is still there")["member"],
        true
    );
    let own = nodes[0].key_file();
    nodes[0]
        .json(["leave", "--key", own.to_str().expect("text")])
        .exits(0);
}

pub(crate) fn two_of_eight_killed_lose_nothing(overlay: &str) {
    let mut nodes = network(overlay, 8);
    settle(&nodes);
    let items = stored(&nodes, 60);
    settle(&nodes);
    nodes.remove(5).kill();
    nodes.remove(2).kill();
    all_found(&nodes, &items);
    wait_for_ring(&nodes);
    all_found(&nodes, &items);
    put(&nodes[0], "after", "the fall");
    found(&nodes[3], "after", "the fall").expect("writes go on");
}

pub(crate) fn lost_replicas_are_unknown_and_never_absent(overlay: &str) {
    let mut nodes = network(overlay, 6);
    settle(&nodes);
    put(&nodes[0], "precious", "gone");
    settle(&nodes);
    let answer = nodes[0].json(["locate", "precious"]).exits(0).document();
    let replicas = addrs(&answer["replicas"]);
    assert_eq!(replicas.len(), 3);
    while let Some(at) = nodes
        .iter()
        .position(|node| replicas.contains(&node.listen))
    {
        nodes.remove(at).kill();
    }
    let never_absent = || {
        for node in &nodes {
            let ran = node.json(["get", "precious"]).exits(3);
            assert_eq!(ran.document()["outcome"], "unknown");
        }
    };
    never_absent();
    wait_for_ring(&nodes);
    never_absent();
    // What is stored anew is found again.
    put(&nodes[0], "precious", "back");
    found(&nodes[1], "precious", "back").expect("found");
}

pub(crate) fn a_ring_of_sixteen_forms_from_nothing(overlay: &str) {
    let began = Instant::now();
    let first = Node::start(overlay, None);
    let via = first.listen;
    let starting: Vec<_> = (1..16)
        .map(|_| Starting::spawn(overlay, Some(via)))
        .collect();
    let mut nodes = vec![first];
    nodes.extend(starting.into_iter().map(Starting::ready));
    wait_for_ring(&nodes);
    let took = began.elapsed();
    eprintln!(
        "a ring of 16 formed from nothing in {:.2} s",
        took.as_secs_f64()
    );
    assert!(took < Duration::from_secs(30), "a ring of 16 took {took:?}");
    let mut ids: Vec<_> = nodes.iter().map(|node| node.id.as_str()).collect();
    ids.sort_unstable();
    wait_until("full lists of neighbours", support::SETTLE, || {
        nodes.iter().try_for_each(|node| {
            let status = node.status()?;
            check_neighbours(&status, &ids)?;
            let listed = nearest_after(&status).len();
            if listed == 8 {
                Ok(())
            } else {
                Err(format!("{listed} nodes after it instead of 8"))
            }
        })
    });
}
