//! The UDP socket under QUIC, which rouses its thread for arrivals alone.
//!
//! quinn's own socket also asks to be told when there is room to send. The system says so after
//! each datagram that leaves it, and each time the event loop takes a turn for nothing. Here room
//! is asked for only after a datagram did not fit; and a read that brought all there was is not
//! followed by one that brings nothing. Both together are some 7 % of a single operation.

use quinn::udp::{RecvMeta, Transmit, UdpSocketState};
use quinn::{AsyncUdpSocket, EndpointConfig, ServerConfig, TokioRuntime, UdpPoller};
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Whether a read that brings fewer datagrams than it could has emptied the socket: so it is
/// where many are read with one system call.
const SHORT_READ_EMPTIES: bool = cfg!(target_os = "linux");

/// A QUIC endpoint on this socket.
///
/// # Errors
/// When the socket cannot be watched.
pub(crate) fn endpoint(
    config: EndpointConfig,
    server: Option<ServerConfig>,
    socket: UdpSocket,
) -> io::Result<quinn::Endpoint> {
    let state = UdpSocketState::new((&socket).into())?;
    socket.set_nonblocking(true)?;
    let socket = Arc::new(Socket {
        io: watch(socket, Interest::READABLE)?,
        state,
        full: AtomicBool::new(false),
    });
    quinn::Endpoint::new_with_abstract_socket(config, server, socket, Arc::new(TokioRuntime))
}

/// Has the runtime watch a socket for one kind of event.
#[allow(
    deprecated,
    reason = "its successor is unsafe, for types that change or close their descriptor; a socket \
              of the standard library that is owned does neither"
)]
fn watch(socket: UdpSocket, interest: Interest) -> io::Result<AsyncFd<UdpSocket>> {
    AsyncFd::with_interest(socket, interest)
}

#[derive(Debug)]
struct Socket {
    io: AsyncFd<UdpSocket>,
    state: UdpSocketState,
    /// The last datagram did not fit, and there has been no room since.
    full: AtomicBool,
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Room {
            socket: self,
            watch: None,
        })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let sent = self.state.send(self.io.get_ref().into(), transmit);
        if matches!(&sent, Err(error) if error.kind() == ErrorKind::WouldBlock) {
            self.full.store(true, Ordering::Relaxed);
        }
        sent
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut readable = ready!(self.io.poll_read_ready(cx))?;
            match self.state.recv(self.io.get_ref().into(), bufs, meta) {
                Ok(count) => {
                    if SHORT_READ_EMPTIES && count < bufs.len() {
                        readable.clear_ready();
                    }
                    return Poll::Ready(Ok(count));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => readable.clear_ready(),
                // What became of a datagram sent earlier; QUIC finds that out by itself.
                Err(_) => {}
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    fn may_fragment(&self) -> bool {
        self.state.may_fragment()
    }

    fn max_transmit_segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.state.gro_segments()
    }
}

/// One connection's wait for room to send.
#[derive(Debug)]
struct Room {
    socket: Arc<Socket>,
    /// A second descriptor of the socket, watched for room while there is none.
    watch: Option<AsyncFd<UdpSocket>>,
}

impl UdpPoller for Room {
    fn poll_writable(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.socket.full.load(Ordering::Relaxed) {
            let watch = match self.watch.take() {
                Some(watch) => watch,
                None => {
                    let again = self.socket.io.get_ref().try_clone()?;
                    watch(again, Interest::WRITABLE)?
                }
            };
            if watch.poll_write_ready(cx)?.is_pending() {
                self.watch = Some(watch);
                return Poll::Pending;
            }
            self.socket.full.store(false, Ordering::Relaxed);
        }
        self.watch = None;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    /// A stream socket is full soon, a UDP socket on this machine never: so the flag is set by
    /// hand, as a datagram that does not fit sets it.
    #[tokio::test]
    async fn room_is_asked_for_after_a_datagram_did_not_fit() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let state = UdpSocketState::new((&socket).into()).unwrap();
        let io = watch(socket, Interest::READABLE).unwrap();
        let full = AtomicBool::new(false);
        let socket = Arc::new(Socket { io, state, full });
        let mut room = Arc::clone(&socket).create_io_poller();
        poll_fn(|cx| room.as_mut().poll_writable(cx)).await.unwrap();
        socket.full.store(true, Ordering::Relaxed);
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            room.as_mut().poll_writable(cx)
        })
        .await
        .unwrap();
        assert!(polls > 1, "did not wait for the system's word");
        assert!(!socket.full.load(Ordering::Relaxed), "still counts as full");
    }
}
