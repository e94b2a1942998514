//! Holding a running node from outside.

use super::Command;
use crate::control::StatusReport;
use crate::feed::Feed;
use crate::metrics::Metrics;
use overlay::{Contact, Failure, Reply, Request};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// How a node ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It left the network, or was told to stop.
    Orderly,
    /// It left, but could not hand everything over first; why, and what.
    Incomplete(Failure),
    /// Its disk failed, in one line: nothing that was acknowledged since is taken for granted.
    DiskFailed(String),
    /// Its thread panicked.
    Panicked,
}

/// A running node. Dropping it ends the node without handing anything over.
#[derive(Debug)]
pub struct NodeHandle {
    pub(super) contact: Contact,
    pub(super) listen: SocketAddr,
    pub(super) http: Option<SocketAddr>,
    pub(super) tracker_http: Option<SocketAddr>,
    pub(super) tracker_udp: Option<SocketAddr>,
    pub(super) mainline: Option<SocketAddr>,
    pub(super) metrics: Arc<Metrics>,
    pub(crate) feed: Feed,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(super) end: Option<oneshot::Receiver<()>>,
    pub(super) thread: Option<JoinHandle<Stopped>>,
}

impl NodeHandle {
    /// The node as others know it.
    #[must_use]
    pub const fn contact(&self) -> Contact {
        self.contact
    }

    /// The address of its UDP socket.
    #[must_use]
    pub const fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// The address of its HTTP server.
    #[must_use]
    pub const fn http(&self) -> Option<SocketAddr> {
        self.http
    }

    /// The TCP address of its tracker.
    #[must_use]
    pub const fn tracker_http(&self) -> Option<SocketAddr> {
        self.tracker_http
    }

    /// The UDP address of its tracker.
    #[must_use]
    pub const fn tracker_udp(&self) -> Option<SocketAddr> {
        self.tracker_udp
    }

    /// The UDP address of its node in BitTorrent's DHT.
    #[must_use]
    pub const fn mainline(&self) -> Option<SocketAddr> {
        self.mainline
    }

    /// What it counts.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Makes a call and waits for its answer.
    pub async fn call(&self, request: Request) -> Reply {
        let (reply, answer) = oneshot::channel();
        if self
            .commands
            .send(Command::Call { request, reply })
            .await
            .is_err()
        {
            return Reply::Failed(Failure::NotMember);
        }
        answer.await.unwrap_or(Reply::Failed(Failure::NotMember))
    }

    /// How it is; none when it has ended.
    pub async fn report(&self) -> Option<StatusReport> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Report(reply)).await.ok()?;
        answer.await.ok()
    }

    /// Asks the node to leave the network and end, within 15 s whether or not everything is handed
    /// over by then; [`Self::ended`] says when it has, and how it went.
    pub async fn leave(&self) {
        // It may have ended already.
        let _ = self.commands.send(Command::Leave).await;
    }

    /// Waits until the node has ended; may be given up and called again.
    pub async fn ended(&mut self) -> Stopped {
        if let Some(end) = &mut self.end {
            // The sender is dropped without a word when the thread panics; joining tells.
            let _ = end.await;
        }
        self.end = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => Stopped::Panicked,
            Some(Ok(stopped)) => stopped,
            None => Stopped::Orderly,
        }
    }

    /// Leaves the network and waits for the end.
    pub async fn shutdown(mut self) -> Stopped {
        self.leave().await;
        self.ended().await
    }
}

impl Drop for NodeHandle {
    fn drop(&mut self) {
        let told = self.commands.try_send(Command::Stop);
        let full = matches!(told, Err(mpsc::error::TrySendError::Full(_)));
        // With a full queue the node would not hear of it, and ends with the process.
        if let Some(thread) = self.thread.take().filter(|_| !full) {
            let _ = thread.join();
        }
    }
}
