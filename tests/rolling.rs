//! A network is upgraded one node after another: each is ended in order and started again on its data,
//! as `systemctl restart` does, once all nodes say that they are settled. Nothing is lost, and
//! everything can be read all the time.

mod support;

use support::{Node, SETTLE, alone, wait_until};

/// Nodes of the network.
const NODES: usize = 5;
/// Values in it.
const KEYS: usize = 100;

/// Waits until every node says that all copies are complete: the moment for the next one.
fn settled(nodes: &[Node]) {
    wait_until("all are settled", SETTLE, || {
        for node in nodes {
            let status = node.status()?;
            let peers = status["peers"].as_u64().unwrap_or_default();
            if status["settled"] != true || peers + 1 < nodes.len() as u64 {
                return Err(format!("{} has {peers} peers: {status}", node.listen));
            }
        }
        Ok(())
    });
}

fn all_there(asked: &Node, when: &str) {
    for number in 0..KEYS {
        let ran = asked.json(["get", &format!("key {number}")]);
        let ran = ran.exits(0).document();
        assert_eq!(ran["outcome"], "found", "{when}: key {number}: {ran}");
    }
}

fn upgrade(overlay: &str) {
    let _one = alone();
    let mut nodes = vec![Node::start(overlay, None)];
    while nodes.len() < NODES {
        let node = Node::start(overlay, Some(nodes[0].listen));
        nodes.push(node);
    }
    settled(&nodes);
    let members = [nodes[0].listen, nodes[1].listen];
    for number in 0..KEYS {
        let key = format!("key {number}");
        nodes[number % NODES].json(["put", &key, &key]).exits(0);
    }
    for turn in 0..NODES {
        let mut node = nodes.remove(0);
        // What could not be handed over in time would be said by the exit code, and would stay there.
        assert!(node.end().success(), "{turn}: {}", node.log());
        all_there(&nodes[turn % nodes.len()], "while one is away");
        let id = node.id.clone();
        // The settings of all nodes name the same two members, and a node may find itself among them.
        nodes.push(node.start_again(overlay, &members));
        settled(&nodes);
        let again = nodes.last().expect("a node").status().expect("a status");
        assert_eq!(again["id"], id, "it is the node that it was");
    }
    for node in &nodes {
        all_there(node, "after the upgrade");
    }
}

#[test]
fn chord_is_upgraded_one_node_after_another() {
    upgrade("chord");
}

#[test]
fn pastry_is_upgraded_one_node_after_another() {
    upgrade("pastry");
}
