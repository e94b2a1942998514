//! A chain of bare quinn: a relay between a client and two servers, without any overlay.

use crate::support::{REQUEST_BYTES, connect, endpoint, runtime};
use quinn::{RecvStream, SendStream};
use std::net::SocketAddr;

/// Starts a relay on a thread of its own: it passes each request on to both of `servers` at once,
/// and answers when both have answered. So a read of two replicas travels, without any overlay.
pub(crate) fn relay(servers: [SocketAddr; 2]) -> SocketAddr {
    let (told, listen) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        runtime().block_on(async {
            let (_one, first) = connect(servers[0]).await;
            let (_two, second) = connect(servers[1]).await;
            let endpoint = endpoint();
            told.send(endpoint.local_addr().expect("bound"))
                .expect("told");
            while let Some(incoming) = endpoint.accept().await {
                let Ok(connection) = incoming.await else {
                    continue;
                };
                while let Ok((send, receive)) = connection.accept_bi().await {
                    let first = first.open_bi().await.expect("a stream");
                    let second = second.open_bi().await.expect("a stream");
                    tokio::spawn(pass_on((send, receive), first, second));
                }
            }
        });
    });
    listen.recv().expect("the relay listens")
}

type Stream = (SendStream, RecvStream);

/// Passes requests on until the client is done.
async fn pass_on(mut client: Stream, mut first: Stream, mut second: Stream) {
    let mut request = [0; REQUEST_BYTES];
    let (mut one, mut two) = ([0; REQUEST_BYTES], [0; REQUEST_BYTES]);
    while client.1.read_exact(&mut request).await.is_ok() {
        first.0.write_all(&request).await.expect("written");
        second.0.write_all(&request).await.expect("written");
        let (one, two) = tokio::join!(first.1.read_exact(&mut one), second.1.read_exact(&mut two));
        one.and(two).expect("answers");
        if client.0.write_all(&request).await.is_err() {
            return;
        }
    }
}
