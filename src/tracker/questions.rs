//! Questions of `p2pctl` to the tracker: how would it answer somebody?

use super::service::{Service, patiently};
use super::sharing::call;
use crate::control::explained::{Explained, Publishers};
use overlay::{Consistency, Reply, Request};
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::sync::{mpsc, oneshot};
use tracker::exchange::MAX_PUBLISHERS;
use tracker::{InfoHash, Refusal};

/// Questions that wait. They are answered one after another, because each costs a question to the
/// overlay and a look at many peers; those who ask are persons.
pub(crate) const MAX_QUESTIONS: usize = 16;

/// How would a client at this address be answered?
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) hash: InfoHash,
    pub(crate) addr: SocketAddr,
    pub(crate) reply: oneshot::Sender<Explained>,
}

/// Answers until nobody can ask any more.
pub(super) async fn answer(service: Rc<Service>, mut questions: mpsc::Receiver<Question>) {
    while let Some(question) = questions.recv().await {
        let explained = explain(&service, question.hash, question.addr).await;
        // Whoever asked may have stopped waiting.
        let _ = question.reply.send(explained);
    }
}

async fn explain(service: &Service, hash: InfoHash, addr: SocketAddr) -> Explained {
    // As an announce does: what other nodes know is in memory when it is answered.
    patiently(service.inquire(&[hash], None)).await;
    let publishers = publishers(service, hash).await;
    let now = service.now();
    let state = &mut *service.state();
    let refusal = match state.sharing.tracker.scrape(&hash, None) {
        // It depends on what the client shows.
        Ok(_) | Err(Refusal::Passkey) => None,
        Err(refusal) => Some(refusal.to_string()),
    };
    Explained {
        explanation: state
            .sharing
            .tracker
            .explain(now, &hash, addr, &mut state.rng),
        refusal,
        publishers,
    }
}

async fn publishers(service: &Service, hash: InfoHash) -> Publishers {
    let request = Request::Search {
        key: hash.into(),
        limit: MAX_PUBLISHERS,
        consistency: Consistency::Quorum,
    };
    match call(service, request).await {
        Reply::Searched(report) => Publishers {
            outcome: report.outcome,
            nodes: u32::try_from(report.holders.len()).unwrap_or(u32::MAX),
            answered: report.replicas_answered,
            asked: report.replicas_asked,
        },
        _ => Publishers::UNKNOWN,
    }
}
