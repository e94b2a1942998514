//! Doing what the [`exchange`](tracker::exchange) decides, by way of the overlay.

use super::service::Service;
use super::spawn;
use crate::runtime::Command;
use overlay::{Consistency, Failure, HolderInfo, Outcome, Reply, Request};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::oneshot;
use tracker::InfoHash;
use tracker::exchange::{MAX_PUBLISHERS, Summary, Task};
use tracker::table::{Change, Counts, Heard};

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
            let publishers = take_over(service, hash, &report.holders, whole);
            known.then_some(publishers)
        }
        _ => None,
    };
    let now = service.now();
    service.state().exchange.looked(hash, found, now);
    service.lookup_ended(&hash);
}

/// Enters what others have published, and drops who is not listed any more where the list is whole;
/// gives how many have published.
fn take_over(service: &Service, hash: InfoHash, holders: &[HolderInfo], mut whole: bool) -> usize {
    let (now, wall) = (service.now(), service.wall());
    let state = &mut *service.state();
    let (table, exchange) = (&mut state.tracker.table, &mut state.exchange);
    let mut elsewhere = Counts::default();
    let mut publishers = 0;
    let mut listed = BTreeSet::new();
    whole &= holders.len() < MAX_PUBLISHERS as usize;
    for holder in holders {
        let Some(summary) = Summary::decode(&holder.text) else {
            // Somebody was listed by hand, or by a program that uses holders for itself.
            let heard = Heard {
                addr: holder.addr,
                seed: false,
                paused: false,
                age_ms: 0,
            };
            // A full table is no reason not to answer.
            let _ = table.hear(hash, &heard, now);
            listed.insert(holder.addr);
            let one = Counts {
                incomplete: 1,
                downloaders: 1,
                ..Counts::default()
            };
            elsewhere = elsewhere.plus(one);
            continue;
        };
        let since = u32::try_from(wall.0.saturating_sub(summary.at.0)).unwrap_or(u32::MAX);
        let own = holder.addr == service.me.addr;
        if !own {
            publishers += 1;
            elsewhere = elsewhere.plus(summary.counts);
        }
        let clients = summary.counts.complete + summary.counts.incomplete;
        whole &= clients <= summary.peers.len() as u64;
        for peer in summary.peers {
            listed.insert(peer.addr);
            let age_ms = peer.age_ms.saturating_add(since);
            let heard = Heard { age_ms, ..peer };
            let change = if own {
                // From an earlier life of this node.
                table.adopt(hash, &heard, now)
            } else {
                table.hear(hash, &heard, now)
            };
            // What is published has to say so: a client is back, or announces elsewhere now.
            let news = if own { Change::Joined } else { Change::Left };
            if change == Ok(news) {
                exchange.changed(hash, now);
            }
        }
    }
    if whole {
        table.forget_unlisted(&hash, &listed);
    }
    table.count_elsewhere(&hash, elsewhere, now);
    publishers
}

async fn write(service: &Service, hash: InfoHash, published: bool, sample: usize) {
    let request = request(service, hash, published, sample);
    let there = match request {
        None => Some(false),
        Some(request) => match call(service, request).await {
            Reply::Inserted(_) => Some(true),
            Reply::Deleted(_) => Some(false),
            _ => None,
        },
    };
    let now = service.now();
    service.state().exchange.wrote(hash, there, now);
}

/// What brings the overlay up to date; none when there is nothing to be there, and nothing is.
fn request(service: &Service, hash: InfoHash, published: bool, sample: usize) -> Option<Request> {
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
        let summary = Summary { at, counts, peers };
        return Some(Request::Insert {
            key,
            holder,
            lease_s: expiry_ms.div_ceil(1_000).max(LEAST_LEASE_S),
            text: summary.encode(expiry_ms),
            indexed: None,
        });
    }
    published.then_some(Request::Delete {
        key,
        holder: Some(holder),
        consistency: Consistency::Quorum,
        condition: overlay::Condition::Always,
    })
}
