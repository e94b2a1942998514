//! A node of BitTorrent's DHT (BEP 5), for clients that have no tracker.
//!
//! A client that has this node as its bootstrap finds peers here, announces here, and is told of the
//! other nodes of this network that do the same (`neighbours`). Swarms are those of the tracker, so
//! who announces to a tracker is found here, and the other way round. Items of BEP 44 are values of
//! the overlay (`items`).
//!
//! It is no Kademlia: where a key is, is the overlay's affair, so any node answers for any key, and it
//! keeps no routing table of strangers.

mod items;
mod neighbours;

pub(super) use neighbours::keep_company;

use super::service::{Service, patiently};
use super::spawn;
use neighbours::Neighbours;
use std::cell::{Cell, RefCell};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::rc::Rc;
use tokio::net::UdpSocket;
use tracker::krpc::{
    self, Body, KrpcError, MAX_DATAGRAM_BYTES, Message, NodeId, Query, Reply, Tokens, Want,
};
use tracker::table::Change;
use tracker::{Announce, Entered, Event, InfoHash, PeerId, Scope, Secret};

/// Peers in an answer: with eight nodes, and tokens, it stays below the 1,024 bytes of BEP 32.
const MAX_PEERS: usize = 60;
/// Of IPv6, which take three times as much.
const MAX_PEERS_V6: usize = 20;
/// Nodes in an answer (BEP 5).
const NODES: usize = 8;
/// Info-hashes in a sample (BEP 51): 20 bytes each.
const SAMPLES: usize = 20;
/// After how many seconds another sample may be asked for.
const SAMPLE_INTERVAL_S: i64 = 60;
/// Questions that wait for the overlay at a time. Beyond it they are not answered.
const MAX_WAITING: usize = 1_024;
/// Datagrams that are read before other tasks have their turn.
const IN_A_ROW: usize = 64;
/// What this program is called in messages: two letters, and a version.
const VERSION: &[u8; 4] = b"P2\x00\x01";

/// The DHT's node.
#[derive(Debug)]
pub(super) struct Mainline {
    service: Rc<Service>,
    socket: UdpSocket,
    /// The address that others are told.
    addr: SocketAddr,
    id: NodeId,
    tokens: Tokens,
    neighbours: RefCell<Neighbours>,
    waiting: Cell<usize>,
}

/// A question, and who asks.
struct Asked {
    client: SocketAddr,
    transaction: Vec<u8>,
    want: Want,
}

impl Mainline {
    /// On this socket.
    ///
    /// # Errors
    /// When it cannot be watched.
    pub(super) fn open(service: Rc<Service>, socket: std::net::UdpSocket) -> io::Result<Rc<Self>> {
        let socket = UdpSocket::from_std(socket)?;
        let mut addr = socket.local_addr()?;
        if addr.ip().is_unspecified() {
            addr.set_ip(service.me.addr.ip());
        }
        let (id, tokens) = {
            let rng = &mut service.state().rng;
            (krpc::make_id(addr.ip(), rng), Tokens::new(Secret::new(rng)))
        };
        Ok(Rc::new(Self {
            service,
            socket,
            addr,
            id,
            tokens,
            neighbours: RefCell::default(),
            waiting: Cell::new(0),
        }))
    }

    /// Serves until the runtime ends.
    pub(super) async fn serve(self: Rc<Self>) {
        let mut room = vec![0; MAX_DATAGRAM_BYTES + 1];
        loop {
            if self.socket.readable().await.is_err() {
                return;
            }
            for _ in 0..IN_A_ROW {
                match self.socket.try_recv_from(&mut room) {
                    Ok((count, client)) => {
                        self.handle(client, room.get(..count).unwrap_or_default());
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // An answer could not be delivered; the next read is about something else.
                    Err(error) => tracing::debug!(%error, "reading the DHT's socket"),
                }
            }
            tokio::task::yield_now().await;
        }
    }

    fn handle(self: &Rc<Self>, client: SocketAddr, datagram: &[u8]) {
        match krpc::parse(datagram) {
            Ok(Message {
                transaction,
                body: Body::Query { query, want, .. },
                ..
            }) => {
                let asked = Asked {
                    client,
                    transaction,
                    want,
                };
                self.answer(asked, query);
            }
            Err(KrpcError::Query {
                transaction,
                code,
                text,
            }) => {
                self.refuse(
                    &Asked {
                        client,
                        transaction,
                        want: Want::default(),
                    },
                    code,
                    text,
                );
            }
            // This node asks nothing, so that no answer means anything to it.
            Ok(_) | Err(_) => {}
        }
    }

    fn answer(self: &Rc<Self>, asked: Asked, query: Query) {
        match query {
            Query::Ping => self.reply(&asked, Reply::default()),
            Query::FindNode { target } => {
                let reply = self.with_nodes(&asked, &target, Reply::default());
                self.reply(&asked, reply);
            }
            Query::GetPeers { info_hash } => self.later(asked, async move |node, asked| {
                patiently(node.service.inquire(&[info_hash], None)).await;
                let reply = Reply {
                    values: node.peers(asked.client, info_hash),
                    token: Some(node.token(asked.client.ip())),
                    ..Reply::default()
                };
                let reply = node.with_nodes(asked, &info_hash.0, reply);
                node.reply(asked, reply);
            }),
            Query::AnnouncePeer {
                info_hash,
                port,
                token,
                seed,
            } => {
                if self.is_proven(&asked, &token) {
                    let port = port.unwrap_or(asked.client.port());
                    self.enter(&asked, info_hash, port, seed);
                }
            }
            Query::SampleInfohashes { target } => {
                let (num, samples) = {
                    let state = &mut *self.service.state();
                    let table = &state.tracker.table;
                    (table.swarms(), table.sample_hashes(SAMPLES, &mut state.rng))
                };
                let reply = Reply {
                    samples: Some(samples),
                    interval_s: Some(SAMPLE_INTERVAL_S),
                    num: i64::try_from(num).ok(),
                    ..Reply::default()
                };
                let reply = self.with_nodes(&asked, &target, reply);
                self.reply(&asked, reply);
            }
            Query::Get { target, newer_than } => self.later(asked, async move |node, asked| {
                let stored = items::get(&node.service, &target).await;
                let mut reply = Reply {
                    token: Some(node.token(asked.client.ip())),
                    ..Reply::default()
                };
                if let Some((item, _)) = stored {
                    let known = item
                        .seq()
                        .zip(newer_than)
                        .is_some_and(|(seq, than)| seq <= than);
                    reply.seq = item.seq().filter(|_| known);
                    reply.item = (!known).then(|| Box::new(item));
                }
                let reply = node.with_nodes(asked, &target, reply);
                node.reply(asked, reply);
            }),
            Query::Put { item, cas, token } => {
                if self.is_proven(&asked, &token) {
                    self.later(asked, async move |node, asked| {
                        match items::put(&node.service, &item, cas).await {
                            Ok(()) => node.reply(asked, Reply::default()),
                            Err((code, text)) => node.refuse(asked, code, &text),
                        }
                    });
                }
            }
        }
    }

    /// Answers when the overlay has.
    fn later(self: &Rc<Self>, asked: Asked, answer: impl AsyncFnOnce(&Self, &Asked) + 'static) {
        if self.waiting.get() >= MAX_WAITING {
            return;
        }
        self.waiting.set(self.waiting.get() + 1);
        let node = Rc::clone(self);
        spawn(async move {
            answer(node.as_ref(), &asked).await;
            node.waiting.set(node.waiting.get() - 1);
        });
    }

    /// A client announces.
    fn enter(&self, asked: &Asked, info_hash: InfoHash, port: u16, seed: bool) {
        let ip = asked.client.ip();
        let announce = Announce {
            info_hash,
            // The DHT has no ids of clients: address and port tell one from another.
            peer_id: client_of(ip),
            port: NonZeroU16::new(port),
            uploaded: 0,
            downloaded: 0,
            left: u64::from(!seed),
            event: Event::Regular,
            key: Some(port.into()),
            numwant: Some(0),
            claimed_ip: None,
        };
        match self.service.begin(ip, None, &announce) {
            Ok(_) => self.reply(asked, Reply::default()),
            Err(refusal) => self.refuse(asked, 202, &refusal.to_string()),
        }
    }

    /// The peers of a swarm, of the address family of the question.
    fn peers(&self, client: SocketAddr, hash: InfoHash) -> Vec<SocketAddr> {
        let is_v4 = client.ip().to_canonical().is_ipv4();
        let most = if is_v4 { MAX_PEERS } else { MAX_PEERS_V6 };
        let entered = Entered {
            hash,
            addr: client,
            identity: 0,
            seed: false,
            numwant: most as u32,
            change: Change::Nothing,
        };
        let scope = Scope {
            most,
            both_families: false,
        };
        self.service
            .answer(&entered, scope, |_, offer| offer.addresses())
    }

    /// Adds the nodes that are near a key, of the families that are wanted.
    fn with_nodes(&self, asked: &Asked, target: &NodeId, reply: Reply) -> Reply {
        let is_v4 = asked.client.ip().to_canonical().is_ipv4();
        let says = asked.want.n4 || asked.want.n6;
        let (n4, n6) = if says {
            (asked.want.n4, asked.want.n6)
        } else {
            (is_v4, !is_v4)
        };
        let neighbours = self.neighbours.borrow();
        let nodes = |v4: bool| neighbours.near(target, v4, NODES);
        Reply {
            nodes: n4.then(|| nodes(true)),
            nodes6: n6.then(|| nodes(false)),
            ..reply
        }
    }

    fn token(&self, ip: IpAddr) -> Vec<u8> {
        self.tokens.issue(self.service.now(), ip).to_vec()
    }

    /// Whether the token was given to this address; says so if it was not.
    fn is_proven(&self, asked: &Asked, token: &[u8]) -> bool {
        let valid = self
            .tokens
            .is_valid(self.service.now(), asked.client.ip(), token);
        if !valid {
            self.refuse(asked, 203, "the token is wrong or too old");
        }
        valid
    }

    fn reply(&self, asked: &Asked, reply: Reply) {
        let id = self.id;
        self.send(asked, Body::Reply(Box::new(Reply { id, ..reply })));
    }

    fn refuse(&self, asked: &Asked, code: i64, text: &str) {
        let text = text.to_owned();
        self.send(asked, Body::Error { code, text });
    }

    /// What does not fit the socket's buffer is lost, as datagrams are.
    fn send(&self, asked: &Asked, body: Body) {
        let client = SocketAddr::new(asked.client.ip().to_canonical(), asked.client.port());
        let message = Message {
            transaction: asked.transaction.clone(),
            version: Some(VERSION.to_vec()),
            seen_at: Some(client),
            read_only: false,
            body,
        };
        let mut bytes = Vec::with_capacity(512);
        message.write(&mut bytes);
        if let Err(error) = self.socket.try_send_to(&bytes, asked.client) {
            tracing::trace!(%error, "an answer of the DHT was not sent");
        }
    }
}

/// Stands for the client at an address.
fn client_of(ip: IpAddr) -> PeerId {
    PeerId(overlay::Id::of(ip.to_canonical().to_string().as_bytes()).0)
}
