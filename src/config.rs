//! What `p2pnode` is told: flags over environment over file.

pub mod gnutella_flags;
mod size;

use crate::logging::LogFormat;
use crate::runtime::NodeOptions;
use clap::Args;
use gnutella_flags::{ReplicationName, RoleName, SearchName};
use overlay::{QuorumError, Quorums};
use serde::Deserialize;
use size::{parse_rate, parse_size, rate_from_text, size_from_text};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where a node listens unless it is told otherwise.
pub const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 4000);
/// Where it serves HTTP unless it is told otherwise.
pub const DEFAULT_HTTP: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 4080);
/// Longest configuration file that is read.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// The overlays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OverlayName {
    /// Replicated records on a ring with fingers.
    #[default]
    Chord,
    /// Replicated records by prefix routing.
    Pastry,
    /// Best-effort search by flooding and walks.
    Gnutella,
}

/// Where HTTP is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum HttpAddress {
    /// Nowhere.
    Off,
    /// On this address.
    On(SocketAddr),
}

impl FromStr for HttpAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse()
            .map(Self::On)
            .map_err(|_| format!("{text:?} is neither IP:PORT nor off"))
    }
}

impl TryFrom<String> for HttpAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

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

    /// The TCP address of health, metrics and status, or off [default: 127.0.0.1:4080]
    #[arg(long, env = "P2PNODE_HTTP", value_name = "IP:PORT|off")]
    pub http: Option<HttpAddress>,

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
                max_store: self.max_store.or(file.max_store),
                repair_rate: self.repair_rate.or(file.repair_rate),
                quorums: quorums.check()?,
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
mod tests {
    use super::*;

    fn with_file(text: &str, mut args: NodeArgs) -> Result<Settings, ConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        args.config = Some(file.path().to_owned());
        args.settle()
    }

    #[test]
    fn flags_go_over_the_file_and_the_file_over_defaults() {
        let args = NodeArgs {
            listen: Some("127.0.0.1:1".parse().unwrap()),
            ..Default::default()
        };
        let text =
            "listen = '127.0.0.1:2'\nhttp = 'off'\njoin = ['a:1', 'b:2']\nlog-format = 'json'";
        let settings = with_file(text, args).unwrap();
        assert_eq!(settings.node.listen.port(), 1);
        assert_eq!(settings.node.http, None);
        assert_eq!(settings.node.join, ["a:1", "b:2"]);
        assert_eq!(settings.log_format, LogFormat::Json);
        assert_eq!(settings.log, "info");
    }

    #[test]
    fn quorums_are_checked_and_follow_the_number_of_replicas() {
        let settings = with_file("replicas = 1", NodeArgs::default()).unwrap();
        let Quorums { write, read, .. } = settings.node.quorums;
        assert_eq!((write, read), (1, 1));
        let args = NodeArgs {
            write_quorum: Some(4),
            ..Default::default()
        };
        let text = with_file("replicas = 3", args).unwrap_err().to_string();
        assert!(text.contains("--write-quorum"), "{text}");
    }

    #[test]
    fn an_unknown_key_is_named_with_the_known_ones() {
        let error = with_file("overlay = 'chord'\nlisten-on = 1", NodeArgs::default()).unwrap_err();
        let text = error.to_string();
        for part in ["line 2", "listen-on", "`listen`", "`data-dir`"] {
            assert!(text.contains(part), "{part} is missing: {text}");
        }
        assert_eq!(text.lines().count(), 1, "{text}");
    }

    #[test]
    fn sizes_come_from_the_file_too() {
        let settings = with_file("max-store = '2MiB'", NodeArgs::default()).unwrap();
        assert_eq!(settings.node.max_store, Some(2 << 20));
        let settings = with_file("repair-rate = '1MiB'", NodeArgs::default()).unwrap();
        assert_eq!(settings.node.repair_rate, Some(1 << 20));
        assert!(parse_rate("63KiB").unwrap_err().contains("64KiB"));
    }

    #[test]
    fn a_wrong_value_is_named() {
        let text = with_file("http = 'yes'", NodeArgs::default())
            .unwrap_err()
            .to_string();
        assert!(text.contains("line 1") && text.contains("yes"), "{text}");
    }
}
