//! Following what happens at a node.

use super::CallError;
use super::remote::{self, CONNECT_TIMEOUT};
use crate::control::client::{ClientError, NodeName};
use crate::control::session::Session;
use crate::control::{ControlBody, ControlReply, ReplyBody};
use crate::event::Event;
use crate::feed::Feed;
use crate::runtime::Command;
use futures_util::{Stream, StreamExt, stream};
use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

/// What happens at a node, from the moment on at which this was asked for: a [`Stream`] that ends when
/// the node does, or with the error that it gives last.
///
/// The node does not wait for who follows it: who is more than 1,024 events behind gets
/// [`EventsError::Behind`]. Where nobody follows, events cost nothing.
#[must_use = "events that nobody reads are lost"]
pub struct Events(Pin<Box<dyn Stream<Item = Result<Event, EventsError>> + Send>>);

/// Why events do not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventsError {
    /// More happened than was read; what was missed is lost.
    #[error("{0} events were missed, because they were not read in time; follow again")]
    Behind(u64),
    /// A remote node sends no more.
    #[error("the node sends no more events: {0}")]
    Refused(String),
    /// The connection broke.
    #[error("{0}; follow again")]
    Lost(#[source] ClientError),
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl Stream for Events {
    type Item = Result<Event, EventsError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl Events {
    /// The next event; none when the node has ended. May be given up and called again.
    pub async fn next(&mut self) -> Option<Result<Event, EventsError>> {
        self.0.next().await
    }

    pub(super) fn local(feed: &Feed, commands: mpsc::Sender<Command>) -> Result<Self, CallError> {
        // There is no limit to the readers of the process itself.
        let events = feed.read(usize::MAX).ok_or(CallError::Ended)?;
        let ear = Ear { events, commands };
        Ok(Self(Box::pin(stream::unfold(Some(ear), heard))))
    }

    pub(super) async fn remote(node: &NodeName, key: Option<&Path>) -> Result<Self, CallError> {
        let opened = remote::open(node, key).await;
        let mut session = opened.map_err(CallError::Unreachable)?;
        let addr = session.addr();
        let asked = session.call(ControlBody::Events);
        match tokio::time::timeout(CONNECT_TIMEOUT, asked).await {
            Ok(Ok(ReplyBody::Following)) => {}
            Ok(Ok(ReplyBody::EventsEnded(why))) => return Err(CallError::Busy(why)),
            Ok(Ok(ReplyBody::Invalid(why) | ReplyBody::Denied(why))) => {
                return Err(CallError::Refused(why));
            }
            Ok(Ok(_)) => return Err(CallError::Nonsense),
            Ok(Err(error)) => return Err(CallError::Unreachable(error)),
            Err(_) => {
                let after = CONNECT_TIMEOUT;
                let silent = ClientError::NoAnswer { addr, after };
                return Err(CallError::Unreachable(silent));
            }
        }
        let reader = Reader {
            session,
            arrived: VecDeque::new(),
        };
        Ok(Self(Box::pin(stream::unfold(Some(reader), read))))
    }
}

type Next<S> = Option<(Result<Event, EventsError>, Option<S>)>;

/// A place at the feed of a node in this process.
struct Ear {
    events: Receiver<Arc<Event>>,
    /// Closed when the node has ended; the feed may outlive it.
    commands: mpsc::Sender<Command>,
}

async fn heard(ear: Option<Ear>) -> Next<Ear> {
    let mut ear = ear?;
    let event = tokio::select! {
        biased;
        event = ear.events.recv() => event,
        () = ear.commands.closed() => return None,
    };
    match event {
        Ok(event) => Some((Ok(Arc::unwrap_or_clone(event)), Some(ear))),
        Err(RecvError::Lagged(missed)) => Some((Err(EventsError::Behind(missed)), None)),
        Err(RecvError::Closed) => None,
    }
}

/// A session with which one follows a remote node.
struct Reader {
    session: Session,
    arrived: VecDeque<ControlReply>,
}

async fn read(reader: Option<Reader>) -> Next<Reader> {
    let mut reader = reader?;
    loop {
        match reader.arrived.pop_front().map(|reply| reply.body) {
            Some(ReplyBody::Event(event)) => return Some((Ok(*event), Some(reader))),
            Some(ReplyBody::EventsEnded(why)) => {
                return Some((Err(EventsError::Refused(why)), None));
            }
            Some(_) => {}
            None => {
                let mut replies = Vec::new();
                let broken = reader.session.exchange(&mut replies).await.err();
                reader.arrived.extend(replies);
                if let (Some(error), true) = (broken, reader.arrived.is_empty()) {
                    return Some((Err(EventsError::Lost(error)), None));
                }
            }
        }
    }
}
