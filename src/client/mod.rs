//! Asking a node: values, holders, searches, and what happens there.
//!
//! A [`Client`] is of a node in this process ([`Node::client`](crate::Node::client)) or of one that is
//! reached over the network ([`Client::connect`]); its methods are the same. Each call is a request that
//! is sent when it is awaited, after what it wants was said:
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! use p2pnode::{Answer, CallError, Consistency, Node};
//! use std::time::Duration;
//!
//! let node = Node::builder().temporary().start().await?;
//! let client = node.client();
//!
//! let put = client.put("greeting", "hello").ttl(Duration::from_secs(3600)).await?;
//! assert_eq!((put.replicas_durable, put.replicas), (1, 1));
//!
//! // Somebody was faster: the condition does not hold, and nothing was changed.
//! let again = client.put("greeting", "hello again").if_absent().await;
//! assert!(matches!(again, Err(CallError::Conflict(_))));
//!
//! match client.get("greeting").consistency(Consistency::All).await? {
//!     Answer::Found { found, .. } => assert_eq!(&found.bytes[..], b"hello"),
//!     Answer::Absent { evidence, .. } => println!("proven by {} replicas", evidence.answered),
//!     Answer::Unknown { reason, .. } => println!("try again: {reason}"),
//!     _ => {}
//! }
//! # node.shutdown().await;
//! # Ok::<_, Box<dyn std::error::Error>>(()) })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

/// What awaiting a request does.
macro_rules! awaited {
    ($($name:ident => $answer:ty;)+) => {$(
        impl IntoFuture for $name {
            type Output = Result<$answer, $crate::client::CallError>;
            type IntoFuture = $crate::client::Calling<$answer>;

            fn into_future(self) -> Self::IntoFuture {
                Box::pin(self.send())
            }
        }
    )+};
}

mod answer;
mod error;
mod events;
mod key;
mod reads;
mod remote;
mod writes;

pub use answer::{Answer, Evidence, Matches, Value};
pub use error::CallError;
pub use events::{Events, EventsError};
pub use key::Key;
pub use reads::{Get, Locate, Search, SearchPrefix, SearchText};
pub use writes::{Delete, Insert, Put};

use crate::control::client::{ClientError, NodeName, ParseNodeNameError};
use crate::control::{ControlBody, ReplyBody, StatusReport};
use crate::feed::Feed;
use crate::runtime::Command;
use bytes::Bytes;
use overlay::{PeerInfo, Reply, Request};
use remote::Remote;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long a call may take unless [`Client::with_timeout`] says otherwise. A node answers each by
/// itself within eight seconds or so.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// How often [`Client::settled`] looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a request becomes when it is awaited.
pub type Calling<T> = Pin<Box<dyn Future<Output = Result<T, CallError>> + Send>>;

/// Asks one node. Cheap to clone; calls may run side by side.
///
/// Calls, but not a local client itself, need a runtime of tokio with its timers on.
#[derive(Clone, Debug)]
pub struct Client {
    link: Link,
    timeout: Duration,
    key: Option<PathBuf>,
}

#[derive(Clone, Debug)]
enum Link {
    Local {
        commands: mpsc::Sender<Command>,
        feed: Feed,
    },
    Remote(Arc<Remote>),
}

/// Why there is no client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name of the node is none.
    #[error(transparent)]
    Name(#[from] ParseNodeNameError),
    /// The node was not reached.
    #[error(transparent)]
    Unreachable(#[from] ClientError),
}

impl Client {
    pub(crate) const fn local(commands: mpsc::Sender<Command>, feed: Feed) -> Self {
        Self {
            link: Link::Local { commands, feed },
            timeout: CALL_TIMEOUT,
            key: None,
        }
    }

    /// Connects to a node at `HOST:PORT`, its UDP address. When the connection breaks, the calls under
    /// way fail, and the next one opens another.
    ///
    /// A task on the present tokio runtime serves the connection until the last clone is dropped.
    ///
    /// # Errors
    /// When the name makes no sense, does not resolve, or nobody answers there within 10 s.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// use p2pnode::{Client, Node};
    ///
    /// let node = Node::builder().temporary().start().await?;
    /// let client = Client::connect(node.addr()).await?;
    /// assert!(client.get("never stored").await?.is_absent());
    /// # node.shutdown().await;
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub async fn connect(node: impl ToString) -> Result<Self, ConnectError> {
        let node: NodeName = node.to_string().parse()?;
        Ok(Self {
            link: Link::Remote(Arc::new(Remote::connect(node).await?)),
            timeout: CALL_TIMEOUT,
            key: None,
        })
    }

    /// The same node, with another limit to how long each call may take.
    #[must_use]
    pub const fn with_timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// Stores a value of at most 1 MiB.
    pub fn put(&self, key: impl Into<Key>, value: impl Into<Bytes>) -> Put {
        Put::new(self.clone(), key.into(), value.into())
    }

    /// Reads a value.
    pub fn get(&self, key: impl Into<Key>) -> Get {
        Get::new(self.clone(), key.into())
    }

    /// Says that a peer holds a resource. The node that is asked renews the lease until the holder is
    /// [deleted](Delete::holder).
    pub fn insert(&self, key: impl Into<Key>, holder: SocketAddr) -> Insert {
        Insert::new(self.clone(), key.into(), holder)
    }

    /// Lists the holders of a resource.
    pub fn search(&self, key: impl Into<Key>) -> Search {
        Search::new(self.clone(), key.into())
    }

    /// Finds holders and values whose texts have all of these words; a `*` at the end of a word lets it
    /// go on.
    pub fn search_text(&self, words: impl Into<String>) -> SearchText {
        SearchText::new(self.clone(), words.into())
    }

    /// Finds holders and values that were stored as indexed, by the beginning of their keys. Gnutella has
    /// no such index, and refuses.
    pub fn search_prefix(&self, beginning: impl Into<Bytes>) -> SearchPrefix {
        SearchPrefix::new(self.clone(), beginning.into())
    }

    /// Deletes a value, or one holder.
    pub fn delete(&self, key: impl Into<Key>) -> Delete {
        Delete::new(self.clone(), key.into())
    }

    /// Finds the replica set of a key, and the way to it. Never answered from a cache.
    pub fn locate(&self, key: impl Into<Key>) -> Locate {
        Locate::new(self.clone(), key.into())
    }

    /// How the node is.
    ///
    /// # Errors
    /// When the node does not answer.
    pub async fn status(&self) -> Result<StatusReport, CallError> {
        match &self.link {
            Link::Local { commands, .. } => self.ask_local(commands, Command::Report).await,
            Link::Remote(remote) => match remote.call(ControlBody::Status, self.timeout).await? {
                ReplyBody::Status(report) => Ok(*report),
                _ => Err(CallError::Nonsense),
            },
        }
    }

    /// Waits until the node has nothing to bring in order: it is in a network, and everything that it
    /// answers for is complete and copied to all its replicas.
    ///
    /// In the moments after nodes have joined, writes may fail with
    /// [`TooFewReplicas`](crate::Failure::TooFewReplicas), and reads be unknown; who has just started
    /// several nodes waits for this at each.
    ///
    /// # Errors
    /// When the node does not answer. How long it may take all together is not limited.
    pub async fn settled(&self) -> Result<(), CallError> {
        loop {
            let status = self.status().await?.status;
            if status.member && status.settled {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The peers in the tables of the node, in order of id.
    ///
    /// # Errors
    /// When the node does not answer.
    pub async fn peers(&self) -> Result<Vec<PeerInfo>, CallError> {
        match &self.link {
            Link::Local { commands, .. } => self.ask_local(commands, Command::Peers).await,
            Link::Remote(remote) => match remote.call(ControlBody::Peers, self.timeout).await? {
                ReplyBody::Peers(peers) => Ok(peers),
                _ => Err(CallError::Nonsense),
            },
        }
    }

    /// Proves the key in a file where a remote node wants that. Without it the key of a node of the same
    /// user on this machine is found.
    #[must_use]
    pub fn with_key(mut self, file: impl Into<PathBuf>) -> Self {
        self.key = Some(file.into());
        self
    }

    /// Follows what happens at the node from now on. A remote node sends it over a connection of its
    /// own, to 16 readers at a time, and only to its administrators, since it names the keys that others
    /// ask for: see [`with_key`](Self::with_key).
    ///
    /// # Errors
    /// When the node does not answer, has too many readers, or does not take this client for an
    /// administrator.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// use p2pnode::{Event, Node, OperationKind};
    ///
    /// let node = Node::builder().temporary().start().await?;
    /// let client = node.client();
    /// let mut events = client.events().await?;
    /// client.put("greeting", "hello").await?;
    /// while let Some(event) = events.next().await {
    ///     match event? {
    ///         Event::Operation(done) if done.kind == OperationKind::Put => break,
    ///         _ => {}
    ///     }
    /// }
    /// # node.shutdown().await;
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub async fn events(&self) -> Result<Events, CallError> {
        match &self.link {
            Link::Local { commands, feed } => Events::local(feed, commands.clone()),
            Link::Remote(remote) => Events::remote(remote.node(), self.key.as_deref()).await,
        }
    }

    async fn ask_local<T>(
        &self,
        commands: &mpsc::Sender<Command>,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, CallError> {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            commands.send(command(reply)).await.ok()?;
            answer.await.ok()
        };
        let answered = tokio::time::timeout(self.timeout, asked).await;
        let silent = |_| CallError::NoAnswer(self.timeout);
        answered.map_err(silent)?.ok_or(CallError::Ended)
    }

    /// Makes a call of data.
    async fn data(&self, request: Request) -> Result<Reply, CallError> {
        let reply = match &self.link {
            Link::Local { commands, .. } => {
                let call = |reply| Command::Call { request, reply };
                self.ask_local(commands, call).await?
            }
            Link::Remote(remote) => {
                match remote
                    .call(ControlBody::Data(request), self.timeout)
                    .await?
                {
                    ReplyBody::Data(reply) => reply,
                    ReplyBody::Invalid(why) | ReplyBody::Denied(why) => {
                        return Err(CallError::Refused(why));
                    }
                    _ => return Err(CallError::Nonsense),
                }
            }
        };
        match reply {
            Reply::Failed(failure) => Err(failure.into()),
            Reply::Conflict(report) => Err(CallError::Conflict(report)),
            reply => Ok(reply),
        }
    }
}

/// Whole seconds, no fewer than a span has; none when they are more than a node understands.
fn whole_seconds(name: &str, span: Duration) -> Result<u32, CallError> {
    let seconds = span.as_secs();
    let seconds = seconds.saturating_add(u64::from(span.subsec_nanos() > 0));
    let too_long = |_| CallError::Refused(format!("{name} of {seconds} s is beyond its limit"));
    u32::try_from(seconds).map_err(too_long)
}
