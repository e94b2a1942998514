//! A node inside of a program.

mod builder;
mod launch;

pub use builder::NodeBuilder;

use crate::client::Client;
use crate::config::OverlayName;
use crate::runtime::{NodeHandle, Stopped};
use overlay::{Failure, Id, Reply, Request};
use std::net::SocketAddr;
use tempfile::TempDir;

/// A running node of a network, on a thread of its own.
///
/// [`client`](Self::client) asks it. How it ends is up to its owner:
///
/// | | hands its records over | until | ends |
/// |---|---|---|---|
/// | [`leave`](Self::leave) | yes, all of them | the other nodes have them | unless it is the last of its network |
/// | [`shutdown`](Self::shutdown), [`stop`](Self::stop) | yes, as SIGTERM makes `p2pnode` do | 15 s at most | in any case |
/// | dropping it | no | | at once, as if it had crashed |
///
/// Dropping waits for the node's thread, half a second or so: after that its ports and its directory
/// are free. What was acknowledged is in the directory in any case (unless that is
/// [temporary](NodeBuilder::temporary)), and the other nodes repair what they miss.
#[derive(Debug)]
#[must_use = "a node that is dropped ends"]
pub struct Node {
    // Before its directory, so that it ends first.
    handle: NodeHandle,
    overlay: OverlayName,
    _temporary: Option<TempDir>,
}

/// Why a node has not left in order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeaveError {
    /// It stays, and goes on: nobody can take its records over, or it cannot leave now.
    #[error("{0}")]
    Stays(Failure),
    /// It has ended, and not everything was handed over.
    #[error("{0}")]
    Incomplete(Failure),
    /// It has ended because its disk failed.
    #[error("the disk of the node failed: {0}")]
    DiskFailed(String),
    /// It has crashed; that is a bug.
    #[error("the node crashed; its records are in its directory, start it again there")]
    Panicked,
}

impl Node {
    /// Says how a node is to be.
    pub fn builder() -> NodeBuilder {
        NodeBuilder::default()
    }

    fn new(handle: NodeHandle, overlay: OverlayName, temporary: Option<TempDir>) -> Self {
        Self {
            handle,
            overlay,
            _temporary: temporary,
        }
    }

    /// A client of this node, in this process: no socket is between them. It does not keep the node
    /// alive; when the node has ended, its calls fail with
    /// [`CallError::Ended`](crate::CallError::Ended).
    #[must_use]
    pub fn client(&self) -> Client {
        Client::local(self.handle.commands.clone(), self.handle.feed.clone())
    }

    /// Its id: the SHA-1 of its public key.
    #[must_use]
    pub const fn id(&self) -> Id {
        self.handle.contact().id
    }

    /// The address that others are told: what a further node [joins](NodeBuilder::join), and what a
    /// remote client [connects](Client::connect) to.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.handle.contact().addr
    }

    /// The address of its UDP socket.
    #[must_use]
    pub const fn listen(&self) -> SocketAddr {
        self.handle.listen()
    }

    /// Which overlay it runs.
    #[must_use]
    pub const fn overlay(&self) -> OverlayName {
        self.overlay
    }

    /// The address of its HTTP server, if it has one.
    #[must_use]
    pub const fn http(&self) -> Option<SocketAddr> {
        self.handle.http()
    }

    /// The TCP address of its tracker, if it has one.
    #[must_use]
    pub const fn tracker_http(&self) -> Option<SocketAddr> {
        self.handle.tracker_http()
    }

    /// The UDP address of its tracker, if it has one.
    #[must_use]
    pub const fn tracker_udp(&self) -> Option<SocketAddr> {
        self.handle.tracker_udp()
    }

    /// The UDP address of its node in BitTorrent's DHT, if it has one.
    #[must_use]
    pub const fn mainline(&self) -> Option<SocketAddr> {
        self.handle.mainline()
    }

    /// What it counts, in the text format of Prometheus.
    #[must_use]
    pub fn metrics(&self) -> String {
        String::from_utf8_lossy(&self.handle.metrics().render()).into_owned()
    }

    /// Hands all records over, however long that takes, leaves the network and ends. Dropping the
    /// future does not take that back: the node goes on leaving.
    ///
    /// # Errors
    /// When it stays (alone in its network, say: [`LeaveError::Stays`], everything is as it was), or
    /// has ended without having handed everything over.
    pub async fn leave(&mut self) -> Result<(), LeaveError> {
        match self.handle.call(Request::Leave).await {
            Reply::Failed(failure @ Failure::NotHandedOver { .. }) => {
                self.ended().await;
                return Err(LeaveError::Incomplete(failure));
            }
            // A node that is cut off and empty ends nevertheless.
            Reply::Failed(failure) if self.handle.report().await.is_some() => {
                return Err(LeaveError::Stays(failure));
            }
            _ => {}
        }
        match self.ended().await {
            Stopped::Orderly => Ok(()),
            Stopped::Incomplete(failure) => Err(LeaveError::Incomplete(failure)),
            Stopped::DiskFailed(why) => Err(LeaveError::DiskFailed(why)),
            Stopped::Panicked => Err(LeaveError::Panicked),
        }
    }

    /// Asks it to hand over what it can within 15 s, to leave and to end; [`ended`](Self::ended) says
    /// when it has.
    pub async fn stop(&self) {
        self.handle.leave().await;
    }

    /// Waits until it has ended, for whatever reason; may be given up and called again.
    pub async fn ended(&mut self) -> Stopped {
        self.handle.ended().await
    }

    /// [Stops](Self::stop) it, and waits until it has ended, 17 s at most.
    pub async fn shutdown(mut self) -> Stopped {
        self.stop().await;
        self.ended().await
    }
}
