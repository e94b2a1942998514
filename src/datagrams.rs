//! Many datagrams with one system call.
//!
//! quinn's `udp` reads so; to send so it needs datagrams of one size for one address, which a tracker's
//! answers are not. nix has what is left: `sendmmsg`.

use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg};
use std::fmt;
use std::io::IoSlice;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Most datagrams of one system call: beyond it nothing is gained.
pub(crate) const MAX_BATCH: usize = 64;

/// Datagrams that wait to be sent. The memory is used again.
pub(crate) struct Outgoing {
    /// All of them, one after another.
    bytes: Vec<u8>,
    items: Vec<Item>,
    /// For those of which the system chooses the source.
    plain: MultiHeaders<SockaddrStorage>,
    /// For those with a source: IPv4, IPv6.
    from_v4: MultiHeaders<SockaddrStorage>,
    from_v6: MultiHeaders<SockaddrStorage>,
}

/// One datagram.
#[derive(Clone, Copy)]
struct Item {
    end: usize,
    from: Option<IpAddr>,
    to: SockaddrStorage,
}

impl Outgoing {
    /// Room for [`MAX_BATCH`] datagrams.
    pub(crate) fn new() -> Self {
        let headers = |room| MultiHeaders::preallocate(MAX_BATCH, room);
        Self {
            bytes: Vec::new(),
            items: Vec::with_capacity(MAX_BATCH),
            plain: headers(None),
            from_v4: headers(Some(cmsg_space!(libc::in_pktinfo))),
            from_v6: headers(Some(cmsg_space!(libc::in6_pktinfo))),
        }
    }

    /// Whether it must be sent before more is added.
    pub(crate) fn is_full(&self) -> bool {
        self.items.len() >= MAX_BATCH
    }

    /// Adds what `write` appends; nothing when it appends nothing. `from` is one of this machine's
    /// addresses; none lets the system choose.
    pub(crate) fn push(
        &mut self,
        from: Option<IpAddr>,
        to: SocketAddr,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let begin = self.bytes.len();
        write(&mut self.bytes);
        let end = self.bytes.len();
        if end > begin && !self.is_full() {
            self.items.push(Item {
                end,
                from,
                to: to.into(),
            });
        } else {
            self.bytes.truncate(begin);
        }
    }

    /// Sends all. What does not fit the socket's buffer is lost, as datagrams are; so is one that
    /// cannot be sent, for what reason ever.
    pub(crate) fn send(&mut self, socket: BorrowedFd<'_>) {
        let (mut done, mut begin) = (0, 0);
        while let Some(first) = self.items.get(done).copied() {
            let rest = self.items.get(done..).unwrap_or_default();
            let same = rest
                .iter()
                .take_while(|item| item.from == first.from)
                .count();
            match self.send_some(socket, done, begin, same) {
                Ok(sent) => done += sent.clamp(1, same),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN | Errno::ENOBUFS) => break,
                Err(error) => {
                    tracing::trace!(%error, "a datagram was not sent");
                    done += 1;
                }
            }
            begin = self
                .items
                .get(done.wrapping_sub(1))
                .map_or(0, |item| item.end);
        }
        self.items.clear();
        self.bytes.clear();
    }

    /// Sends `count` datagrams with the same source; gives how many were.
    fn send_some(
        &mut self,
        socket: BorrowedFd<'_>,
        at: usize,
        begin: usize,
        count: usize,
    ) -> Result<usize, Errno> {
        let items = self.items.get(at..at + count).unwrap_or_default();
        let mut slices = [[IoSlice::new(&[])]; MAX_BATCH];
        let mut to = [None; MAX_BATCH];
        let mut from = begin;
        for ((item, slice), to) in items.iter().zip(&mut slices).zip(&mut to) {
            *slice = [IoSlice::new(
                self.bytes.get(from..item.end).unwrap_or_default(),
            )];
            *to = Some(item.to);
            from = item.end;
        }
        let (slices, to) = (
            slices.iter().take(count),
            to.get(..count).unwrap_or_default(),
        );
        let (fd, flags) = (socket.as_raw_fd(), MsgFlags::empty());
        let sent = match items.first().and_then(|item| item.from) {
            None => sendmmsg(fd, &mut self.plain, slices, to, [], flags)?.count(),
            Some(IpAddr::V4(ip)) => {
                let info = v4_source(ip);
                let source = [ControlMessage::Ipv4PacketInfo(&info)];
                sendmmsg(fd, &mut self.from_v4, slices, to, source, flags)?.count()
            }
            Some(IpAddr::V6(ip)) => {
                let info = v6_source(ip);
                let source = [ControlMessage::Ipv6PacketInfo(&info)];
                sendmmsg(fd, &mut self.from_v6, slices, to, source, flags)?.count()
            }
        };
        Ok(sent)
    }
}

/// The system's words for a source address, whatever the interface.
const fn v4_source(ip: Ipv4Addr) -> libc::in_pktinfo {
    libc::in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: libc::in_addr {
            s_addr: u32::from_ne_bytes(ip.octets()),
        },
        ipi_addr: libc::in_addr { s_addr: 0 },
    }
}

/// As [`v4_source`].
const fn v6_source(ip: Ipv6Addr) -> libc::in6_pktinfo {
    libc::in6_pktinfo {
        ipi6_addr: libc::in6_addr {
            s6_addr: ip.octets(),
        },
        ipi6_ifindex: 0,
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outgoing({} datagrams)", self.items.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    #[test]
    fn each_datagram_arrives_from_where_it_should() {
        let inbox = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = inbox.local_addr().unwrap();
        let outbox = UdpSocket::bind("0.0.0.0:0").unwrap();
        let mut outgoing = Outgoing::new();
        let sources = [
            None,
            Some([127, 0, 0, 5]),
            Some([127, 0, 0, 5]),
            Some([127, 0, 0, 6]),
        ];
        for (number, source) in (1_u8..).zip(sources) {
            outgoing.push(source.map(IpAddr::from), to, |out| {
                out.extend(vec![number; number.into()]);
            });
            outgoing.push(None, to, |_| {});
        }
        // Nobody is there: it is lost, and keeps nobody up.
        outgoing.push(None, "[2001:db8::1]:9".parse().unwrap(), |out| out.push(9));
        outgoing.push(None, to, |out| out.push(5));
        outgoing.send(outbox.as_fd());
        let mut room = [0; 64];
        for (number, source) in (1_u8..).zip(sources) {
            let (length, from) = inbox.recv_from(&mut room).unwrap();
            assert_eq!(room[..length], vec![number; number.into()]);
            assert_eq!(from.ip(), IpAddr::from(source.unwrap_or([127, 0, 0, 1])));
        }
        assert_eq!(inbox.recv(&mut room).unwrap(), 1);
        assert_eq!(room[0], 5);
    }

    #[test]
    fn no_more_are_kept_than_one_call_sends() {
        let to = "127.0.0.1:9".parse().unwrap();
        let mut outgoing = Outgoing::new();
        for _ in 0..2 * MAX_BATCH {
            outgoing.push(None, to, |out| out.push(1));
        }
        assert!(outgoing.is_full());
        assert_eq!(outgoing.bytes.len(), MAX_BATCH);
    }
}
