//! Walks a network from one node: every node that any node has in its tables is asked how it is.
//!
//! A picture, not a proof: nodes come and go while it is taken, and who cannot be reached from
//! here may be reached by others.

mod picture;
mod report;

use crate::control::client::{ClientError, Connector};
use crate::control::session::Session;
use crate::control::{ControlBody, ReplyBody, StatusReport};
use overlay::{Contact, Id};
use picture::Picture;
use quinn::ClientConfig;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Nodes of one picture, silent ones included: more than anybody can look at one by one.
pub const MAX_NODES: usize = 4_096;
/// Neighbours that all reports of one picture may name together, so that whoever answers with the
/// longest lists cannot fill the memory: 128 for each node, and 30 MB in all.
const MAX_CONTACTS: usize = MAX_NODES * 128;
/// Nodes asked at a time: all of a network of the usual size, and handshakes that a socket's buffer
/// holds.
const AT_ONCE: usize = 32;
/// How long one node may take for handshake and answer together: twice the slowest round trips of
/// the Internet, and some for a node that is busy.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a picture may take. Silent nodes of a large network, and hosts that never were nodes, are
/// waited for 32 at a time; whoever was not asked by then is missing in the picture.
const PICTURE_WITHIN: Duration = Duration::from_secs(20);
/// Conversations kept from one picture to the next. A session holds a buffer of 64 KiB and says each
/// second that it lives; handshakes with the nodes of a larger network cost less than that.
const MAX_KEPT: usize = 64;

/// A node that answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it says of itself. Its id is proven, all else it claims.
    pub report: Box<StatusReport>,
    /// Where it was asked; none for the node that takes the picture.
    pub at: Option<SocketAddr>,
    /// How long its answer took, without the handshake; none for the node that takes the picture.
    pub rtt: Option<Duration>,
}

/// Why a node that others know is not in a picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Missing {
    /// It was asked.
    #[error(transparent)]
    Silent(ClientError),
    /// Another node answers at its address: it was started anew with another key.
    #[error("another node, {0}, answers there")]
    Another(Id),
    /// The time for a picture was up.
    #[error("not asked: others were silent for too long")]
    NotAsked,
}

/// A node that others have in their tables and that does not answer here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreachable {
    /// As the others know it.
    pub contact: Contact,
    /// How many of the nodes that answered have it in their tables.
    pub known_by: usize,
    /// What became of the question.
    pub why: Missing,
}

/// A picture of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkView {
    /// The nodes that answered, by id.
    pub nodes: BTreeMap<Id, Found>,
    /// Those that did not, by id.
    pub unreachable: BTreeMap<Id, Unreachable>,
    /// Whether [`MAX_NODES`], the length of their lists or the time cut it short.
    pub truncated: bool,
}

/// Takes pictures of a network, and keeps some of the conversations in between.
#[derive(Debug)]
pub struct Crawler {
    connector: Connector,
    kept: BTreeMap<SocketAddr, Session>,
}

/// What became of asking one address.
struct Asked {
    addr: SocketAddr,
    answer: Result<(Session, Found), ClientError>,
}

impl Crawler {
    /// A crawler that proves itself as `config` says; anybody may ask a node how it is.
    #[must_use]
    pub const fn new(config: ClientConfig) -> Self {
        Self {
            connector: Connector::new(config),
            kept: BTreeMap::new(),
        }
    }

    /// A picture of the network of the node at an address.
    ///
    /// # Errors
    /// When that node does not answer.
    pub async fn crawl(&mut self, first: SocketAddr) -> Result<NetworkView, ClientError> {
        let kept = self.kept.remove(&first);
        let asked = ask(first, kept, self.connector.dial(first, PATIENCE)).await;
        let (session, found) = asked.answer?;
        self.keep(first, session);
        Ok(self.from(found).await)
    }

    /// A picture of the network of a node that is known already.
    pub async fn crawl_from(&mut self, report: StatusReport) -> NetworkView {
        let report = Box::new(report);
        let (at, rtt) = (None, None);
        self.from(Found { report, at, rtt }).await
    }

    async fn from(&mut self, first: Found) -> NetworkView {
        let end = Instant::now() + PICTURE_WITHIN;
        let mut picture = Picture::default();
        picture.answered(first);
        let mut asking = JoinSet::new();
        loop {
            while asking.len() < AT_ONCE
                && let Some(addr) = picture.next()
            {
                let kept = self.kept.remove(&addr);
                asking.spawn(ask(addr, kept, self.connector.dial(addr, PATIENCE)));
            }
            let Ok(Some(asked)) = tokio::time::timeout_at(end, asking.join_next()).await else {
                return picture.finish();
            };
            // A task that panicked has nothing to tell; its address stays without an answer.
            let Ok(Asked { addr, answer }) = asked else {
                continue;
            };
            match answer {
                Ok((session, found)) => {
                    picture.answered(found);
                    self.keep(addr, session);
                }
                Err(why) => picture.silent(addr, why),
            }
        }
    }

    fn keep(&mut self, addr: SocketAddr, session: Session) {
        if self.kept.len() < MAX_KEPT {
            self.kept.insert(addr, session);
        }
    }
}

/// Asks one node, on the conversation that was kept if that still works.
async fn ask(
    addr: SocketAddr,
    kept: Option<Session>,
    dialled: impl Future<Output = Result<Session, ClientError>>,
) -> Asked {
    let end = Instant::now() + PATIENCE;
    if let Some(session) = kept
        && let Ok(told) = on(session, end).await
    {
        return Asked {
            addr,
            answer: Ok(told),
        };
    }
    let answer = async { on(dialled.await?, end).await }.await;
    Asked { addr, answer }
}

async fn on(mut session: Session, end: Instant) -> Result<(Session, Found), ClientError> {
    let addr = session.addr();
    let began = Instant::now();
    let reply = tokio::time::timeout_at(end, session.call(ControlBody::Status)).await;
    let after = began.elapsed();
    match reply.unwrap_or(Err(ClientError::NoAnswer { addr, after }))? {
        ReplyBody::Status(report) => {
            report::check(&report, session.proven_id())
                .map_err(|what| ClientError::Nonsense { addr, what })?;
            let (at, rtt) = (Some(addr), Some(after));
            Ok((session, Found { report, at, rtt }))
        }
        _ => Err(ClientError::Nonsense {
            addr,
            what: "no status".to_owned(),
        }),
    }
}
