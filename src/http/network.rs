//! The whole network, for the page: this node asks all others how they are, and all readers share
//! what it saw.

use super::context::Context;
use super::problem::{Problem, Usual};
use crate::control::StatusReport;
use crate::control::proof;
use crate::crawl::Crawler;
use crate::documents::NetworkDocument;
use crate::runtime::wall;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// How long a picture is shown before the network is asked again: each node is asked once a second at
/// most, however many pages are open.
const PICTURE_HOLDS: Duration = Duration::from_secs(1);
/// How long a reader waits for a new picture before it is given the last one: silent nodes of a large
/// network take their time, and nobody watches a page that stands still for longer.
const NEW_WITHIN: Duration = Duration::from_secs(5);
/// How long the first reader waits, who can be given no other: below what a connection may stand still.
const FIRST_WITHIN: Duration = Duration::from_secs(30);
/// The conversations with other nodes are ended when nobody has asked for so long.
const REST_AFTER: Duration = Duration::from_secs(15);

/// The picture that all readers share, and the wish for a new one.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    shown: watch::Sender<Option<Picture>>,
    wanted: Notify,
}

/// The network at one time, as a document.
#[derive(Clone, Debug)]
struct Picture {
    at: Instant,
    text: Bytes,
}

impl Pictures {
    /// The last picture when it is new enough, else a new one, else the last.
    async fn look(&self) -> Option<Picture> {
        let mut shown = self.shown.subscribe();
        let last = shown.borrow_and_update().clone();
        if let Some(picture) = &last
            && picture.at.elapsed() < PICTURE_HOLDS
        {
            return last;
        }
        self.wanted.notify_one();
        let limit = last.as_ref().map_or(FIRST_WITHIN, |_| NEW_WITHIN);
        match tokio::time::timeout(limit, shown.changed()).await {
            Ok(Ok(())) => shown.borrow().clone(),
            Ok(Err(_)) | Err(_) => last,
        }
    }
}

/// All nodes that can be found from here
///
/// This node asks every node in its tables how it is, and those in their tables, up to 4,096. The
/// answer is at most a second old, or, while silent nodes are waited for, the one before; `taken_ms`
/// says when it was.
#[utoipa::path(get, path = "/v1/network", operation_id = "network", tag = "node",
    responses((status = 200, description = "The network as this node sees it", body = NetworkDocument), Usual))]
pub(super) async fn network(State(context): State<Context>) -> Result<Response, Problem> {
    match context.pictures.look().await {
        Some(picture) => {
            let kind = [(header::CONTENT_TYPE, "application/json")];
            Ok((kind, picture.text).into_response())
        }
        None => Err(Problem::silent(false)),
    }
}

/// Takes a picture whenever one is wanted, one at a time, until the node ends.
pub(super) async fn watch(context: Context) {
    let pictures = &context.pictures;
    let mut crawler = None;
    loop {
        let wanted = pictures.wanted.notified();
        if crawler.is_none() {
            wanted.await;
        } else if tokio::time::timeout(REST_AFTER, wanted).await.is_err() {
            crawler = None;
            continue;
        }
        // A reader may have asked while the picture was taken that it then was given.
        let shown = pictures.shown.borrow().clone();
        if shown.is_some_and(|picture| picture.at.elapsed() < PICTURE_HOLDS) {
            continue;
        }
        let Some(report) = context.report().await else {
            if context.site.commands.is_closed() {
                return;
            }
            continue;
        };
        if crawler.is_none() {
            match proof::anonymous() {
                Ok(config) => crawler = Some(Crawler::new(config)),
                Err(error) => tracing::warn!(%error, "the network cannot be looked at"),
            }
        }
        if let Some(crawler) = &mut crawler {
            let picture = take(crawler, report).await;
            pictures.shown.send_replace(Some(picture));
        }
    }
}

async fn take(crawler: &mut Crawler, report: StatusReport) -> Picture {
    let began = Instant::now();
    let me = report.status.clone();
    let view = crawler.crawl_from(report).await;
    let document = NetworkDocument::of(&me, &view, wall().0, began.elapsed());
    Picture {
        at: Instant::now(),
        // Strings and numbers are always written.
        text: serde_json::to_vec(&document).unwrap_or_default().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(text: &'static str, at: Instant) -> Option<Picture> {
        Some(Picture {
            at,
            text: Bytes::from_static(text.as_bytes()),
        })
    }

    #[tokio::test]
    async fn readers_share_a_picture_until_it_is_old() {
        let pictures = Pictures::default();
        let old = Instant::now().checked_sub(PICTURE_HOLDS).expect("a time");
        pictures.shown.send_replace(picture("old", old));
        let seen = async || pictures.look().await.map(|picture| picture.text);
        let taking = async {
            pictures.wanted.notified().await;
            let now = picture("new", Instant::now());
            pictures.shown.send_replace(now);
        };
        let (one, other, ()) = tokio::join!(seen(), seen(), taking);
        assert_eq!(one.as_deref(), Some(b"new".as_slice()));
        assert_eq!(one, other);
        // Nobody takes another: the wish of the second is all that is left.
        assert_eq!(seen().await, one);
    }
}
