//! How a node is to be started, and why it may not start.

use super::disk::DiskLink;
use crate::data_dir::DataDirError;
use crate::http::TokenError;
use crate::metrics::Metrics;
use crate::store::{DiskStore, OpenError, StoreOptions};
use crate::tracker::TrackerOptions;
use overlay::Quorums;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// How a node is to be started.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// The UDP address; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The address that other nodes are told, when it is another one than `listen`.
    pub advertise: Option<SocketAddr>,
    /// Members to join, as `HOST:PORT`; none founds a network.
    pub join: Vec<String>,
    /// Where the key is kept; without it, the default for the address.
    pub data_dir: Option<PathBuf>,
    /// The address of the HTTP server, unless it is to be off.
    pub http: Option<SocketAddr>,
    /// The file with the token that HTTP clients must show; needed where others reach the address.
    pub http_token_file: Option<PathBuf>,
    /// Bytes that the store on disk may hold; none for no limit.
    pub max_store: Option<u64>,
    /// Bytes of records a second that are moved in the background with one peer; none for the
    /// default.
    pub repair_rate: Option<u64>,
    /// N, W and R; a node with others is not spoken to.
    pub quorums: Quorums,
    /// The tracker for BitTorrent clients; off unless it has an address.
    pub tracker: TrackerOptions,
}

impl NodeOptions {
    /// A node on a free port of this machine, without HTTP.
    #[must_use]
    pub fn local(data_dir: PathBuf) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            advertise: None,
            join: Vec::new(),
            data_dir: Some(data_dir),
            http: None,
            http_token_file: None,
            max_store: None,
            repair_rate: None,
            quorums: Quorums::default(),
            tracker: TrackerOptions::default(),
        }
    }
}

/// Where a machine is to live: what it is made from.
#[derive(Debug)]
pub struct Site {
    /// The node as others know it.
    pub me: overlay::Contact,
    /// Its data directory, locked for this process.
    pub data_dir: PathBuf,
    /// Whether the node has lived there before.
    pub was_used: bool,
    /// Nodes that were known in an earlier life, for overlays that find their network again by
    /// themselves.
    pub hosts: Vec<overlay::Contact>,
    /// How a store on disk reports; one in memory leaves it alone.
    pub disk: DiskLink,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
}

impl Site {
    /// Opens the store in the data directory, of at most `quota` bytes if that is given.
    ///
    /// # Errors
    /// When the store is damaged, another node's, of a newer format, or cannot be read.
    pub fn open_store(&self, quota: Option<u64>) -> Result<DiskStore, OpenError> {
        let options = StoreOptions {
            quota,
            metrics: self.metrics.store.clone(),
            ..StoreOptions::new(self.me.id)
        };
        let folder = self.data_dir.join(STORE_FOLDER);
        // An empty directory may be a mount point without its disk.
        let is_vacant = std::fs::read_dir(&folder).map_or(true, |mut all| all.next().is_none());
        let is_lost = self.was_used && is_vacant;
        if is_lost {
            tracing::warn!(
                store = %folder.display(),
                "this node has lived here before, and its store is missing: it begins with an empty one, and its records have to come from other replicas; if the store was moved away, stop the node and put it back"
            );
        }
        let (durable, loaded) = (self.disk.clone(), self.disk.clone());
        let fatal = self.disk.clone();
        self.disk.attach();
        let mut store = DiskStore::open(
            &folder,
            options,
            move |seq| durable.durable(seq),
            move |seq| loaded.loaded(seq),
            move |why| fatal.fatal(why),
        )?;
        if is_lost {
            // Others may have what was in it: a network that is founded on it proves no absence.
            dht::Store::set_shared(&mut store);
        }
        Ok(store)
    }
}

/// Where the store is in the data directory.
const STORE_FOLDER: &str = "store";

/// Why a node did not start. Nothing was left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The UDP port is taken.
    #[error(
        "UDP {0} is in use by another program; name another address with --listen (port 0 picks a free one)"
    )]
    PortInUse(SocketAddr),
    /// The UDP address cannot be bound.
    #[error(
        "cannot listen on UDP {listen} ({source}); name an address of this machine with --listen"
    )]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The TCP address of the HTTP server cannot be bound.
    #[error(
        "cannot serve HTTP on {listen} ({source}); name another address with --http, or --http off"
    )]
    Http {
        /// The address.
        listen: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The HTTP server needs a token, or cannot use the one that it was given.
    #[error(transparent)]
    HttpToken(#[from] TokenError),
    /// The TCP address of the tracker cannot be bound.
    #[error(
        "cannot serve the tracker on TCP {listen} ({source}); name another address with --tracker-http"
    )]
    TrackerHttp {
        /// The address.
        listen: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The UDP address of the tracker, or of its DHT, cannot be bound.
    #[error(
        "cannot serve the tracker on UDP {listen} ({source}); name another address with --tracker-udp or --mainline"
    )]
    TrackerUdp {
        /// The address.
        listen: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A list of the tracker cannot be used.
    #[error("the list {} cannot be used: {reason}", path.display())]
    List {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// Others cannot reach the address.
    #[error(
        "{0} is no address that other nodes can reach; say with --advertise IP:PORT which one they are to use"
    )]
    Advertise(SocketAddr),
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The store on disk cannot be used.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// A name in `join` has no address.
    #[error("cannot join {name}: it does not resolve ({reason}); give HOST:PORT of a member")]
    Resolve {
        /// The name.
        name: String,
        /// Why.
        reason: String,
    },
    /// A setting cannot be.
    #[error("{0}")]
    Setting(String),
    /// Settings do not go together, or cannot be.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// Nobody said where the node keeps what it has.
    #[error(
        "say with data_dir where the node keeps its key and its records, or with temporary that it keeps nothing"
    )]
    NoDataDir,
    /// No member let the node in.
    #[error("cannot join: {0}")]
    Join(String),
    /// The cryptographic library refused the key.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The system gave no thread, no event queue or no random bytes.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}
