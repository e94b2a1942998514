//! Who a node is, and how two nodes prove it to each other.
//!
//! Every connection is QUIC with mutual TLS 1.3. Both sides show a self-made certificate over an
//! Ed25519 key; the id of a node is the SHA-1 of that key in its DER form (SubjectPublicKeyInfo).
//! Nothing else in a certificate is looked at: an open network admits any key, and the handshake
//! proves possession. Whoever dialled compares the proven id with the one it expected.
//!
//! Sessions are not resumed and nothing is sent before the handshake ends (0-RTT), so that every
//! connection proves the key anew and no message can be replayed from another connection.

mod identity;
mod verify;

pub use identity::{Identity, IdentityError};

use overlay::Id;
use quinn::crypto::rustls::{HandshakeData, QuicClientConfig, QuicServerConfig};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use std::sync::Arc;

/// The name that clients ask for: certificates are known by their key, not by a name.
pub const SERVER_NAME: &str = "p2pnode";

/// The TLS alert by which a server says that it speaks none of the offered protocols (RFC 7301).
pub const ALERT_NO_APPLICATION_PROTOCOL: u8 = 120;

/// The application protocol of the peers of one overlay.
#[must_use]
pub fn peer_alpn(overlay: &str) -> Vec<u8> {
    format!("p2p/{overlay}/1").into_bytes()
}

/// The algorithms: X25519, and AES-128 first, which the processor does in hardware.
fn provider() -> Arc<CryptoProvider> {
    let mut provider = ring::default_provider();
    provider
        .kx_groups
        .retain(|group| group.name() == rustls::NamedGroup::X25519);
    provider
        .cipher_suites
        .sort_by_key(|suite| suite.suite() != rustls::CipherSuite::TLS13_AES_128_GCM_SHA256);
    Arc::new(provider)
}

/// The TLS side of a node that accepts connections under any of these protocols.
///
/// # Errors
/// When the TLS library refuses the key.
pub fn server_config(
    identity: &Identity,
    protocols: Vec<Vec<u8>>,
) -> Result<QuicServerConfig, rustls::Error> {
    let provider = provider();
    let verifier = Arc::new(verify::AnyKey::new(&provider));
    let (chain, key) = identity.chain_and_key();
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = protocols;
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    QuicServerConfig::try_from(config).map_err(|error| rustls::Error::General(error.to_string()))
}

/// The TLS side of whoever dials, under one protocol.
///
/// # Errors
/// When the TLS library refuses the key.
pub fn client_config(
    identity: &Identity,
    protocol: Vec<u8>,
) -> Result<QuicClientConfig, rustls::Error> {
    let provider = provider();
    let verifier = Arc::new(verify::AnyKey::new(&provider));
    let (chain, key) = identity.chain_and_key();
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(chain, key)?;
    config.alpn_protocols = vec![protocol];
    config.resumption = rustls::client::Resumption::disabled();
    QuicClientConfig::try_from(config).map_err(|error| rustls::Error::General(error.to_string()))
}

/// The id that the other side of a connection proved; none only before the handshake ends.
#[must_use]
pub fn proven_id(connection: &quinn::Connection) -> Option<Id> {
    let identity = connection.peer_identity()?;
    let chain = identity.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    verify::id_of_certificate(chain.first()?)
}

/// The application protocol that both sides agreed on.
#[must_use]
pub fn negotiated_alpn(connection: &quinn::Connection) -> Option<Vec<u8>> {
    connection
        .handshake_data()?
        .downcast::<HandshakeData>()
        .ok()?
        .protocol
}

/// Whether a connection failed because the other side speaks another application protocol, that
/// is, runs another overlay.
#[must_use]
pub fn is_other_protocol(error: &quinn::ConnectionError) -> bool {
    let code = quinn::TransportErrorCode::crypto(ALERT_NO_APPLICATION_PROTOCOL);
    match error {
        quinn::ConnectionError::ConnectionClosed(close) => close.error_code == code,
        quinn::ConnectionError::TransportError(error) => error.code == code,
        _ => false,
    }
}
