//! One pass over all keys through all nodes: storing or reading back, then locating some of them.

use super::DemoError;
use super::corpus::Item;
use super::network::Network;
use super::progress::Step;
use crate::control::client::Connector;
use crate::control::session::Session;
use crate::control::window::{Missed, Window};
use crate::control::{ControlBody, ReplyBody};
use hdrhistogram::Histogram;
use overlay::{Condition, Consistency, Failure, Id, Outcome, Reply, Request};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::Instant;

/// Requests in flight at each node: enough to keep eight nodes busy, few enough for 1 MiB values.
const IN_FLIGHT_PER_NODE: usize = 4;
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How long a key is asked for again when the answer was no answer: a network that lost nodes
/// needs a moment to notice.
const RETRY_FOR: Duration = Duration::from_secs(30);
/// The pause before asking again.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// Keys whose way is looked up after a pass, evenly spread: enough for two digits of a mean.
const LOCATED: usize = 200;
/// How long that may take in all: a sample is no reason to hold the demo up.
const LOCATE_FOR: Duration = Duration::from_secs(10);
/// Most failures that are named.
const NAMED_FAILURES: usize = 10;
/// Longest latency that the histogram tells apart, in microseconds.
const MAX_LATENCY_US: u64 = 3_600_000_000;

/// What a pass did.
#[derive(Debug)]
pub(super) struct Pass {
    /// Keys that were stored, or found with the bytes that were stored.
    pub(super) right: usize,
    /// Bytes of their values.
    pub(super) bytes: u64,
    pub(super) missing: usize,
    pub(super) wrong: usize,
    pub(super) elapsed: Duration,
    pub(super) latency_us: Histogram<u64>,
    /// Mean network steps to the root, from the nodes that were asked; none when no lookup ended.
    pub(super) mean_hops: Option<f64>,
    /// The first keys that went wrong, and how.
    pub(super) failures: Vec<String>,
}

/// The end of one request.
enum Verdict {
    Right,
    /// Proven or maybe absent, or not stored.
    Missing(String),
    Wrong,
    /// Worth another attempt.
    Unsure(String),
}

/// A session with every node.
pub(super) async fn connect(
    connector: &mut Connector,
    network: &Network,
) -> Result<Vec<Session>, DemoError> {
    let mut sessions = Vec::new();
    for node in &network.nodes {
        let session = connector.connect_to(node.addr, TIMEOUT).await;
        sessions.push(session.map_err(|error| DemoError(error.to_string()))?);
    }
    Ok(sessions)
}

/// Forgets the sessions with nodes that are gone.
pub(super) fn drop_sessions_of(sessions: &mut Vec<Session>, gone: &[SocketAddr]) {
    sessions.retain(|session| !gone.contains(&session.addr()));
}

pub(super) async fn close(sessions: Vec<Session>) {
    for session in sessions {
        session.close().await;
    }
}

/// Stores every item: number `i` through node `i` modulo their count.
pub(super) async fn store(
    sessions: &mut [Session],
    items: &[Item],
    step: &Step,
) -> Result<Pass, DemoError> {
    let ask = |item: &Item| Request::Put {
        key: Id::of(&item.key),
        value: item.value.clone(),
        ttl_s: None,
        consistency: Consistency::Quorum,
        condition: Condition::Always,
        text: String::new(),
        indexed: None,
    };
    let judge = |_: &Item, reply| match reply {
        Reply::Put(_) => Verdict::Right,
        other => unsure(&other),
    };
    pass(sessions, items, 0, step, ask, judge).await
}

/// Reads every item and compares its bytes: number `i` through another node than the one that
/// stored it, as long as there are two.
pub(super) async fn read(
    sessions: &mut [Session],
    items: &[Item],
    step: &Step,
) -> Result<Pass, DemoError> {
    let ask = |item: &Item| Request::Get {
        key: Id::of(&item.key),
        consistency: Consistency::Quorum,
        at_least: None,
    };
    let judge = |item: &Item, reply| match reply {
        Reply::Got(report) => match (report.outcome, report.value) {
            (Outcome::Found, Some(value)) if value == item.value => Verdict::Right,
            (Outcome::Found, _) => Verdict::Wrong,
            (Outcome::Absent, _) => Verdict::Missing("absent".to_owned()),
            (Outcome::Unknown, _) => Verdict::Unsure(report.reason.unwrap_or_default()),
        },
        other => unsure(&other),
    };
    let shift = sessions.len().div_ceil(2);
    pass(sessions, items, shift, step, ask, judge).await
}

fn unsure(reply: &Reply) -> Verdict {
    match reply {
        Reply::Failed(Failure::Refused(why)) => Verdict::Missing(why.clone()),
        Reply::Failed(failure) => Verdict::Unsure(failure.to_string()),
        _ => Verdict::Unsure("the answer belongs to another question".to_owned()),
    }
}

async fn pass(
    sessions: &mut [Session],
    items: &[Item],
    shift: usize,
    step: &Step,
    ask: impl Fn(&Item) -> Request + Copy,
    judge: impl Fn(&Item, Reply) -> Verdict + Copy,
) -> Result<Pass, DemoError> {
    let started = Instant::now();
    let count = sessions.len();
    let mut total = Pass::new()?;
    let mut waiting = Vec::new();
    for (index, session) in sessions.iter_mut().enumerate() {
        let mut own = Pass::new()?;
        // Node `index` takes the items that node `index - shift` stored.
        let first = (index + count - shift % count) % count;
        let tasks = (first..items.len()).step_by(count);
        waiting.push(async move {
            let result = through_one(session, items, tasks, step, ask, judge, &mut own).await;
            result.map(|()| own)
        });
    }
    for result in join_all(waiting).await {
        total.merge(result?);
    }
    total.elapsed = started.elapsed();
    total.mean_hops = mean_hops(sessions, items, shift).await?;
    Ok(total)
}

async fn through_one(
    session: &mut Session,
    items: &[Item],
    tasks: impl Iterator<Item = usize>,
    step: &Step,
    ask: impl Fn(&Item) -> Request,
    judge: impl Fn(&Item, Reply) -> Verdict,
    own: &mut Pass,
) -> Result<(), DemoError> {
    let mut due: Vec<usize> = tasks.collect();
    let started = Instant::now();
    while !due.is_empty() {
        let last = started.elapsed() >= RETRY_FOR;
        let mut again = Vec::new();
        let mut tasks = due.iter().filter_map(|&at| Some((at, items.get(at)?)));
        let window = Window {
            session: &mut *session,
            limit: IN_FLIGHT_PER_NODE,
            timeout: TIMEOUT,
        };
        let run = window.run(
            || {
                tasks
                    .next()
                    .map(|(at, item)| ((at, item), ControlBody::Data(ask(item))))
            },
            |(at, item), answer, took| {
                let verdict = match answer {
                    Ok(ReplyBody::Data(reply)) => judge(item, reply),
                    Ok(other) => Verdict::Missing(format!("{other:?}").chars().take(100).collect()),
                    Err(Missed::TimedOut) => Verdict::Unsure("no answer in time".to_owned()),
                    Err(Missed::Lost) => Verdict::Missing("the connection was lost".to_owned()),
                };
                match verdict {
                    Verdict::Unsure(_) if !last => again.push(at),
                    verdict => {
                        step.advance();
                        own.note(item, verdict, took);
                    }
                }
            },
        );
        run.await.map_err(|error| DemoError(error.to_string()))?;
        due = again;
        if !due.is_empty() {
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }
    Ok(())
}

/// Mean network steps of lookups for some of the keys, each from the node that the pass asked.
async fn mean_hops(
    sessions: &mut [Session],
    items: &[Item],
    shift: usize,
) -> Result<Option<f64>, DemoError> {
    let every = items.len().div_ceil(LOCATED).max(1);
    let (mut hops, mut answers) = (0u64, 0u64);
    let started = Instant::now();
    for (index, item) in items.iter().enumerate().step_by(every) {
        let at = (index + shift) % sessions.len().max(1);
        let left = LOCATE_FOR.saturating_sub(started.elapsed());
        let Some(session) = sessions.get_mut(at).filter(|_| !left.is_zero()) else {
            break;
        };
        let request = Request::Locate {
            key: Id::of(&item.key),
            iterative: false,
        };
        let asked = tokio::time::timeout(left, session.call(ControlBody::Data(request))).await;
        match asked {
            Ok(Ok(ReplyBody::Data(Reply::Located(report)))) => {
                hops += u64::from(report.hops);
                answers += 1;
            }
            Ok(Ok(_)) | Err(_) => {}
            Ok(Err(error)) => return Err(DemoError(error.to_string())),
        }
    }
    Ok((answers > 0).then(|| hops as f64 / answers as f64))
}

impl Pass {
    pub(super) fn new() -> Result<Self, DemoError> {
        let latency_us = Histogram::new_with_bounds(1, MAX_LATENCY_US, 3)
            .map_err(|error| DemoError(error.to_string()))?;
        Ok(Self {
            right: 0,
            bytes: 0,
            missing: 0,
            wrong: 0,
            elapsed: Duration::ZERO,
            latency_us,
            mean_hops: None,
            failures: Vec::new(),
        })
    }

    fn note(&mut self, item: &Item, verdict: Verdict, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(MAX_LATENCY_US);
        self.latency_us.saturating_record(micros.max(1));
        let why = match verdict {
            Verdict::Right => {
                self.right += 1;
                self.bytes += item.value.len() as u64;
                return;
            }
            Verdict::Wrong => {
                self.wrong += 1;
                "other bytes than those stored".to_owned()
            }
            Verdict::Missing(why) | Verdict::Unsure(why) => {
                self.missing += 1;
                why
            }
        };
        if self.failures.len() < NAMED_FAILURES {
            self.failures
                .push(format!("{}: {why}", String::from_utf8_lossy(&item.key)));
        }
    }

    fn merge(&mut self, other: Self) {
        self.right += other.right;
        self.bytes += other.bytes;
        self.missing += other.missing;
        self.wrong += other.wrong;
        // Both have the same bounds, so that nothing can be out of range.
        let _ = self.latency_us.add(&other.latency_us);
        self.failures.extend(other.failures);
        self.failures.truncate(NAMED_FAILURES);
    }

    /// Requests a second.
    pub(super) fn ops_per_s(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 {
            (self.right + self.missing + self.wrong) as f64 / seconds
        } else {
            0.0
        }
    }
}

/// Runs all futures to their ends, in one task.
async fn join_all<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut running: Vec<_> = futures
        .into_iter()
        .map(|future| (Some(Box::pin(future)), None))
        .collect();
    std::future::poll_fn(|cx| {
        let mut pending = false;
        for (future, output) in &mut running {
            if let Some(inner) = future {
                match inner.as_mut().poll(cx) {
                    std::task::Poll::Ready(value) => {
                        *output = Some(value);
                        *future = None;
                    }
                    std::task::Poll::Pending => pending = true,
                }
            }
        }
        if pending {
            std::task::Poll::Pending
        } else {
            std::task::Poll::Ready(())
        }
    })
    .await;
    running
        .into_iter()
        .filter_map(|(_, output)| output)
        .collect()
}
