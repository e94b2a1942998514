//! The production driver: tokio and quinn around one machine.
//!
//! One thread with a current-thread runtime runs the QUIC endpoint, the links and the task that
//! owns the machine: handing work between threads costs more than the work. HTTP runs on a thread
//! of its own and talks to the machine's task through a bounded channel.
//!
//! The way of a message: a connection's reader decodes everything that has come and passes it on
//! as one batch; the machine's task (`driver`) takes all batches that are ready, hands each message
//! to the machine, and encodes what the machine sends straight into the queues of the links; then
//! it writes each queue with one call. What routers say goes by a lane of its own (`lanes`). What a stream does not take at once is left to the writer
//! of its connection, for the machine's task never waits for a peer. When it falls behind, the inbox fills, readers wait in turn, and QUIC's flow
//! control slows the peers down.

mod accept;
mod bootstrap;
mod calls;
mod connection;
mod dial;
mod disk;
mod door;
mod driver;
pub(crate) mod frames;
mod handle;
mod hosts;
mod lanes;
mod leaving;
mod links;
mod node;
mod observe;
mod options;
mod parts;
mod peer;
pub(crate) mod queue;
pub(crate) mod socket;
#[cfg(test)]
mod tests;
mod timers;
pub(crate) mod transport;
mod writer;

pub use bootstrap::JOIN_PATIENCE;
pub use connection::{Hello, PROTOCOL_VERSION, STREAM_FRAMES, STREAM_LARGE, STREAM_URGENT};
pub use dial::{DIAL_TIMEOUT, DialError};
pub use disk::DiskLink;
pub use door::{
    HANDSHAKE_BURST, HANDSHAKES_PER_S, MAX_HANDSHAKES, MAX_HANDSHAKES_PER_IP, RETRY_ABOVE,
};
#[doc(hidden)]
pub use frames::split_frames;
pub use handle::{NodeHandle, Stopped};
pub use links::{
    DIAL_AGAIN_AFTER, IDLE_CLOSE, MAX_CONNECTIONS_PER_PEER, MAX_DIALS, MAX_REFUSED, REFUSE_FOR,
    SILENT_SWEEPS, SWEEP_EVERY,
};
pub use node::Node;
pub use options::{NodeOptions, Site, StartError};
pub use transport::{
    CloseCode, MAX_CONNECTIONS, MAX_PEER_STREAMS, QUIC_IDLE, RECEIVE_WINDOW_BYTES,
    SEND_WINDOW_BYTES, STREAM_WINDOW_BYTES,
};

use crate::control::server::ReplySink;
use crate::control::{ControlRequest, StatusReport};
use crate::feed::Feed;
use crate::metrics::Metrics;
use overlay::{Contact, Machine, PeerInfo, Reply, Request, Time, WallMs};
use peer::Inbound;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{Semaphore, mpsc, oneshot};

/// Batches that wait for the machine. A batch is at most some 43 KB of frames or one large
/// message, so this is 11 MB of small messages; beyond it readers wait in turn.
pub const INBOX_BATCHES: usize = 256;
/// Batches of urgent messages, and news of connections, that wait for the machine. It takes all of
/// them in one turn, so that a connection is known before what comes over it.
pub const URGENT_BATCHES: usize = 256;
/// Commands that wait for the machine; a client's batch is one.
pub const COMMANDS: usize = 256;
/// Large messages that are collected at a time from all peers: 128 MiB at most.
pub const LARGE_READS: usize = 64;
/// Large messages that are collected at a time from one peer.
pub const LARGE_READS_PER_PEER: usize = 4;

/// What a node is told by those around it.
#[derive(Debug)]
pub(crate) enum Command {
    /// A call of this process.
    Call {
        request: Request,
        reply: oneshot::Sender<Reply>,
    },
    /// A call with which the node looks at itself: it is nobody's, and counts among no user's.
    Look {
        request: Request,
        reply: oneshot::Sender<Reply>,
    },
    /// Requests of a client, admitted.
    Client {
        sink: Arc<ReplySink>,
        requests: Vec<ControlRequest>,
    },
    /// How is it?
    Report(oneshot::Sender<StatusReport>),
    /// Who is in its tables?
    Peers(oneshot::Sender<Vec<PeerInfo>>),
    /// Leave the network, then end.
    Leave,
    /// End at once.
    Stop,
}

/// What all tasks of a node share.
#[derive(Debug)]
pub(crate) struct Shared<M: Machine> {
    pub(crate) me: Contact,
    pub(crate) overlay: &'static str,
    pub(crate) quorums: overlay::Quorums,
    pub(crate) endpoint: quinn::Endpoint,
    pub(crate) client: quinn::ClientConfig,
    pub(crate) inbox: mpsc::Sender<Inbound<M>>,
    /// What the machine takes first.
    pub(crate) urgent: mpsc::Sender<Inbound<M>>,
    pub(crate) metrics: Arc<Metrics>,
    /// Where what happens is told.
    pub(crate) feed: Feed,
    pub(crate) door: Arc<door::Door>,
    pub(crate) clock: Clock,
    /// What each connection begins with: the kind of the stream and our [`Hello`].
    pub(crate) greeting: Vec<u8>,
    pub(crate) large_reads: Semaphore,
    /// Where questions to the tracker wait, if there is one.
    pub(crate) questions: Option<mpsc::Sender<crate::tracker::Question>>,
    pub(crate) connections: AtomicU64,
}

impl<M: Machine> Shared<M> {
    /// A number for a new connection.
    pub(crate) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    /// Where what came on this lane goes.
    pub(crate) const fn inbox(&self, lane: lanes::Lane) -> &mpsc::Sender<Inbound<M>> {
        match lane {
            lanes::Lane::Urgent => &self.urgent,
            lanes::Lane::Data => &self.inbox,
        }
    }

    /// Starts a task on this node's runtime.
    #[allow(clippy::disallowed_methods)]
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        tokio::spawn(task)
    }
}

/// The present by the clock of this machine.
#[allow(
    clippy::disallowed_methods,
    reason = "drivers and clients may read the clock"
)]
pub(crate) fn wall() -> WallMs {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    WallMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The driver's clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

#[allow(clippy::disallowed_methods)]
impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// Microseconds since the start.
    pub(crate) fn now(&self) -> Time {
        Time(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// The wall clock.
    pub(crate) fn wall(&self) -> WallMs {
        wall()
    }

    /// The instant of a time.
    pub(crate) fn instant(&self, at: Time) -> tokio::time::Instant {
        let far = self.start.checked_add(Duration::from_micros(at.0));
        // Later than the system can say: in thirty years.
        let never = || self.start + Duration::from_secs(30 * 365 * 24 * 3600);
        far.unwrap_or_else(never).into()
    }
}
