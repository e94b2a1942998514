//! The end of a node: in order, or with something left behind.

use super::super::Stopped;
use super::{put, start, until};
use overlay::{Failure, Id, Reply, Request};

/// Where a toy keeps what it hands over for ever.
pub(super) fn precious() -> Id {
    Id::of(b"precious")
}

/// What makes a toy take itself for the last node.
pub(super) fn last() -> Id {
    Id::of(b"last")
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
    let answer = node.call(Request::LeaveWithin { seconds: 0 }).await;
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

#[tokio::test]
async fn a_node_that_nobody_can_take_over_from_stays_unless_it_is_told_when_to_end() {
    let (_temp, mut node) = start(&[]);
    node.call(put(last(), b"v")).await;
    let failure = Failure::LastNode {
        values: 1,
        holders: 0,
    };
    assert_eq!(node.call(Request::Leave).await, Reply::Failed(failure));
    assert!(node.report().await.is_some(), "it serves on");
    let at_once = Request::LeaveWithin { seconds: 0 };
    assert_eq!(node.call(at_once).await, Reply::Left);
    assert_eq!(node.ended().await, Stopped::Orderly);
}

#[tokio::test]
async fn a_call_without_a_limit_waits_and_one_with_a_limit_ends_both() {
    let (_temp, mut node) = start(&[]);
    node.call(put(precious(), b"v")).await;
    let (patient, hurried) = tokio::join!(node.call(Request::Leave), async {
        // Longer than a stop would have waited here.
        tokio::time::sleep(std::time::Duration::from_millis(600)).await;
        assert!(node.report().await.is_some(), "it is still at it");
        node.call(Request::LeaveWithin { seconds: 0 }).await
    });
    assert!(matches!(
        patient,
        Reply::Failed(Failure::NotHandedOver { .. })
    ));
    assert_eq!(patient, hurried);
    assert!(matches!(node.ended().await, Stopped::Incomplete(_)));
}
