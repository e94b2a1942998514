//! What `p2pnode` is told: flags over environment over file.

pub mod gnutella_flags;
mod names;
mod size;
pub mod tracker_flags;

use crate::logging::LogFormat;
use crate::runtime::NodeOptions;
use clap::Args;
use gnutella_flags::{ReplicationName, RoleName, SearchName};
pub use names::{HttpAddress, OverlayName};
use overlay::{QuorumError, Quorums};
use serde::Deserialize;
use size::{parse_rate, parse_size, rate_from_text, size_from_text};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tracker_flags::{HeaderName, Interval, Location, ProxyRange};

/// Where a node listens unless it is told otherwise.
pub const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 4000);
/// Where it serves HTTP unless it is told otherwise.
pub const DEFAULT_HTTP: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 4080);
/// Longest configuration file that is read.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// The flags of a node; each is also a key of the configuration file and a `P2PNODE_…` variable.
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct NodeArgs {
    /// The overlay; all nodes of a network run the same [default: chord]
    #[arg(long, env = "P2PNODE_OVERLAY", value_enum)]
    pub overlay: Option<OverlayName>,

    /// The UDP address of the node; port 0 picks a free one [default: 127.0.0.1:4000]
    #[arg(long, env = "P2PNODE_LISTEN", value_name = "IP:PORT")]
    pub listen: Option<SocketAddr>,

    /// A member of the network to join, may be given several times; without it, a new network
    #[arg(
        long,
        env = "P2PNODE_JOIN",
        value_name = "HOST:PORT",
        value_delimiter = ','
    )]
    pub join: Vec<String>,

    /// Where the node keeps its key [default: ~/.local/state/p2pnode/IP_PORT]
    #[arg(long, env = "P2PNODE_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Most bytes in the node's store, keys and bodies, for instance 10GiB; new writes beyond it are
    /// refused [default: no limit but the disk]
    #[arg(long, env = "P2PNODE_MAX_STORE", value_name = "SIZE", value_parser = parse_size)]
    #[serde(deserialize_with = "size_from_text")]
    pub max_store: Option<u64>,

    /// Bytes of records a second that are copied in the background with one other node, for repairs,
    /// joins and leaves; at least 64KiB. Of small records 10000 a second for each 4 MiB
    /// [default: 4MiB]
    #[arg(long, env = "P2PNODE_REPAIR_RATE", value_name = "SIZE", value_parser = parse_rate)]
    #[serde(deserialize_with = "rate_from_text")]
    pub repair_rate: Option<u64>,

    /// The TCP address of the web page, the HTTP API, health and metrics, or off [default: 127.0.0.1:4080]
    #[arg(long, env = "P2PNODE_HTTP", value_name = "IP:PORT|off")]
    pub http: Option<HttpAddress>,

    /// A file with the token that HTTP clients must show; without it only this machine is served
    #[arg(long, env = "P2PNODE_HTTP_TOKEN_FILE", value_name = "FILE")]
    pub http_token_file: Option<PathBuf>,

    /// The address that other nodes are told; needed when listening on 0.0.0.0 or on all IPv6 addresses
    #[arg(long, env = "P2PNODE_ADVERTISE", value_name = "IP:PORT")]
    pub advertise: Option<SocketAddr>,

    /// Replicas of each record, N, 1 to 8; all nodes of a network have the same three numbers
    /// [default: 3]
    #[arg(long, env = "P2PNODE_REPLICAS", value_name = "N")]
    pub replicas: Option<u8>,

    /// Replicas that must hold a write durably before it is acknowledged, W [default: 2]
    #[arg(long, env = "P2PNODE_WRITE_QUORUM", value_name = "W")]
    pub write_quorum: Option<u8>,

    /// Replicas that must answer a read, R; with R + W above N a read sees the newest acknowledged
    /// write [default: 2]
    #[arg(long, env = "P2PNODE_READ_QUORUM", value_name = "R")]
    pub read_quorum: Option<u8>,

    /// What the node is on gnutella [default: auto]
    #[arg(long, env = "P2PNODE_ROLE", value_enum)]
    pub role: Option<RoleName>,

    /// How the node searches on gnutella [default: auto]
    #[arg(long, env = "P2PNODE_SEARCH", value_enum)]
    pub search: Option<SearchName>,

    /// How many copies of a value there are on gnutella: N, or more of what is hard to find
    /// [default: fixed]
    #[arg(long, env = "P2PNODE_REPLICATION", value_enum)]
    pub replication: Option<ReplicationName>,

    /// The TCP address at which BitTorrent clients find a tracker over HTTP, path /announce
    /// [default: none]
    #[arg(long, env = "P2PNODE_TRACKER_HTTP", value_name = "IP:PORT")]
    pub tracker_http: Option<SocketAddr>,

    /// The UDP address of the tracker, which may have the same port [default: none]
    #[arg(long, env = "P2PNODE_TRACKER_UDP", value_name = "IP:PORT")]
    pub tracker_udp: Option<SocketAddr>,

    /// The UDP address of a node of BitTorrent's DHT, for clients to begin with [default: none]
    #[arg(long, env = "P2PNODE_MAINLINE", value_name = "IP:PORT")]
    pub mainline: Option<SocketAddr>,

    /// How long BitTorrent clients wait between two announces, up to a tenth less by chance
    /// [default: 30m]
    #[arg(long, env = "P2PNODE_ANNOUNCE_INTERVAL", value_name = "TIME")]
    pub announce_interval: Option<Interval>,

    /// How long a BitTorrent client is listed after its last announce
    /// [default: 1.5 times the interval]
    #[arg(long, env = "P2PNODE_PEER_EXPIRY", value_name = "TIME")]
    pub peer_expiry: Option<Interval>,

    /// Peers in an answer when the client does not say how many it wants, at most 200 [default: 50]
    #[arg(long, env = "P2PNODE_DEFAULT_NUMWANT", value_name = "N",
          value_parser = clap::value_parser!(u32).range(0..=200))]
    pub default_numwant: Option<u32>,

    /// Announces a second of one address, IPv6: of one /64; 0 for no limit, of swarms and clients of
    /// one address neither [default: 1000]
    #[arg(long, env = "P2PNODE_ANNOUNCE_RATE", value_name = "N")]
    pub announce_rate: Option<u32>,

    /// Announces a second to one torrent, of all addresses together; 0 for no limit, because whoever
    /// exhausts it keeps everybody out [default: 0]
    #[arg(long, env = "P2PNODE_SWARM_ANNOUNCE_RATE", value_name = "N")]
    pub swarm_announce_rate: Option<u32>,

    /// The header in which a trusted proxy says who its client is: X-Forwarded-For or Forwarded
    #[arg(long, env = "P2PNODE_TRACKER_PROXY_HEADER", value_name = "NAME")]
    pub tracker_proxy_header: Option<HeaderName>,

    /// Addresses of reverse proxies that are believed, may be given several times: 10.0.0.0/8
    #[arg(
        long,
        env = "P2PNODE_TRACKER_TRUSTED_PROXY",
        value_name = "CIDR",
        value_delimiter = ','
    )]
    pub tracker_trusted_proxy: Vec<ProxyRange>,

    /// Believe the addresses that clients claim to have. Only for closed networks: else it is a
    /// way to attack others
    #[arg(long, env = "P2PNODE_TRACKER_BELIEVE_ADDRESSES")]
    pub tracker_believe_addresses: bool,

    /// A file that says where addresses are: lines of CIDR and place, 10.0.7.0/24 dc1/rack7, or an
    /// ALTO network map. This and the five lists below are read again on SIGHUP
    #[arg(long, env = "P2PNODE_LOCATIONS", value_name = "FILE")]
    pub locations: Option<PathBuf>,

    /// Where the BitTorrent clients of this node are of whose addresses no line of --locations says
    /// it, from the large to the small: dc1/rack7 [default: nobody knows]
    #[arg(long, env = "P2PNODE_LOCATION", value_name = "PLACE")]
    pub location: Option<Location>,

    /// A file of info-hashes in hexadecimal: the tracker serves only these
    #[arg(long, env = "P2PNODE_ALLOW_TORRENTS", value_name = "FILE")]
    pub allow_torrents: Option<PathBuf>,

    /// A file of info-hashes that the tracker does not serve
    #[arg(long, env = "P2PNODE_DENY_TORRENTS", value_name = "FILE")]
    pub deny_torrents: Option<PathBuf>,

    /// A file of beginnings of peer ids, such as -TR: the tracker serves only these clients
    #[arg(long, env = "P2PNODE_ALLOW_CLIENTS", value_name = "FILE")]
    pub allow_clients: Option<PathBuf>,

    /// A file of beginnings of peer ids that the tracker does not serve
    #[arg(long, env = "P2PNODE_DENY_CLIENTS", value_name = "FILE")]
    pub deny_clients: Option<PathBuf>,

    /// A file of passkeys, of which clients need one: /PASSKEY/announce
    #[arg(long, env = "P2PNODE_PASSKEYS", value_name = "FILE")]
    pub passkeys: Option<PathBuf>,

    /// A TOML file with any of these settings, named as the flags are
    #[arg(long, env = "P2PNODE_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// How logs look on standard error [default: text]
    #[arg(long, env = "P2PNODE_LOG_FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,

    /// What is logged: error, warn, info, debug or trace [default: info]
    #[arg(long, env = "P2PNODE_LOG", value_name = "LEVEL")]
    pub log: Option<String>,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read ({source})", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not understood.
    #[error("the configuration file {} is not understood: {reason}", path.display())]
    NotUnderstood {
        /// The file.
        path: PathBuf,
        /// Where and why, on one line.
        reason: String,
    },
    /// One of the two flags of proxies is missing.
    #[error(
        "--tracker-proxy-header and --tracker-trusted-proxy belong together; give both, or neither"
    )]
    Proxies,
    /// Clients would expire before they come back as they are told to.
    #[error(
        "with this announce-interval clients are told to come back after up to {least_ms} ms (in whole seconds), and would expire after {expiry_ms} ms; set peer-expiry to {least_ms}ms or more, or leave it out"
    )]
    Expiry {
        /// When they would expire.
        expiry_ms: u32,
        /// The least that is possible.
        least_ms: u32,
    },
    /// HTTP would be open to everybody.
    #[error(transparent)]
    Http(#[from] crate::http::TokenError),
    /// The quorums are impossible.
    #[error("{0}")]
    Quorums(#[from] QuorumError),
}

/// All settings, complete.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The overlay.
    pub overlay: OverlayName,
    /// How to start the node.
    pub node: NodeOptions,
    /// What it is and does on gnutella.
    pub gnutella: gnutella::GnutellaConfig,
    /// How logs look.
    pub log_format: LogFormat,
    /// What is logged.
    pub log: String,
}

impl NodeArgs {
    /// What a configuration file says.
    ///
    /// # Errors
    /// When the text is no TOML, has a key that does not exist, or a value of the wrong kind: where
    /// and why, on one line.
    pub fn from_toml(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let place = before.map_or_else(String::new, |before| {
                format!("line {}: ", 1 + before.matches('\n').count())
            });
            let message = error.message().lines().collect::<Vec<_>>().join(" ");
            format!("{place}{message}")
        })
    }

    /// Adds what the configuration file says where flags and environment say nothing, and the
    /// defaults where the file says nothing either.
    ///
    /// # Errors
    /// When the file cannot be read, is no TOML, or has a key that does not exist.
    pub fn settle(self) -> Result<Settings, ConfigError> {
        let file = match &self.config {
            Some(path) => read_file(path)?,
            None => Self::default(),
        };
        let tracker = tracker_flags::options(&self, &file)?;
        let join = if self.join.is_empty() {
            file.join
        } else {
            self.join
        };
        let http = match self.http.or(file.http) {
            Some(HttpAddress::Off) => None,
            Some(HttpAddress::On(address)) => Some(address),
            None => Some(DEFAULT_HTTP),
        };
        let http_token_file = self.http_token_file.or(file.http_token_file);
        if let Some(address) = http {
            crate::http::check(address, http_token_file.as_deref())?;
        }
        // Two by default, but never more than there are replicas.
        let usual = Quorums::default();
        let replicas = self.replicas.or(file.replicas).unwrap_or(usual.replicas);
        let write = self.write_quorum.or(file.write_quorum);
        let read = self.read_quorum.or(file.read_quorum);
        let quorums = Quorums {
            replicas,
            write: write.unwrap_or(usual.write.min(replicas)),
            read: read.unwrap_or(usual.read.min(replicas)),
        };
        Ok(Settings {
            overlay: self.overlay.or(file.overlay).unwrap_or_default(),
            node: NodeOptions {
                listen: self.listen.or(file.listen).unwrap_or(DEFAULT_LISTEN),
                advertise: self.advertise.or(file.advertise),
                join,
                data_dir: self.data_dir.or(file.data_dir),
                http,
                http_token_file,
                max_store: self.max_store.or(file.max_store),
                repair_rate: self.repair_rate.or(file.repair_rate),
                quorums: quorums.check()?,
                tracker,
            },
            gnutella: gnutella::GnutellaConfig {
                role: self.role.or(file.role).unwrap_or_default().into(),
                way: self.search.or(file.search).unwrap_or_default().into(),
                replication: self
                    .replication
                    .or(file.replication)
                    .unwrap_or_default()
                    .into(),
                copies: quorums.replicas,
                ..gnutella::GnutellaConfig::default()
            },
            log_format: self.log_format.or(file.log_format).unwrap_or_default(),
            log: self.log.or(file.log).unwrap_or_else(|| "info".to_owned()),
        })
    }
}

fn read_file(path: &Path) -> Result<NodeArgs, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut text = String::new();
    file.take(MAX_CONFIG_BYTES)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    NodeArgs::from_toml(&text).map_err(|reason| ConfigError::NotUnderstood {
        path: path.to_owned(),
        reason,
    })
}

#[cfg(test)]
mod tests;
