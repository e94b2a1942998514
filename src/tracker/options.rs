//! How the tracker is to be served.

use std::net::SocketAddr;
use std::path::PathBuf;
use tracker::proxy::Proxies;

/// How the tracker is to be served.
#[derive(Clone, Debug, Default)]
pub struct TrackerOptions {
    /// The TCP address of its HTTP; none for no HTTP.
    pub http: Option<SocketAddr>,
    /// Its UDP address; none for no UDP.
    pub udp: Option<SocketAddr>,
    /// The UDP address of its node in BitTorrent's DHT; none for no such node.
    pub mainline: Option<SocketAddr>,
    /// How it behaves.
    pub config: tracker::Config,
    /// Whose word on the address of a client is taken.
    pub proxies: Proxies,
    /// Who is served.
    pub lists: Lists,
}

/// Files of lists; read at the start, and again on SIGHUP.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    /// Info-hashes, one a line: only these.
    pub allow_torrents: Option<PathBuf>,
    /// Info-hashes that are not served.
    pub deny_torrents: Option<PathBuf>,
    /// Beginnings of peer ids: only these.
    pub allow_clients: Option<PathBuf>,
    /// Beginnings of peer ids that are not served.
    pub deny_clients: Option<PathBuf>,
    /// Passkeys, one of which must be in the path.
    pub passkeys: Option<PathBuf>,
    /// Where addresses are.
    pub locations: Option<PathBuf>,
}
