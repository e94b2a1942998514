//! The load over UDP (BEP 15).

use super::clients::{Client, Clients};
use super::meter::Meter;
use super::{Load, clients::Source};
use crate::datagrams::{MAX_BATCH, Outgoing};
use nix::sys::socket::{MsgFlags, MultiHeaders, recvmmsg};
use std::io::IoSliceMut;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;
use tokio::time::Instant;

/// What a connect begins with (BEP 15).
const MAGIC: u64 = 0x0417_2710_1980;
/// Longest answer that is read.
const ANSWER_BYTES: usize = 2_048;
/// Room for answers: all in flight at once; the system gives less where it must.
const INBOX_BYTES: usize = 4 << 20;
/// An answer that has not come by then is lost.
const LOST_AFTER: Duration = Duration::from_secs(1);
/// How often lost ones are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A connection id is used for a minute at most (BEP 15).
const CONNECT_EVERY: Duration = Duration::from_secs(50);
/// Pause when nothing may be sent yet.
const PAUSE: Duration = Duration::from_micros(50);

/// One announce in flight.
#[derive(Clone, Copy)]
struct Slot {
    transaction: u32,
    sent: Option<Instant>,
}

/// What has come.
struct Inbox {
    headers: MultiHeaders<()>,
    bytes: Vec<u8>,
    lengths: Vec<usize>,
}

struct Run<'a> {
    tracker: SocketAddr,
    socket: UdpSocket,
    clients: &'a mut Clients,
    load: Load,
    /// Connection ids of the sources.
    ids: Vec<u64>,
    slots: Vec<Slot>,
    free: Vec<u16>,
    out: Outgoing,
    inbox: Inbox,
    meter: Meter,
    next_source: usize,
    event: u32,
}

/// Announces everybody once, then measures.
pub(super) fn run(
    tracker: SocketAddr,
    clients: &mut Clients,
    load: Load,
    timeout: Duration,
) -> Result<Meter, String> {
    let any: IpAddr = match tracker {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let opened = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.set_read_timeout(Some(LOOK_EVERY))?;
        // Less room works too, and shows as losses.
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(INBOX_BYTES);
        Ok(socket)
    });
    let socket = opened.map_err(|error| format!("no socket ({error})"))?;
    let free = (0..load.in_flight).filter_map(|slot| u16::try_from(slot).ok());
    let mut run = Run {
        tracker,
        socket,
        load,
        ids: vec![0; clients.sources.len()],
        slots: vec![
            Slot {
                transaction: 0,
                sent: None
            };
            load.in_flight
        ],
        free: free.collect(),
        out: Outgoing::new(),
        inbox: Inbox {
            headers: MultiHeaders::preallocate(MAX_BATCH, None),
            bytes: vec![0; MAX_BATCH * ANSWER_BYTES],
            lengths: Vec::with_capacity(MAX_BATCH),
        },
        meter: Meter::new()?,
        next_source: 0,
        event: 2,
        clients,
    };
    run.connect(timeout)?;
    let everybody = run.clients.len() as u64;
    run.announce(|announced, _| announced < everybody, None)?;
    run.event = 0;
    run.meter = Meter::new()?;
    let began = Instant::now();
    let duration = load.duration;
    run.announce(|_, now| now.duration_since(began) < duration, load.rate)?;
    run.meter.elapsed = began.elapsed();
    Ok(run.meter)
}

impl Run<'_> {
    /// Gets a connection id for each source, or says that nobody answers.
    fn connect(&mut self, timeout: Duration) -> Result<(), String> {
        let began = Instant::now();
        while self.ids.contains(&0) {
            if began.elapsed() > timeout {
                return Err(format!("no answer within {timeout:?}"));
            }
            self.ask_for_ids();
            self.receive()?;
        }
        Ok(())
    }

    /// Their transactions are the numbers of the sources; the answers come among the others.
    fn ask_for_ids(&mut self) {
        for (source, number) in self.clients.sources.iter().zip(0_u32..) {
            self.out.push(source.ip, self.tracker, |out| {
                out.extend(MAGIC.to_be_bytes());
                out.extend(0_u32.to_be_bytes());
                out.extend(number.to_be_bytes());
            });
        }
        self.out.send(self.socket.as_fd());
    }

    /// Keeps as many in flight as may be, for as long as `goes_on` says, then waits for the rest.
    fn announce(
        &mut self,
        goes_on: impl Fn(u64, Instant) -> bool,
        rate: Option<u32>,
    ) -> Result<(), String> {
        let began = Instant::now();
        let (mut announced, mut looked, mut connected) = (0_u64, began, began);
        loop {
            let now = Instant::now();
            let ends = !goes_on(announced, now);
            if ends && self.free.len() == self.slots.len() {
                return Ok(());
            }
            if now.duration_since(connected) > CONNECT_EVERY {
                connected = now;
                self.ask_for_ids();
            }
            let allowed = rate.map_or(u64::MAX, |rate| {
                let so_far = now.duration_since(began).as_secs_f64() * f64::from(rate);
                (so_far as u64).saturating_sub(announced)
            });
            if !ends {
                announced += self.send(now, allowed);
            }
            if self.free.len() < self.slots.len() {
                self.receive()?;
            } else {
                std::thread::sleep(PAUSE);
            }
            if now.duration_since(looked) > LOOK_EVERY {
                looked = now;
                self.give_up(now);
            }
        }
    }

    /// Sends a batch for one source; gives how many.
    fn send(&mut self, now: Instant, allowed: u64) -> u64 {
        let count = self
            .free
            .len()
            .min(MAX_BATCH)
            .min(usize::try_from(allowed).unwrap_or(MAX_BATCH));
        let at = self.next_source;
        self.next_source = (at + 1) % self.clients.sources.len().max(1);
        let id = self.ids.get(at).copied().unwrap_or_default();
        for _ in 0..count {
            let source = self.clients.sources.get_mut(at);
            let ip = source.as_ref().and_then(|source| source.ip);
            let Some(client) = source.and_then(Source::next) else {
                break;
            };
            let Some(number) = self.free.pop() else {
                break;
            };
            let Some(slot) = self.slots.get_mut(usize::from(number)) else {
                continue;
            };
            let turn = (slot.transaction >> 16).wrapping_add(1) << 16;
            *slot = Slot {
                transaction: turn | u32::from(number),
                sent: Some(now),
            };
            let (transaction, hash) = (slot.transaction, self.clients.hash(client));
            let (event, numwant) = (self.event, self.load.numwant);
            self.out.push(ip, self.tracker, |out| {
                write(out, id, transaction, &hash, client, event, numwant);
            });
        }
        self.out.send(self.socket.as_fd());
        count as u64
    }

    /// Waits for answers, not for long, and takes all that have come.
    fn receive(&mut self) -> Result<(), String> {
        self.inbox.read(&self.socket)?;
        let now = Instant::now();
        let Self {
            inbox,
            slots,
            free,
            meter,
            ids,
            ..
        } = self;
        for (datagram, length) in inbox.bytes.chunks(ANSWER_BYTES).zip(&inbox.lengths) {
            let datagram = datagram.get(..*length).unwrap_or_default();
            let Some((head, rest)) = datagram.split_first_chunk::<8>() else {
                meter.error("answers that are too short");
                continue;
            };
            let head = u64::from_be_bytes(*head);
            let (action, transaction) = (head >> 32, head as u32);
            if action == 0 {
                let id = rest.try_into().map(u64::from_be_bytes);
                if let (Ok(id), Some(place)) = (id, ids.get_mut(transaction as usize)) {
                    *place = id;
                }
                continue;
            }
            let number = transaction & 0xffff;
            let slot = slots.get_mut(number as usize);
            let waiting =
                slot.filter(|slot| slot.transaction == transaction && slot.sent.is_some());
            let (Some(slot), Ok(number)) = (waiting, u16::try_from(number)) else {
                // It was given up.
                continue;
            };
            let took = slot.sent.take().map(|sent| now.duration_since(sent));
            free.push(number);
            match (action, rest.len().checked_sub(12)) {
                (1, Some(peers)) if peers % 6 == 0 => {
                    meter.answer(took.unwrap_or_default(), peers / 6)
                }
                (3, _) => meter.error("refused"),
                _ => meter.error("wrong answers"),
            }
        }
        Ok(())
    }

    fn give_up(&mut self, now: Instant) {
        for (slot, number) in self.slots.iter_mut().zip(0_u16..) {
            if slot
                .sent
                .is_some_and(|sent| now.duration_since(sent) > LOST_AFTER)
            {
                slot.sent = None;
                self.free.push(number);
                self.meter.error("lost");
            }
        }
    }
}

impl Inbox {
    fn read(&mut self, socket: &UdpSocket) -> Result<(), String> {
        self.lengths.clear();
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = self
            .bytes
            .chunks_mut(ANSWER_BYTES)
            .map(|room| [IoSliceMut::new(room)])
            .collect();
        let flags = MsgFlags::MSG_WAITFORONE;
        match recvmmsg(
            socket.as_raw_fd(),
            &mut self.headers,
            &mut slices,
            flags,
            None,
        ) {
            Ok(read) => self.lengths.extend(read.map(|message| message.bytes)),
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => {}
            // Nobody listens, perhaps not yet.
            Err(nix::errno::Errno::ECONNREFUSED) => {}
            Err(error) => return Err(error.to_string()),
        }
        Ok(())
    }
}

fn write(
    out: &mut Vec<u8>,
    id: u64,
    transaction: u32,
    hash: &[u8; 20],
    client: Client,
    event: u32,
    numwant: u32,
) {
    out.extend_from_slice(&id.to_be_bytes());
    out.extend_from_slice(&1_u32.to_be_bytes());
    out.extend_from_slice(&transaction.to_be_bytes());
    out.extend_from_slice(hash);
    out.extend_from_slice(&client.peer_id());
    out.extend_from_slice(&0_u64.to_be_bytes());
    out.extend_from_slice(&client.left().to_be_bytes());
    out.extend_from_slice(&0_u64.to_be_bytes());
    for number in [event, 0, client.number + 1, numwant] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.extend_from_slice(&client.port.to_be_bytes());
}
