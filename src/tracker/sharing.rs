//! Doing what the [`exchange`](tracker::exchange) decides, by way of the overlay.

use super::service::Service;
use super::spawn;
use crate::runtime::Command;
use overlay::{Consistency, Failure, Outcome, Reply, Request};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::oneshot;
use tracker::InfoHash;
use tracker::exchange::{Found, Looker, MAX_PUBLISHERS, Summary, Task, Written};

/// How often it is looked whether there is any other node.
const COMPANY_EVERY: Duration = Duration::from_secs(2);
/// The shortest lease of what is published: less would end between two renewals on a busy machine.
const LEAST_LEASE_S: u32 = 10;

/// Takes one task after another; each runs by itself.
pub(super) async fn share(service: Rc<Service>) {
    loop {
        let now = service.now();
        let task = service.state().exchange.next_task(now);
        if let Some(task) = task {
            let service = Rc::clone(&service);
            spawn(async move {
                match task {
                    Task::Look(hash) => look(&service, hash).await,
                    Task::Write {
                        hash,
                        published,
                        sample,
                    } => {
                        write(&service, hash, published, sample).await;
                    }
                }
                service.roused.notify_one();
            });
            continue;
        }
        let next = service.state().exchange.next_time();
        let roused = service.roused.notified();
        match next {
            None => roused.await,
            Some(at) => {
                let pause = Duration::from_micros(at.since(now).as_micros());
                let _ = tokio::time::timeout(pause, roused).await;
            }
        }
    }
}

/// A node that is alone knows everything.
pub(super) async fn watch_company(service: Rc<Service>) {
    loop {
        let (reply, answer) = oneshot::channel();
        if service.commands.send(Command::Report(reply)).await.is_err() {
            return;
        }
        if let Ok(report) = answer.await {
            let company = report.status.peers > 0;
            service.state().exchange.set_company(company);
        }
        tokio::time::sleep(COMPANY_EVERY).await;
    }
}

/// Makes a call to the overlay, and waits for its answer.
pub(super) async fn call(service: &Service, request: Request) -> Reply {
    let (reply, answer) = oneshot::channel();
    let sent = service
        .commands
        .send(Command::Call { request, reply })
        .await;
    let gone = Reply::Failed(Failure::NotMember);
    match sent {
        Ok(()) => answer.await.unwrap_or(gone),
        Err(_) => gone,
    }
}

async fn look(service: &Service, hash: InfoHash) {
    let request = Request::Search {
        key: hash.into(),
        limit: MAX_PUBLISHERS,
        consistency: Consistency::Quorum,
    };
    let found = match call(service, request).await {
        Reply::Searched(report) => {
            // Of an unknown outcome there may be a part all the same.
            let known = report.outcome != Outcome::Unknown || !report.holders.is_empty();
            let whole = report.outcome != Outcome::Unknown;
            let found = Found {
                hash,
                holders: &report.holders,
                whole,
            };
            let looker = Looker {
                me: service.me.addr,
                started: service.started(),
                wall: service.wall(),
                now: service.now(),
            };
            let state = &mut *service.state();
            let publishers = found.enter(looker, &mut state.tracker.table, &mut state.exchange);
            known.then_some(publishers)
        }
        _ => None,
    };
    let now = service.now();
    service.state().exchange.looked(hash, found, now);
    service.lookup_ended(&hash);
}

async fn write(service: &Service, hash: InfoHash, published: bool, sample: usize) {
    let request = request(service, hash, published, sample);
    let written = match request {
        None => Written::Gone,
        Some((request, oldest_ms)) => match call(service, request).await {
            Reply::Inserted(_) => Written::There { oldest_ms },
            Reply::Deleted(_) => Written::Gone,
            _ => Written::Failed,
        },
    };
    let now = service.now();
    service.state().exchange.wrote(hash, written, now);
}

/// What brings the overlay up to date, and the age of the oldest client in it; none when there is
/// nothing to be there, and nothing is.
fn request(
    service: &Service,
    hash: InfoHash,
    published: bool,
    sample: usize,
) -> Option<(Request, u32)> {
    let (now, at) = (service.now(), service.wall());
    let state = &mut *service.state();
    let expiry_ms = state.tracker.config().expiry_ms;
    let counts = state.tracker.table.own_counts(&hash);
    let (key, holder) = (hash.into(), service.me.addr);
    if counts.complete + counts.incomplete > 0 {
        let peers = state
            .tracker
            .table
            .own_peers(&hash, sample, now, &mut state.rng);
        let ages = peers.iter().map(|peer| peer.age_ms);
        let oldest_ms = ages.max().unwrap_or(0);
        let summary = Summary { at, counts, peers };
        let insert = Request::Insert {
            key,
            holder,
            lease_s: expiry_ms.div_ceil(1_000).max(LEAST_LEASE_S),
            text: summary.encode(expiry_ms),
            indexed: None,
        };
        return Some((insert, oldest_ms));
    }
    let delete = Request::Delete {
        key,
        holder: Some(holder),
        consistency: Consistency::Quorum,
        condition: overlay::Condition::Always,
    };
    published.then_some((delete, 0))
}
