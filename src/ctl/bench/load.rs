//! Running one phase: a window of requests on every session, and what came back.

use super::plan::{Kind, Share, Ticket};
use super::report::Table;
use crate::control::ReplyBody;
use crate::control::client::ClientError;
use crate::control::session::Session;
use crate::control::window::{Missed, Window};
use hdrhistogram::Histogram;
use overlay::{Failure, Outcome, Reply};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Longest latency that the histograms tell apart: an hour, in nanoseconds.
const MAX_LATENCY_NS: u64 = 3_600 * 1_000_000_000;
/// Significant decimal digits of the histograms.
const DIGITS: u8 = 3;

/// Latencies and errors of one kind of operation.
#[derive(Debug)]
pub(super) struct KindMeter {
    pub(super) latency_ns: Histogram<u64>,
    pub(super) errors: BTreeMap<&'static str, u64>,
}

impl KindMeter {
    fn new() -> Result<Self, String> {
        let latency_ns = Histogram::new_with_bounds(1, MAX_LATENCY_NS, DIGITS)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            latency_ns,
            errors: BTreeMap::new(),
        })
    }

    fn merge(&mut self, other: &Self) {
        // Both have the same bounds, so that nothing can be out of range.
        let _ = self.latency_ns.add(&other.latency_ns);
        for (name, count) in &other.errors {
            *self.errors.entry(name).or_default() += count;
        }
    }
}

/// What a phase measured.
#[derive(Debug)]
pub(super) struct Meter {
    puts: KindMeter,
    gets: KindMeter,
    last: Option<Instant>,
    elapsed: Duration,
}

impl Meter {
    fn new() -> Result<Self, String> {
        Ok(Self {
            puts: KindMeter::new()?,
            gets: KindMeter::new()?,
            last: None,
            elapsed: Duration::ZERO,
        })
    }

    fn merge(&mut self, other: &Self) {
        self.puts.merge(&other.puts);
        self.gets.merge(&other.gets);
        self.last = self.last.max(other.last);
    }

    fn note(&mut self, ticket: Ticket, verdict: Result<(), &'static str>, took: Duration) {
        if !ticket.measured {
            return;
        }
        let meter = match ticket.kind {
            Kind::Put => &mut self.puts,
            Kind::Get => &mut self.gets,
        };
        match verdict {
            Ok(()) => {
                let nanos = u64::try_from(took.as_nanos()).unwrap_or(MAX_LATENCY_NS);
                meter.latency_ns.saturating_record(nanos);
            }
            Err(name) => *meter.errors.entry(name).or_default() += 1,
        }
    }

    /// One table for each kind of operation that took place.
    pub(super) fn tables(self, phase: &'static str) -> Vec<Table> {
        let elapsed = self.elapsed;
        [("put", self.puts), ("get", self.gets)]
            .into_iter()
            .filter(|(_, meter)| !meter.latency_ns.is_empty() || !meter.errors.is_empty())
            .map(|(kind, meter)| Table {
                phase,
                kind,
                elapsed,
                meter,
            })
            .collect()
    }
}

/// The end of a phase.
pub(super) struct Done {
    /// The sessions that are still up.
    pub(super) sessions: Vec<Session>,
    pub(super) meter: Meter,
    /// Why the others are not.
    pub(super) lost: Vec<ClientError>,
}

/// Runs a phase on all sessions; when one is lost, the others take up what is left.
pub(super) async fn run_phase(
    sessions: Vec<Session>,
    share: &Arc<Share>,
    concurrency: u64,
    timeout: Duration,
) -> Result<Done, String> {
    let count = sessions.len() as u64;
    let mut workers = JoinSet::new();
    for (index, session) in sessions.into_iter().enumerate() {
        let extra = u64::from((index as u64) < concurrency % count);
        let limit = usize::try_from(concurrency / count + extra).unwrap_or(1);
        workers.spawn(work(
            session,
            Arc::clone(share),
            limit,
            timeout,
            Meter::new()?,
        ));
    }
    let mut done = Done {
        sessions: Vec::new(),
        meter: Meter::new()?,
        lost: Vec::new(),
    };
    while let Some(ended) = workers.join_next().await {
        let (session, meter, result) = ended.map_err(|error| error.to_string())?;
        done.meter.merge(&meter);
        match result {
            Ok(()) => done.sessions.push(session),
            Err(error) => done.lost.push(error),
        }
    }
    // The order of the ends is chance; the order of the nodes is not.
    done.sessions.sort_by_key(Session::addr);
    if let (Some(started), Some(last)) = (share.started(), done.meter.last) {
        done.meter.elapsed = last.saturating_duration_since(started);
    }
    Ok(done)
}

async fn work(
    mut session: Session,
    share: Arc<Share>,
    limit: usize,
    timeout: Duration,
    mut meter: Meter,
) -> (Session, Meter, Result<(), ClientError>) {
    let window = Window {
        session: &mut session,
        limit,
        timeout,
    };
    let result = window
        .run(
            || share.next(),
            |ticket, answer, took| meter.note(ticket, judge(&share, ticket, answer), took),
        )
        .await;
    meter.last = Some(Instant::now());
    (session, meter, result)
}

/// Whether an answer is what it should be, or else in one or two words what it is.
fn judge(
    share: &Share,
    ticket: Ticket,
    answer: Result<ReplyBody, Missed>,
) -> Result<(), &'static str> {
    match answer {
        Ok(ReplyBody::Data(Reply::Put(_))) => {
            share.keys.note_stored(ticket.key);
            Ok(())
        }
        Ok(ReplyBody::Data(Reply::Got(report))) => match (report.outcome, report.value) {
            (Outcome::Found, Some(value)) if value == share.keys.value(ticket.key) => Ok(()),
            (Outcome::Found, _) => Err("wrong value"),
            (Outcome::Absent, _) => Err("absent"),
            (Outcome::Unknown, _) => Err("unknown"),
        },
        Ok(ReplyBody::Data(Reply::Failed(failure))) => Err(match failure {
            Failure::NotMember => "not in a network",
            Failure::NoRoute { .. } => "no route",
            Failure::TooFewReplicas { .. } => "too few replicas",
            Failure::NoAnswer { .. } => "no answer",
            Failure::Refused(_) => "refused",
            Failure::Full(_) => "full",
            Failure::Busy(_) => "busy",
            _ => "failed",
        }),
        Ok(ReplyBody::Denied(_)) => Err("denied"),
        Ok(_) => Err("wrong answer"),
        Err(Missed::TimedOut) => Err("timed out"),
        Err(Missed::Lost) => Err("connection lost"),
    }
}
