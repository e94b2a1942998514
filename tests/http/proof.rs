//! What is not known is never called absent.

use crate::client::{Api, network};
use crate::support::{SETTLE, SOON, addrs, wait_until};
use crate::values::nothing;
use serde_json::json;

/// Nothing is found, and nothing called absent.
fn unknown(apis: &[&Api]) {
    for api in apis {
        for path in ["/v1/kv/precious", "/v1/holders/precious"] {
            let answer = api.get(path).is(503);
            let problem = answer.json();
            assert_eq!(problem["outcome"], "unknown", "{problem}");
            assert_eq!(problem["type"], "urn:p2pnode:problem:unknown");
        }
    }
}

pub(crate) fn stopped_replicas_are_unknown_and_never_absent(overlay: &str) {
    // Without structure value and holder are at three nodes each, the holder also at its own.
    let count = if overlay == "gnutella" { 10 } else { 6 };
    let (nodes, apis) = network(overlay, count);
    apis[0]
        .put("/v1/kv/precious?consistency=all", "gone")
        .is(200);
    let holder = json!({ "holder": "192.0.2.7:6881" });
    apis[0].post("/v1/holders/precious", &holder).is(200);
    crate::support::settle(&nodes);
    let located = apis[0].get("/v1/locate/precious").is(200).json();
    let replicas = addrs(&located["replicas"]);
    let has_it = |at: usize| match overlay {
        // There whoever is asked keeps what it is told; any of them may have it.
        "gnutella" => replicas.contains(&nodes[at].listen) || at == 0,
        _ => replicas.contains(&nodes[at].listen),
    };
    let (stopped, running): (Vec<_>, Vec<_>) = (0..nodes.len()).partition(|at| has_it(*at));
    assert!(stopped.len() >= 3 && running.len() >= 2, "{stopped:?}");
    let asked: Vec<&Api> = running.iter().map(|at| &apis[*at]).collect();
    for at in &stopped {
        nodes[*at].signal("STOP");
    }
    unknown(&asked);
    // Nor once the others have closed the ring without them.
    let gone: Vec<String> = stopped.iter().map(|at| nodes[*at].id.clone()).collect();
    wait_until("the others do without them", SETTLE, || {
        for api in &asked {
            let status = api.get("/v1/status").is(200).json().to_string();
            if let Some(listed) = gone.iter().find(|id| status.contains(*id)) {
                return Err(format!("{listed} is listed at {}", api.at));
            }
        }
        Ok(())
    });
    unknown(&asked);
    for at in &stopped {
        nodes[*at].signal("CONT");
    }
    wait_until("it is found again", SETTLE, || {
        for api in &asked {
            for path in ["/v1/kv/precious", "/v1/holders/precious"] {
                let answer = api.get(path);
                assert_ne!(answer.status, 404, "{path} is called absent");
                if answer.status != 200 {
                    return Err(answer.json().to_string());
                }
            }
        }
        Ok(())
    });
    let (status, _) = nothing(overlay);
    wait_until("what was never there is as before", SOON, || {
        match asked[0].get("/v1/kv/never").status {
            other if other == status => Ok(()),
            other => Err(other.to_string()),
        }
    });
}
