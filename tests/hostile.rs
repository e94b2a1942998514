//! What strangers may send: each attack is counted and dropped, and the node lives on.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of the tests may fail as they may"
)]
#![allow(clippy::disallowed_methods, reason = "tests are drivers")]

use bytes::Bytes;
use chord::{Chord, ChordConfig, ChordMessage};
use dht::{Dht, DhtConfig, DhtMessage, MemoryStore};
use overlay::lookup::{LookupConfig, LookupMessage, RoutingMessage};
use overlay::{Condition, Consistency, Contact, Id, Reply, Request, wire};
use p2pnode::runtime::{
    Hello, Node, NodeHandle, NodeOptions, PROTOCOL_VERSION, STREAM_FRAMES, STREAM_LARGE,
};
use p2pnode::tls::{self, Identity};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, Endpoint};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// How long anything here may take on a busy machine.
const SOON: Duration = Duration::from_secs(20);

fn chord_node(me: Contact) -> Dht<Chord, MemoryStore> {
    let router = Chord::new(me, ChordConfig::default());
    Dht::new(
        router,
        MemoryStore::new(),
        DhtConfig::default(),
        LookupConfig::default(),
    )
}

fn start() -> (TempDir, NodeHandle) {
    let temp = tempfile::tempdir().unwrap();
    let options = NodeOptions::local(temp.path().join("data"));
    let node = Node::start(&options, |site| Ok(chord_node(site.me))).unwrap();
    (temp, node)
}

/// A stranger with a key of his own.
struct Stranger {
    endpoint: Endpoint,
}

impl Stranger {
    fn new(alpn: Vec<u8>) -> Self {
        let identity = Identity::ephemeral().unwrap();
        let crypto: QuicClientConfig = tls::client_config(&identity, alpn).unwrap();
        let mut endpoint = Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        endpoint.set_default_client_config(ClientConfig::new(Arc::new(crypto)));
        Self { endpoint }
    }

    fn peer() -> Self {
        Self::new(tls::peer_alpn("chord"))
    }

    async fn connect(&self, node: &NodeHandle) -> Connection {
        self.endpoint
            .connect(node.listen(), tls::SERVER_NAME)
            .unwrap()
            .await
            .unwrap()
    }
}

fn frame(message: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(message.len()).unwrap().to_le_bytes().to_vec();
    bytes.extend_from_slice(message);
    bytes
}

fn hello() -> Vec<u8> {
    let hello = Hello {
        version: PROTOCOL_VERSION,
        overlay: "chord".to_owned(),
        advertise: SocketAddr::from(([127, 0, 0, 1], 9)),
        quorums: overlay::Quorums::default(),
    };
    frame(&wire::encode(&hello))
}

fn introduced(rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![STREAM_FRAMES];
    bytes.extend(hello());
    bytes.extend_from_slice(rest);
    bytes
}

async fn lives(node: &NodeHandle) {
    let (key, value) = (Id::of(b"alive"), Bytes::from_static(b"yes"));
    let put = Request::Put {
        key,
        value: value.clone(),
        ttl_s: None,
        consistency: Consistency::One,
        condition: Condition::Always,
        text: String::new(),
        indexed: None,
    };
    let reply = node.call(put).await;
    assert!(
        matches!(reply, Reply::Put(_)),
        "a put was not answered: {reply:?}"
    );
    match node
        .call(Request::Get {
            key,
            consistency: Consistency::One,
            at_least: None,
        })
        .await
    {
        Reply::Got(report) => assert_eq!(report.value, Some(value)),
        other => panic!("a get was not answered: {other:?}"),
    }
}

fn dropped(node: &NodeHandle, cause: &str) -> u64 {
    node.metrics().dropped.with_label_values(&[cause]).get()
}

/// Sends `bytes` on a stream of a new connection, and checks that the connection is closed and
/// the attack counted under `cause`.
async fn attack(node: &NodeHandle, cause: &str, streams: &[&[u8]]) {
    let before = dropped(node, cause);
    let stranger = Stranger::peer();
    let connection = stranger.connect(node).await;
    for bytes in streams {
        let mut stream = connection.open_uni().await.unwrap();
        // The node may close before everything is sent.
        let _ = stream.write_all(bytes).await;
        let _ = stream.finish();
    }
    let closed = tokio::time::timeout(SOON, connection.closed()).await;
    let reason = closed.unwrap_or_else(|_| panic!("{cause}: the connection was not closed"));
    let by_node = matches!(reason, quinn::ConnectionError::ApplicationClosed(_));
    assert!(by_node, "{cause}: closed for another reason: {reason}");
    assert_eq!(
        dropped(node, cause),
        before + 1,
        "{cause} was not counted once"
    );
    lives(node).await;
}

#[tokio::test]
async fn what_is_no_message_is_counted_and_the_connection_closed() {
    let (_temp, node) = start();
    let long = u32::try_from(wire::MAX_FRAME_BYTES + 1)
        .unwrap()
        .to_le_bytes();
    attack(&node, "too_long", &[&introduced(&long)]).await;
    attack(&node, "too_long", &[&introduced(&[0xff; 4])]).await;
    attack(&node, "truncated", &[&introduced(&[10, 0, 0, 0, 1, 2, 3])]).await;
    attack(&node, "truncated", &[&[]]).await;
    attack(&node, "malformed", &[&introduced(&frame(&[0xee; 100]))]).await;
    let mut trailing = wire::encode(&taken());
    trailing.push(0);
    attack(&node, "malformed", &[&introduced(&frame(&trailing))]).await;
    attack(&node, "malformed", &[&introduced(&frame(&[]))]).await;
    attack(
        &node,
        "hello",
        &[&[&[STREAM_FRAMES][..], &frame(b"who am I")].concat()],
    )
    .await;
    attack(&node, "stream", &[&[7, 7, 7]]).await;
    attack(&node, "stream", &[&introduced(&[]), &introduced(&[])]).await;
    let mut large = vec![STREAM_LARGE];
    large.resize(wire::MAX_MESSAGE_BYTES + 10, 0);
    attack(&node, "too_long", &[&introduced(&[]), &large]).await;
    attack(
        &node,
        "malformed",
        &[&introduced(&[]), &[STREAM_LARGE, 0xee, 0xee]],
    )
    .await;
}

#[tokio::test]
async fn a_first_frame_that_lies_is_refused() {
    let (_temp, node) = start();
    let honest = Hello {
        version: PROTOCOL_VERSION,
        overlay: "chord".to_owned(),
        advertise: SocketAddr::from(([127, 0, 0, 1], 9)),
        quorums: overlay::Quorums::default(),
    };
    for lie in [
        Hello {
            version: PROTOCOL_VERSION + 1,
            ..honest.clone()
        },
        Hello {
            overlay: "pastry".to_owned(),
            ..honest.clone()
        },
        Hello {
            advertise: SocketAddr::from(([0, 0, 0, 0], 9)),
            ..honest.clone()
        },
        Hello {
            advertise: SocketAddr::from(([127, 0, 0, 1], 0)),
            ..honest
        },
    ] {
        let bytes = [&[STREAM_FRAMES][..], &frame(&wire::encode(&lie))].concat();
        attack(&node, "hello", &[&bytes]).await;
    }
}

type Message = DhtMessage<ChordMessage>;

/// A message that belongs to nothing: the lookup that it acknowledges was never asked.
fn taken() -> Message {
    DhtMessage::Routing(RoutingMessage::Lookup(LookupMessage::Taken { hop: 7 }))
}

#[tokio::test]
async fn a_replayed_message_changes_nothing() {
    let (_temp, node) = start();
    let stranger = Stranger::peer();
    let connection = stranger.connect(&node).await;
    let mut stream = connection.open_uni().await.unwrap();
    let once = frame(&wire::encode(&taken()));
    stream
        .write_all(&introduced(&once.repeat(1_000)))
        .await
        .unwrap();
    let received = async {
        // A report hands over what was counted.
        while node.report().await.is_some() && node.metrics().messages_in() < 1_000 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, received)
        .await
        .expect("the messages were not taken");
    lives(&node).await;
    let report = node.report().await.unwrap();
    assert_eq!(
        report.status.peers, 0,
        "a replayed message made the stranger a peer"
    );
}

#[tokio::test]
async fn a_flood_of_connections_leaves_room_for_others() {
    let (_temp, node) = start();
    let stranger = Stranger::peer();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..1_500 {
        let connecting = stranger
            .endpoint
            .connect(node.listen(), tls::SERVER_NAME)
            .unwrap();
        tasks.spawn(async move { tokio::time::timeout(SOON, connecting).await });
    }
    // While the flood lasts, who is connected already is served.
    lives(&node).await;
    let mut refused = 0;
    let mut admitted = Vec::new();
    while let Some(result) = tasks.join_next().await {
        match result.unwrap() {
            Ok(Ok(connection)) => admitted.push(connection),
            _ => refused += 1,
        }
    }
    assert!(refused > 0, "all of 1,500 handshakes were admitted at once");
    lives(&node).await;
    // The rate recovers, and somebody else gets in.
    let late = Stranger::new(p2pnode::control::CONTROL_ALPN.to_vec());
    let enter = async {
        loop {
            let connecting = late
                .endpoint
                .connect(node.listen(), tls::SERVER_NAME)
                .unwrap();
            if connecting.await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, enter)
        .await
        .expect("nobody gets in after a flood");
}
