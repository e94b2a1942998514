//! The end of a node: in order, or with something left behind.

use super::super::Stopped;
use super::{put, start, until};
use overlay::{Failure, Id, Reply, Request};

/// Where a toy keeps what it cannot hand over.
pub(super) fn precious() -> Id {
    Id::of(b"precious")
}

#[tokio::test]
async fn leaving_ends_the_node_in_order() {
    let (_a, first) = start(&[]);
    let (_b, second) = start(&[&first]);
    until(&first, "two know each other", |status| status.peers == 1).await;
    assert_eq!(second.shutdown().await, Stopped::Orderly);
    until(&first, "the leave is noticed", |status| status.holders == 1).await;
}

#[tokio::test]
async fn a_node_that_cannot_hand_over_in_time_says_what_it_left_behind() {
    let (_temp, mut node) = start(&[]);
    node.call(put(precious(), b"v")).await;
    let failure = Failure::NotHandedOver {
        values: 1,
        holders: 0,
    };
    let answer = node.call(Request::Leave).await;
    assert_eq!(answer, Reply::Failed(failure.clone()));
    assert_eq!(node.ended().await, Stopped::Incomplete(failure));
}

#[tokio::test]
async fn a_second_call_to_leave_does_not_cut_the_first_short() {
    let (_temp, mut node) = start(&[]);
    node.call(put(precious(), b"v")).await;
    node.leave().await;
    node.leave().await;
    let ended = node.ended().await;
    assert!(matches!(ended, Stopped::Incomplete(_)), "{ended:?}");
}
