//! The whole network, as a node sees it.

use crate::client::{Api, network};
use crate::support::{SOON, wait_until};
use serde_json::Value;

fn ids(nodes: &Value) -> Vec<&str> {
    let nodes = nodes.as_array().into_iter().flatten();
    nodes.filter_map(|node| node["id"].as_str()).collect()
}

/// What a node lists by id, made of what it lists as members.
fn by_id(lists: &Value) -> Value {
    match lists {
        Value::Array(list) => list.iter().map(by_id).collect(),
        Value::Object(fields) if fields.contains_key("addr") => fields["id"].clone(),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, list)| (name.clone(), by_id(list)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

/// Whether one node tells of another what that tells itself. A picture is up to a second old.
fn agree(here: &Api, there: &Api) -> Result<(), String> {
    let status = there.get("/v1/status").is(200).json();
    let seen = here.get("/v1/network").is(200).json();
    let mut told = seen["nodes"].as_array().into_iter().flatten();
    let told = told.find(|node| node["id"] == status["id"]);
    let told = told.ok_or("it is not seen")?;
    let names = [
        "addr",
        "member",
        "predecessor",
        "successors",
        "leaf_set",
        "role",
        "neighbours",
        "leaves",
    ];
    for name in names {
        let own = by_id(&status[name]);
        if told[name] != own {
            return Err(format!("{name}: {} is told, {own} is so", told[name]));
        }
    }
    Ok(())
}

pub(crate) fn every_node_sees_the_whole_network(overlay: &str) {
    let (mut nodes, apis) = network(overlay, 4);
    let mut all: Vec<_> = nodes.iter().map(|node| node.id.clone()).collect();
    all.sort_unstable();
    for (node, api) in nodes.iter().zip(&apis) {
        let seen = api.get("/v1/network").is(200).json();
        assert_eq!(
            (&seen["id"], &seen["overlay"]),
            (&node.id.as_str().into(), &overlay.into())
        );
        assert_eq!(ids(&seen["nodes"]), all);
        assert_eq!(ids(&seen["unreachable"]), [""; 0]);
        assert_eq!(seen["truncated"], false);
        let unmeasured = seen["nodes"].as_array().into_iter().flatten();
        let unmeasured: Vec<_> = unmeasured.filter(|node| node["rtt_us"].is_null()).collect();
        assert_eq!(unmeasured.len(), 1, "{seen}");
        assert_eq!(unmeasured[0]["id"], node.id.as_str());
    }
    // What it tells of another node is what that tells itself, as soon as nothing changes any more.
    for api in &apis {
        wait_until("the picture and the status agree", SOON, || {
            agree(&apis[0], api)
        });
    }
    let killed = nodes.remove(3);
    let id = killed.id.clone();
    killed.kill();
    all.retain(|other| *other != id);
    wait_until("the killed node is seen no more", SOON, || {
        let seen = apis[0].get("/v1/network").is(200).json();
        if ids(&seen["nodes"]) == all {
            Ok(())
        } else {
            Err(seen.to_string())
        }
    });
}
