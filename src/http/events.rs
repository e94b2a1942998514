//! What happens at the node, as a stream of server-sent events.
//!
//! Lookups, operations and changes of the ring come from the machine's task as they happen;
//! neighbours and repairs are looked at once a second while somebody reads.

use super::context::Context;
use super::problem::{Kind, Problem, Usual};
use crate::documents::{moving, neighbours};
use crate::feed::{Feed, Happening};
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, stream};
use overlay::{Neighbours, Status};
use serde_json::json;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// Readers at a time: a few pages and programs. Each event is formatted once for all of them.
pub(super) const MAX_READERS: usize = 16;
/// How often neighbours and repairs are looked at while somebody reads.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often a comment is sent when nothing happens, so that a reader that is gone is noticed.
const COMMENT_EVERY: Duration = Duration::from_secs(15);

/// Follow what happens at this node
///
/// `lookup`: a call of `/v1/locate` or `p2pctl locate` with its path, hops and seconds; the lookups that
/// other calls need are not told of. `operation`: any other call that was answered. Both say the
/// `outcome` in the words of the answer itself (`found`, `absent`, `unknown`, `stored`, `inserted`,
/// `conflict`, `failed`, `done`), how many replicas stand for it, and with `failed: true` the `error`. `ring`: a change of membership. `neighbours`: all neighbours, whenever they have changed.
/// `repair`: what is moved in the background, whenever that has changed. `end`: the last event, with
/// the reason; a reader that is more than 1,024 events behind is dropped with it.
#[utoipa::path(get, path = "/v1/events", operation_id = "events", tag = "node",
    responses((status = 200, description = "Events without end, each with JSON as its data", body = String, content_type = "text/event-stream"), Usual))]
pub(super) async fn events(
    State(context): State<Context>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let feed = &context.site.feed;
    let Some(receiver) = feed.read(MAX_READERS) else {
        let detail = format!("{MAX_READERS} readers follow this node, its limit");
        return Err(Problem::new(Kind::Unknown, detail, "try again later"));
    };
    let comments = KeepAlive::new().interval(COMMENT_EVERY);
    Ok(Sse::new(following(receiver)).keep_alive(comments))
}

fn following(receiver: Receiver<Happening>) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(Some(receiver), |receiver| async move {
        let mut receiver = receiver?;
        let end = |reason: String| {
            let data = json!({ "reason": reason }).to_string();
            Some((Ok(Event::default().event("end").data(data)), None))
        };
        match receiver.recv().await {
            Ok(happening) => {
                let event = Event::default()
                    .event(happening.name)
                    .data(&*happening.data);
                Some((Ok(event), Some(receiver)))
            }
            Err(RecvError::Lagged(missed)) => end(format!(
                "this reader is too slow: {missed} events were dropped; connect again"
            )),
            Err(RecvError::Closed) => end("the node has ended".to_owned()),
        }
    })
}

/// Looks at neighbours and repairs while somebody reads, until the node ends.
pub(super) async fn watch(context: Context) {
    let feed = context.site.feed.clone();
    let mut seen: Option<Seen> = None;
    loop {
        feed.is_read().await;
        match context.report().await {
            Some(report) => seen = Some(Seen::tell(&feed, seen, &report.status)),
            None if context.site.commands.is_closed() => return,
            None => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What was told last.
struct Seen {
    neighbours: Neighbours,
    moved: String,
}

impl Seen {
    fn tell(feed: &Feed, last: Option<Self>, status: &Status) -> Self {
        let moved = json!(moving(status)).to_string();
        let is_new = last
            .as_ref()
            .is_none_or(|last| last.neighbours != status.neighbours);
        if is_new {
            feed.tell("neighbours", || json!(neighbours(&status.neighbours)));
        }
        if last.is_some_and(|last| last.moved != moved) {
            feed.tell("repair", || json!(moving(status)));
        }
        Self {
            neighbours: status.neighbours.clone(),
            moved,
        }
    }
}
