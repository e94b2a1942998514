//! What happens at the node, as a stream of server-sent events.

use super::context::Context;
use super::problem::{Kind, Problem, Usual};
use crate::documents::event;
use crate::event::Event;
use crate::feed::MAX_READERS;
use axum::extract::State;
use axum::response::sse;
use axum::response::sse::{KeepAlive, Sse};
use futures_util::{Stream, stream};
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// How often a comment is sent when nothing happens, so that a reader that is gone is noticed.
const COMMENT_EVERY: Duration = Duration::from_secs(15);

/// Follow what happens at this node
///
/// `lookup`: a lookup of a key that ended, found or given up: the `kind` of call that needed it, `owner`,
/// `hops`, `timeouts` and `seconds`; of a call of `/v1/locate` or `p2pctl locate` all that its answer has.
/// On Chord and Pastry a put, get, insert, search or delete needs one where the node does not remember who
/// answers for that part of the circle, and another each time that proves wrong; those for the parts
/// of an index and for the node's own tables are not told. On Gnutella the call is its own query.
/// `operation`: a call other than a locate that was answered, with its `key`. Both say the `outcome` in the
/// words of the answer itself (`found`, `absent`, `unknown`, `stored`, `inserted`, `conflict`, `failed`,
/// `done`) and with `failed: true` the `error`; operations say how many replicas stand for it. `ring`: a change of membership. `neighbours`: all neighbours, whenever they have changed.
/// `repair`: what is moved in the background, whenever that has changed. `end`: the last event, with
/// the reason; a reader that is more than 1,024 events behind is dropped with it.
#[utoipa::path(get, path = "/v1/events", operation_id = "events", tag = "node",
    responses((status = 200, description = "Events without end, each with JSON as its data", body = String, content_type = "text/event-stream"), Usual))]
pub(super) async fn events(
    State(context): State<Context>,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Problem> {
    let feed = &context.site.feed;
    let Some(receiver) = feed.read(MAX_READERS) else {
        let detail = format!("{MAX_READERS} readers follow this node, its limit");
        return Err(Problem::new(Kind::Unknown, detail, "try again later"));
    };
    let comments = KeepAlive::new().interval(COMMENT_EVERY);
    Ok(Sse::new(following(receiver)).keep_alive(comments))
}

fn following(receiver: Receiver<Arc<Event>>) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    stream::unfold(Some(receiver), |receiver| async move {
        let mut receiver = receiver?;
        let end = |reason: String| {
            let data = json!({ "reason": reason }).to_string();
            Some((Ok(sse::Event::default().event("end").data(data)), None))
        };
        match receiver.recv().await {
            Ok(happened) => {
                let (name, document) = event(&happened);
                let data = document.to_string();
                let told = sse::Event::default().event(name).data(data);
                Some((Ok(told), Some(receiver)))
            }
            Err(RecvError::Lagged(missed)) => end(format!(
                "this reader is too slow: {missed} events were dropped; connect again"
            )),
            Err(RecvError::Closed) => end("the node has ended".to_owned()),
        }
    })
}
