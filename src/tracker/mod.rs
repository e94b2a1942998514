//! The tracker's front-ends: BitTorrent clients over HTTP, over UDP, and by their DHT.
//!
//! A thread of its own with a current-thread runtime owns the [tracker](::tracker::Tracker): every
//! task on it borrows it for the moment of one request, so there are no locks, and no request waits
//! for the overlay's machine. What the nodes tell each other of swarms goes through the overlay
//! (`sharing`), by the same bounded queue of commands as HTTP's.

mod http;
mod lists;
mod mainline;
mod metrics;
mod options;
mod questions;
mod service;
mod sharing;
mod udp;

pub use ::tracker::FrontEnd;
pub use http::{
    HEAD_PATIENCE, IDLE_PATIENCE, MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS, MAX_HEAD_BYTES,
};
pub use metrics::TrackerMetrics;
pub(crate) use questions::{MAX_QUESTIONS, Question};

pub use options::{Lists, TrackerOptions};

use crate::runtime::{Command, StartError, transport};
use mainline::Mainline;
use overlay::Contact;
use service::Service;
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::rc::Rc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

/// How often peers that are too old are dropped, a part at a time.
const SWEEP_EVERY: Duration = Duration::from_millis(100);

/// Connections that the system keeps until they are taken, or as many as it allows: of one that finds
/// no room the client tries again after a second.
const BACKLOG: i32 = 4_096;

/// The sockets, bound before the node joins its network, so that their errors come first.
#[derive(Debug, Default)]
pub(crate) struct Bound {
    http: Option<(TcpListener, SocketAddr)>,
    udp: Option<(UdpSocket, SocketAddr)>,
    mainline: Option<(UdpSocket, SocketAddr)>,
}

impl Bound {
    /// Whether there is any socket.
    pub(crate) const fn is_bound(&self) -> bool {
        self.http.is_some() || self.udp.is_some() || self.mainline.is_some()
    }

    pub(crate) fn http(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(|(_, address)| *address)
    }

    pub(crate) fn udp(&self) -> Option<SocketAddr> {
        self.udp.as_ref().map(|(_, address)| *address)
    }

    pub(crate) fn mainline(&self) -> Option<SocketAddr> {
        self.mainline.as_ref().map(|(_, address)| *address)
    }
}

/// Binds what the options name.
///
/// # Errors
/// When an address cannot be bound.
pub(crate) fn bind(options: &TrackerOptions) -> Result<Bound, StartError> {
    let http = options.http.map(|listen| {
        let bound = bind_tcp(listen);
        bound.map_err(|source| StartError::TrackerHttp { listen, source })
    });
    let bind_udp = |listen: SocketAddr| {
        let bound = transport::bind(listen).and_then(|socket| {
            let address = socket.local_addr()?;
            Ok((socket, address))
        });
        bound.map_err(|source| StartError::TrackerUdp { listen, source })
    };
    Ok(Bound {
        http: http.transpose()?,
        udp: options.udp.map(bind_udp).transpose()?,
        mainline: options.mainline.map(bind_udp).transpose()?,
    })
}

fn bind_tcp(listen: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(listen), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&listen.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    let listener = TcpListener::from(socket);
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Serves until the node ends. Does nothing when no socket is bound.
///
/// # Errors
/// When a list cannot be read, or the system gives no thread or no event queue.
pub(crate) fn start(
    bound: Bound,
    options: TrackerOptions,
    (me, commands): (Contact, mpsc::Sender<Command>),
    metrics: TrackerMetrics,
    questions: mpsc::Receiver<Question>,
) -> Result<(), StartError> {
    if !bound.is_bound() {
        return Ok(());
    }
    let read = options.lists.read()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("tracker".to_owned())
        .spawn(move || {
            let closed = commands.clone();
            let local = LocalSet::new();
            let serving = local.run_until(async move {
                let Ok(service) = Service::new(options, read, (me, commands), metrics) else {
                    tracing::error!("the system gives no random bytes: no tracker");
                    return;
                };
                let service = Rc::new(service);
                spawn(questions::answer(Rc::clone(&service), questions));
                serve(service, bound, closed).await;
            });
            runtime.block_on(serving);
        })?;
    Ok(())
}

async fn serve(service: Rc<Service>, bound: Bound, closed: mpsc::Sender<Command>) {
    if let Some((listener, _)) = bound.http {
        spawn(http::serve(Rc::clone(&service), listener));
    }
    if let Some((socket, _)) = bound.udp {
        spawn(udp::serve(Rc::clone(&service), socket));
    }
    if let Some((socket, _)) = bound.mainline {
        match Mainline::open(Rc::clone(&service), socket) {
            Ok(node) => {
                spawn(Rc::clone(&node).serve());
                spawn(mainline::keep_company(node));
            }
            Err(error) => tracing::error!(%error, "the DHT's socket cannot be watched"),
        }
    }
    spawn(sharing::share(Rc::clone(&service)));
    spawn(sharing::watch_company(Rc::clone(&service)));
    spawn(reload_on_hangup(Rc::clone(&service)));
    let mut pause = tokio::time::interval(SWEEP_EVERY);
    pause.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = pause.tick() => service.sweep(),
            () = closed.closed() => break,
        }
    }
}

/// Starts a task on the tracker's thread.
fn spawn<T: 'static>(task: impl Future<Output = T> + 'static) {
    tokio::task::spawn_local(task);
}

/// SIGHUP: all lists are read again, and take effect together, or not at all.
async fn reload_on_hangup(service: Rc<Service>) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        tracing::warn!("lists cannot be read again on SIGHUP");
        return;
    };
    while hangup.recv().await.is_some() {
        let lists = service.lists().clone();
        // Files may be slow; clients must not wait for them.
        match tokio::task::spawn_blocking(move || lists.read()).await {
            Ok(Ok(read)) => {
                let old = service.replace_lists(read);
                // No client waits for that either.
                drop(tokio::task::spawn_blocking(move || drop(old)));
                service.metrics.reloads.with_label_values(&["done"]).inc();
                tracing::info!("the tracker's lists are read again");
            }
            Ok(Err(error)) => {
                service.metrics.reloads.with_label_values(&["failed"]).inc();
                tracing::warn!(%error, "the tracker's lists stay as they were");
            }
            Err(_) => {}
        }
    }
}
