//! One connection with a peer: a reader, a writer, and how it ends.
//!
//! Each side opens two unidirectional streams that live as long as the connection. The first byte of
//! one says [`STREAM_FRAMES`], then come frames, each a length (32 bits, little endian) and a message;
//! the first frame is a [`Hello`]. The other, [`STREAM_URGENT`], has frames of what must not wait
//! behind those. A message above `wire::MAX_FRAME_BYTES` gets a stream of its own: the byte
//! [`STREAM_LARGE`], then the message alone.
//!
//! A peer that sends anything else is counted by cause, and its connection is closed.

use super::door::Pass;
use super::frames::{FrameSplitter, FrameTooLong};
use super::lanes::{Lane, Lanes};
use super::peer::{Handle, Inbound, Lost, Received};
use super::queue::LENGTH_BYTES;
use super::transport::CloseCode;
use super::{LARGE_READS_PER_PEER, Shared, writer};
use bytes::Bytes;
use overlay::wire::{self, MAX_FRAME_BYTES, MAX_MESSAGE_BYTES};
use overlay::{Contact, Id, Machine, Quorums};
use quinn::{Connection, ConnectionError, RecvStream};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// First byte of the stream that carries frames.
pub const STREAM_FRAMES: u8 = 0;
/// First byte of a stream that carries one large message.
pub const STREAM_LARGE: u8 = 1;
/// First byte of the stream that carries frames which must not wait behind others.
pub const STREAM_URGENT: u8 = 2;
/// The version in a [`Hello`]. Since 2 there are streams of urgent frames; since 3 nodes of Chord ask
/// each other for fingers; since 4 a write brings its version from its
/// origin, and whoever says that keys were claimed says which; since 5 a root that knows something
/// newer than a write says so; since 7 copies under earlier views are told that they are over; since 8
/// a former root that knew nothing testifies to the one that was the root before it; since 9 a query of
/// Gnutella says when somebody looked at a part only, and may ask for one holder.
pub const PROTOCOL_VERSION: u16 = 9;

/// How long a peer may take to send its first frame.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a large message may take: 2 MiB over a slow line.
const LARGE_TIMEOUT: Duration = Duration::from_secs(30);
/// Pieces that are read at once; at 1,350 bytes each about 43 KB. A peer that floods gives way to
/// the others after each such turn.
const PIECES_AT_ONCE: usize = 32;

/// The first frame of a connection, in both directions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`].
    pub version: u16,
    /// The overlay's name.
    pub overlay: String,
    /// Where the sender listens, as others reach it.
    pub advertise: SocketAddr,
    /// N, W and R of its network.
    pub quorums: Quorums,
}

/// Why a connection is closed by us; the text is the label of the counter.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("too_long")]
    TooLong,
    #[error("malformed")]
    Malformed,
    #[error("truncated")]
    Truncated,
    #[error("hello")]
    Hello,
    #[error("other_quorums")]
    OtherQuorums,
    #[error("stream")]
    Stream,
    #[error("slow")]
    Slow,
    /// The connection ended by itself: nothing to count.
    #[error("gone")]
    Gone,
}

impl From<FrameTooLong> for Broken {
    fn from(_: FrameTooLong) -> Self {
        Self::TooLong
    }
}

struct Peer<M: Machine> {
    shared: Arc<Shared<M>>,
    handle: Arc<Handle>,
    has_frames: AtomicBool,
    has_urgent: AtomicBool,
    large: Semaphore,
}

/// Serves a connection until it ends. Its `lanes` are what it sends.
pub(crate) async fn run<M: Machine + 'static>(
    shared: Arc<Shared<M>>,
    connection: Connection,
    id: Id,
    lanes: Arc<Lanes>,
    pass: Pass,
) {
    let handle = Arc::new(Handle::new(shared.next_connection(), id, connection, lanes));
    serve(shared, handle, pass).await;
}

/// Serves a connection until it ends.
pub(crate) async fn serve<M: Machine + 'static>(
    shared: Arc<Shared<M>>,
    handle: Arc<Handle>,
    pass: Pass,
) {
    // Before anything that may come on either stream.
    if shared
        .urgent
        .send(Inbound::Up(Arc::clone(&handle)))
        .await
        .is_err()
    {
        return;
    }
    for lane in [Lane::Data, Lane::Urgent] {
        shared.spawn(writer::write(
            Arc::clone(&shared),
            Arc::clone(&handle),
            lane,
        ));
    }
    let peer = Arc::new(Peer {
        shared: Arc::clone(&shared),
        handle: Arc::clone(&handle),
        has_frames: AtomicBool::new(false),
        has_urgent: AtomicBool::new(false),
        large: Semaphore::new(LARGE_READS_PER_PEER),
    });
    let hello = Arc::clone(&peer);
    shared.spawn(async move { hello.await_hello().await });
    let end = loop {
        match handle.connection.accept_uni().await {
            Ok(stream) => {
                let peer = Arc::clone(&peer);
                shared.spawn(async move { peer.read(stream).await });
            }
            Err(error) => break error,
        }
    };
    handle.lanes.close();
    let lost = handle.lost(&end);
    if lost == Lost::Suddenly {
        tracing::debug!(peer = %handle.id.short(), %end, "connection lost");
    }
    // The machine ends before its connections do, and then nobody needs to know.
    let _ = shared.inbox.send(Inbound::Down { handle, lost }).await;
    drop(pass);
}

impl Handle {
    /// What the end of a connection says about the peer.
    fn lost(&self, end: &ConnectionError) -> Lost {
        let code = |code: CloseCode| quinn::VarInt::from(code);
        match end {
            ConnectionError::LocallyClosed => self.closed_as(),
            ConnectionError::ApplicationClosed(close)
                if close.error_code == code(CloseCode::Idle)
                    || close.error_code == code(CloseCode::Replaced) =>
            {
                Lost::Agreed
            }
            _ => Lost::Suddenly,
        }
    }
}

impl<M: Machine + 'static> Peer<M> {
    /// Closes the connection of a peer that does not introduce itself.
    async fn await_hello(&self) {
        if tokio::time::timeout(HELLO_TIMEOUT, self.introduced())
            .await
            .is_err()
        {
            self.close(&Broken::Slow);
        }
    }

    /// Waits until the peer has introduced itself; an error when its connection ends before.
    async fn introduced(&self) -> Result<(), Broken> {
        tokio::select! {
            biased;
            _ = self.handle.contact.wait() => Ok(()),
            _ = self.handle.connection.closed() => Err(Broken::Gone),
        }
    }

    fn close(&self, why: &Broken) {
        if matches!(why, Broken::Gone) {
            return;
        }
        self.shared.metrics.drop_one(&why.to_string());
        tracing::debug!(peer = %self.handle.id.short(), %why, "closing a connection");
        if matches!(why, Broken::OtherQuorums) {
            // In words, so that the other side can say what to change.
            let ours = self.shared.quorums.to_string();
            let code = CloseCode::OtherQuorums.into();
            return self
                .handle
                .close_saying(code, Lost::Suddenly, ours.as_bytes());
        }
        self.handle
            .close(CloseCode::Malformed.into(), Lost::Suddenly);
    }

    /// Reads one stream to its end, or to the end of the connection.
    async fn read(&self, mut stream: RecvStream) {
        let mut kind = [0];
        let result = match stream.read_exact(&mut kind).await {
            Ok(()) if kind == [STREAM_FRAMES] => self.read_frames(stream, Lane::Data).await,
            Ok(()) if kind == [STREAM_URGENT] => self.read_frames(stream, Lane::Urgent).await,
            Ok(()) if kind == [STREAM_LARGE] => self.read_large(stream).await,
            Ok(()) => Err(Broken::Stream),
            Err(quinn::ReadExactError::FinishedEarly(_)) => Err(Broken::Truncated),
            Err(quinn::ReadExactError::ReadError(_)) => Err(Broken::Gone),
        };
        if let Err(why) = result {
            self.close(&why);
        }
    }

    async fn read_frames(&self, mut stream: RecvStream, lane: Lane) -> Result<(), Broken> {
        let known = match lane {
            Lane::Data => &self.has_frames,
            Lane::Urgent => &self.has_urgent,
        };
        if known.swap(true, Ordering::Relaxed) {
            return Err(Broken::Stream);
        }
        if lane == Lane::Urgent {
            // It may overtake the one with the introduction.
            self.introduced().await?;
        }
        let mut splitter = FrameSplitter::new(MAX_FRAME_BYTES);
        let mut pieces: [Bytes; PIECES_AT_ONCE] = std::array::from_fn(|_| Bytes::new());
        loop {
            let read = match stream.read_chunks(&mut pieces).await {
                Ok(Some(read)) => read,
                Ok(None) if splitter.is_between_frames() => return Ok(()),
                Ok(None) => return Err(Broken::Truncated),
                Err(_) => return Err(Broken::Gone),
            };
            let mut messages = Vec::new();
            for piece in pieces.iter_mut().take(read) {
                let piece = std::mem::take(piece);
                splitter.feed(&piece, |frame| self.take_frame(frame, &mut messages))?;
            }
            self.handle.touch(self.shared.clock.now());
            self.deliver(messages, lane).await?;
        }
    }

    fn take_frame(
        &self,
        frame: &[u8],
        messages: &mut Vec<Received<M::Message>>,
    ) -> Result<(), Broken> {
        if self.handle.contact.get().is_none() {
            return self.take_hello(frame);
        }
        let message = wire::decode(frame).map_err(|_| Broken::Malformed)?;
        let bytes = LENGTH_BYTES + frame.len();
        messages.push(Received { message, bytes });
        Ok(())
    }

    fn take_hello(&self, frame: &[u8]) -> Result<(), Broken> {
        let hello: Hello = wire::decode(frame).map_err(|_| Broken::Hello)?;
        let addr = hello.advertise;
        let reachable =
            addr.port() != 0 && !addr.ip().is_unspecified() && !addr.ip().is_multicast();
        if hello.version != PROTOCOL_VERSION || hello.overlay != self.shared.overlay || !reachable {
            return Err(Broken::Hello);
        }
        if hello.quorums != self.shared.quorums {
            // The first one is kept; there is no second.
            let _ = self.handle.other_quorums.set(hello.quorums);
            return Err(Broken::OtherQuorums);
        }
        let contact = Contact {
            id: self.handle.id,
            addr,
        };
        self.handle.contact.set(contact).map_err(|_| Broken::Hello)
    }

    async fn deliver(&self, messages: Vec<Received<M::Message>>, lane: Lane) -> Result<(), Broken> {
        let Some(from) = self.handle.contact.get().copied() else {
            return Ok(());
        };
        if messages.is_empty() {
            return Ok(());
        }
        let batch = Inbound::Messages { from, messages };
        let inbox = self.shared.inbox(lane);
        inbox.send(batch).await.map_err(|_| Broken::Gone)
    }

    async fn read_large(&self, mut stream: RecvStream) -> Result<(), Broken> {
        let gone = |_| Broken::Gone;
        // The stream may overtake the one with the introduction.
        self.introduced().await?;
        let _own = self.large.acquire().await.map_err(gone)?;
        let _all = self.shared.large_reads.acquire().await.map_err(gone)?;
        let whole = stream.read_to_end(MAX_MESSAGE_BYTES);
        let message = match tokio::time::timeout(LARGE_TIMEOUT, whole).await {
            Ok(Ok(message)) => message,
            Ok(Err(quinn::ReadToEndError::TooLong)) => return Err(Broken::TooLong),
            Ok(Err(_)) => return Err(Broken::Gone),
            Err(_) => return Err(Broken::Slow),
        };
        let bytes = message.len();
        self.handle.touch(self.shared.clock.now());
        let message = wire::decode(&message).map_err(|_| Broken::Malformed)?;
        let message = Received { message, bytes };
        self.deliver(vec![message], Lane::Data).await
    }
}
