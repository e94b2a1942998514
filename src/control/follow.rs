//! A client that follows what happens at the node.

use super::message::{ControlReply, ReplyBody};
use super::server::ReplySink;
use crate::feed::{Feed, MAX_BEHIND, MAX_READERS};
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;

/// Sends every event until the client hangs up, falls behind, or the node ends; the last answer is
/// the reason.
pub(super) async fn follow(feed: Feed, sink: Arc<ReplySink>, id: u64) {
    let Some(mut events) = feed.read(MAX_READERS) else {
        let why = format!("{MAX_READERS} readers follow this node, its limit; try again later");
        return end(&sink, id, why);
    };
    let body = ReplyBody::Following;
    if !sink.tell(&ControlReply { id, body }) {
        return;
    }
    let gone = sink.gone();
    tokio::pin!(gone);
    let why = loop {
        let event = tokio::select! {
            event = events.recv() => event,
            () = &mut gone => return,
        };
        match event {
            Ok(event) => {
                let body = ReplyBody::Event(Box::new((*event).clone()));
                if !sink.tell(&ControlReply { id, body }) {
                    return;
                }
            }
            Err(RecvError::Lagged(_)) => {
                break format!("the node told more than {MAX_BEHIND} events at once; follow again");
            }
            Err(RecvError::Closed) => break "the node has ended".to_owned(),
        }
    };
    end(&sink, id, why);
}

fn end(sink: &ReplySink, id: u64, why: String) {
    let body = ReplyBody::EventsEnded(why);
    if sink.push(&ControlReply { id, body }) {
        sink.send();
    }
}
