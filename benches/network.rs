//! One operation at a time through a network of 16 real processes, beside the bare quinn echo
//! measured in the same run: what the network adds to the floor.
//!
//! Gets and puts go through a node that holds none of the keys. The chain is the floor of such a
//! get: a client, a relay and two servers of bare quinn, each on a thread of its own. At the end,
//! the medians of single operations and their ratios to the echo and to the chain are printed.

#![allow(
    missing_docs,
    reason = "the macros of criterion make undocumented items"
)]
#![allow(clippy::disallowed_methods, reason = "a benchmark is a driver")]

#[path = "../tests/support/mod.rs"]
mod processes;
#[path = "support/relay.rs"]
mod relay;
mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use hdrhistogram::Histogram;
use overlay::{Condition, Consistency, Id, Reply, Request};
use p2pnode::control::client::Connector;
use p2pnode::control::session::Session;
use p2pnode::control::{ControlBody, ReplyBody, proof};
use processes::Node;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use support::{REQUEST_BYTES, connect, runtime, serve};

/// Nodes of the network.
const NODES: usize = 16;
/// Keys that are asked for in turn.
const KEYS: usize = 200;
/// Bytes of a value.
const VALUE_BYTES: usize = 100;
/// Longest latency that the histograms tell apart: a minute.
const MAX_LATENCY_NS: u64 = 60_000_000_000;
/// How long a node may take to answer a session.
const PATIENCE: Duration = Duration::from_secs(10);

/// The latencies of single operations.
struct Latencies(Histogram<u64>);

impl Latencies {
    fn new() -> Self {
        Self(Histogram::new_with_bounds(1, MAX_LATENCY_NS, 3).expect("fixed bounds"))
    }

    fn note(&mut self, began: Instant) {
        let nanos = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.0.saturating_record(nanos);
    }

    fn median_us(&self) -> f64 {
        self.0.value_at_quantile(0.5) as f64 / 1_000.0
    }
}

async fn echoes(connection: &quinn::Connection, count: u64, latencies: &mut Latencies) -> Duration {
    let (mut send, mut receive) = connection.open_bi().await.expect("a stream");
    let mut answer = [0; REQUEST_BYTES];
    let start = Instant::now();
    for _ in 0..count {
        let began = Instant::now();
        send.write_all(&[7; REQUEST_BYTES]).await.expect("written");
        receive.read_exact(&mut answer).await.expect("an answer");
        latencies.note(began);
    }
    start.elapsed()
}

async fn ask(session: &mut Session, request: Request) -> Reply {
    match session.call(ControlBody::Data(request)).await {
        Ok(ReplyBody::Data(reply)) => reply,
        other => panic!("no answer but {other:?}"),
    }
}

fn put(key: Id) -> Request {
    let value = vec![key.0[0]; VALUE_BYTES].into();
    Request::Put {
        key,
        value,
        ttl_s: None,
        consistency: Consistency::Quorum,
        condition: Condition::Always,
        text: String::new(),
        indexed: None,
    }
}

fn get(key: Id) -> Request {
    Request::Get {
        key,
        consistency: Consistency::Quorum,
        at_least: None,
    }
}

/// Keys that are stored, and that the node at `asked` does not hold.
async fn stored_elsewhere(session: &mut Session, asked: SocketAddr) -> Vec<Id> {
    let mut keys = Vec::new();
    for number in 0..2 * KEYS {
        let key = Id::of(format!("bench {number}").as_bytes());
        let Reply::Located(found) = ask(
            session,
            Request::Locate {
                key,
                iterative: false,
            },
        )
        .await
        else {
            panic!("{key} has no replicas")
        };
        if found.replicas.iter().all(|replica| replica.addr != asked) && keys.len() < KEYS {
            let stored = ask(session, put(key)).await;
            assert!(matches!(stored, Reply::Put(_)), "{stored:?}");
            keys.push(key);
        }
    }
    keys
}

async fn one_by_one(
    session: &mut Session,
    keys: &[Id],
    count: u64,
    request: impl Fn(Id) -> Request,
    latencies: &mut Latencies,
) -> Duration {
    let start = Instant::now();
    for turn in 0..count {
        let key = keys[turn as usize % keys.len()];
        let began = Instant::now();
        let reply = ask(session, request(key)).await;
        latencies.note(began);
        match reply {
            Reply::Got(report) => assert!(report.value.is_some(), "{key} is lost"),
            Reply::Put(_) => {}
            other => panic!("{other:?}"),
        }
    }
    start.elapsed()
}

fn benchmark(criterion: &mut Criterion) {
    let runtime = runtime();
    let nodes: Vec<Node> = processes::network("chord", NODES);
    processes::settle(&nodes);
    let asked = nodes[0].listen;
    let (_endpoint, connection) = runtime.block_on(connect(serve()));
    let (_relayed, chain) = runtime.block_on(connect(relay::relay([serve(), serve()])));
    let config = proof::anonymous().expect("a key");
    let mut session = runtime
        .block_on(async { Connector::new(config).connect_to(asked, PATIENCE).await })
        .expect("a session");
    let keys = runtime.block_on(stored_elsewhere(&mut session, asked));
    let mut seen = std::array::from_fn(|_| Latencies::new());
    let [echo, chained, gets, puts] = &mut seen;

    let mut group = criterion.benchmark_group("one_in_flight_16_nodes");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(4));
    group.bench_function("quinn_echo_64_bytes", |bencher| {
        bencher.iter_custom(|count| runtime.block_on(echoes(&connection, count, echo)));
    });
    group.bench_function("quinn_chain_64_bytes", |bencher| {
        bencher.iter_custom(|count| runtime.block_on(echoes(&chain, count, chained)));
    });
    group.bench_function("get_100_bytes", |bencher| {
        bencher.iter_custom(|count| {
            runtime.block_on(one_by_one(&mut session, &keys, count, get, gets))
        });
    });
    group.bench_function("put_100_bytes", |bencher| {
        bencher.iter_custom(|count| {
            runtime.block_on(one_by_one(&mut session, &keys, count, put, puts))
        });
    });
    group.finish();

    let [echo, chained, gets, puts] = seen.map(|latencies| latencies.median_us());
    println!("median of one echo  {echo:.1} µs");
    for (name, median) in [("chain", chained), ("get", gets), ("put", puts)] {
        println!(
            "median of one {name:<5} {median:.1} µs, {:.2} times the echo, {:.2} times the chain",
            median / echo,
            median / chained
        );
    }
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
