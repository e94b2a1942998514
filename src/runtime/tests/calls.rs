//! What the tests ask of nodes, and wait for.

use super::super::NodeHandle;
use bytes::Bytes;
use overlay::{Condition, Consistency, Id, Reply, Request, Status};
use std::time::Duration;

pub(super) fn put(key: Id, value: &[u8]) -> Request {
    let value = Bytes::copy_from_slice(value);
    Request::Put {
        key,
        value,
        ttl_s: None,
        consistency: Consistency::One,
        condition: Condition::Always,
        text: String::new(),
        indexed: None,
    }
}

pub(super) async fn get(node: &NodeHandle, key: Id) -> Option<Bytes> {
    match node
        .call(Request::Get {
            key,
            consistency: Consistency::One,
            at_least: None,
        })
        .await
    {
        Reply::Got(report) => report.value,
        other => panic!("not an answer to get: {other:?}"),
    }
}

/// Waits for what is true soon, and says what was last seen when it is not.
pub(super) async fn until(node: &NodeHandle, what: &str, holds: impl Fn(&Status) -> bool) {
    let mut last = None;
    for _ in 0..2_000 {
        let status = node.report().await.expect("the node has ended").status;
        if holds(&status) {
            return;
        }
        last = Some(status);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what} did not come true: {last:?}");
}
