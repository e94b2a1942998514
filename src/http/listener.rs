//! Connections: how many there may be, how long one may stand still, and how soon a request must begin.

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use prometheus::IntCounter;
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// Connections at a time; more wait to be accepted. Each may bring a value of 1 MiB and has one
/// request under way, so this is 128 MiB and half of what the machine takes at a time.
pub(super) const MAX_CONNECTIONS: usize = 128;
/// Of them from one address of another machine, so that there is room for others. On this machine many
/// programs have one address, and a proxy has it for all its clients.
const MAX_CONNECTIONS_OF_ADDRESS: usize = 64;
/// A connection on which nothing moves for so long is closed: longer than any call, and than the
/// pause between two comments of a stream of events.
const STANDSTILL: Duration = Duration::from_secs(60);
/// So long the head of a request may take, and the pause before it: who sends a byte now and then
/// does not stand still, and keeps a place from others. As long as with the tracker.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// The longest head of a request, and what is read of a body at a time: the longest key takes 3 KiB of a
/// path, and the rest is room for what browsers and proxies add. What is longer is answered with 431. A
/// connection may have read as much again before that is seen, so all of them hold 4 MiB; with hyper's
/// own bound it would be 100.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// Serves connections without end, as many as there is room for.
#[allow(
    clippy::disallowed_methods,
    reason = "a connection is a task of the thread that serves HTTP"
)]
pub(super) async fn serve(mut listener: TcpListener, app: Router, addresses: Addresses) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let permit = Arc::clone(&room).acquire_owned().await.ok();
        let (stream, addr) = Listener::accept(&mut listener).await;
        let Some(of_address) = addresses.take(addr.ip()) else {
            tracing::debug!(%addr, "refused: the address has its share of the connections over HTTP");
            continue;
        };
        // Answers are written whole; without it a small one may wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        let held = Held {
            stream,
            end: Box::pin(tokio::time::sleep(STANDSTILL)),
            _permit: permit,
            _of_address: of_address,
        };
        tokio::spawn(converse(held, app.clone()));
    }
}

async fn converse(held: Held, app: Router) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(held), TowerToHyperService::new(app))
        .await;
    if let Err(error) = served {
        tracing::trace!(%error, "a connection broke");
    }
}

/// How many connections each address has: at most [`MAX_CONNECTIONS`] addresses.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    counts: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
    refused: IntCounter,
}

impl Addresses {
    /// None has any yet; `refused` counts those that were one too many for their address.
    pub(super) fn new(refused: IntCounter) -> Self {
        let counts = Arc::default();
        Self { counts, refused }
    }

    /// Connections that are open.
    pub(super) fn open(&self) -> usize {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.values().sum()
    }

    /// A place for one more, unless the address has them all.
    fn take(&self, addr: IpAddr) -> Option<OfAddress> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(addr).or_default();
        if *count >= MAX_CONNECTIONS_OF_ADDRESS && !addr.to_canonical().is_loopback() {
            self.refused.inc();
            return None;
        }
        *count += 1;
        Some(OfAddress {
            addr,
            all: self.clone(),
        })
    }
}

/// The place of one connection.
#[derive(Debug)]
struct OfAddress {
    addr: IpAddr,
    all: Addresses,
}

impl Drop for OfAddress {
    fn drop(&mut self) {
        let mut counts = self
            .all
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.addr) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.addr);
            }
        }
    }
}

/// One connection.
struct Held {
    stream: TcpStream,
    end: Pin<Box<Sleep>>,
    _permit: Option<OwnedSemaphorePermit>,
    _of_address: OfAddress,
}

impl Held {
    /// What moved puts the end off; what stands still is held against it.
    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        moved: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match moved {
            Poll::Ready(result) => {
                self.end.as_mut().reset(Instant::now() + STANDSTILL);
                Poll::Ready(result)
            }
            Poll::Pending if self.end.as_mut().poll_elapsed(cx) => {
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Whether a pause is over.
trait Elapsed {
    fn poll_elapsed(self, cx: &mut Context<'_>) -> bool;
}

impl Elapsed for Pin<&mut Sleep> {
    fn poll_elapsed(self, cx: &mut Context<'_>) -> bool {
        self.poll(cx).is_ready()
    }
}

impl AsyncRead for Held {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let moved = Pin::new(&mut self.stream).poll_read(cx, room);
        self.watch(cx, moved)
    }
}

impl AsyncWrite for Held {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, moved)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.watch(cx, moved)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_leaves_room_for_others() {
        let addresses = Addresses::new(IntCounter::new("refused", "Refused").expect("a counter"));
        let far = IpAddr::from([192, 0, 2, 1]);
        let mut held: Vec<_> = (0..MAX_CONNECTIONS_OF_ADDRESS)
            .map(|_| addresses.take(far).expect("room"))
            .collect();
        assert!(addresses.take(far).is_none());
        assert_eq!(addresses.refused.get(), 1);
        assert!(addresses.take(IpAddr::from([192, 0, 2, 2])).is_some());
        held.pop();
        assert!(addresses.take(far).is_some());
        drop(held);
        let near = IpAddr::from([127, 0, 0, 1]);
        let held: Vec<_> = (0..MAX_CONNECTIONS).map(|_| addresses.take(near)).collect();
        assert!(held.iter().all(Option::is_some));
        assert_eq!(addresses.open(), MAX_CONNECTIONS);
        assert_eq!(addresses.refused.get(), 1, "nobody else");
        drop(held);
        assert!(
            addresses.counts.lock().unwrap().is_empty(),
            "nothing is kept"
        );
    }
}
