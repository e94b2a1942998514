//! Clients: each asks one thing after the other of any node that is up, and of another one when
//! there is no answer. All of it is recorded.
//!
//! Every value and every holder is written once only, so that what is read names its write: who
//! tries again writes another value.

use crate::cluster::Cluster;
use crate::record::is_final;
use bytes::Bytes;
use overlay::{Condition, Consistency, Id, Reply, Request, Version};
use p2pnode::control::client::Connector;
use p2pnode::control::session::Session;
use p2pnode::control::{ControlBody, ReplyBody, proof};
use sim::Dice;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Keys that all clients write, and resources that all have.
const SHARED: u64 = 16;
/// A lease that ends within the run when nobody renews it, and one that outlasts it.
const LEASES_S: [u32; 2] = [30, 6 * 3600];
/// Most holders that are asked for: all.
const LIMIT: u32 = 1_000;
/// How long a client waits for a connection, and for an answer: longer than the 8 s after which a
/// node answers in any case.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How often something is asked before the client turns to something else.
const TRIES: u32 = 20;
/// How often something is read of which nothing can be known: each time takes a node three seconds.
const TRIES_OF_UNKNOWN: u32 = 3;
/// Longest pause between two questions.
const PAUSE_MS: u64 = 20;

/// The key of values number `number` that all clients write.
fn shared_key(number: u64) -> Id {
    Id::of(format!("shared {number}").as_bytes())
}

/// The key number `number` of those that all clients write, with conditions only.
fn guarded_key(number: u64) -> Id {
    Id::of(format!("guarded {number}").as_bytes())
}

/// The resource number `number`.
fn resource(number: u64) -> Id {
    Id::of(format!("resource {number}").as_bytes())
}

/// What a client wants done.
#[derive(Clone, Copy, Debug)]
enum Wish {
    Put(Id),
    /// Only if what is there is what this client saw there last, or nothing is.
    PutIf(Id),
    Get(Id),
    Delete(Id),
    Insert(Id, u32),
    Search(Id),
    Remove(Id, SocketAddr),
}

/// One client.
pub(crate) struct Client {
    number: usize,
    cluster: Rc<Cluster>,
    dice: Dice,
    line: Line,
    written: u64,
    inserted: u16,
    /// Keys that only this client writes; those that live.
    keys: Vec<Id>,
    living: Vec<Id>,
    /// Holders that were inserted, with their resource and the node that renews them.
    holders: Vec<(SocketAddr, Id, usize)>,
}

impl Client {
    pub(crate) fn new(number: usize, cluster: Rc<Cluster>, dice: Dice) -> Self {
        Self {
            number,
            cluster,
            dice,
            line: Line::new(),
            written: 0,
            inserted: 0,
            keys: Vec::new(),
            living: Vec::new(),
            holders: Vec::new(),
        }
    }

    /// Asks until it is told to end.
    pub(crate) async fn run(mut self, is_over: Rc<Cell<bool>>) {
        while !is_over.get() {
            self.one(&is_over).await;
            sleep(Duration::from_millis(self.dice.below(PAUSE_MS))).await;
        }
    }

    /// One wish, at one node after another until it is fulfilled.
    async fn one(&mut self, is_over: &Cell<bool>) {
        let (wish, only_at) = self.wish();
        let mut unknown = 0;
        for _ in 0..TRIES {
            let up = self.cluster.up();
            let node = match only_at {
                // A lease is ended by the node that renews it, as long as that lives.
                Some(node) if up.contains(&node) => node,
                Some(_) => return,
                None => match self.dice.pick(&up) {
                    Some(node) => *node,
                    None => return,
                },
            };
            let request = self.request(wish);
            let reply = self
                .line
                .ask(&self.cluster, self.number, node, request.clone())
                .await;
            match reply {
                Some(reply) if is_final(&reply) => {
                    self.fulfilled(node, &request, &reply);
                    return;
                }
                Some(Reply::Got(_) | Reply::Searched(_)) => unknown += 1,
                _ => {}
            }
            if is_over.get() || unknown == TRIES_OF_UNKNOWN {
                return;
            }
            sleep(Duration::from_millis(50 + self.dice.below(100))).await;
        }
    }

    fn wish(&mut self) -> (Wish, Option<usize>) {
        let shared = shared_key(self.dice.below(SHARED));
        let guarded = guarded_key(self.dice.below(SHARED));
        let resource = resource(self.dice.below(SHARED));
        let wish = match self.dice.below(100) {
            0..=29 => {
                let name = format!("client {} key {}", self.number, self.keys.len());
                let key = Id::of(name.as_bytes());
                self.keys.push(key);
                Wish::Put(key)
            }
            30..=36 if !self.living.is_empty() => {
                let at = self.dice.index(self.living.len());
                Wish::Delete(self.living.swap_remove(at))
            }
            37..=64 if !self.keys.is_empty() => {
                Wish::Get(self.keys[self.dice.index(self.keys.len())])
            }
            65..=74 => Wish::Put(shared),
            75..=77 => Wish::Delete(shared),
            78..=83 => Wish::Get(shared),
            84..=85 => Wish::Get(guarded),
            86..=87 => Wish::PutIf(guarded),
            88..=92 => Wish::Insert(resource, LEASES_S[self.dice.index(LEASES_S.len())]),
            93..=94 if !self.holders.is_empty() => {
                let at = self.dice.index(self.holders.len());
                let (holder, key, node) = self.holders.swap_remove(at);
                return (Wish::Remove(key, holder), Some(node));
            }
            _ => Wish::Search(resource),
        };
        (wish, None)
    }

    fn request(&mut self, wish: Wish) -> Request {
        let consistency = Consistency::Quorum;
        let condition = Condition::Always;
        let delete = |key, holder| Request::Delete {
            key,
            holder,
            consistency,
            condition,
        };
        match wish {
            Wish::PutIf(key) => {
                let condition = self.condition(key);
                self.put(key, condition)
            }
            Wish::Put(key) => self.put(key, Condition::Always),
            Wish::Get(key) => Request::Get {
                key,
                consistency,
                at_least: self.newest_seen(key),
            },
            Wish::Delete(key) => delete(key, None),
            Wish::Remove(key, holder) => delete(key, Some(holder)),
            Wish::Search(key) => Request::Search {
                key,
                limit: LIMIT,
                consistency,
            },
            Wish::Insert(key, lease_s) => {
                self.inserted += 1;
                let last = u8::try_from(self.number).expect("fewer than 256 clients");
                let holder = SocketAddr::from((Ipv4Addr::new(192, 0, 2, last), self.inserted));
                Request::Insert {
                    key,
                    holder,
                    lease_s,
                    text: String::new(),
                    indexed: None,
                }
            }
        }
    }

    fn put(&mut self, key: Id, condition: Condition) -> Request {
        self.written += 1;
        // One in eight is kept apart from its record in the store.
        let length = if self.dice.below(8) == 0 { 400 } else { 0 };
        let text = format!(
            "client {} write {} {:.<length$}",
            self.number, self.written, ""
        );
        Request::Put {
            key,
            value: Bytes::from(text),
            ttl_s: None,
            consistency: Consistency::Quorum,
            condition,
            text: String::new(),
            indexed: None,
        }
    }

    /// What this client takes to be there.
    fn condition(&mut self, key: Id) -> Condition {
        let seen = self.seen(key).filter(|_| self.dice.below(3) > 0);
        seen.map_or(Condition::Absent, Condition::Version)
    }

    /// The newest version that this client was told of.
    fn seen(&self, key: Id) -> Option<Version> {
        let record = self.cluster.record.borrow();
        let client = u32::try_from(self.number).ok()?;
        record.history.newest_seen(client, key, record.now())
    }

    /// What every second client carries along: the answer must not be older.
    fn newest_seen(&self, key: Id) -> Option<Version> {
        self.seen(key).filter(|_| self.number.is_multiple_of(2))
    }

    fn fulfilled(&mut self, node: usize, request: &Request, reply: &Reply) {
        match (request, reply) {
            (Request::Put { key, .. }, Reply::Put(_)) if self.keys.contains(key) => {
                self.living.push(*key);
            }
            (Request::Insert { key, holder, .. }, Reply::Inserted(_)) => {
                self.holders.push((*holder, *key, node));
            }
            _ => {}
        }
    }
}

/// Reads that see every key, for the node at one end of a line.
pub(crate) fn read_of(key: Id, is_value: bool) -> Request {
    let consistency = Consistency::Quorum;
    if is_value {
        Request::Get {
            key,
            consistency,
            at_least: None,
        }
    } else {
        Request::Search {
            key,
            limit: LIMIT,
            consistency,
        }
    }
}

/// The connections of one client.
pub(crate) struct Line {
    connector: Connector,
    sessions: BTreeMap<usize, Session>,
}

impl Line {
    pub(crate) fn new() -> Self {
        Self {
            connector: Connector::new(proof::anonymous().expect("a key of the moment")),
            sessions: BTreeMap::new(),
        }
    }

    /// Asks a node, and records what it says; none when it says nothing.
    pub(crate) async fn ask(
        &mut self,
        cluster: &Cluster,
        client: usize,
        node: usize,
        request: Request,
    ) -> Option<Reply> {
        let mut session = self.session(cluster, node).await?;
        let op = cluster
            .record
            .borrow_mut()
            .asked(client, node, request.clone());
        let answer = timeout(ANSWER_WITHIN, session.call(ControlBody::Data(request))).await;
        let mut record = cluster.record.borrow_mut();
        match answer {
            Ok(Ok(ReplyBody::Data(reply))) => {
                record.answered(op, reply.clone());
                self.sessions.insert(node, session);
                Some(reply)
            }
            Ok(Ok(other)) => {
                let text = format!("node {node} answers {other:?}");
                record.violate("a question is answered", text, None);
                record.unanswered(op);
                None
            }
            Ok(Err(_)) | Err(_) => {
                record.unanswered(op);
                None
            }
        }
    }

    /// Whether a node is in the network, and whether all its copies are complete; none when it does
    /// not say.
    pub(crate) async fn state(&mut self, cluster: &Cluster, node: usize) -> Option<(bool, bool)> {
        let mut session = self.session(cluster, node).await?;
        let answer = timeout(CONNECT_WITHIN, session.call(ControlBody::Status)).await;
        let Ok(Ok(ReplyBody::Status(report))) = answer else {
            return None;
        };
        self.sessions.insert(node, session);
        Some((report.status.member, report.status.settled))
    }

    async fn session(&mut self, cluster: &Cluster, node: usize) -> Option<Session> {
        if let Some(session) = self.sessions.remove(&node) {
            return Some(session);
        }
        let addr = cluster.reach(node);
        let opened = self.connector.connect_to(addr, CONNECT_WITHIN).await;
        if opened.is_err() {
            cluster.figures.borrow_mut().not_connected += 1;
        }
        opened.ok()
    }
}
