//! The bare quinn echo, shared by the benchmarks that measure it or compare with it.

#![allow(clippy::disallowed_methods, reason = "a benchmark is a driver")]

use p2pnode::tls::{self, Identity};
use quinn::{Connection, Endpoint, RecvStream, SendStream};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Bytes of a request and of its answer.
pub(crate) const REQUEST_BYTES: usize = 64;
const ALPN: &[u8] = b"echo";

/// A runtime as a node has it.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// A QUIC server with an identity of its own.
pub(crate) fn endpoint() -> Endpoint {
    let identity = Identity::ephemeral().expect("a key");
    let crypto = tls::server_config(&identity, vec![ALPN.to_vec()]).expect("TLS");
    let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    Endpoint::server(config, ([127, 0, 0, 1], 0).into()).expect("a socket")
}

/// Starts the echo server on a thread of its own, which lasts as long as the process.
pub(crate) fn serve() -> SocketAddr {
    let (told, listen) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        runtime().block_on(async {
            let endpoint = endpoint();
            told.send(endpoint.local_addr().expect("bound"))
                .expect("told");
            while let Some(incoming) = endpoint.accept().await {
                let Ok(connection) = incoming.await else {
                    continue;
                };
                tokio::spawn(async move {
                    while let Ok((send, receive)) = connection.accept_bi().await {
                        tokio::spawn(echo(send, receive));
                    }
                });
            }
        });
    });
    listen.recv().expect("the server listens")
}

/// Sends back whatever comes, everything that is ready at once.
async fn echo(mut send: SendStream, mut receive: RecvStream) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(Some(read)) = receive.read(&mut bytes).await {
        if send.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
    let _ = send.finish();
}

/// A connection with the echo server.
pub(crate) async fn connect(server: SocketAddr) -> (Endpoint, Connection) {
    let identity = Identity::ephemeral().expect("a key");
    let crypto = tls::client_config(&identity, ALPN.to_vec()).expect("TLS");
    let endpoint = Endpoint::client(([127, 0, 0, 1], 0).into()).expect("a socket");
    let config = quinn::ClientConfig::new(Arc::new(crypto));
    let connecting = endpoint
        .connect_with(config, server, tls::SERVER_NAME)
        .expect("an address");
    let connection = connecting.await.expect("a connection");
    (endpoint, connection)
}
