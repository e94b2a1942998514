//! A node of BitTorrent's DHT (BEP 5), for clients that have no tracker.
//!
//! A client that has this node as its bootstrap finds peers here, announces here, and is told of the
//! other nodes of this network that do the same (`neighbours`). Swarms are those of the tracker, so
//! who announces to a tracker is found here, and the other way round. Items of BEP 44 are values of
//! the overlay (`items`).
//!
//! It is no Kademlia: where a key is, is the overlay's affair, so any node answers for any key, and it
//! keeps no routing table of strangers.
//!
//! Whoever asks may have forged his address. So each address may ask so much ([`Gate`]), a failure is
//! no longer than its question unless the address is proven by a token, and torrents that are not
//! served to everybody are not told of: neither those that a list denies, nor any in private mode.

mod answers;
mod items;
mod neighbours;

pub(super) use answers::{MAX_PUTS, MAX_QUESTIONS};
pub(super) use neighbours::keep_company;

use super::service::Service;
use neighbours::Neighbours;
use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use tokio::net::UdpSocket;
use tracker::krpc::{
    self, Body, Gate, KrpcError, Listeners, MAX_DATAGRAM_BYTES, Message, NodeId, Reply, Tokens,
    Want,
};
use tracker::{FrontEnd, Secret};

/// Nodes in an answer (BEP 5).
const NODES: usize = 8;
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
    gate: RefCell<Gate>,
    listeners: RefCell<Listeners>,
    neighbours: RefCell<Neighbours>,
}

/// A question, and who asks.
struct Asked {
    client: SocketAddr,
    transaction: Vec<u8>,
    want: Want,
    /// Bytes of the question.
    length: usize,
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
        let (id, tokens, gate) = {
            let rng = &mut service.state().rng;
            let id = krpc::make_id(addr.ip(), rng);
            (
                id,
                Tokens::new(Secret::new(rng)),
                Gate::new(Secret::new(rng)),
            )
        };
        Ok(Rc::new(Self {
            service,
            socket,
            addr,
            id,
            tokens,
            gate: RefCell::new(gate),
            listeners: RefCell::default(),
            neighbours: RefCell::default(),
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
        let now = self.service.now();
        if !self.gate.borrow_mut().admits(client.ip(), now) {
            return;
        }
        let length = datagram.len();
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
                    length,
                };
                self.answer(asked, query);
            }
            Err(KrpcError::Query {
                transaction,
                code,
                text,
            }) => {
                self.service.metrics.misunderstood(FrontEnd::Mainline);
                self.refuse(
                    &Asked {
                        client,
                        transaction,
                        want: Want::default(),
                        length,
                    },
                    code,
                    text,
                );
            }
            // This node asks nothing, so that no answer means anything to it.
            Ok(_) => {}
            Err(_) => self.service.metrics.misunderstood(FrontEnd::Mainline),
        }
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
        let body = Body::Reply(Box::new(Reply { id, ..reply }));
        self.send(asked, body, usize::MAX);
    }

    /// Says what failed to whoever may not be there: in no more bytes than were asked with.
    fn refuse(&self, asked: &Asked, code: i64, text: &str) {
        let text = text.to_owned();
        self.send(asked, Body::Error { code, text }, asked.length);
    }

    /// Says what failed to whoever has shown a token.
    fn refuse_proven(&self, asked: &Asked, code: i64, text: &str) {
        let text = text.to_owned();
        self.send(asked, Body::Error { code, text }, usize::MAX);
    }

    /// What does not fit the socket's buffer is lost, as datagrams are; so is what would be longer
    /// than `most`.
    fn send(&self, asked: &Asked, body: Body, most: usize) {
        let client = SocketAddr::new(asked.client.ip().to_canonical(), asked.client.port());
        let message = Message {
            transaction: asked.transaction.clone(),
            version: Some(VERSION.to_vec()),
            seen_at: Some(client),
            read_only: false,
            body,
        };
        let mut bytes = Vec::with_capacity(512);
        if !message.write_within(most, &mut bytes) {
            return;
        }
        if let Err(error) = self.socket.try_send_to(&bytes, asked.client) {
            tracing::trace!(%error, "an answer of the DHT was not sent");
        }
    }
}
