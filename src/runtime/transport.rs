//! The UDP socket and the settings of QUIC.
//!
//! # Memory that peers can claim
//! A connection may make us hold at most [`RECEIVE_WINDOW_BYTES`] of unread data, our own queue
//! to it and [`SEND_WINDOW_BYTES`] of unacknowledged data; messages with a stream of their own
//! are collected [`LARGE_READS`](super::LARGE_READS) at a time. With [`MAX_CONNECTIONS`] hostile
//! connections that never let us read a complete frame: 4,096 × 512 KiB = 2 GiB, and 64 × 2 MiB =
//! 128 MiB of large messages. Whoever runs on less lowers [`MAX_CONNECTIONS`].
//!
//! # What an idle connection costs
//! Nothing is sent to keep a connection alive, and the path is not probed for larger datagrams:
//! 1,350 bytes pass nearly everywhere, and a probe costs as much as an idle node sends in 30 s.

use crate::tls::{self, Identity};
use quinn::{EndpointConfig, IdleTimeout, ServerConfig, TransportConfig, VarInt};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

/// Most connections, peers and clients together.
pub const MAX_CONNECTIONS: usize = 4_096;
/// Unread bytes that one connection may make us hold.
pub const RECEIVE_WINDOW_BYTES: u32 = 512 << 10;
/// Unread bytes of one stream: half of the connection's, so that one stalled stream does not
/// stop the others.
pub const STREAM_WINDOW_BYTES: u32 = 256 << 10;
/// Unacknowledged bytes to one peer: two of the largest values.
pub const SEND_WINDOW_BYTES: u64 = 2 << 20;
/// Streams that a peer may have open: the shared one, and large messages on their way.
pub const MAX_PEER_STREAMS: u32 = 64;
/// After this long without any packet QUIC forgets a connection; the links close idle ones
/// earlier and politely.
pub const QUIC_IDLE: Duration = Duration::from_secs(600);
/// Round-trip time assumed before it is measured: a lost first packet is sent again after three
/// times this.
const INITIAL_RTT: Duration = Duration::from_millis(100);
/// Payload of a datagram: fits an Ethernet frame inside one or two tunnels.
const DATAGRAM_BYTES: u16 = 1_350;
/// Buffers that are asked of the kernel, so that a burst is not lost while the node works on the
/// one before; the kernel may give less.
const SOCKET_BUFFER_BYTES: usize = 4 << 20;
/// Handshakes that may wait to be looked at; each holds a few packets.
const MAX_WAITING_HANDSHAKES: usize = 256;
/// Bytes of packets that came before their handshake was looked at.
const WAITING_BYTES: u64 = 64 << 10;

/// Binds the UDP socket.
///
/// # Errors
/// When the address is not of this machine, or another program has it.
pub(crate) fn bind(listen: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(listen),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if listen.is_ipv6() && listen.ip().is_unspecified() {
        // One socket for both families; where the system has only one, that one will do.
        let _ = socket.set_only_v6(false);
    }
    socket.bind(&listen.into())?;
    // Smaller buffers work too.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// The settings for connections between nodes, and from clients until they are known to be some.
pub(crate) fn transport_config() -> Arc<TransportConfig> {
    let mut config = TransportConfig::default();
    config
        .max_concurrent_uni_streams(MAX_PEER_STREAMS.into())
        .max_concurrent_bidi_streams(0u32.into())
        .receive_window(RECEIVE_WINDOW_BYTES.into())
        .stream_receive_window(STREAM_WINDOW_BYTES.into())
        .send_window(SEND_WINDOW_BYTES)
        .datagram_receive_buffer_size(None)
        .initial_rtt(INITIAL_RTT)
        .initial_mtu(DATAGRAM_BYTES)
        .mtu_discovery_config(None)
        .keep_alive_interval(None)
        .max_idle_timeout(IdleTimeout::try_from(QUIC_IDLE).ok());
    Arc::new(config)
}

/// The settings of the endpoint itself.
pub(crate) fn endpoint_config(identity: &Identity) -> EndpointConfig {
    let mut config = EndpointConfig::new(Arc::new(identity.reset_key()));
    // Ids that anybody could have made: only then are the packets of a connection that a restart
    // made us forget answered with a reset.
    config.cid_generator(|| Box::new(RandomIds));
    config
}

/// Bytes of the connection ids that we choose.
const CONNECTION_ID_BYTES: usize = 8;

/// Connection ids that say nothing at all.
struct RandomIds;

impl quinn::ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> quinn::ConnectionId {
        let mut bytes = [0; CONNECTION_ID_BYTES];
        // The same source gave the node's key; when it fails, ids repeat, and connections with
        // them fail without harm.
        let _ = getrandom::fill(&mut bytes);
        quinn::ConnectionId::new(&bytes)
    }

    fn cid_len(&self) -> usize {
        CONNECTION_ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// The settings for accepting connections under these protocols.
pub(crate) fn server_config(
    identity: &Identity,
    protocols: Vec<Vec<u8>>,
) -> Result<ServerConfig, rustls::Error> {
    let crypto = tls::server_config(identity, protocols)?;
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config
        .transport_config(transport_config())
        .max_incoming(MAX_WAITING_HANDSHAKES)
        .incoming_buffer_size(WAITING_BYTES)
        .incoming_buffer_size_total(WAITING_BYTES * 64)
        // An address is part of what a peer said of itself; a new one is a new connection.
        .migration(false);
    Ok(config)
}

/// The settings for dialling under this protocol.
pub(crate) fn client_config(
    identity: &Identity,
    protocol: Vec<u8>,
) -> Result<quinn::ClientConfig, rustls::Error> {
    let crypto = tls::client_config(identity, protocol)?;
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    config.transport_config(transport_config());
    Ok(config)
}

/// Why a connection was closed, as a number that travels. Appended only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum CloseCode {
    /// Nothing was said for long.
    Idle = 1,
    /// The node leaves the network.
    Leaving = 2,
    /// A newer connection took its place.
    Replaced = 3,
    /// The peer broke the rules lately.
    Refused = 4,
    /// The peer proved another id than expected.
    WrongId = 5,
    /// The bytes are no message of this protocol.
    Malformed = 6,
    /// A node dialled itself.
    Oneself = 7,
    /// The peer was silent for too long.
    Silent = 8,
    /// A client does not read its answers.
    SlowClient = 9,
    /// The peer belongs to a network with other quorums; the text says ours.
    OtherQuorums = 10,
    /// Faults found by the machine: this number and the fault's.
    Fault = 16,
}

impl From<CloseCode> for VarInt {
    fn from(code: CloseCode) -> Self {
        Self::from_u32(code as u32)
    }
}
