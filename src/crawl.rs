//! Walks a network from one node: every node that any node has in its tables is asked how it is.
//!
//! A picture, not a proof: nodes come and go while it is taken, and who cannot be reached from
//! here may be reached by others.

use crate::control::client::{ClientError, Connector};
use crate::control::session::Session;
use crate::control::{ControlBody, ReplyBody, StatusReport};
use overlay::{Contact, Id};
use quinn::ClientConfig;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Nodes of one picture, silent ones included: at two or three kilobytes a report some 12 MB, and
/// more than anybody can look at one by one.
pub const MAX_NODES: usize = 4_096;
/// Nodes asked at a time: all of a network of the usual size, and handshakes that a socket's buffer
/// holds.
const AT_ONCE: usize = 32;
/// How long one node may take for handshake and answer together: twice the slowest round trips of
/// the Internet, and some for a node that is busy.
const PATIENCE: Duration = Duration::from_secs(2);
/// Conversations kept from one picture to the next. A session holds a buffer of 64 KiB and says each
/// second that it lives; handshakes with the nodes of a larger network cost less than that.
const MAX_KEPT: usize = 64;

/// A node that answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it says of itself.
    pub report: Box<StatusReport>,
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
    /// The picture was full.
    #[error("not asked: the picture is full with {MAX_NODES} nodes")]
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
    /// Whether [`MAX_NODES`] cut it short.
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
        Ok(self.from(Some(first), found).await)
    }

    /// A picture of the network of a node that is known already.
    pub async fn crawl_from(&mut self, report: StatusReport) -> NetworkView {
        let report = Box::new(report);
        self.from(None, Found { report, rtt: None }).await
    }

    async fn from(&mut self, addr: Option<SocketAddr>, first: Found) -> NetworkView {
        let mut picture = Picture::default();
        picture.answered(addr, first);
        let mut asking = JoinSet::new();
        loop {
            while asking.len() < AT_ONCE
                && let Some(addr) = picture.next()
            {
                let kept = self.kept.remove(&addr);
                asking.spawn(ask(addr, kept, self.connector.dial(addr, PATIENCE)));
            }
            let Some(asked) = asking.join_next().await else {
                return picture.finish();
            };
            // A task that panicked has nothing to tell; its address stays without an answer.
            let Ok(Asked { addr, answer }) = asked else {
                continue;
            };
            match answer {
                Ok((session, found)) => {
                    picture.answered(Some(addr), found);
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
            let rtt = Some(after);
            Ok((session, Found { report, rtt }))
        }
        other => Err(ClientError::Nonsense {
            addr,
            what: format!("{other:?}").chars().take(64).collect(),
        }),
    }
}

/// A picture while it is taken.
#[derive(Default)]
struct Picture {
    nodes: BTreeMap<Id, Found>,
    /// Every address of which anybody has told, and what came of asking there.
    addrs: BTreeMap<SocketAddr, Option<Result<Id, ClientError>>>,
    waiting: VecDeque<SocketAddr>,
    truncated: bool,
}

impl Picture {
    fn next(&mut self) -> Option<SocketAddr> {
        self.waiting.pop_front()
    }

    fn silent(&mut self, addr: SocketAddr, why: ClientError) {
        self.addrs.insert(addr, Some(Err(why)));
    }

    /// Takes what a node says that was asked at `addr`, and in any case names one of its own.
    fn answered(&mut self, addr: Option<SocketAddr>, found: Found) {
        let status = &found.report.status;
        let me = status.me;
        for addr in addr.into_iter().chain([me.addr]) {
            self.addrs.insert(addr, Some(Ok(me.id)));
        }
        for Contact { addr, .. } in status.neighbours.all() {
            if self.addrs.contains_key(addr) {
                continue;
            }
            if self.addrs.len() < MAX_NODES {
                self.addrs.insert(*addr, None);
                self.waiting.push_back(*addr);
            } else {
                self.truncated = true;
            }
        }
        self.nodes.insert(me.id, found);
    }

    fn finish(self) -> NetworkView {
        let mut unreachable: BTreeMap<Id, Unreachable> = BTreeMap::new();
        for found in self.nodes.values() {
            let neighbours: BTreeSet<_> = found.report.status.neighbours.all().collect();
            for contact in neighbours {
                if self.nodes.contains_key(&contact.id) {
                    continue;
                }
                let entry = unreachable.entry(contact.id);
                let entry = entry.or_insert_with(|| Unreachable {
                    contact: *contact,
                    known_by: 0,
                    why: self.why(contact.addr),
                });
                entry.known_by += 1;
            }
        }
        NetworkView {
            nodes: self.nodes,
            unreachable,
            truncated: self.truncated,
        }
    }

    fn why(&self, addr: SocketAddr) -> Missing {
        match self.addrs.get(&addr) {
            Some(Some(Ok(id))) => Missing::Another(*id),
            Some(Some(Err(why))) => Missing::Silent(why.clone()),
            Some(None) | None => Missing::NotAsked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay::{Neighbours, Promise, Status};

    fn contact(number: u16) -> Contact {
        Contact {
            id: Id::of(&number.to_be_bytes()),
            addr: SocketAddr::from(([127, 0, 0, 1], number)),
        }
    }

    /// What a node says that has `others` for successors.
    fn node(me: Contact, others: &[u16]) -> Found {
        let successors = others.iter().copied().map(contact).collect();
        let neighbours = Neighbours::Ring {
            predecessor: None,
            successors,
            fingers: Vec::new(),
        };
        let report = Box::new(StatusReport {
            status: Status {
                me,
                overlay: "chord".to_owned(),
                member: true,
                promise: Promise::Replicated,
                peers: 0,
                values: 0,
                holders: 0,
                entries: 0,
                stored_bytes: 0,
                renewed_leases: 0,
                clocks_refused: 0,
                settled: true,
                neighbours,
                leaving: false,
                moving: Vec::new(),
                moved_records: 0,
                moved_bytes: 0,
            },
            listen: me.addr,
            http: None,
            uptime_s: 1,
            connections: 0,
            version: String::new(),
            load: None,
        });
        Found { report, rtt: None }
    }

    #[test]
    fn everybody_of_whom_anybody_tells_is_asked_once() {
        let mut picture = Picture::default();
        picture.answered(None, node(contact(1), &[2, 3]));
        assert_eq!(picture.next(), Some(contact(2).addr));
        picture.answered(Some(contact(2).addr), node(contact(2), &[3, 4, 1]));
        assert_eq!(picture.next(), Some(contact(3).addr));
        // Another node has taken the place of the third.
        picture.answered(Some(contact(3).addr), node(contact(9), &[1, 2, 4]));
        assert_eq!(picture.next(), Some(contact(4).addr));
        let addr = contact(4).addr;
        picture.silent(addr, ClientError::NobodyListens { addr });
        assert_eq!(
            picture.next(),
            None,
            "the node that answered twice is asked again"
        );
        let view = picture.finish();
        assert_eq!(view.nodes.len(), 3);
        let missing = |number: u16| {
            let missing = view.unreachable.get(&contact(number).id);
            missing.map(|missing| (missing.known_by, missing.why.clone()))
        };
        assert_eq!(missing(3), Some((2, Missing::Another(contact(9).id))));
        let why = Missing::Silent(ClientError::NobodyListens { addr });
        assert_eq!(missing(4), Some((2, why)));
        assert_eq!(view.unreachable.len(), 2);
        assert!(!view.truncated);
    }

    #[test]
    fn a_picture_has_a_limit_and_says_when_it_is_reached() {
        let mut picture = Picture::default();
        let others: Vec<u16> = (2..=5_000).collect();
        picture.answered(None, node(contact(1), &others));
        let mut asked = 0;
        while picture.next().is_some() {
            asked += 1;
        }
        assert_eq!(asked, MAX_NODES - 1);
        let view = picture.finish();
        assert!(view.truncated);
        let last = view.unreachable.get(&contact(5_000).id);
        assert_eq!(last.map(|last| last.why.clone()), Some(Missing::NotAsked));
    }
}
