//! The client's side: finding a node by name, proving a key, opening sessions.

use super::session::{Session, why_lost};
use super::{ControlBody, ReplyBody};
use crate::runtime::socket;
use crate::tls::SERVER_NAME;
use quinn::{ClientConfig, ConnectionError, Endpoint, EndpointConfig};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::Instant;

/// A handshake that takes longer than this is helped by asking whether anybody listens at all;
/// ten times what one takes on one machine.
const PROBE_AFTER: Duration = Duration::from_millis(50);
/// How often that is asked: a node that is just ending still has its socket.
const PROBE_EVERY: Duration = Duration::from_millis(250);

/// A node as a person writes it: `HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeName {
    /// A name or an address, without brackets.
    pub host: String,
    /// The UDP port.
    pub port: u16,
}

/// The text is no `HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not HOST:PORT; give one such as 127.0.0.1:4000, [::1]:4000 or node.example:4000")]
pub struct ParseNodeNameError(String);

impl FromStr for NodeName {
    type Err = ParseNodeNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseNodeNameError(text.chars().take(128).collect());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let host = match bare {
            Some(inner) if inner.parse::<Ipv6Addr>().is_ok() => inner,
            Some(_) => return Err(wrong()),
            None if host.contains(':') => return Err(wrong()),
            None => host,
        };
        let clean = |byte: u8| byte.is_ascii_graphic() && !b"/@?#".contains(&byte);
        if host.is_empty() || port == 0 || !host.bytes().all(clean) {
            return Err(wrong());
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl From<SocketAddr> for NodeName {
    fn from(addr: SocketAddr) -> Self {
        Self {
            host: addr.ip().to_string(),
            port: addr.port(),
        }
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl NodeName {
    /// All addresses behind the name.
    ///
    /// # Errors
    /// When the name does not resolve.
    pub async fn resolve(&self) -> Result<Vec<SocketAddr>, ClientError> {
        if let Ok(ip) = self.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, self.port)]);
        }
        let wrong = |why: String| ClientError::Unresolved {
            node: self.clone(),
            why,
        };
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let mut addrs: Vec<_> = found.map_err(|error| wrong(error.to_string()))?.collect();
        // Nodes listen on IPv4 unless told otherwise.
        addrs.sort_by_key(SocketAddr::is_ipv6);
        if addrs.is_empty() {
            Err(wrong("it has no address".to_owned()))
        } else {
            Ok(addrs)
        }
    }
}

/// Why a node gave no answer. Each says what to try next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The name has no address.
    #[error("the name {:?} does not resolve ({why}); check the spelling, or give the address as IP:PORT", node.host)]
    Unresolved {
        /// The name.
        node: NodeName,
        /// What the system says.
        why: String,
    },
    /// The host says that nobody has the port open.
    #[error(
        "nobody listens at {addr}; start a node there with `p2pnode --listen {addr}`, or name another with --node"
    )]
    NobodyListens {
        /// Where.
        addr: SocketAddr,
    },
    /// No handshake in time.
    #[error("no answer from {addr} within {}; check that a node runs there and that UDP passes, or name another with --node", shown(*.after))]
    NoHandshake {
        /// Where.
        addr: SocketAddr,
        /// How long it was tried.
        after: Duration,
    },
    /// No connection in time.
    #[error("no connection with {node} within {}; check that a node runs there and that UDP passes, or ask another", shown(*.after))]
    NoConnection {
        /// Which node.
        node: NodeName,
        /// How long it was tried.
        after: Duration,
    },
    /// The handshake failed.
    #[error("{addr} refused the connection: {why}")]
    Refused {
        /// Where.
        addr: SocketAddr,
        /// What it says.
        why: String,
    },
    /// The connection broke.
    #[error(
        "the connection to {addr} was lost: {why}; try again, or name another node with --node"
    )]
    Lost {
        /// Where.
        addr: SocketAddr,
        /// Why, as far as known.
        why: String,
    },
    /// The question went out, and no answer came in time.
    #[error("{addr} did not answer within {}; try again with a longer --timeout, or through another node with --node", shown(*.after))]
    NoAnswer {
        /// Where.
        addr: SocketAddr,
        /// How long it was waited for.
        after: Duration,
    },
    /// The node does not keep to the protocol.
    #[error(
        "{addr} answers what this version of p2pctl does not understand ({what}); use the p2pctl of the node's version"
    )]
    Nonsense {
        /// Where.
        addr: SocketAddr,
        /// What it sent.
        what: String,
    },
    /// The key that is to be proved cannot be used.
    #[error("{0}")]
    Key(String),
    /// No socket.
    #[error("cannot open a UDP socket: {0}")]
    Socket(String),
}

/// A span of time without the digits that nobody reads.
fn shown(span: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_millis(
        u64::try_from(span.as_millis()).unwrap_or(u64::MAX),
    ))
}

impl ClientError {
    pub(super) fn lost(addr: SocketAddr, error: &ConnectionError) -> Self {
        Self::Lost {
            addr,
            why: why_lost(error),
        }
    }
}

/// Opens sessions with nodes, all over one socket for each address family.
#[derive(Debug)]
pub struct Connector {
    config: ClientConfig,
    v4: Option<Endpoint>,
    v6: Option<Endpoint>,
}

impl Connector {
    /// A connector that proves itself as `config` says; [`anonymous`](super::proof::anonymous)
    /// makes one with a key of the moment.
    #[must_use]
    pub const fn new(config: ClientConfig) -> Self {
        Self {
            config,
            v4: None,
            v6: None,
        }
    }

    /// Opens a session with a node, at the first of its addresses that answers.
    ///
    /// # Errors
    /// When the name does not resolve, or no address answers within `limit`.
    pub async fn connect(
        &mut self,
        node: &NodeName,
        limit: Duration,
    ) -> Result<Session, ClientError> {
        let end = Instant::now() + limit;
        let resolved = tokio::time::timeout(limit, node.resolve()).await;
        let addrs = resolved.map_err(|_| ClientError::Unresolved {
            node: node.clone(),
            why: "the name server is silent".to_owned(),
        })??;
        let mut left = u32::try_from(addrs.len()).unwrap_or(u32::MAX);
        let mut first_error = None;
        for addr in addrs {
            let share = end.saturating_duration_since(Instant::now()) / left.max(1);
            left = left.saturating_sub(1);
            match self.connect_to(addr, share).await {
                Ok(session) => return Ok(session),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_error.unwrap_or_else(|| ClientError::Unresolved {
            node: node.clone(),
            why: "it has no address".to_owned(),
        }))
    }

    /// Opens a session with the node at an address.
    ///
    /// # Errors
    /// When it does not answer within `limit`.
    pub async fn connect_to(
        &mut self,
        addr: SocketAddr,
        limit: Duration,
    ) -> Result<Session, ClientError> {
        self.dial(addr, limit).await
    }

    /// The same, as a future of its own, so that many nodes can be dialled at a time.
    pub fn dial(
        &mut self,
        addr: SocketAddr,
        limit: Duration,
    ) -> impl Future<Output = Result<Session, ClientError>> + Send + use<> {
        let config = self.config.clone();
        let began = Instant::now();
        let dialled = self.endpoint(addr).and_then(|endpoint| {
            endpoint
                .connect_with(config, addr, SERVER_NAME)
                .map_err(|error| ClientError::Refused {
                    addr,
                    why: error.to_string(),
                })
        });
        async move {
            let connecting = dialled?;
            tokio::select! {
                biased;
                connected = tokio::time::timeout(limit, connecting) => match connected {
                    Ok(Ok(connection)) => Session::open(connection).await,
                    Ok(Err(ConnectionError::TimedOut)) | Err(_) => {
                        Err(ClientError::NoHandshake { addr, after: began.elapsed() })
                    }
                    Ok(Err(error)) => Err(ClientError::Refused { addr, why: why_lost(&error) }),
                },
                () = port_is_closed(addr) => Err(ClientError::NobodyListens { addr }),
            }
        }
    }

    fn endpoint(&mut self, addr: SocketAddr) -> Result<&Endpoint, ClientError> {
        let (slot, any): (_, IpAddr) = if addr.is_ipv4() {
            (&mut self.v4, Ipv4Addr::UNSPECIFIED.into())
        } else {
            (&mut self.v6, Ipv6Addr::UNSPECIFIED.into())
        };
        if slot.is_none() {
            let made = std::net::UdpSocket::bind(SocketAddr::new(any, 0))
                .and_then(|udp| socket::endpoint(EndpointConfig::default(), None, udp));
            *slot = Some(made.map_err(|error| ClientError::Socket(error.to_string()))?);
        }
        slot.as_ref()
            .ok_or_else(|| ClientError::Socket("none".to_owned()))
    }
}

/// Ends when the host says that the port is closed, else never. QUIC itself passes over what the
/// host says, so that nobody can break a connection by forging it; here it only saves waiting.
async fn port_is_closed(addr: SocketAddr) {
    tokio::time::sleep(PROBE_AFTER).await;
    if let Ok(socket) = connected_socket(addr).await {
        loop {
            let asked = async {
                socket.send(&[]).await?;
                socket.recv(&mut [0; 1]).await
            };
            match tokio::time::timeout(PROBE_EVERY, asked).await {
                Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => return,
                Ok(_) => tokio::time::sleep(PROBE_EVERY).await,
                Err(_) => {}
            }
        }
    }
    std::future::pending().await
}

async fn connected_socket(addr: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = if addr.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    socket.connect(addr).await?;
    Ok(socket)
}

/// Asks one question of a node over a session of its own.
///
/// # Errors
/// When there is no answer within `limit`.
pub async fn ask(
    connector: &mut Connector,
    addr: SocketAddr,
    body: ControlBody,
    limit: Duration,
) -> Result<ReplyBody, ClientError> {
    let mut session = connector.connect_to(addr, limit).await?;
    let answer = tokio::time::timeout(limit, session.call(body)).await;
    session.close().await;
    answer.unwrap_or(Err(ClientError::NoAnswer { addr, after: limit }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_names_are_parsed_once_and_written_back() {
        for text in [
            "127.0.0.1:4000",
            "[::1]:4000",
            "node.example:1",
            "localhost:65535",
        ] {
            assert_eq!(
                text.parse::<NodeName>()
                    .map(|node| node.to_string())
                    .as_deref(),
                Ok(text)
            );
        }
    }

    #[test]
    fn what_is_no_node_name_is_refused() {
        for text in [
            "",
            "x",
            ":1",
            "x:",
            "x:0",
            "x:65536",
            "::1:4000",
            "[x]:1",
            "a b:1",
            "http://x:1",
        ] {
            assert!(text.parse::<NodeName>().is_err(), "{text:?} was taken");
        }
    }
}
