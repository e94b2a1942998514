//! Whether a node says that it is of no use.

use crate::client::{Api, network};
use crate::support::{SETTLE, SOON, wait_until};
use serde_json::Value;

fn readiness(api: &Api, status: u16) -> Result<Value, String> {
    let answer = api.get("/readyz");
    let verdict = answer.json();
    let is_ready = answer.status == 200;
    assert!(is_ready || answer.status == 503, "{answer:?}");
    assert_eq!(verdict["ready"], is_ready, "{verdict}");
    let reasons = verdict["reasons"].as_array().expect("reasons").len();
    assert_eq!(reasons == 0, is_ready, "{verdict}");
    if answer.status == status {
        Ok(verdict)
    } else {
        Err(verdict.to_string())
    }
}

/// Of two nodes each answers everything alone when the other is gone: it says that it may be cut off.
pub(crate) fn the_survivor_of_two_is_not_ready(overlay: &str) {
    let (nodes, apis) = network(overlay, 2);
    wait_until("both are ready", SOON, || {
        apis.iter()
            .try_for_each(|api| readiness(api, 200).map(drop))
    });
    nodes[1].signal("STOP");
    let verdict = wait_until("it knows that it is alone", SETTLE, || {
        let verdict = readiness(&apis[0], 503)?;
        let text = verdict["reasons"].to_string();
        // The survivor goes on alone, or, where it had not yet heard that the two were all, is cut off.
        let is_so = text.contains("is alone") || text.contains("in no network");
        is_so.then_some(text).ok_or_else(|| verdict.to_string())
    });
    println!("alone: {verdict}");
    nodes[1].signal("CONT");
    wait_until("both are ready again", SETTLE, || {
        apis.iter()
            .try_for_each(|api| readiness(api, 200).map(drop))
    });
}

/// A node that was alone from the beginning, or whose last neighbour left in order, is a network.
pub(crate) fn a_node_that_others_left_is_ready(overlay: &str) {
    let (mut nodes, apis) = network(overlay, 2);
    let leaving = nodes.pop().expect("two nodes");
    leaving.signal("TERM");
    assert!(leaving.ended().success(), "it left in order");
    wait_until("the one that stays is ready", SOON, || {
        readiness(&apis[0], 200).map(drop)
    });
}

pub(crate) fn a_node_that_is_cut_off_is_not_ready(overlay: &str) {
    let (nodes, apis) = network(overlay, 4);
    wait_until("all are ready", SOON, || {
        apis.iter()
            .try_for_each(|api| readiness(api, 200).map(drop))
    });
    let verdict = readiness(&apis[0], 200).expect("ready");
    if overlay != "gnutella" {
        assert_eq!(
            verdict["samples"].as_array().map(Vec::len),
            Some(4),
            "{verdict}"
        );
    }
    for node in &nodes[1..] {
        node.signal("STOP");
    }
    let verdict = wait_until("it is not ready", SOON, || readiness(&apis[0], 503));
    println!("cut off: {}", verdict["reasons"]);
    let healthy = apis[0].get("/healthz");
    assert_eq!(healthy.status, 200, "the process serves all the same");
    // It stays so: a node that has lost all others is no network of its own.
    wait_until("its neighbours are gone", SETTLE, || {
        readiness(&apis[0], 503).expect("it is not ready");
        let status = apis[0].get("/v1/status").is(200).json();
        let text = status.to_string();
        let lists = nodes[1..].iter().any(|node| text.contains(&node.id));
        if status["member"] == false || !lists {
            Ok(())
        } else {
            Err(text)
        }
    });
    readiness(&apis[0], 503).expect("it is not ready");
    for node in &nodes[1..] {
        node.signal("CONT");
    }
    wait_until("all are ready again", SETTLE, || {
        apis.iter()
            .try_for_each(|api| readiness(api, 200).map(drop))
    });
}
