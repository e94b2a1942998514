//! What is urgent does not wait behind the rest.

use super::{Message, Toy, start, until};
use bytes::Bytes;
use overlay::{Consistency, Contact, Cx, Failure, Id, OpId, Reply, Request};
use std::collections::BTreeSet;

/// Messages of a burst: less than a queue takes, more than is ever on its way at a time.
const BURST: u64 = 3_000;
const LENGTH: usize = 1_000;

/// Sends a burst of data to each, and something urgent at the end of it.
pub(super) fn flood(to: &BTreeSet<Contact>, cx: &mut Cx<'_, Toy>, op: OpId) {
    for member in to.iter().copied() {
        for number in 0..BURST {
            let value = Bytes::from(vec![1; LENGTH]);
            cx.send(member, Message::Store(Id::from_u64(number), value));
        }
        cx.send(member, Message::Urgent);
    }
    Toy::done(cx, op, Reply::Failed(Failure::Busy(0)));
}

#[tokio::test]
async fn an_urgent_message_overtakes_what_waits() {
    let (_a, first) = start(&[]);
    let (_b, second) = start(&[&first]);
    until(&first, "two know each other", |status| status.peers == 1).await;
    let burst = Request::Search {
        key: Id::of(b"any"),
        limit: 1,
        consistency: Consistency::One,
    };
    first.call(burst).await;
    until(&second, "all is there", |status| status.values == BURST).await;
    let before = second.report().await.unwrap().status.stored_bytes;
    assert!(
        before < BURST / 2,
        "{before} of {BURST} messages that were sent before came before"
    );
}
