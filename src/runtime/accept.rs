//! Letting connections in.

use super::door::{Admission, Pass};
use super::lanes::Lanes;
use super::transport::CloseCode;
use super::{Shared, connection};
use crate::control::CONTROL_ALPN;
use crate::control::server::{ClientContext, serve_client};
use crate::tls;
use overlay::Machine;
use quinn::Incoming;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a handshake that somebody else began may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

/// Admits connections until the endpoint closes.
#[allow(clippy::disallowed_methods)]
pub(crate) async fn accept<M: Machine + 'static>(
    shared: Arc<Shared<M>>,
    clients: Arc<ClientContext>,
) {
    while let Some(incoming) = shared.endpoint.accept().await {
        let ip = incoming.remote_address().ip();
        let validated = incoming.remote_address_validated();
        match shared.door.admit(ip, validated, Instant::now()) {
            Admission::Enter(pass) => {
                let (shared, clients) = (Arc::clone(&shared), Arc::clone(&clients));
                let served = handshake(Arc::clone(&shared), clients, incoming, pass);
                shared.spawn(served);
            }
            Admission::Retry => {
                count_refused(&shared, "retry");
                // It fails only for an address that was validated already.
                let _ = incoming.retry();
            }
            Admission::Refuse(reason) => {
                count_refused(&shared, reason);
                incoming.refuse();
            }
        }
    }
}

fn count_refused<M: Machine + 'static>(shared: &Shared<M>, reason: &'static str) {
    shared.metrics.refused.with_label_values(&[reason]).inc();
}

async fn handshake<M: Machine + 'static>(
    shared: Arc<Shared<M>>,
    clients: Arc<ClientContext>,
    incoming: Incoming,
    mut pass: Pass,
) {
    let Ok(connecting) = incoming.accept() else {
        return count_refused(&shared, "handshake_failed");
    };
    let connection = match tokio::time::timeout(HANDSHAKE_TIMEOUT, connecting).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) if tls::is_other_protocol(&error) => {
            return count_refused(&shared, "other_protocol");
        }
        Ok(Err(_)) => return count_refused(&shared, "handshake_failed"),
        Err(_) => return count_refused(&shared, "handshake_slow"),
    };
    pass.handshake_done();
    let Some(id) = tls::proven_id(&connection) else {
        return count_refused(&shared, "no_certificate");
    };
    shared
        .metrics
        .handshakes
        .with_label_values(&["accepted"])
        .inc();
    if tls::negotiated_alpn(&connection).is_some_and(|alpn| alpn == CONTROL_ALPN) {
        serve_client(clients, connection, id).await;
        drop(pass);
    } else if id == shared.me.id {
        connection.close(CloseCode::Oneself.into(), b"");
    } else {
        let lanes = Arc::new(Lanes::new());
        connection::run(shared, connection, id, lanes, pass).await;
    }
}
