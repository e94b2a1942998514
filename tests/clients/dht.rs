//! The DHT's node through its socket: items (BEP 44), samples (BEP 51), and who is offered.

use crate::bad_input::{announce, failure};
use crate::serving;
use crate::support::{SOON, alone, settle, wait_until};
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;
use tracker::InfoHash;
use tracker::krpc::item::Item;
use tracker::krpc::{Body, Message, Query, Reply, Want, parse};

/// A client of the DHT, at a port of its own.
pub(crate) struct Asker(UdpSocket);

impl Asker {
    pub(crate) fn new(at: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.connect(at).expect("an address");
        Self(socket)
    }

    /// The answer to a question, or the code of a failure.
    fn ask(&self, query: Query, patience: Duration) -> Result<Reply, i64> {
        let message = Message {
            transaction: b"zz".to_vec(),
            version: None,
            seen_at: None,
            read_only: false,
            body: Body::Query {
                id: [7; 20],
                query,
                want: Want::default(),
            },
        };
        let mut bytes = Vec::new();
        assert!(message.write_within(usize::MAX, &mut bytes));
        self.0.set_read_timeout(Some(patience)).expect("a time-out");
        self.0.send(&bytes).expect("sent");
        let mut room = [0; 4_096];
        let count = self.0.recv(&mut room).expect("an answer");
        match parse(&room[..count]).expect("a message").body {
            Body::Reply(reply) => Ok(*reply),
            Body::Error { code, .. } => Err(code),
            other @ Body::Query { .. } => panic!("{other:?} is no answer"),
        }
    }

    fn get(&self, target: [u8; 20], newer_than: Option<i64>) -> Reply {
        let query = Query::Get { target, newer_than };
        self.ask(query, SOON).expect("an answer")
    }

    /// Stores an item, with a token for it.
    fn put(&self, item: &Item, cas: Option<i64>) -> Result<(), i64> {
        let token = self.get(item.target(), None).token.expect("a token");
        let item = Box::new(item.clone());
        self.ask(Query::Put { item, cas, token }, SOON).map(|_| ())
    }

    /// Announces that it takes connections at another port than this one.
    fn announces(&self, hash: [u8; 20], port: u16, seed: bool) {
        let info_hash = InfoHash(hash);
        let noseed = false;
        let reply = self.ask(Query::GetPeers { info_hash, noseed }, SOON);
        let query = Query::AnnouncePeer {
            info_hash,
            port: Some(port),
            token: reply.expect("an answer").token.expect("a token"),
            seed,
        };
        self.ask(query, SOON).expect("it is taken");
    }

    /// The ports of the peers of a swarm, in order.
    pub(crate) fn peers(&self, hash: [u8; 20], noseed: bool, patience: Duration) -> Vec<u16> {
        let info_hash = InfoHash(hash);
        let reply = self.ask(Query::GetPeers { info_hash, noseed }, patience);
        let mut ports: Vec<u16> = reply
            .expect("an answer")
            .values
            .iter()
            .map(SocketAddr::port)
            .collect();
        ports.sort_unstable();
        ports
    }
}

/// An item that may change, with its signature.
fn signed(pair: &Ed25519KeyPair, seq: i64, value: &str) -> Item {
    let value = format!("{}:{value}", value.len()).into_bytes();
    let message = [format!("3:seqi{seq}e1:v").into_bytes(), value.clone()].concat();
    Item::Mutable {
        value,
        key: pair.public_key().as_ref().try_into().expect("32 bytes"),
        salt: Vec::new(),
        seq,
        signature: pair.sign(&message).as_ref().try_into().expect("64 bytes"),
    }
}

#[test]
fn items_are_stored_through_one_node_and_read_through_another() {
    let _one = alone();
    let founder = serving(None);
    let other = serving(Some(founder.node.listen));
    let (one, two) = (Asker::new(founder.mainline), Asker::new(other.mainline));
    let nodes = [founder.node, other.node];
    settle(&nodes);
    let fixed = Item::Immutable {
        value: b"12:Hello World!".to_vec(),
    };
    let target = fixed.target();
    assert_eq!(one.get(target, None).item, None);
    assert_eq!(one.put(&fixed, None), Ok(()));
    assert_eq!(two.get(target, None).item.as_deref(), Some(&fixed));
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
    let (first, second) = (signed(&pair, 1, "a"), signed(&pair, 2, "b"));
    let target = first.target();
    assert_eq!(one.put(&first, None), Ok(()));
    assert_eq!(two.get(target, None).item.as_deref(), Some(&first));
    assert_eq!(two.put(&second, Some(7)), Err(301), "another is there");
    assert_eq!(two.put(&second, Some(1)), Ok(()));
    assert_eq!(one.put(&first, None), Err(302), "it is older");
    let read = one.get(target, Some(2));
    assert_eq!((read.item, read.seq), (None, Some(2)), "it is known");
    assert_eq!(one.get(target, Some(1)).item.as_deref(), Some(&second));
    let mut forged = signed(&pair, 3, "c");
    if let Item::Mutable { signature, .. } = &mut forged {
        signature[0] ^= 1;
    }
    assert_eq!(one.put(&forged, None), Err(206));
    let token = vec![0; 8];
    let item = Box::new(signed(&pair, 3, "c"));
    let cas = None;
    assert_eq!(one.ask(Query::Put { item, cas, token }, SOON), Err(203));
}

#[test]
fn samples_of_info_hashes_hold_what_has_clients() {
    let _one = alone();
    let served = serving(None);
    let asker = Asker::new(served.mainline);
    let sample = || {
        let target = [0; 20];
        asker.ask(Query::SampleInfohashes { target }, SOON)
    };
    assert_eq!(sample().expect("an answer").samples, Some(Vec::new()));
    for number in 1..=3 {
        let target = announce(number, "&port=7000&left=0");
        assert_eq!(failure(served.http, &target), None);
    }
    let reply = sample().expect("an answer");
    let mut samples = reply.samples.expect("samples");
    samples.sort_unstable();
    let expected = (1..=3).map(|number| {
        let mut hash = [0; 20];
        hash[19] = number;
        InfoHash(hash)
    });
    assert_eq!(samples, expected.collect::<Vec<_>>());
    assert_eq!(reply.num, Some(3));
    assert!(reply.interval_s.is_some_and(|interval| interval > 0));
}

#[test]
fn nobody_is_offered_itself_and_seeds_only_to_who_wants_them() {
    let _one = alone();
    let served = serving(None);
    let asker = || Asker::new(served.mainline);
    let (seed, leech, other) = (asker(), asker(), asker());
    let hash = [3; 20];
    seed.announces(hash, 7_001, true);
    leech.announces(hash, 7_002, false);
    wait_until("both are known", SOON, || {
        let found = other.peers(hash, false, SOON);
        (found == [7_001, 7_002])
            .then_some(())
            .ok_or(format!("{found:?}"))
    });
    // All have one address, and take connections elsewhere than they ask from.
    assert_eq!(seed.peers(hash, false, SOON), [7_002]);
    assert_eq!(leech.peers(hash, false, SOON), [7_001]);
    assert_eq!(other.peers(hash, true, SOON), [7_002]);
}
