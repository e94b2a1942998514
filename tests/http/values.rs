//! Values: bytes in, bytes out, versions, conditions, limits.

use crate::client::{Answer, Served, network};
use overlay::{Id, MAX_VALUE_BYTES};

/// How an overlay answers for what was never there: where absence proves nothing, it is unknown.
pub(crate) const fn nothing(overlay: &str) -> (u16, &'static str) {
    match overlay.as_bytes() {
        b"gnutella" => (503, "unknown"),
        _ => (404, "absent"),
    }
}

fn tag(answer: &Answer) -> String {
    answer.has("etag").to_owned()
}

pub(crate) fn a_value_goes_in_and_comes_out(overlay: &str) {
    let (_nodes, apis) = network(overlay, 5);
    let stored = apis[0].put("/v1/kv/greeting", "hello").is(200);
    let document = stored.json();
    assert_eq!(document["outcome"], "stored");
    assert_eq!(document["bytes"], 5);
    assert_eq!(document["key"], Id::of(b"greeting").to_string());
    assert_eq!(
        tag(&stored),
        format!("\"{}\"", document["version"].as_str().expect("a version"))
    );
    assert_eq!(stored.has("p2p-outcome"), "stored");
    let (durable, replicas) = (
        stored.count("p2p-replicas-durable"),
        stored.count("p2p-replicas"),
    );
    assert!(durable >= 1 && durable <= replicas, "{stored:?}");
    for api in &apis {
        let got = api.get("/v1/kv/greeting").is(200);
        assert_eq!(got.body, b"hello");
        assert_eq!(tag(&got), tag(&stored));
        assert_eq!(got.has("content-type"), "application/octet-stream");
        assert_eq!(got.has("p2p-outcome"), "found");
        assert_eq!(got.has("x-content-type-options"), "nosniff");
        assert_eq!(got.has("cache-control"), "no-store");
        let answered = got.count("p2p-replicas-answered");
        assert!(
            answered >= 1 && answered <= got.count("p2p-replicas-asked"),
            "{got:?}"
        );
        let head = api.ask("HEAD", "/v1/kv/greeting", &[], &[]);
        assert_eq!((head.status, tag(&head)), (200, tag(&stored)));
    }
    let key = Id::of(b"greeting");
    let by_point = apis[1].get(&format!("/v1/kv/{key}?hex=true")).is(200);
    assert_eq!(by_point.body, b"hello");
    let bytes: Vec<u8> = (0..=255).collect();
    apis[1]
        .put("/v1/kv/a%2Fb%00%FF?consistency=all", &bytes)
        .is(200);
    assert_eq!(apis[2].get("/v1/kv/a%2fb%00%ff").is(200).body, bytes);
    let deleted = apis[2].delete("/v1/kv/greeting").is(200);
    assert_eq!(deleted.json()["outcome"], "found");
    assert!(deleted.count("p2p-replicas-durable") >= 1);
    let (status, word) = nothing(overlay);
    for api in &apis {
        for path in ["/v1/kv/greeting", "/v1/kv/never%20stored"] {
            let gone = api.get(path).is(status);
            assert_eq!(gone.has("p2p-outcome"), word);
            assert_eq!(gone.json()["outcome"], word);
            assert!(gone.header("etag").is_none());
        }
    }
    // A deletion of what may be there is done, one of what is proven absent is not.
    let again = if status == 404 { 404 } else { 200 };
    apis[3].delete("/v1/kv/greeting").is(again);
}

pub(crate) fn writes_keep_their_conditions(overlay: &str) {
    let (_nodes, apis) = network(overlay, 4);
    let path = "/v1/kv/counter";
    let with = |number: usize, method: &str, line: &str, value: &str| {
        apis[number].ask(method, path, &[line], value.as_bytes())
    };
    with(
        0,
        "PUT",
        "If-Match: \"1.0-0000000000000000000000000000000000000000\"",
        "x",
    )
    .is(412);
    let first = with(0, "PUT", "If-None-Match: *", "one").is(201);
    let refused = with(1, "PUT", "If-None-Match: *", "other").is(412);
    assert_eq!(tag(&refused), tag(&first), "it says what is there");
    assert_eq!(refused.json()["outcome"], "conflict");
    let line = |answer: &Answer| format!("If-Match: {}", tag(answer));
    let second = with(2, "PUT", &line(&first), "two").is(200);
    assert_ne!(tag(&first), tag(&second));
    let late = with(3, "PUT", &line(&first), "late").is(412);
    assert_eq!(tag(&late), tag(&second));
    assert_eq!(apis[0].get(path).is(200).body, b"two");
    with(1, "DELETE", &line(&first), "").is(412);
    with(1, "DELETE", "If-Match: \"no version\"", "").is(412);
    assert_eq!(
        apis[0].get(path).is(200).body,
        b"two",
        "nothing was deleted"
    );
    with(0, "GET", &line(&first), "").is(412);
    assert_eq!(with(0, "GET", &line(&second), "").is(200).body, b"two");
    with(1, "GET", "If-Match: not quoted", "").is(400);
    // Any value: that of whoever wrote last.
    let second = with(3, "PUT", "If-Match: *", "any").is(200);
    assert_eq!(apis[0].get(path).is(200).body, b"any");
    with(1, "DELETE", &line(&second), "").is(200);
    apis[0].get(path).is(404);
    let nothing = with(0, "PUT", "If-Match: *", "x").is(412).json();
    assert!(nothing["version"].is_null(), "{nothing}");
    with(0, "DELETE", "If-Match: *", "").is(412);
    with(0, "GET", "If-Match: *", "").is(404);
    with(2, "PUT", &line(&second), "three").is(412);
    with(2, "DELETE", &line(&second), "").is(412);
    with(3, "PUT", "If-None-Match: *", "old").is(201);
    with(1, "DELETE", "If-Match: *", "").is(200);
    with(3, "PUT", "If-None-Match: *", "anew").is(201);
    with(0, "PUT", "If-Match: not quoted", "x").is(400);
    with(0, "PUT", "If-Match: \"a\", \"b\"", "x").is(422);
    with(0, "PUT", "If-None-Match: \"a\"", "x").is(422);
    with(0, "DELETE", "If-None-Match: *", "").is(422);
    assert_eq!(apis[1].get(path).is(200).body, b"anew");
}

/// Nobody there can tell what is there.
pub(crate) fn conditions_are_refused(overlay: &str) {
    let one = Served::start(overlay, None, &[]);
    let put = |line: &str| one.api.ask("PUT", "/v1/kv/k", &[line], b"x");
    put("If-None-Match: *").is(422);
    let stored = one.api.put("/v1/kv/k", "x").is(200);
    put(&format!("If-Match: {}", tag(&stored))).is(422);
    put("If-Match: *").is(422);
}

pub(crate) fn a_reader_is_not_sent_what_it_has(overlay: &str) {
    let (_nodes, apis) = network(overlay, 3);
    let path = "/v1/kv/page";
    let known = |list: &str| {
        let line = format!("If-None-Match: {list}");
        apis[1].ask("GET", path, &[&line], &[])
    };
    let first = tag(&apis[0].put(path, "one").is(200));
    let unchanged = known(&first).is(304);
    assert!(unchanged.body.is_empty());
    assert_eq!(tag(&unchanged), first);
    assert_eq!(unchanged.has("p2p-outcome"), "found");
    known("*").is(304);
    known(&format!("\"other\", W/{first}")).is(304);
    known("\"other\"").is(200);
    known("not quoted").is(400);
    let second = tag(&apis[2].put(path, "two").is(200));
    assert_eq!(known(&first).is(200).body, b"two");
    let at_least = |tag: &str| format!("{path}?at_least={}", tag.trim_matches('"'));
    assert_eq!(apis[0].get(&at_least(&second)).is(200).body, b"two");
    apis[0].get(&format!("{path}?at_least=x")).is(400);
}

pub(crate) fn p2pctl_and_http_see_the_same(overlay: &str) {
    let (nodes, apis) = network(overlay, 4);
    apis[0]
        .put("/v1/kv/from%20http?text=red+fox", "by http")
        .is(200);
    let got = nodes[1].ctl(["get", "from http"]).exits(0);
    assert_eq!(got.stdout, b"by http");
    let found = nodes[2]
        .json(["search", "--text", "fox"])
        .exits(0)
        .document();
    assert_eq!(found["results"][0]["kind"], "value", "{found}");
    let put = nodes[1]
        .json(["put", "from ctl", "by ctl"])
        .exits(0)
        .document();
    let got = apis[2].get("/v1/kv/from%20ctl").is(200);
    assert_eq!(got.body, b"by ctl");
    assert_eq!(
        tag(&got).trim_matches('"'),
        put["version"].as_str().expect("a version")
    );
    nodes[3]
        .json(["insert", "film", "--holder", "192.0.2.7:6881"])
        .exits(0);
    let held = apis[0].get("/v1/holders/film").is(200).json();
    let listed = nodes[0].json(["search", "film"]).exits(0).document();
    assert_eq!(held["holders"][0]["addr"], "192.0.2.7:6881");
    assert_eq!(held["holders"][0]["addr"], listed["holders"][0]["addr"]);
    apis[3].delete("/v1/kv/from%20ctl").is(200);
    let gone = if overlay == "gnutella" { 3 } else { 1 };
    nodes[0].json(["get", "from ctl"]).exits(gone);
    // The same document, whoever asks.
    let (by_ctl, by_http) = (
        nodes[0].status().expect("status"),
        apis[0].get("/v1/status").is(200).json(),
    );
    let names = |document: &serde_json::Value| -> Vec<String> {
        document
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect()
    };
    assert_eq!(names(&by_ctl), names(&by_http));
}

pub(crate) fn a_value_that_is_too_large_is_refused(overlay: &str) {
    let one = Served::start(overlay, None, &[]);
    let mut value = vec![7; MAX_VALUE_BYTES];
    one.api.put("/v1/kv/large", &value).is(200);
    value.push(7);
    one.api.put("/v1/kv/larger", &value).is(413);
    one.api
        .put("/v1/kv/larger", vec![7; 3 * MAX_VALUE_BYTES])
        .is(413);
    one.api.get("/v1/kv/larger").is(404);
    value.pop();
    assert_eq!(one.api.get("/v1/kv/large").is(200).body, value);
}

pub(crate) fn a_full_store_says_so(overlay: &str) {
    let one = Served::start(overlay, None, &["--max-store", "2KiB"]);
    let value = "x".repeat(600);
    for key in ["one", "two", "three"] {
        one.api.put(&format!("/v1/kv/{key}"), &value).is(200);
    }
    let full = one.api.put("/v1/kv/four", &value).is(507);
    let problem = full.json();
    let hint = problem["hint"].as_str().expect("a hint");
    assert!(hint.contains("--max-store"), "{problem}");
    one.api.get("/v1/kv/two").is(200);
    one.api.delete("/v1/kv/two").is(200);
    one.api.delete("/v1/kv/one").is(200);
    one.api.put("/v1/kv/four", &value).is(200);
}

pub(crate) fn what_makes_no_sense_is_refused(overlay: &str) {
    let one = Served::start(overlay, None, &[]);
    let long = "k".repeat(overlay::MAX_KEY_BYTES + 1);
    for (path, status) in [
        ("/v1/kv/k?consistency=most", 400),
        ("/v1/kv/k?unknown=1", 400),
        ("/v1/kv/k?hex=true", 422),
        ("/v1/kv/%zz", 400),
        ("/v1/kv/", 400),
        (&format!("/v1/kv/{long}"), 422),
        ("/v1/holders/k?limit=0", 400),
        ("/v1/holders/k?limit=1001", 400),
        ("/v1/search", 400),
        ("/v1/search?text=", 422),
        ("/v1/keys?prefix=a&limit=0", 400),
        ("/v2/kv/k", 404),
        ("/v1/kv/a/b", 400),
        ("/v1/holders/a//b?limit=1", 400),
        ("/v1/locate/a/", 400),
    ] {
        one.api.get(path).is(status);
    }
    // It is not said of a value that exists that there is none: the path is not understood.
    one.api.put("/v1/kv/iso%2Fnotes", "x").is(200);
    let hint = one.api.get("/v1/kv/iso/notes").is(400).json()["hint"].clone();
    assert!(
        hint.as_str().is_some_and(|hint| hint.contains("%2F")),
        "{hint}"
    );
    one.api.put("/v1/kv/iso/notes", "x").is(400);
    let put = |query: &str| one.api.put(&format!("/v1/kv/k?{query}"), "x");
    put("ttl_s=0").is(400);
    put("ttl_s=99999999").is(400);
    put(&format!("text={}", "w".repeat(2_000))).is(422);
    let key = Id::of(b"k");
    let indexed = one
        .api
        .put(&format!("/v1/kv/{key}?hex=true&indexed=true"), "x");
    indexed.is(422);
    let wrong = one.api.ask("PATCH", "/v1/kv/k", &[], &[]).is(405);
    let allowed = wrong.has("allow");
    for method in ["GET", "PUT", "DELETE"] {
        assert!(allowed.contains(method), "{allowed}");
    }
    one.api.ask("POST", "/v1/holders/k", &[], b"{").is(400);
    one.api
        .post("/v1/holders/k", &serde_json::json!({ "ttl_s": 0 }))
        .is(400);
    one.api
        .post("/v1/holders/k", &serde_json::json!({ "other": 1 }))
        .is(400);
    // JSON Schema calls a number whole by its value, however it is written.
    for (ttl, status) in [("300.0", 200), ("300.5", 400), ("-1", 400), ("1e12", 400)] {
        let text = format!("{{\"ttl_s\": {ttl}}}");
        let kind = ["Content-Type: application/json"];
        let asked = one.api.ask("POST", "/v1/holders/k", &kind, text.as_bytes());
        asked.is(status);
    }
}
