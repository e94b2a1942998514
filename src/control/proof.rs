//! As whom a client connects: as nobody in particular, or as the owner of a node's key.

use super::{CONTROL_ALPN, local};
use crate::tls::{self, Identity, IdentityError};
use quinn::{ClientConfig, IdleTimeout, TransportConfig, VarInt};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A node that is silent for this long is taken for dead: five keep-alives unanswered.
const IDLE_TIMEOUT: VarInt = VarInt::from_u32(5_000);
/// How often a waiting client makes sure that the node lives.
const KEEP_ALIVE: Duration = Duration::from_secs(1);

/// Why a client cannot prove what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The key cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// No node at these addresses has its key on this machine.
    #[error(
        "this needs the key of the node at {0}, and no such node of yours runs on this machine; give its key file with --key FILE"
    )]
    NoKey(String),
    /// The TLS library refused.
    #[error("the TLS library refused the key: {0}")]
    Library(String),
}

/// A client with a key of the moment: enough for everything but administration.
///
/// # Errors
/// When the system gives no random bytes.
pub fn anonymous() -> Result<ClientConfig, ProofError> {
    config_of(&Identity::ephemeral()?)
}

/// A client that proves the key in `key`, or else the key of the node at one of `addrs`, if that
/// node runs on this machine.
///
/// # Errors
/// When there is no such key, or it cannot be used.
pub fn administrator(key: Option<&Path>, addrs: &[SocketAddr]) -> Result<ClientConfig, ProofError> {
    let found = match key {
        Some(path) => Some(path.to_owned()),
        None => addrs.iter().copied().find_map(local::find_key),
    };
    let path = found.ok_or_else(|| {
        ProofError::NoKey(
            addrs
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
        )
    })?;
    config_of(&Identity::load(&path)?)
}

fn config_of(identity: &Identity) -> Result<ClientConfig, ProofError> {
    let crypto = tls::client_config(identity, CONTROL_ALPN.to_vec())
        .map_err(|error| ProofError::Library(error.to_string()))?;
    let mut transport = TransportConfig::default();
    transport
        .max_idle_timeout(Some(IdleTimeout::from(IDLE_TIMEOUT)))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None);
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport));
    Ok(config)
}
