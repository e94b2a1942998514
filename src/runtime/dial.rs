//! Dialling a peer.

use super::lanes::Lanes;
use super::peer::Inbound;
use super::transport::CloseCode;
use super::{Shared, connection};
use crate::tls;
use overlay::{Contact, Id, Machine};
use quinn::{ConnectError, Connection, ConnectionError};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long a handshake that we began may take: a round trip around the world, with one packet
/// lost and sent again. A machine's own time-out for an unknown peer is as long.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(1);

/// How much is repeated of what a peer says.
const MAX_SAID_CHARS: usize = 80;

/// Why a peer could not be dialled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The address cannot be dialled at all.
    #[error("the address cannot be dialled ({0})")]
    Address(#[from] ConnectError),
    /// Nothing came back in time.
    #[error("nobody answers")]
    Silence,
    /// It speaks another application protocol.
    #[error("it runs another overlay")]
    OtherOverlay,
    /// The connection failed.
    #[error("the connection failed ({0})")]
    Failed(ConnectionError),
    /// It proved another id than expected.
    #[error("it proved the id {0}, another one than expected")]
    WrongId(Id),
    /// It is this node.
    #[error("it is this node itself")]
    Oneself,
    /// Its network has other quorums.
    #[error("its network runs with {0}")]
    OtherQuorums(String),
}

/// Connects to an address; says which id was proven there.
pub(crate) async fn connect<M: Machine + 'static>(
    shared: &Shared<M>,
    addr: SocketAddr,
) -> Result<(Connection, Id), DialError> {
    let connecting = shared
        .endpoint
        .connect_with(shared.client.clone(), addr, tls::SERVER_NAME)?;
    let connection = match tokio::time::timeout(DIAL_TIMEOUT, connecting).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) if tls::is_other_protocol(&error) => return Err(DialError::OtherOverlay),
        Ok(Err(error)) => return Err(DialError::Failed(error)),
        Err(_) => return Err(DialError::Silence),
    };
    // A connection without a certificate does not come about.
    let id = tls::proven_id(&connection).unwrap_or_default();
    if id == shared.me.id {
        connection.close(CloseCode::Oneself.into(), b"");
        return Err(DialError::Oneself);
    }
    shared
        .metrics
        .handshakes
        .with_label_values(&["dialled"])
        .inc();
    Ok((connection, id))
}

/// Connects to a peer of which only the address is known; says who it is.
pub(crate) async fn introduce<M: Machine + 'static>(
    shared: &Arc<Shared<M>>,
    addr: SocketAddr,
) -> Result<Contact, DialError> {
    let (connection, id) = connect(shared, addr).await?;
    let lanes = Arc::new(Lanes::new());
    let number = shared.next_connection();
    let handle = Arc::new(super::peer::Handle::new(number, id, connection, lanes));
    shared.spawn(connection::serve(
        Arc::clone(shared),
        Arc::clone(&handle),
        shared.door.dialled(),
    ));
    let introduced = async {
        tokio::select! {
            biased;
            contact = handle.contact.wait() => Ok(*contact),
            theirs = handle.other_quorums.wait() => {
                Err(DialError::OtherQuorums(theirs.to_string()))
            }
            end = handle.connection.closed() => Err(why_refused(end)),
        }
    };
    match tokio::time::timeout(DIAL_TIMEOUT, introduced).await {
        Ok(result) => result,
        Err(_) => Err(DialError::Silence),
    }
}

/// Why a peer ended a connection before it said who it is.
fn why_refused(end: ConnectionError) -> DialError {
    match end {
        ConnectionError::ApplicationClosed(close)
            if close.error_code == CloseCode::OtherQuorums.into() =>
        {
            let said = String::from_utf8_lossy(&close.reason);
            DialError::OtherQuorums(said.chars().take(MAX_SAID_CHARS).collect())
        }
        other => DialError::Failed(other),
    }
}

/// Connects to a peer and serves the connection until it ends.
pub(crate) async fn dial<M: Machine + 'static>(
    shared: Arc<Shared<M>>,
    to: Contact,
    lanes: Arc<Lanes>,
) {
    let pass = shared.door.dialled();
    let error = match connect(&shared, to.addr).await {
        Ok((connection, id)) if id == to.id => {
            return connection::run(shared, connection, id, lanes, pass).await;
        }
        Ok((connection, id)) => {
            connection.close(CloseCode::WrongId.into(), b"");
            DialError::WrongId(id)
        }
        Err(error) => error,
    };
    let wrong_id = matches!(error, DialError::WrongId(_));
    if wrong_id {
        shared.metrics.drop_one("wrong_id");
        tracing::warn!(peer = %to, %error, "a peer is not who it was said to be");
    } else {
        shared.metrics.drop_one("dial_failed");
        tracing::debug!(peer = %to, %error, "could not dial");
    }
    // The machine ends before its dials do, and then nobody needs to know.
    let _ = shared
        .inbox
        .send(Inbound::DialFailed {
            to,
            lanes,
            wrong_id,
        })
        .await;
}
