//! UDP (BEP 15): many datagrams are read with one system call, and answered with another.

use super::service::{Begun, Service, patiently};
use super::spawn;
use crate::datagrams::Outgoing;
use overlay::Time;
use quinn::udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::rc::Rc;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tracker::udp::{self, AnnounceHead, Request, RequestError};
use tracker::{Entered, Families, FrontEnd, InfoHash, Scope};

/// Longest datagram that is read: an announce with a URL of 1 KiB, or a scrape of 74 hashes.
const DATAGRAM_BYTES: usize = 2_048;
/// Announces that wait for a lookup at a time. Beyond it they are answered from memory.
pub(super) const MAX_WAITING: usize = 1_024;
/// Batches that are read before other tasks have their turn.
const BATCHES_IN_A_ROW: usize = 8;

/// The socket.
struct Desk {
    service: Rc<Service>,
    io: UdpSocket,
    state: UdpSocketState,
    /// It has one address, from which whatever is sent comes.
    is_bound: bool,
}

/// Where a datagram came from, and which of our addresses it was sent to.
#[derive(Clone, Copy)]
struct Line {
    client: SocketAddr,
    asked: Option<IpAddr>,
    /// When its batch was read, or when its answer is written: the clock is not asked about each.
    now: Time,
}

/// Serves until the runtime ends.
pub(super) async fn serve(service: Rc<Service>, socket: std::net::UdpSocket) {
    let opened = UdpSocketState::new((&socket).into())
        .and_then(|state| UdpSocket::from_std(socket).map(|io| (io, state)));
    let (io, state) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            tracing::error!(%error, "the tracker's UDP socket cannot be watched");
            return;
        }
    };
    let is_bound = io
        .local_addr()
        .is_ok_and(|address| !address.ip().is_unspecified());
    let desk = Rc::new(Desk {
        service,
        is_bound,
        io,
        state,
    });
    // One buffer may hold several datagrams of one client, where the system joins them.
    let room = DATAGRAM_BYTES * desk.state.gro_segments().max(1);
    let mut bytes = vec![0; room * BATCH_SIZE];
    let mut answers = Outgoing::new();
    loop {
        if desk.io.readable().await.is_err() {
            return;
        }
        for _ in 0..BATCHES_IN_A_ROW {
            match desk.receive(&mut bytes, room, &mut answers) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An answer could not be delivered; the next read is about something else.
                Err(error) => tracing::debug!(%error, "reading the tracker's UDP socket"),
            }
        }
        tokio::task::yield_now().await;
    }
}

impl Desk {
    /// Reads one batch and answers it.
    fn receive(
        self: &Rc<Self>,
        bytes: &mut [u8],
        room: usize,
        answers: &mut Outgoing,
    ) -> io::Result<()> {
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        let count = {
            let mut buffers: Vec<IoSliceMut<'_>> =
                bytes.chunks_mut(room).map(IoSliceMut::new).collect();
            self.io.try_io(Interest::READABLE, || {
                self.state.recv((&self.io).into(), &mut buffers, &mut metas)
            })?
        };
        let now = self.service.now();
        for (meta, buffer) in metas.iter().zip(bytes.chunks(room)).take(count) {
            let line = Line {
                client: meta.addr,
                asked: meta.dst_ip.filter(|_| !self.is_bound),
                now,
            };
            let joined = buffer.get(..meta.len).unwrap_or_default();
            for datagram in joined.chunks(meta.stride.max(1)) {
                if answers.is_full() {
                    answers.send(self.io.as_fd());
                }
                answers.push(line.asked, line.client, |reply| {
                    self.handle(line, datagram, reply);
                });
            }
        }
        answers.send(self.io.as_fd());
        Ok(())
    }

    /// Appends the answer to `reply`; nothing when there is none, or none yet.
    fn handle(self: &Rc<Self>, line: Line, datagram: &[u8], reply: &mut Vec<u8>) {
        let (ip, now) = (line.client.ip(), line.now);
        let proven = |id| {
            let valid = self
                .service
                .state()
                .sharing
                .tracker
                .connection_ids()
                .is_valid(now, ip, id);
            if !valid {
                self.service.metrics.unproven.inc();
            }
            valid
        };
        match udp::parse(datagram) {
            Ok(Request::Connect { transaction }) => {
                let id = self
                    .service
                    .state()
                    .sharing
                    .tracker
                    .connection_ids()
                    .issue(now, ip);
                udp::write_connect(reply, transaction, id);
            }
            Ok(Request::Announce {
                connection,
                transaction,
                announce,
                passkey,
            }) => {
                if !proven(connection) {
                    return;
                }
                match self.service.begin(now, ip, passkey.as_deref(), &announce) {
                    Ok(begun) => self.answer(line, transaction, begun, reply),
                    Err(refusal) => udp::write_error(reply, transaction, &refusal.to_string()),
                }
            }
            Ok(Request::Scrape {
                connection,
                transaction,
                hashes,
            }) => {
                if !proven(connection) {
                    return;
                }
                self.service.metrics.scraped(FrontEnd::Udp);
                self.scrape(line, transaction, hashes, reply);
            }
            Err(RequestError::Wrong {
                connection,
                transaction,
                reason,
            }) => {
                self.service.metrics.misunderstood(FrontEnd::Udp);
                if proven(connection) {
                    udp::write_error(reply, transaction, reason);
                }
            }
            // Nothing that one could answer to.
            Err(_) => self.service.metrics.misunderstood(FrontEnd::Udp),
        }
    }

    /// Answers at once, or when the lookup has ended.
    fn answer(self: &Rc<Self>, line: Line, transaction: u32, begun: Begun, reply: &mut Vec<u8>) {
        let Begun { entered, lookup } = begun;
        if lookup.is_none() || self.service.waiting.udp.get() >= MAX_WAITING {
            self.write(line, transaction, &entered, reply);
            return;
        }
        let waiting = &self.service.waiting.udp;
        waiting.set(waiting.get() + 1);
        let desk = Rc::clone(self);
        spawn(async move {
            patiently(lookup).await;
            let mut reply = Vec::new();
            let now = desk.service.now();
            let line = Line { now, ..line };
            desk.write(line, transaction, &entered, &mut reply);
            desk.send(line, &reply);
            let waiting = &desk.service.waiting.udp;
            waiting.set(waiting.get() - 1);
        });
    }

    /// As [`Self::answer`].
    fn scrape(
        self: &Rc<Self>,
        line: Line,
        transaction: u32,
        hashes: Vec<InfoHash>,
        reply: &mut Vec<u8>,
    ) {
        let write = move |service: &Service, hashes: &[InfoHash], reply: &mut Vec<u8>| {
            // BEP 41 gives scrapes no passkey: in private mode they are answered with zeros.
            let counts = hashes
                .iter()
                .map(|hash| service.scrape(hash, None).unwrap_or_default());
            udp::write_scrape(reply, transaction, counts);
        };
        let lookups = self.service.inquire(&hashes, None);
        if lookups.is_empty() || self.service.waiting.udp.get() >= MAX_WAITING {
            write(&self.service, &hashes, reply);
            return;
        }
        let waiting = &self.service.waiting.udp;
        waiting.set(waiting.get() + 1);
        let desk = Rc::clone(self);
        spawn(async move {
            patiently(lookups).await;
            let mut reply = Vec::new();
            write(&desk.service, &hashes, &mut reply);
            desk.send(line, &reply);
            let waiting = &desk.service.waiting.udp;
            waiting.set(waiting.get() - 1);
        });
    }

    fn write(&self, line: Line, transaction: u32, entered: &Entered, reply: &mut Vec<u8>) {
        // The stride follows the family of the packet, whatever address was believed.
        let is_v4 = line.client.ip().to_canonical().is_ipv4();
        let stride = if is_v4 { 6 } else { 18 };
        let scope = Scope {
            most: udp::peers_that_fit(stride),
            families: Families::of(line.client.ip()),
        };
        self.service
            .answer(line.now, entered, scope, |answer, offer| {
                let head = AnnounceHead {
                    transaction,
                    interval_s: answer.interval_s,
                    counts: answer.counts,
                };
                let peers = if is_v4 { &offer.v4 } else { &offer.v6 };
                udp::write_announce(reply, head, peers);
            });
    }

    /// Sends from the address that was asked. What does not fit the socket's buffer is lost, as
    /// datagrams are.
    fn send(&self, line: Line, reply: &[u8]) {
        if reply.is_empty() {
            return;
        }
        let transmit = Transmit {
            destination: line.client,
            ecn: None,
            contents: reply,
            segment_size: None,
            src_ip: line.asked,
        };
        if let Err(error) = self.state.try_send((&self.io).into(), &transmit) {
            tracing::trace!(%error, "an answer of the tracker was not sent");
        }
    }
}
