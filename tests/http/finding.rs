//! Holders, searches, lookups, and what a node says of itself.

use crate::client::{Answer, Api, network};
use crate::support::{SOON, addrs, is_id, wait_until};
use crate::values::nothing;
use overlay::Id;
use serde_json::{Value, json};

pub(crate) fn holders_are_listed_until_they_are_removed(overlay: &str) {
    let (nodes, apis) = network(overlay, 4);
    let path = "/v1/holders/film";
    let (status, word) = nothing(overlay);
    let none = apis[0].get(path).is(status);
    assert_eq!(none.json()["outcome"], word);
    let own = apis[0].ask("POST", path, &[], &[]).is(200);
    assert_eq!(own.json()["holder"], nodes[0].listen.to_string());
    assert_eq!(own.has("p2p-outcome"), "inserted");
    assert!(own.count("p2p-replicas-durable") >= 1);
    let given = json!({ "holder": "192.0.2.7:6881", "ttl_s": 300, "text": "a film" });
    let inserted = apis[1].post(path, &given).is(200).json();
    assert!(inserted["expires_in_s"].as_u64() <= Some(300), "{inserted}");
    for api in &apis {
        let held = api.get(path).is(200);
        let document = held.json();
        let mut listed = addrs(&document["holders"]);
        listed.sort();
        let mut expected = vec![
            "192.0.2.7:6881".parse().expect("an address"),
            nodes[0].listen,
        ];
        expected.sort();
        assert_eq!(listed, expected, "{document}");
        assert_eq!(held.has("p2p-outcome"), "found");
        assert!(held.count("p2p-replicas-answered") >= 1);
        assert_eq!(
            addrs(&api.get(&format!("{path}?limit=1")).is(200).json()["holders"]).len(),
            1
        );
    }
    apis[2]
        .delete(&format!("{path}?holder=192.0.2.7:6881"))
        .is(200);
    apis[0].delete(path).is(200);
    for api in &apis {
        api.get(path).is(status);
    }
}

fn results(api: &Api, path: &str) -> Vec<Value> {
    let answer = api.get(path).is(200).json();
    assert!(answer["answered"].as_u64() <= answer["asked"].as_u64());
    answer["results"].as_array().expect("results").clone()
}

fn publish(apis: &[Api], query: &str, indexed: bool) {
    let holder = json!({ "holder": "192.0.2.7:6881", "text": "Ubuntu image", "indexed": indexed });
    apis[0].post("/v1/holders/iso%2Fubuntu", &holder).is(200);
    let path = format!("/v1/kv/iso%2Fnote?text=Gr%C3%B6%C3%9Fe+of+each%20image{query}");
    apis[1].put(&path, "12345").is(200);
    apis[2].put("/v1/kv/other", "x").is(200);
}

pub(crate) fn words_and_beginnings_find_holders_and_values(overlay: &str) {
    let (_nodes, apis) = network(overlay, 4);
    publish(&apis, "&indexed=true", true);
    for api in &apis {
        let found = results(api, "/v1/search?text=image+ubuntu");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            (&found[0]["kind"], &found[0]["addr"]),
            (&json!("holder"), &json!("192.0.2.7:6881"))
        );
        let found = results(api, "/v1/search?text=grosse");
        assert_eq!(
            (&found[0]["kind"], &found[0]["size"]),
            (&json!("value"), &json!(5))
        );
        assert_eq!(results(api, "/v1/search?text=ima*").len(), 2);
        assert_eq!(results(api, "/v1/search?text=ima*&limit=1").len(), 1);
        let nothing = api.get("/v1/search?text=debian").is(200).json();
        assert_eq!(
            (&nothing["outcome"], &nothing["complete"]),
            (&json!("absent"), &json!(true))
        );
        let names: Vec<Value> = results(api, "/v1/keys?prefix=iso%2F")
            .into_iter()
            .map(|found| found["key_text"].clone())
            .collect();
        assert_eq!(names, ["iso/note", "iso/ubuntu"]);
        assert!(results(api, "/v1/keys?prefix=none").is_empty());
        assert_eq!(results(api, "/v1/keys?prefix=").len(), 2);
    }
}

pub(crate) fn words_find_holders_and_values(overlay: &str) {
    let (_nodes, apis) = network(overlay, 4);
    publish(&apis, "", false);
    for api in &apis {
        assert_eq!(results(api, "/v1/search?text=image").len(), 2);
        let found = results(api, "/v1/search?text=grosse");
        assert_eq!(found[0]["kind"], "value");
        let nothing = api.get("/v1/search?text=debian").is(503).json();
        assert_eq!(nothing["outcome"], "unknown");
    }
    // Keys are in no order there.
    apis[0].get("/v1/keys?prefix=iso").is(422);
}

pub(crate) fn a_key_is_located_with_its_way(overlay: &str) {
    let (nodes, apis) = network(overlay, 5);
    apis[0]
        .put("/v1/kv/greeting?consistency=all", "hello")
        .is(200);
    let mut sets: Vec<Vec<_>> = Vec::new();
    for (node, api) in nodes.iter().zip(&apis) {
        let located = api.get("/v1/locate/greeting").is(200).json();
        assert_eq!(located["key"], Id::of(b"greeting").to_string());
        let replicas = addrs(&located["replicas"]);
        assert_eq!(replicas.len(), 3, "{located}");
        assert_eq!(
            addrs(&located["path"]).first(),
            Some(&node.listen),
            "{located}"
        );
        assert!(located["hops"].is_u64() && located["timeouts"].is_u64());
        // The hops passed it on: nobody measured them.
        assert_eq!(located["hop_us"], json!([]), "{located}");
        sets.push(replicas);
        let asked = api.get("/v1/locate/greeting?iterative=true").is(200);
        if overlay == "gnutella" {
            // A flood has no hops to ask one by one.
            assert_eq!(asked.json()["hop_us"], json!([]), "{asked:?}");
        } else {
            assert_eq!(addrs(&asked.json()["replicas"]), sets[0]);
            each_hop_was_measured(&asked);
        }
    }
    if overlay != "gnutella" {
        assert!(sets.iter().all(|set| *set == sets[0]), "{sets:?}");
    }
}

/// One hop after the other within the whole: times of other questions would not fit into it.
fn each_hop_was_measured(asked: &Answer) {
    let document = asked.json();
    let hops = document["hop_us"].as_array().expect("a list");
    assert_eq!(Some(hops.len() as u64), document["hops"].as_u64());
    let sum: u64 = hops.iter().filter_map(Value::as_u64).sum();
    let whole = asked.has("server-timing").strip_prefix("lookup;dur=");
    let whole_ms: f64 = whole.and_then(|ms| ms.parse().ok()).expect("a time");
    assert!(sum as f64 <= whole_ms * 1e3, "{whole_ms} ms for {document}");
    assert!(hops.is_empty() || sum > 0, "{document}");
}

pub(crate) fn the_node_says_how_it_is(overlay: &str) {
    let (nodes, apis) = network(overlay, 3);
    for (node, api) in nodes.iter().zip(&apis) {
        let status = api.get("/v1/status").is(200).json();
        assert_eq!(status["id"], node.id);
        assert_eq!(status["overlay"], overlay);
        assert_eq!(status["listen"], node.listen.to_string());
        assert_eq!(status["http"], api.at.to_string());
        assert_eq!(status["member"], true);
        if overlay != "gnutella" {
            assert_eq!(status["copies_wanted"], 3);
            assert!(status["own_records"].is_u64(), "{status}");
            // Whoever joined last is soon a replica of all.
            wait_until("there are nodes for all copies", SOON, || {
                let status = api.get("/v1/status").is(200).json();
                let is_so = status["copies_possible"] == 3;
                is_so.then_some(()).ok_or(status.to_string())
            });
        }
        let peers = api.get("/v1/peers").is(200).json();
        let listed = peers["peers"].as_array().expect("peers").clone();
        assert_eq!(status["peers"].as_u64(), Some(listed.len() as u64));
        assert_eq!(listed.len(), 2, "{peers}");
        for peer in &listed {
            assert!(is_id(&peer["id"]) && peer["role"].is_string(), "{peer}");
        }
        let healthy = api.get("/healthz");
        assert_eq!(
            (healthy.status, healthy.body.as_slice()),
            (200, &b"ok\n"[..])
        );
        let metrics = api.get("/metrics").is(200);
        assert!(metrics.has("content-type").starts_with("text/plain"));
        assert!(String::from_utf8_lossy(&metrics.body).contains("p2p_"));
        wait_until("it is ready", SOON, || match api.get("/readyz") {
            ready if ready.status == 200 => Ok(()),
            other => Err(other.json().to_string()),
        });
    }
}
