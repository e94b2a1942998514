//! The node's side of the control protocol.
//!
//! A task reads the requests of a stream and hands all that are complete to the machine's task in
//! one batch; the machine's task encodes the answers straight into the stream's queue, and the
//! stream's writer sends everything that is ready at once. A connection has at most
//! [`MAX_CONTROL_IN_FLIGHT`] requests unanswered: beyond it nothing more is read.

use super::follow::follow;
use super::message::{
    ControlBody, ControlReply, ControlRequest, MAX_CONTROL_FRAME_BYTES, MAX_CONTROL_IN_FLIGHT,
    MAX_CONTROL_STREAMS, ReplyBody,
};
use crate::data_dir;
use crate::feed::Feed;
use crate::metrics::Metrics;
use crate::runtime::Command;
use crate::runtime::frames::{FrameSplitter, FrameTooLong};
use crate::runtime::queue::{Batch, FrameQueue, Limits, Pushed};
use crate::runtime::transport::CloseCode;
use crate::tracker::Question;
use bytes::Bytes;
use overlay::{Id, Request, wire};
use quinn::{Connection, RecvStream, SendStream};
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tracker::InfoHash;

/// Pieces that are read at once; see the same constant of the links.
const PIECES_AT_ONCE: usize = 32;

/// What serving a client needs.
#[derive(Debug)]
pub(crate) struct ClientContext {
    pub(crate) me: Id,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) feed: Feed,
    pub(crate) data_dir: PathBuf,
    /// Whom to ask how the tracker would answer; none where there is no tracker.
    pub(crate) tracker: Option<mpsc::Sender<Question>>,
}

/// One client.
#[derive(Debug)]
struct Client {
    context: Arc<ClientContext>,
    connection: Connection,
    id: Id,
    /// Room for requests in flight.
    room: Arc<Semaphore>,
}

/// Where the answers to the requests of one stream go.
#[derive(Debug)]
pub(crate) struct ReplySink {
    queue: FrameQueue,
    room: Arc<Semaphore>,
    connection: Connection,
}

impl ReplySink {
    /// Queues an answer. True when it is to be sent.
    pub(crate) fn push(&self, reply: &ControlReply) -> bool {
        self.room.add_permits(1);
        match self.queue.push(reply) {
            Pushed::First => true,
            Pushed::Behind => false,
            Pushed::Full | Pushed::TooLong => {
                self.connection
                    .close(CloseCode::SlowClient.into(), b"answers are not read");
                false
            }
        }
    }

    /// Sends one of many answers to the same request. False when the client has gone.
    pub(super) fn tell(&self, reply: &ControlReply) -> bool {
        match self.queue.push(reply) {
            Pushed::First => self.send(),
            Pushed::Behind => {}
            // What is too long for a frame no client could read.
            Pushed::TooLong => {}
            Pushed::Full => {
                self.connection
                    .close(CloseCode::SlowClient.into(), b"events are not read");
                return false;
            }
        }
        true
    }

    /// Waits until the client has hung up.
    pub(super) async fn gone(&self) {
        self.connection.closed().await;
    }

    /// Answers that wait to be read, and their bytes.
    pub(super) fn waiting(&self) -> (usize, usize) {
        self.queue.waiting()
    }

    /// Sends the answers that wait.
    pub(crate) fn send(&self) {
        self.queue.send();
    }
}

/// Why a client's stream is given up.
enum Broken {
    Malformed,
    Gone,
}

impl From<FrameTooLong> for Broken {
    fn from(_: FrameTooLong) -> Self {
        Self::Malformed
    }
}

/// Serves a client until its connection ends.
pub(crate) async fn serve_client(context: Arc<ClientContext>, connection: Connection, id: Id) {
    connection.set_max_concurrent_bi_streams(MAX_CONTROL_STREAMS.into());
    connection.set_max_concurrent_uni_streams(0u32.into());
    let room = Arc::new(Semaphore::new(MAX_CONTROL_IN_FLIGHT));
    context.metrics.clients.add(&room);
    let client = Arc::new(Client {
        context,
        connection,
        id,
        room,
    });
    while let Ok((sender, receiver)) = client.connection.accept_bi().await {
        let sink = Arc::new(ReplySink {
            queue: FrameQueue::new(Limits::CLIENT),
            room: Arc::clone(&client.room),
            connection: client.connection.clone(),
        });
        client.context.metrics.clients.add_stream(&sink);
        spawn(write(Arc::clone(&sink), sender));
        let client = Arc::clone(&client);
        spawn(async move {
            let result = client.read(receiver, &sink).await;
            match result {
                Err(Broken::Malformed) => {
                    client.context.metrics.drop_one("client_malformed");
                    let text = b"not a request of this version";
                    client.connection.close(CloseCode::Malformed.into(), text);
                    sink.queue.close();
                }
                Err(Broken::Gone) => sink.queue.close(),
                // Answers to the last requests are still to be sent.
                Ok(()) => {}
            }
        });
    }
}

#[allow(clippy::disallowed_methods)]
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

async fn write(sink: Arc<ReplySink>, stream: SendStream) {
    let mut stopped = std::pin::pin!(stream.stopped());
    let mut batch = Batch {
        stream: Some(stream),
        ..Batch::default()
    };
    loop {
        tokio::select! {
            biased;
            open = sink.queue.take(&mut batch) => if !open { return },
            // The connection ended, or the client wants no more answers.
            _ = &mut stopped => return sink.queue.close(),
        }
        let Some(stream) = &mut batch.stream else {
            return sink.queue.close();
        };
        if stream.write_all(&batch.frames).await.is_err() {
            return sink.queue.close();
        }
    }
}

/// Asks the tracker, which may take as long as a question to the overlay.
async fn explain(
    tracker: mpsc::Sender<Question>,
    hash: InfoHash,
    addr: SocketAddr,
    sink: Arc<ReplySink>,
    id: u64,
) {
    let (reply, answer) = oneshot::channel();
    let question = Question { hash, addr, reply };
    let body = match tracker.send(question).await {
        Ok(()) => answer.await.ok(),
        Err(_) => None,
    };
    let ended = || ReplyBody::Invalid("the tracker of this node has ended".to_owned());
    let body = body.map_or_else(ended, |explained| ReplyBody::Explained(Box::new(explained)));
    if sink.push(&ControlReply { id, body }) {
        sink.send();
    }
}

impl Client {
    async fn read(&self, mut stream: RecvStream, sink: &Arc<ReplySink>) -> Result<(), Broken> {
        let mut splitter = FrameSplitter::new(MAX_CONTROL_FRAME_BYTES);
        let mut pieces: [Bytes; PIECES_AT_ONCE] = std::array::from_fn(|_| Bytes::new());
        loop {
            let read = match stream.read_chunks(&mut pieces).await {
                Ok(Some(read)) => read,
                Ok(None) if splitter.is_between_frames() => return Ok(()),
                Ok(None) => return Err(Broken::Malformed),
                Err(_) => return Err(Broken::Gone),
            };
            let mut requests: Vec<ControlRequest> = Vec::new();
            for piece in pieces.iter_mut().take(read) {
                let piece = std::mem::take(piece);
                splitter.feed(&piece, |frame| {
                    requests.push(wire::decode(frame).map_err(|_| Broken::Malformed)?);
                    Ok::<(), Broken>(())
                })?;
            }
            self.admit(requests, sink).await?;
        }
    }

    /// Hands requests to the machine's task, as many as there is room for at a time.
    async fn admit(
        &self,
        requests: Vec<ControlRequest>,
        sink: &Arc<ReplySink>,
    ) -> Result<(), Broken> {
        let mut admitted = Vec::with_capacity(requests.len());
        let mut answered = false;
        for request in requests {
            match self.room.try_acquire() {
                Ok(permit) => permit.forget(),
                Err(_) => {
                    // What was admitted must be on its way before we wait for its answers.
                    self.submit(&mut admitted, sink).await?;
                    sink.send();
                    self.room
                        .acquire()
                        .await
                        .map_err(|_| Broken::Gone)?
                        .forget();
                }
            }
            match self.objection(&request.body) {
                None => match (request.body, &self.context.tracker) {
                    (ControlBody::Explain { info_hash, addr }, Some(tracker)) => {
                        let (sink, tracker) = (Arc::clone(sink), tracker.clone());
                        let hash = InfoHash(info_hash.0);
                        spawn(explain(tracker, hash, addr, sink, request.id));
                    }
                    (ControlBody::Events, _) => {
                        let feed = self.context.feed.clone();
                        spawn(follow(feed, Arc::clone(sink), request.id));
                    }
                    (body, _) => admitted.push(ControlRequest { body, ..request }),
                },
                Some(body) => {
                    answered = true;
                    sink.push(&ControlReply {
                        id: request.id,
                        body,
                    });
                }
            }
        }
        if answered {
            sink.send();
        }
        self.submit(&mut admitted, sink).await
    }

    async fn submit(
        &self,
        admitted: &mut Vec<ControlRequest>,
        sink: &Arc<ReplySink>,
    ) -> Result<(), Broken> {
        if admitted.is_empty() {
            return Ok(());
        }
        let requests = std::mem::take(admitted);
        let command = Command::Client {
            sink: Arc::clone(sink),
            requests,
        };
        self.context
            .commands
            .send(command)
            .await
            .map_err(|_| Broken::Gone)
    }

    /// Why a request is not admitted, if it is not.
    fn objection(&self, body: &ControlBody) -> Option<ReplyBody> {
        match body {
            ControlBody::Data(
                Request::Create
                | Request::Join { .. }
                | Request::Leave
                | Request::LeaveWithin { .. },
            ) => {
                let text = "only put, get, insert, search, delete and locate are data commands";
                Some(ReplyBody::Invalid(text.to_owned()))
            }
            ControlBody::Explain { .. } if self.context.tracker.is_none() => {
                let text = "this node is no tracker; ask one that was started with --tracker-http, --tracker-udp or --mainline";
                Some(ReplyBody::Invalid(text.to_owned()))
            }
            // Events name the keys that others ask for.
            ControlBody::Leave | ControlBody::LeaveWithin { .. } | ControlBody::Events
                if !self.may_administer() =>
            {
                Some(ReplyBody::Denied(format!(
                    "this client may neither administer nor follow the node; run it as the user of the node on \
                 its machine, give the node's key with --key, or add the line {} to {}",
                    self.id,
                    self.context
                        .data_dir
                        .join(super::local::AUTHORIZED_FILE)
                        .display()
                )))
            }
            _ => None,
        }
    }

    fn may_administer(&self) -> bool {
        self.id == self.context.me || data_dir::is_authorized(&self.context.data_dir, self.id)
    }
}
