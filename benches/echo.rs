//! The floor: a bare quinn echo with 64-byte requests and answers, no overlay at all.
//!
//! Client and server each run on a current-thread runtime of their own, over the loopback device,
//! with the node's own TLS. `frames`: all requests share one stream, as a length and a body.
//! `streams`: each request opens a bidirectional stream. With 1 or 64 requests in flight.

#![allow(
    missing_docs,
    reason = "the macros of criterion make undocumented items"
)]
#![allow(clippy::disallowed_methods, reason = "a benchmark is a driver")]

mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use quinn::Connection;
use std::hint::black_box;
use std::time::{Duration, Instant};
use support::{REQUEST_BYTES, connect, runtime, serve};

/// `count` requests as frames on one stream, `window` of them in flight.
async fn frames(connection: &Connection, count: u64, window: u64) -> Duration {
    let (mut send, mut receive) = connection.open_bi().await.expect("a stream");
    let request = [7; REQUEST_BYTES];
    let mut answers = vec![0; REQUEST_BYTES * 64];
    let start = Instant::now();
    let (mut sent, mut received) = (0, 0);
    while received < count * REQUEST_BYTES as u64 {
        let answered = received / REQUEST_BYTES as u64;
        let more = (answered + window).min(count) - sent;
        if more > 0 {
            send.write_all(&request.repeat(more as usize))
                .await
                .expect("written");
            sent += more;
        }
        let read = receive
            .read(&mut answers)
            .await
            .expect("read")
            .expect("more");
        black_box(&answers[..read]);
        received += read as u64;
    }
    start.elapsed()
}

/// `count` requests with a stream each, by `window` tasks.
async fn streams(connection: &Connection, count: u64, window: u64) -> Duration {
    let start = Instant::now();
    let mut tasks = Vec::new();
    for task in 0..window {
        let connection = connection.clone();
        let share = count / window + u64::from(task < count % window);
        tasks.push(tokio::spawn(async move {
            for _ in 0..share {
                let (mut send, mut receive) = connection.open_bi().await.expect("a stream");
                send.write_all(&[7; REQUEST_BYTES]).await.expect("written");
                send.finish().expect("open");
                let answer = receive.read_to_end(REQUEST_BYTES).await.expect("an answer");
                black_box(answer);
            }
        }));
    }
    for task in tasks {
        task.await.expect("no panic");
    }
    start.elapsed()
}

fn benchmark(criterion: &mut Criterion) {
    let server = serve();
    let runtime = runtime();
    let (_endpoint, connection) = runtime.block_on(connect(server));
    let mut group = criterion.benchmark_group("quinn_echo_64_bytes");
    group.throughput(Throughput::Elements(1));
    for window in [1, 64] {
        group.bench_function(format!("frames/{window}_in_flight"), |bencher| {
            bencher.iter_custom(|count| runtime.block_on(frames(&connection, count, window)));
        });
        group.bench_function(format!("streams/{window}_in_flight"), |bencher| {
            bencher.iter_custom(|count| runtime.block_on(streams(&connection, count, window)));
        });
    }
    group.finish();
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
