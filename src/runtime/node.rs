//! Starting a node.

use super::bootstrap::{self, Target};
use super::connection::{Hello, PROTOCOL_VERSION, STREAM_FRAMES};
use super::disk::{self, DiskNews};
use super::door::Door;
use super::driver::Driver;
use super::handle::{NodeHandle, Stopped};
use super::hosts::HostsFile;
use super::options::{NodeOptions, Site, StartError};
use super::parts::{Own, ProcessInfo, Sources};
use super::queue::{Batch, FrameQueue, Limits};
use super::transport::{self, CloseCode};
use super::{
    COMMANDS, Clock, Command, INBOX_BATCHES, LARGE_READS, Shared, URGENT_BATCHES, accept, socket,
};
use crate::control::server::ClientContext;
use crate::control::{CONTROL_ALPN, local};
use crate::data_dir::DataDir;
use crate::feed::{self, Feed};
use crate::http;
use crate::metrics::Metrics;
use crate::tls::{self, Identity};
use crate::tracker;
use overlay::{Contact, Locate, Quorums};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};

/// How long a node that ends waits for its last packets to leave and its clients to hang up.
const LINGER: Duration = Duration::from_millis(300);

/// Starts nodes.
#[derive(Debug)]
pub struct Node;

/// Everything that is set up before the node's thread starts, so that its errors come first.
struct Prepared {
    udp: UdpSocket,
    listen: SocketAddr,
    me: Contact,
    identity: Identity,
    data_dir: DataDir,
    was_used: bool,
    targets: Vec<Target>,
    http: Option<(TcpListener, SocketAddr)>,
    token: Option<http::Token>,
    tracker: tracker::Bound,
    quorums: Quorums,
}

impl Prepared {
    fn new(options: &NodeOptions) -> Result<Self, StartError> {
        let udp = transport::bind(options.listen).map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => StartError::PortInUse(options.listen),
            _ => StartError::Listen {
                listen: options.listen,
                source,
            },
        })?;
        let listen = udp.local_addr()?;
        let addr = options.advertise.unwrap_or(listen);
        if addr.ip().is_unspecified() || addr.port() == 0 || addr.ip().is_multicast() {
            return Err(StartError::Advertise(addr));
        }
        if let Some(listen) = options.http {
            http::check(listen, options.http_token_file.as_deref())?;
        }
        let token = options.http_token_file.as_deref().map(http::Token::read);
        let token = token.transpose()?;
        let http = options.http.map(listen_http).transpose()?;
        let tracker = tracker::bind(&options.tracker)?;
        let targets = options.join.iter().map(|name| {
            bootstrap::resolve(name).map_err(|reason| StartError::Resolve {
                name: name.clone(),
                reason,
            })
        });
        let targets = targets.collect::<Result<_, _>>()?;
        let path = match &options.data_dir {
            Some(path) => path.clone(),
            None => DataDir::default_path(listen)?,
        };
        let data_dir = DataDir::open(&path)?;
        let was_used = data_dir.was_used();
        let identity = data_dir.identity()?;
        let me = Contact {
            id: identity.id(),
            addr,
        };
        Ok(Self {
            udp,
            listen,
            me,
            identity,
            data_dir,
            was_used,
            targets,
            http,
            token,
            tracker,
            quorums: options.quorums,
        })
    }
}

impl Prepared {
    /// What the machine is made from, and how the driver hears of its disk.
    fn site(&self, metrics: Arc<Metrics>) -> (Site, DiskNews) {
        let (disk, news) = disk::link();
        let site = Site {
            me: self.me,
            data_dir: self.data_dir.path().to_owned(),
            was_used: self.was_used,
            hosts: HostsFile::in_dir(self.data_dir.path()).read(),
            disk,
            metrics,
        };
        (site, news)
    }
}

fn listen_http(listen: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let bind = || -> io::Result<_> {
        let listener = TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bind().map_err(|source| StartError::Http { listen, source })
}

impl Node {
    /// Starts a node with the machine that `make` builds for it, and waits until it has joined
    /// or founded its network.
    ///
    /// # Errors
    /// When anything that it needs is not there; nothing keeps running then.
    pub fn start<M, F>(options: &NodeOptions, make: F) -> Result<NodeHandle, StartError>
    where
        M: Locate + Send + 'static,
        F: FnOnce(Site) -> Result<M, StartError> + Send + 'static,
    {
        let mut prepared = Prepared::new(options)?;
        let metrics = Metrics::new();
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let (ready, started) = std::sync::mpsc::sync_channel(1);
        let (ended, end) = oneshot::channel();
        let (contact, listen) = (prepared.me, prepared.listen);
        let feed = Feed::new();
        let (http, token) = (prepared.http.take(), prepared.token.take());
        let http_addr = http.as_ref().map(|(_, address)| *address);
        let tracker = std::mem::take(&mut prepared.tracker);
        let (questions, asked) = mpsc::channel(tracker::MAX_QUESTIONS);
        let questions = tracker.is_bound().then_some(questions);
        let (metrics_there, commands_there) = (Arc::clone(&metrics), commands.clone());
        let feed_there = feed.clone();
        let thread = std::thread::Builder::new()
            .name("node".to_owned())
            .spawn(move || {
                let seat = Seat {
                    prepared,
                    metrics: metrics_there,
                    feed: feed_there,
                    commands: commands_there,
                    http: http_addr,
                    questions,
                };
                let stopped = seat.run(make, receiver, &ready);
                // Nobody may be waiting for the end.
                let _ = ended.send(());
                stopped
            })?;
        let handle = NodeHandle {
            contact,
            listen,
            http: http_addr,
            tracker_http: tracker.http(),
            tracker_udp: tracker.udp(),
            mainline: tracker.mainline(),
            metrics,
            feed: feed.clone(),
            commands,
            end: Some(end),
            thread: Some(thread),
        };
        // Before it has joined, so that health says so.
        if let Some((listener, _)) = http {
            let site = http::Site {
                me: contact,
                quorums: options.quorums,
                commands: handle.commands.clone(),
                metrics: Arc::clone(&handle.metrics),
                feed,
            };
            http::start(listener, site, token)?;
        }
        match started.recv() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(io::Error::other("the node's thread ended").into()),
        }
        tracker::start(
            tracker,
            options.tracker.clone(),
            (contact, handle.commands.clone()),
            handle.metrics.tracker.clone(),
            asked,
        )?;
        Ok(handle)
    }
}

/// What the node's thread works with.
struct Seat {
    prepared: Prepared,
    metrics: Arc<Metrics>,
    feed: Feed,
    commands: mpsc::Sender<Command>,
    http: Option<SocketAddr>,
    questions: Option<mpsc::Sender<tracker::Question>>,
}

type Ready = std::sync::mpsc::SyncSender<Result<(), StartError>>;

impl Seat {
    fn run<M: Locate + Send + 'static>(
        self,
        make: impl FnOnce(Site) -> Result<M, StartError>,
        receiver: mpsc::Receiver<Command>,
        ready: &Ready,
    ) -> Stopped {
        let runtime = match tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = ready.send(Err(error.into()));
                return Stopped::Orderly;
            }
        };
        let served = runtime.block_on(self.serve(make, receiver, ready));
        runtime.shutdown_background();
        served.unwrap_or_else(|error| {
            // The receiver waits for exactly this.
            let _ = ready.send(Err(error));
            Stopped::Orderly
        })
    }

    async fn serve<M: Locate + Send + 'static>(
        self,
        make: impl FnOnce(Site) -> Result<M, StartError>,
        receiver: mpsc::Receiver<Command>,
        ready: &Ready,
    ) -> Result<Stopped, StartError> {
        let prepared = self.prepared;
        let (site, disk) = prepared.site(Arc::clone(&self.metrics));
        let machine = make(site)?;
        self.metrics.introduce(M::OVERLAY, prepared.quorums);
        let alpn = tls::peer_alpn(M::OVERLAY);
        let endpoint = open_endpoint(&prepared.identity, &alpn, prepared.udp)?;
        let (inbox, inbound) = mpsc::channel(INBOX_BATCHES);
        let (urgent, first) = mpsc::channel(URGENT_BATCHES);
        let shared = Arc::new(Shared {
            me: prepared.me,
            overlay: M::OVERLAY,
            endpoint: endpoint.clone(),
            client: transport::client_config(&prepared.identity, alpn)?,
            inbox,
            urgent,
            metrics: Arc::clone(&self.metrics),
            feed: self.feed,
            door: Door::new(),
            clock: Clock::start(),
            quorums: prepared.quorums,
            greeting: greeting(M::OVERLAY, prepared.me.addr, prepared.quorums).await,
            large_reads: Semaphore::new(LARGE_READS),
            questions: self.questions.clone(),
            connections: AtomicU64::new(0),
        });
        let clients = Arc::new(ClientContext {
            me: prepared.me.id,
            commands: self.commands.clone(),
            metrics: self.metrics,
            feed: shared.feed.clone(),
            data_dir: prepared.data_dir.path().to_owned(),
            tracker: self.questions,
        });
        shared.spawn(accept::accept(Arc::clone(&shared), clients));
        shared.spawn(feed::watch(shared.feed.clone(), self.commands.clone()));
        let process = ProcessInfo {
            listen: prepared.listen,
            http: self.http,
        };
        let hosts = HostsFile::in_dir(prepared.data_dir.path());
        let own = Own { disk, hosts };
        let driver = Driver::new(machine, generator()?, Arc::clone(&shared), process, own);
        // A task of its own: waking the future that the runtime blocks on costs two system calls.
        let mut driving = shared.spawn(driver.run(Sources {
            urgent: first,
            inbox: inbound,
            commands: receiver,
        }));
        let place = (prepared.listen, prepared.data_dir.path());
        let joining = joined(&shared, &self.commands, &prepared.targets, place, ready);
        let announcement = tokio::select! {
            _ = &mut driving => Err(StartError::Join("the node was stopped".to_owned())),
            announced = joining => announced,
        };
        let ended = match announcement {
            Ok(announcement) => {
                let ended = driving.await;
                drop(announcement);
                Ok(ended)
            }
            Err(error) => Err(error),
        };
        linger(&endpoint).await;
        Ok(how_it_ended(ended?))
    }
}

/// Joins, and says so to whoever waits and to programs of the same user on this machine.
async fn joined<M: Locate + 'static>(
    shared: &Arc<Shared<M>>,
    commands: &mpsc::Sender<Command>,
    targets: &[Target],
    (listen, data_dir): (SocketAddr, &Path),
    ready: &Ready,
) -> Result<Option<local::Announcement>, StartError> {
    let joined = bootstrap::join(shared, commands, targets).await;
    joined.map_err(StartError::Join)?;
    // Without the entry p2pctl needs --key; everything else works.
    let announcement = local::announce(listen, data_dir)
        .map_err(|error| tracing::warn!(%error, "p2pctl will not find the node's key"));
    let _ = ready.send(Ok(()));
    Ok(announcement.ok())
}

/// What the driver's task came to; its panic goes on here.
fn how_it_ended(ended: Result<Stopped, tokio::task::JoinError>) -> Stopped {
    match ended.map_err(tokio::task::JoinError::try_into_panic) {
        Ok(stopped) => stopped,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // A task that was cancelled with its runtime.
        Err(Err(_)) => Stopped::Orderly,
    }
}

/// The machine's source of entropy, seeded by the system.
fn generator() -> io::Result<ChaCha8Rng> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(ChaCha8Rng::from_seed(seed))
}

/// QUIC on this socket, for peers that speak this protocol and for clients.
fn open_endpoint(
    identity: &Identity,
    alpn: &[u8],
    udp: UdpSocket,
) -> Result<quinn::Endpoint, StartError> {
    let protocols = vec![alpn.to_vec(), CONTROL_ALPN.to_vec()];
    let server = transport::server_config(identity, protocols)?;
    let config = transport::endpoint_config(identity);
    Ok(socket::endpoint(config, Some(server), udp)?)
}

/// Closes what is open: peers are told at once, clients when they have read their answers.
async fn linger(endpoint: &quinn::Endpoint) {
    endpoint.set_server_config(None);
    let _ = tokio::time::timeout(LINGER, endpoint.wait_idle()).await;
    endpoint.close(CloseCode::Leaving.into(), b"");
    let _ = tokio::time::timeout(LINGER, endpoint.wait_idle()).await;
}

/// What each of our connections begins with.
async fn greeting(overlay: &str, advertise: SocketAddr, quorums: Quorums) -> Vec<u8> {
    let hello = Hello {
        version: PROTOCOL_VERSION,
        overlay: overlay.to_owned(),
        advertise,
        quorums,
    };
    let queue = FrameQueue::new(Limits::PEER);
    queue.push(&hello);
    let mut batch = Batch::default();
    queue.take(&mut batch).await;
    let mut bytes = vec![STREAM_FRAMES];
    bytes.append(&mut batch.frames);
    bytes
}
