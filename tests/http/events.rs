//! The stream of events.

use crate::client::{Api, Served, network};
use crate::support::{SETTLE, SOON, wait_until};
use crate::values::nothing;
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What a reader has seen: name and data.
type Seen = Arc<Mutex<Vec<(String, Value)>>>;

/// Opens the stream and reads its head.
fn open(api: &Api, stream: TcpStream) -> BufReader<TcpStream> {
    let mut stream = stream;
    stream.set_read_timeout(Some(SETTLE)).expect("a time-out");
    write!(
        stream,
        "GET /v1/events HTTP/1.1\r\nHost: {}\r\n\r\n",
        api.at
    )
    .expect("written");
    let mut reader = BufReader::with_capacity(512, stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).expect("a line"), 0, "{head}");
    }
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(
        head.to_ascii_lowercase().contains("text/event-stream"),
        "{head}"
    );
    reader
}

/// Reads events until the stream ends. Lines between them are lengths of chunks.
fn read(reader: impl BufRead, mut each: impl FnMut(String, Value)) {
    let mut name = String::new();
    for line in reader.lines() {
        let Ok(line) = line else { return };
        if let Some(event) = line.strip_prefix("event: ") {
            event.clone_into(&mut name);
        } else if let Some(data) = line.strip_prefix("data: ") {
            let data = serde_json::from_str(data).expect("JSON as data");
            each(std::mem::take(&mut name), data);
        }
    }
}

/// Follows a node in the background, from the return of this on.
fn follow(api: &Api) -> Seen {
    let seen = Seen::default();
    let reader = open(api, TcpStream::connect(api.at).expect("a connection"));
    let kept = Arc::clone(&seen);
    std::thread::spawn(move || {
        read(reader, |name, data| {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push((name, data));
        });
    });
    seen
}

fn wait_for(seen: &[Seen], wanted: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    wait_until(&format!("an event {wanted}"), SOON, || {
        for seen in seen {
            let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let mut all = seen.iter().filter(|(name, _)| name == wanted);
            if let Some((_, data)) = all.find(|(_, data)| is_it(data)) {
                return Ok(data.clone());
            }
        }
        Err(format!("{seen:?}"))
    })
}

pub(crate) fn lookups_and_operations_are_told(overlay: &str) {
    let (nodes, apis) = network(overlay, 4);
    let seen = [follow(&apis[0])];
    apis[0].put("/v1/kv/fox", "red").is(200);
    let key = overlay::Id::of(b"fox").to_string();
    let told = wait_for(&seen, "operation", |data| data["kind"] == "put");
    assert_eq!(told["key"], key, "{told}");
    assert_eq!(
        (&told["failed"], &told["outcome"]),
        (&json!(false), &json!("stored"))
    );
    assert!(told["replicas_durable"].as_u64() >= Some(1), "{told}");
    // Found, not there, and not done are three things.
    let outcome_of = |path: &str, kind: &str, outcome: &str| {
        apis[0].get(path);
        wait_for(&seen, "operation", |data| {
            data["kind"] == kind && data["outcome"] == outcome
        })
    };
    let told = outcome_of("/v1/kv/fox", "get", "found");
    assert!(told["replicas_answered"].as_u64() >= Some(1), "{told}");
    let (_, nothing) = nothing(overlay);
    let told = outcome_of("/v1/kv/dog", "get", nothing);
    assert_eq!(told["failed"], false, "{told}");
    outcome_of("/v1/holders/dog", "search", nothing);
    outcome_of("/v1/search?text=dog", "search_text", nothing);
    if overlay != "gnutella" {
        apis[0]
            .ask("PUT", "/v1/kv/fox", &["If-None-Match: *"], b"x")
            .is(412);
        wait_for(&seen, "operation", |data| data["outcome"] == "conflict");
    }
    let located = apis[0].get("/v1/locate/fox").is(200).json();
    // The put needed a lookup of the same key.
    let told = wait_for(&seen, "lookup", |data| {
        data["key"] == key.as_str() && data["kind"] == "locate"
    });
    for name in ["hops", "path", "replicas"] {
        assert_eq!(told[name], located[name], "{told}");
    }
    if overlay != "gnutella" {
        assert_eq!(told["owner"], located["replicas"][0], "{told}");
    }
    // Without a hop it takes less than the clock tells.
    assert!(told["seconds"].as_f64() >= Some(0.0), "{told}");
    // What p2pctl asks is told as well.
    nodes[0].json(["get", "fox"]).exits(0);
    wait_for(&seen, "operation", |data| data["kind"] == "get");
    wait_for(&seen, "neighbours", |_| true);
}

/// A node that has just joined remembers hardly anybody: its first calls look their keys up. Nine nodes
/// in all need no fingers, so that nobody is looked up for those either.
pub(crate) fn lookups_of_calls_are_told(overlay: &str) {
    const KINDS: [&str; 5] = ["put", "get", "insert", "search", "delete"];
    let (nodes, apis) = network(overlay, 4);
    // They stay: nobody is to go round dead ones.
    let mut newcomers = Vec::new();
    for kind in KINDS {
        newcomers.push(Served::start(overlay, Some(nodes[0].listen), &[]));
        let api = &newcomers[newcomers.len() - 1].api;
        let seen = [follow(api)];
        for number in 0..20 {
            let name = format!("{kind}-{number}");
            let value = format!("/v1/kv/{name}");
            match kind {
                "put" => drop(api.put(&value, "x").is(200)),
                "get" => drop(api.get(&value)),
                "insert" => drop(api.post(&format!("/v1/holders/{name}"), &json!({})).is(200)),
                "search" => drop(api.get(&format!("/v1/holders/{name}"))),
                _ => drop(api.delete(&value)),
            }
        }
        let told = wait_for(&seen, "lookup", |data| {
            data["kind"] == kind && data["hops"].as_u64() >= Some(1)
        });
        assert_eq!(
            (&told["failed"], &told["outcome"]),
            (&json!(false), &json!("found"))
        );
        assert!(told["seconds"].as_f64() > Some(0.0), "{told}");
        let key = told["key"].as_str().expect("a key");
        let located = apis[0].get(&format!("/v1/locate/{key}?hex=true")).is(200);
        let located = located.json();
        // It may have been asked while the newcomer's part was passed to it.
        let replicas = located["replicas"].as_array().expect("a list");
        assert!(
            replicas
                .iter()
                .any(|node| node["id"] == told["owner"]["id"]),
            "{told} {located}"
        );
        // Its own looks at keys are nobody's calls, and what a call needed is told once.
        let seen = seen[0].lock().unwrap_or_else(PoisonError::into_inner);
        let lookups = seen.iter().filter(|(name, _)| name == "lookup");
        assert!(lookups.clone().all(|(_, data)| data["kind"] == kind));
        let of_key = lookups.filter(|(_, data)| data["key"] == key);
        assert!((1..=12).contains(&of_key.count()), "{seen:?}");
    }
}

/// Without structure nobody owns a key, and nothing is looked up but by who asks for that.
pub(crate) fn calls_are_their_own_queries(overlay: &str) {
    let (_nodes, apis) = network(overlay, 3);
    let seen = [follow(&apis[0])];
    apis[1].put("/v1/kv/fox", "red").is(200);
    apis[0].get("/v1/kv/fox").is(200);
    let told = wait_for(&seen, "operation", |data| data["kind"] == "get");
    assert!(told["nodes_reached"].is_u64(), "{told}");
    // Nothing is refused without saying for which key.
    apis[0]
        .ask("PUT", "/v1/kv/fox", &["If-None-Match: *"], b"x")
        .is(422);
    let told = wait_for(&seen, "operation", |data| data["failed"] == true);
    let key = overlay::Id::of(b"fox").to_string();
    assert_eq!((&told["kind"], &told["key"]), (&json!("put"), &json!(key)));
    assert!(told["error"].is_string(), "{told}");
    apis[0].get("/v1/locate/fox").is(200);
    let told = wait_for(&seen, "lookup", |_| true);
    assert_eq!(
        (&told["kind"], &told["owner"]),
        (&json!("locate"), &json!(null))
    );
}

pub(crate) fn a_node_that_joins_shows_in_ring_and_repair(overlay: &str) {
    let (nodes, apis) = network(overlay, 4);
    for number in 0..40 {
        apis[0]
            .put(&format!("/v1/kv/{number}"), vec![b'x'; 4_000])
            .is(200);
    }
    let seen: Vec<Seen> = apis.iter().map(follow).collect();
    let told_first = |seen: &Seen| wait_for(std::slice::from_ref(seen), "neighbours", |_| true);
    seen.iter().for_each(|seen| drop(told_first(seen)));
    let newcomer = Served::start(overlay, Some(nodes[0].listen), &[]);
    let is_newcomer = |data: &Value| data["is"]["id"] == newcomer.node.id.as_str();
    let ring = wait_for(&seen, "ring", is_newcomer);
    assert!(
        ring["change"] == "successor" || ring["change"] == "predecessor",
        "{ring}"
    );
    let moved = wait_for(&seen, "repair", |data| {
        data["moved_records"].as_u64() > Some(0)
    });
    assert!(moved["moving"].is_array(), "{moved}");
    wait_for(&seen, "neighbours", |data| {
        data.to_string().contains(&newcomer.node.id)
    });
    let id = newcomer.node.id.clone();
    newcomer.node.kill();
    wait_for(&seen, "ring", |data| {
        data["change"] == "dead" && data["peer"]["id"] == id.as_str()
    });
}

/// Lookups by one connection, so many that a reader who reads nothing falls behind.
fn flood(api: &Api, count: usize) {
    let stream = TcpStream::connect(api.at).expect("a connection");
    let mut writing = stream.try_clone().expect("the same connection");
    let request = format!("GET /v1/locate/fox HTTP/1.1\r\nHost: {}\r\n\r\n", api.at);
    let last = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    let writer = std::thread::spawn(move || {
        for _ in 0..count {
            writing.write_all(request.as_bytes()).expect("written");
        }
        writing.write_all(last.as_bytes()).expect("written");
    });
    let mut reader = BufReader::new(stream);
    let mut answers = Vec::new();
    reader.read_to_end(&mut answers).expect("all answers");
    writer.join().expect("all was written");
    assert!(answers.ends_with(b"ok\n"));
}

pub(crate) fn a_slow_reader_is_told_that_it_lost_its_place(overlay: &str) {
    /// Lookups in all: their events are some 8 MB, above what the system holds for one connection
    /// (about 2.6 MB) and the 1,024 events that a reader may be behind.
    const LOOKUPS: usize = 20_000;
    let one = Served::start(overlay, None, &[]);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("a small buffer");
    socket.connect(&one.api.at.into()).expect("a connection");
    let slow = open(&one.api, socket.into());
    let attentive = follow(&one.api);
    flood(&one.api, LOOKUPS);
    let mut last = (String::new(), json!(null));
    let mut lookups = 0;
    read(slow, |name, data| {
        lookups += usize::from(name == "lookup");
        last = (name, data);
    });
    let (name, data) = last;
    assert_eq!(name, "end", "{data} after {lookups} lookups");
    let reason = data["reason"].as_str().expect("a reason");
    assert!(reason.contains("too slow"), "{reason}");
    assert!((1..LOOKUPS).contains(&lookups), "{lookups}");
    // Another, who reads, was told all this while.
    wait_for(&[attentive], "lookup", |_| true);
}

pub(crate) fn there_is_room_for_so_many_readers(overlay: &str) {
    /// As `src/http/events.rs` has it.
    const READERS: usize = 16;
    let one = Served::start(overlay, None, &[]);
    let connect = || {
        open(
            &one.api,
            TcpStream::connect(one.api.at).expect("a connection"),
        )
    };
    let mut readers: Vec<_> = (0..READERS).map(|_| connect()).collect();
    one.api.get("/v1/events").is(503);
    readers.pop();
    // Who has gone is noticed when the next event cannot be sent.
    wait_until("there is room again", Duration::from_secs(40), || {
        one.api.get("/v1/locate/fox").is(200);
        let stream = TcpStream::connect(one.api.at).map_err(|error| error.to_string())?;
        let mut reader = BufReader::new(stream);
        let asked = format!("GET /v1/events HTTP/1.1\r\nHost: {}\r\n\r\n", one.api.at);
        reader
            .get_mut()
            .write_all(asked.as_bytes())
            .map_err(|error| error.to_string())?;
        let mut line = String::new();
        reader
            .read_line(&mut line)
            .map_err(|error| error.to_string())?;
        if line.contains("200") {
            Ok(())
        } else {
            Err(line)
        }
    });
}
