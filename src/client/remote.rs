//! A node that is asked over the network: one task holds the connection, and many calls share it.
//!
//! The connection is opened when a call needs one, and again when it broke.

use super::CallError;
use crate::control::client::{ClientError, Connector, NodeName};
use crate::control::proof::{self, ProofError};
use crate::control::session::Session;
use crate::control::{ControlBody, ControlReply, MAX_CONTROL_IN_FLIGHT, ReplyBody};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Calls that wait for the task; more wait in turn.
const WAITING: usize = 64;
/// How long opening a connection may take.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

type Answered = Result<ReplyBody, CallError>;

/// One question on its way.
#[derive(Debug)]
struct Call {
    body: ControlBody,
    /// Whether it has gone out.
    sent: Arc<AtomicBool>,
    reply: oneshot::Sender<Answered>,
}

/// A node somewhere.
#[derive(Debug)]
pub(super) struct Remote {
    node: NodeName,
    calls: mpsc::Sender<Call>,
}

/// As nobody in particular.
fn connector() -> Result<Connector, ClientError> {
    let config = proof::anonymous().map_err(|error| ClientError::Socket(error.to_string()))?;
    Ok(Connector::new(config))
}

/// A session of its own with a node, as its administrator where its key can be had.
pub(super) async fn open(node: &NodeName, key: Option<&Path>) -> Result<Session, ClientError> {
    let addrs = node.resolve().await?;
    let config = match proof::administrator(key, &addrs) {
        Ok(config) => config,
        // The node says what it wants.
        Err(ProofError::NoKey(_)) => return connector()?.connect(node, CONNECT_TIMEOUT).await,
        Err(error) => return Err(ClientError::Key(error.to_string())),
    };
    Connector::new(config).connect(node, CONNECT_TIMEOUT).await
}

impl Remote {
    /// Connects, and starts the task on the runtime of the caller.
    #[allow(
        clippy::disallowed_methods,
        reason = "it serves the caller, for as long as a client is held"
    )]
    pub(super) async fn connect(node: NodeName) -> Result<Self, ClientError> {
        let mut connector = connector()?;
        let session = connector.connect(&node, CONNECT_TIMEOUT).await?;
        let (calls, asked) = mpsc::channel(WAITING);
        let task = Task {
            node: node.clone(),
            connector,
            asked,
            waiting: BTreeMap::new(),
            next_id: 0,
        };
        tokio::spawn(task.run(session));
        Ok(Self { node, calls })
    }

    pub(super) const fn node(&self) -> &NodeName {
        &self.node
    }

    pub(super) async fn call(&self, body: ControlBody, limit: Duration) -> Answered {
        let sent = Arc::new(AtomicBool::new(false));
        let (reply, answer) = oneshot::channel();
        let call = Call {
            body,
            sent: Arc::clone(&sent),
            reply,
        };
        let asked = async {
            let ended = |_| CallError::Ended;
            self.calls.send(call).await.map_err(|_| CallError::Ended)?;
            answer.await.map_err(ended)?
        };
        match tokio::time::timeout(limit, asked).await {
            Ok(answered) => answered,
            Err(_) if sent.load(Ordering::Acquire) => Err(CallError::NoAnswer(limit)),
            Err(_) => Err(CallError::Unreachable(ClientError::NoConnection {
                node: self.node.clone(),
                after: limit,
            })),
        }
    }
}

/// What holds the connection.
struct Task {
    node: NodeName,
    connector: Connector,
    asked: mpsc::Receiver<Call>,
    waiting: BTreeMap<u64, oneshot::Sender<Answered>>,
    next_id: u64,
}

impl Task {
    /// Ends with the last client.
    async fn run(mut self, mut session: Session) {
        loop {
            match self.serve(&mut session).await {
                None => return session.close().await,
                Some(broken) => {
                    for (_, reply) in std::mem::take(&mut self.waiting) {
                        // Whoever asked may have stopped waiting.
                        let _ = reply.send(Err(CallError::Unanswered(broken.clone())));
                    }
                }
            }
            match self.reopen().await {
                Some(opened) => session = opened,
                None => return,
            }
        }
    }

    /// Asks and hands out answers until the connection breaks; none when nobody asks any more.
    async fn serve(&mut self, session: &mut Session) -> Option<ClientError> {
        let mut replies = Vec::new();
        loop {
            if self.waiting.len() >= MAX_CONTROL_IN_FLIGHT {
                self.waiting.retain(|_, reply| !reply.is_closed());
            }
            let has_room = self.waiting.len() < MAX_CONTROL_IN_FLIGHT;
            tokio::select! {
                call = self.asked.recv(), if has_room => self.ask(session, call?),
                exchanged = session.exchange(&mut replies) => {
                    for ControlReply { id, body } in replies.drain(..) {
                        if let Some(reply) = self.waiting.remove(&id) {
                            let _ = reply.send(Ok(body));
                        }
                    }
                    if let Err(broken) = exchanged {
                        return Some(broken);
                    }
                }
            }
        }
    }

    fn ask(&mut self, session: &mut Session, call: Call) {
        // Nobody waits for it any more, and was told that it was not asked.
        if call.reply.is_closed() {
            return;
        }
        let id = self.next_id;
        self.next_id += 1;
        call.sent.store(true, Ordering::Release);
        session.queue(id, call.body);
        self.waiting.insert(id, call.reply);
    }

    /// Waits for a call, and opens a connection for it.
    async fn reopen(&mut self) -> Option<Session> {
        loop {
            let call = self.asked.recv().await?;
            if call.reply.is_closed() {
                continue;
            }
            match self.connector.connect(&self.node, CONNECT_TIMEOUT).await {
                Ok(mut session) => {
                    self.ask(&mut session, call);
                    return Some(session);
                }
                Err(error) => {
                    let _ = call.reply.send(Err(CallError::Unreachable(error)));
                }
            }
        }
    }
}
