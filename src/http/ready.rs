//! Health: whether the process serves, and whether the node is of use: it has joined, its
//! neighbours answer, and it reaches the replica sets of keys that are drawn at random.
//!
//! A node that is up but cut off from its network answers everything that it is asked, with "unknown";
//! only a look at keys that others answer for tells.

use super::context::{Context, REPORT_TIMEOUT};
use super::problem::Problem;
use crate::control::StatusReport;
use crate::documents::HexId;
use crate::metrics::Metrics;
use crate::runtime::wall;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use overlay::{Consistency, Id, Neighbours, Outcome, Promise, Reply, Request, Status};
use serde::Serialize;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use utoipa::ToSchema;

/// Keys that are drawn for one look. Of a node that lost a third of the network three keys show it
/// seven times in ten, and looks are made again and again.
const SAMPLES: usize = 3;
/// How long a look at one key may take; all are looked at together.
const LOOK_TIMEOUT: Duration = Duration::from_secs(3);
/// For so long the last verdict holds: whoever asks for health has no token, and must not be able to
/// make the node ask others as often as he likes.
const VERDICT_HOLDS: Duration = Duration::from_secs(2);

/// For so long the last verdict is good enough for metrics: each look is four reads, and a node that is
/// scraped every few seconds need not look as often.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// For so long a node that is alone is held to be cut off, and not to be all that is left of its network:
/// as long as Chord and Pastry look for the neighbours that they lost.
const HOPED_FOR: Duration = Duration::from_secs(60 * 60);

/// The last verdict, and when it was found. Who asks while one is being found waits for it.
#[derive(Debug, Default)]
pub(super) struct Readiness(Mutex<Option<(Instant, Verdict)>>);

/// Whether a node is of use, and why not.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Verdict {
    ready: bool,
    /// Why it is not, one sentence each.
    reasons: Vec<String>,
    /// Whether it is in a network.
    member: bool,
    /// Distinct peers in its tables.
    peers: u32,
    /// What was seen of keys: the node's own id, whose replicas are its neighbours, then keys drawn
    /// at random. Empty where keys have no replica sets.
    samples: Vec<Sample>,
}

/// A look at one key.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Sample {
    #[schema(value_type = HexId)]
    key: Id,
    /// Whether enough replicas answered for a read.
    reached: bool,
    replicas_answered: u32,
    replicas_asked: u32,
    reason: Option<String>,
}

/// Whether the process serves
#[utoipa::path(get, path = "/healthz", operation_id = "healthz", tag = "health", security(()),
    responses((status = 200, description = "It does", body = String, content_type = "text/plain"),
        (status = 503, description = "Its machine does not answer", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn healthz(State(context): State<Context>) -> Response {
    match context.report().await {
        Some(_) => "ok\n".into_response(),
        None => Problem::silent(false).into_response(),
    }
}

/// Whether the node is in its network and reaches it
#[utoipa::path(get, path = "/readyz", operation_id = "readyz", tag = "health", security(()),
    responses((status = 200, description = "It is", body = Verdict),
        (status = 503, description = "It is not, and why", body = Verdict)))]
pub(super) async fn readyz(State(context): State<Context>) -> Response {
    let verdict = verdict(&context).await;
    let status = if verdict.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(verdict)).into_response()
}

/// The last verdict, or a new one when that is old.
async fn verdict(context: &Context) -> Verdict {
    let mut last = context.readiness.0.lock().await;
    if let Some((at, verdict)) = &*last
        && at.elapsed() < VERDICT_HOLDS
    {
        return verdict.clone();
    }
    let verdict = look(context).await;
    *last = Some((Instant::now(), verdict.clone()));
    drop(last);
    verdict.show(&context.site.metrics);
    verdict
}

/// Makes a new verdict in the background when the last one is old: metrics show the last one, and do
/// not keep Prometheus waiting for it.
#[allow(
    clippy::disallowed_methods,
    reason = "the runtime of HTTP is its own, and ends with it"
)]
pub(super) fn look_again(context: &Context) {
    let is_new = |last: &Option<(Instant, Verdict)>| {
        last.as_ref()
            .is_some_and(|(at, _)| at.elapsed() < LOOK_AGAIN)
    };
    // Where somebody holds the lock, he makes one.
    if context
        .readiness
        .0
        .try_lock()
        .is_ok_and(|last| !is_new(&last))
    {
        let context = context.clone();
        tokio::spawn(async move { verdict(&context).await });
    }
}

async fn look(context: &Context) -> Verdict {
    let Some(report) = context.report().await else {
        let seconds = REPORT_TIMEOUT.as_secs();
        let reason = format!("the node has not said for {seconds} s how it is");
        return Verdict::of(false, 0, vec![reason], Vec::new());
    };
    let StatusReport { status, .. } = &report;
    let mut reasons = Vec::new();
    if status.leaving {
        reasons.push("the node is leaving its network".to_owned());
    }
    if !status.member {
        let text = "the node is in no network: it is joining, or cut off from all its neighbours";
        reasons.push(text.to_owned());
    }
    if status.peers > 0 && has_no_link(&status.neighbours) {
        let known = status.peers;
        reasons.push(format!(
            "the node has no neighbour: of {known} hosts that it knows none answers"
        ));
    }
    let died_at = context.site.metrics.neighbour_died_at();
    if status.member && is_lone_survivor(status, died_at) {
        let text = "the node is alone: its last neighbours fell silent, and may be alive where it does not reach them; it looks for them for an hour";
        reasons.push(text.to_owned());
    }
    if !reasons.is_empty() || status.promise == Promise::BestEffort {
        // Without structure keys have no replica sets, and a look at one would flood the network.
        return Verdict::of(status.member, status.peers, reasons, Vec::new());
    }
    let samples = look_at_keys(context).await;
    let mut all = samples.iter();
    if let Some(own) = all.next().filter(|own| !own.reached) {
        reasons.push(match (own.replicas_asked, &own.reason) {
            (0, None) => "no replica of this node's own keys could be asked".to_owned(),
            (0, Some(why)) => format!("no replica of this node's own keys could be asked: {why}"),
            (asked, _) => format!(
                "of the {asked} replicas of this node's own keys, itself and its neighbours, {} answer",
                own.replicas_answered
            ),
        });
    }
    let missed = all.filter(|sample| !sample.reached).count();
    if missed > 0 {
        reasons.push(format!(
            "of {SAMPLES} keys drawn at random the replica sets of {missed} are not reached"
        ));
    }
    Verdict::of(status.member, status.peers, reasons, samples)
}

/// Whether a node of an overlay without structure has lost all its neighbours. A silent one is given
/// up after a quarter of a minute; its connection may stand for longer, and proves nothing.
const fn has_no_link(neighbours: &Neighbours) -> bool {
    match neighbours {
        Neighbours::Links { equals, leaves, .. } => equals.is_empty() && leaves.is_empty(),
        _ => false,
    }
}

/// Whether a node with replica sets is alone because others fell silent. The one of two nodes that is left
/// answers everything by itself, and so do both when it was the way between them that broke.
fn is_lone_survivor(status: &Status, died_at: Option<Instant>) -> bool {
    let has_sets = status.promise == Promise::Replicated;
    let is_recent = died_at.is_some_and(|at| at.elapsed() < HOPED_FOR);
    let mut around = status.neighbours.around();
    has_sets && is_recent && around.all(|contact| contact.id == status.me.id)
}

impl Verdict {
    fn show(&self, metrics: &Metrics) {
        metrics.ready.set(self.ready.into());
        metrics.ready_at.set(wall().0 as f64 / 1e3);
        let reached = self.samples.iter().filter(|one| one.reached).count();
        for (outcome, count) in [
            ("reached", reached),
            ("missed", self.samples.len() - reached),
        ] {
            let gauge = metrics.samples.with_label_values(&[outcome]);
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    const fn of(member: bool, peers: u32, reasons: Vec<String>, samples: Vec<Sample>) -> Self {
        Self {
            ready: reasons.is_empty(),
            reasons,
            member,
            peers,
            samples,
        }
    }
}

async fn look_at_keys(context: &Context) -> Vec<Sample> {
    let mut keys = vec![context.site.me.id];
    keys.extend((0..SAMPLES).map(|_| random_id()));
    let looks = keys.into_iter().map(|key| look_at(context, key));
    futures_util::future::join_all(looks).await
}

/// A key that nobody can foresee; without entropy one that is as good as any.
fn random_id() -> Id {
    let mut seed = [0; 16];
    let _ = getrandom::fill(&mut seed);
    Id::of(&seed)
}

/// Whether a read of the key would be answered. What is found there does not matter.
async fn look_at(context: &Context, key: Id) -> Sample {
    let request = Request::Get {
        key,
        consistency: Consistency::Quorum,
        at_least: None,
    };
    let mut sample = Sample {
        key,
        reached: false,
        replicas_answered: 0,
        replicas_asked: 0,
        reason: None,
    };
    match tokio::time::timeout(LOOK_TIMEOUT, context.look(request)).await {
        Ok(Some(Reply::Got(report))) => {
            let needed = u32::from(context.site.quorums.read).min(report.replicas_asked.max(1));
            // A new replica may not know everything yet; it answers all the same.
            sample.reached =
                report.outcome != Outcome::Unknown || report.replicas_answered >= needed;
            sample.replicas_answered = report.replicas_answered;
            sample.replicas_asked = report.replicas_asked;
            sample.reason = report.reason;
        }
        Ok(Some(Reply::Failed(failure))) => sample.reason = Some(failure.to_string()),
        Ok(Some(_)) => {}
        Ok(None) => sample.reason = Some("the node does not answer".to_owned()),
        Err(_) => {
            let seconds = LOOK_TIMEOUT.as_secs();
            sample.reason = Some(format!("no answer within {seconds} s"));
        }
    }
    sample
}
