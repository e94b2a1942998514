//! How a node is to be, setting by setting.

use super::{Node, launch};
use crate::config::gnutella_flags::{ReplicationName, RoleName, SearchName};
use crate::config::tracker_flags::{HeaderName, Interval, Location, ProxyRange};
use crate::config::{HttpAddress, NodeArgs, OverlayName, Settings};
use crate::runtime::StartError;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// Where a node listens that is not told where: on this machine only, at a free port.
const ANY_LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Says how a node is to be, and starts it; [`Node::builder`] makes one.
///
/// Each setting is a flag of `p2pnode` of the same name with the same default, but for two: a node
/// listens at a free port of this machine, and serves no HTTP. One setting has no default: where the
/// node keeps its key and its records, [`data_dir`](Self::data_dir) or [`temporary`](Self::temporary).
/// Nothing is checked before [`start`](Self::start).
#[derive(Clone, Debug, Default)]
#[must_use = "no node is there before `start` was awaited"]
pub struct NodeBuilder {
    args: NodeArgs,
    temporary: bool,
    /// The first setting that cannot be.
    wrong: Option<String>,
}

/// Setters of what is told as it is.
macro_rules! setters {
    ($($(#[$doc:meta])+ $name:ident($kind:ty);)+) => {$(
        $(#[$doc])+
        pub fn $name(mut self, $name: $kind) -> Self {
            self.args.$name = Some($name);
            self
        }
    )+};
}

/// Setters of files and directories.
macro_rules! paths {
    ($($(#[$doc:meta])+ $name:ident;)+) => {$(
        $(#[$doc])+
        pub fn $name(mut self, $name: impl Into<PathBuf>) -> Self {
            self.args.$name = Some($name.into());
            self
        }
    )+};
}

/// The network.
impl NodeBuilder {
    setters! {
        /// The overlay, [`OverlayName::Chord`] by default; all nodes of a network run the same.
        overlay(OverlayName);
        /// The UDP address for peers and clients; port 0 picks a free one. Default: `127.0.0.1:0`.
        listen(SocketAddr);
        /// The address that other nodes are told, when it is another than [`listen`](Self::listen);
        /// needed when that is `0.0.0.0` or `[::]`.
        advertise(SocketAddr);
        /// Replicas of each record, N, 1 to 8; 3 by default. All nodes of a network have the same N,
        /// W and R.
        replicas(u8);
        /// Replicas that must hold a write durably before it is acknowledged, W, up to N; 2 by default.
        write_quorum(u8);
        /// Replicas that must answer a read, R, up to N; 2 by default. With R + W above N a read sees
        /// the newest acknowledged write.
        read_quorum(u8);
        /// What the node is on Gnutella.
        role(RoleName);
        /// How the node searches on Gnutella.
        search(SearchName);
        /// How many copies of a value there are on Gnutella.
        replication(ReplicationName);
    }

    /// Adds a member of the network to join, as `HOST:PORT`. The first that lets the node in will do.
    /// Without any a new network is founded.
    pub fn join(mut self, member: impl ToString) -> Self {
        self.args.join.push(member.to_string());
        self
    }
}

/// What it keeps, and HTTP.
impl NodeBuilder {
    paths! {
        /// Where the node keeps its key and its records. It is made when it is not there, and locked
        /// while the node runs. A node that is started in the directory of an earlier one is that node.
        data_dir;
        /// A file with the token that HTTP clients must show, readable by its owner only; needed where
        /// others reach the address.
        http_token_file;
    }

    /// Keeps everything in a temporary directory, which is removed when the [`Node`] is dropped: for
    /// tests, and for nodes whose records others hold.
    pub const fn temporary(mut self) -> Self {
        self.temporary = true;
        self
    }

    setters! {
        /// Most bytes in the node's store; new writes beyond it are refused. Default: no limit but the
        /// disk.
        max_store(u64);
        /// Bytes of records a second that are copied in the background with one other node, at least
        /// 64 KiB; 4 MiB by default.
        repair_rate(u64);
    }

    /// Serves the HTTP API, health and metrics at this TCP address; port 0 picks a free one. Off by
    /// default.
    pub const fn http(mut self, address: SocketAddr) -> Self {
        self.args.http = Some(HttpAddress::On(address));
        self
    }
}

/// The tracker for BitTorrent clients; there is none unless it gets an address.
impl NodeBuilder {
    setters! {
        /// The TCP address of the tracker over HTTP, path `/announce`.
        tracker_http(SocketAddr);
        /// The UDP address of the tracker; may have the same port.
        tracker_udp(SocketAddr);
        /// The UDP address of a node of BitTorrent's DHT.
        mainline(SocketAddr);
        /// Peers in an answer when the client does not say how many it wants; 50 by default, 200 at
        /// most.
        default_numwant(u32);
        /// Announces a second of one address; 0 for no limit. 1,000 by default.
        announce_rate(u32);
        /// Announces a second to one torrent; 0, the default, for no limit.
        swarm_announce_rate(u32);
        /// Where clients are of whose addresses [`locations`](Self::locations) says nothing.
        location(Location);
    }

    paths! {
        /// A file that says where addresses are.
        locations;
        /// A file of info-hashes: only these are served.
        allow_torrents;
        /// A file of info-hashes that are not served.
        deny_torrents;
        /// A file of beginnings of peer ids: only these clients are served.
        allow_clients;
        /// A file of beginnings of peer ids that are not served.
        deny_clients;
        /// A file of passkeys, of which clients need one.
        passkeys;
    }

    /// How long clients wait between two announces, 1 ms to 7 days; 30 minutes by default.
    pub fn announce_interval(mut self, interval: Duration) -> Self {
        self.args.announce_interval = self.span("announce_interval", interval);
        self
    }

    /// How long a client is listed after its last announce, 1 ms to 7 days; 1.5 intervals by default.
    pub fn peer_expiry(mut self, expiry: Duration) -> Self {
        self.args.peer_expiry = self.span("peer_expiry", expiry);
        self
    }

    /// Believes reverse proxies at these addresses when they say in this header who their client is.
    pub fn tracker_proxies(
        mut self,
        header: HeaderName,
        trusted: impl IntoIterator<Item = ProxyRange>,
    ) -> Self {
        self.args.tracker_proxy_header = Some(header);
        self.args.tracker_trusted_proxy.extend(trusted);
        self
    }

    /// Believes the addresses that clients claim to have. Only for closed networks: else it is a way
    /// to attack others.
    pub const fn tracker_believe_addresses(mut self) -> Self {
        self.args.tracker_believe_addresses = true;
        self
    }

    fn span(&mut self, name: &str, span: Duration) -> Option<Interval> {
        match Interval::try_from(span) {
            Ok(span) => Some(span),
            Err(why) => {
                self.wrong.get_or_insert(format!("{name}: {why}"));
                None
            }
        }
    }
}

impl NodeBuilder {
    /// Starts the node, and waits until it has founded its network or was let into one, for which it
    /// tries for five seconds.
    ///
    /// The node runs on a thread of its own, under no runtime of the caller: this future needs none
    /// either. Dropping it before it is done ends the node.
    ///
    /// # Errors
    /// When a setting cannot be, or something that the node needs is not there: which, and what to do.
    /// Settings are called by the names of the flags of `p2pnode`, which are those of the setters.
    /// Nothing keeps running then.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// use p2pnode::{Node, StartError};
    ///
    /// let directory = tempfile::tempdir()?;
    /// let node = Node::builder().data_dir(directory.path()).start().await?;
    /// // A directory has one node at a time.
    /// let second = Node::builder().data_dir(directory.path()).start().await;
    /// assert!(matches!(second, Err(StartError::DataDir(_))));
    /// node.shutdown().await;
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub async fn start(self) -> Result<Node, StartError> {
        let (settings, temporary) = self.settle()?;
        launch::start(settings, temporary).await
    }

    /// All settings, complete, and the directory that goes with the node.
    fn settle(self) -> Result<(Settings, Option<TempDir>), StartError> {
        let Self {
            mut args,
            temporary,
            wrong,
        } = self;
        if let Some(wrong) = wrong {
            return Err(StartError::Setting(wrong));
        }
        args.listen.get_or_insert(ANY_LOCAL);
        args.http.get_or_insert(HttpAddress::Off);
        let directory = temporary.then(tempfile::tempdir).transpose()?;
        match (&directory, &args.data_dir) {
            (Some(_), Some(_)) => {
                let both = "data_dir and temporary exclude each other; leave one out";
                return Err(StartError::Setting(both.to_owned()));
            }
            (Some(directory), None) => args.data_dir = Some(directory.path().to_owned()),
            (None, None) => return Err(StartError::NoDataDir),
            (None, Some(_)) => {}
        }
        Ok((args.settle()?, directory))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay::Quorums;

    #[test]
    fn settings_that_cannot_be_are_named() {
        let text = |builder: NodeBuilder| builder.settle().unwrap_err().to_string();
        assert!(text(Node::builder()).contains("data_dir"));
        let both = Node::builder().temporary().data_dir("x");
        assert!(text(both).contains("exclude"));
        let never = Node::builder()
            .temporary()
            .announce_interval(Duration::ZERO);
        assert!(text(never).contains("announce_interval"));
        let quorum = Node::builder().temporary().replicas(3).write_quorum(4);
        assert!(text(quorum).contains("write-quorum"));
        let open = Node::builder().temporary();
        let open = open.http(SocketAddr::from(([0, 0, 0, 0], 0)));
        assert!(text(open).contains("token"));
    }

    #[test]
    fn what_is_set_reaches_the_node() {
        let builder = Node::builder()
            .data_dir("here")
            .join("a:1")
            .join(SocketAddr::from(([127, 0, 0, 1], 2)))
            .replicas(5)
            .max_store(1 << 20)
            .tracker_udp(ANY_LOCAL)
            .announce_interval(Duration::from_secs(10));
        let (settings, temporary) = builder.settle().unwrap();
        assert!(temporary.is_none());
        let node = settings.node;
        assert_eq!((node.listen, node.http), (ANY_LOCAL, None));
        assert_eq!(node.join, ["a:1", "127.0.0.1:2"]);
        let quorums = Quorums {
            replicas: 5,
            write: 2,
            read: 2,
        };
        assert_eq!(node.quorums, quorums);
        assert_eq!(node.max_store, Some(1 << 20));
        assert_eq!(node.tracker.udp, Some(ANY_LOCAL));
        assert_eq!(node.tracker.config.interval_ms, 10_000);
    }
}
