//! Pings, and the cache from which they are answered.

mod common;

use common::bench::{Bench, contact, guid};
use gnutella::{Guid, Header, Host, MAX_HOSTS, MAX_TTL, Message, Role};
use overlay::{Duration, Effect, Id};

/// How long the cache is fresh, and a little more.
const STALE_AFTER: Duration = Duration::from_millis(3_001);

/// A node with four neighbours that the test plays, and the pings that it was sent.
struct Pinged {
    bench: Bench,
    pings: u64,
}

impl Pinged {
    fn new() -> Self {
        let (bench, pings) = (Bench::new(), 0);
        Self { bench, pings }
    }

    /// The messages that one from a neighbour brings about.
    fn send(&mut self, from: usize, message: Message) -> Vec<(Id, Message)> {
        let effects = self.bench.send(from, message).into_iter();
        let sent = effects.filter_map(|effect| match effect {
            Effect::Send { to, message } => Some((to.id, message)),
            _ => None,
        });
        sent.collect()
    }

    /// A ping, under a new GUID: to whom it is passed on, and the hosts of the pongs that answer it.
    fn ping(&mut self, from: usize, ttl: u8) -> (usize, Vec<Id>) {
        self.pings += 1;
        let guid = guid(self.pings);
        let sent = self.send(from, Message::Ping(Header::new(guid, ttl)));
        let (mut passed_on, mut hosts) = (0, Vec::new());
        for (to, message) in sent {
            match message {
                Message::Ping(header) => {
                    assert_ne!(to, contact(from).id, "a ping went back");
                    assert_eq!((header.ttl, header.hops), (ttl - 1, 1));
                    passed_on += 1;
                }
                Message::Pong { host, header, .. } => {
                    assert_eq!((to, header.guid), (contact(from).id, guid));
                    hosts.push(host.contact.id);
                }
                other => panic!("{other:?}"),
            }
        }
        (passed_on, hosts)
    }

    /// A neighbour's pong for the last ping; whether it is passed on to `to`.
    fn pong(&mut self, from: usize, about: usize, to: usize) -> bool {
        let guid = guid(self.pings);
        let host = Host {
            contact: contact(about),
            role: Role::Peer,
            room: true,
        };
        let pong = Message::Pong {
            header: Header::new(guid, 1),
            host,
            records: 0,
        };
        let sent = self.send(from, pong);
        let is_passed = |(id, message): &(Id, Message)| {
            *id == contact(to).id && matches!(message, Message::Pong { .. })
        };
        sent.iter().any(is_passed)
    }
}

/// "Pings and pongs were up to half of the bandwidth": within three seconds no second ping is passed on,
/// and whoever asks gets what the first one brought.
#[test]
fn pings_are_answered_from_a_cache_for_three_seconds() {
    let mut pinged = Pinged::new();
    let me = contact(0).id;
    assert_eq!(pinged.ping(1, 2), (3, vec![me]));
    assert!(pinged.pong(2, 20, 1) && pinged.pong(3, 30, 1));
    let (passed_on, hosts) = pinged.ping(4, 2);
    assert_eq!(passed_on, 0, "the cache is fresh");
    assert_eq!(hosts, [me, contact(20).id, contact(30).id]);
    // Nobody is told of itself.
    let host = pinged.ping(4, 2).1;
    assert!(pinged.pong(3, 4, 4) && !host.contains(&contact(4).id));
    assert!(!pinged.ping(4, 2).1.contains(&contact(4).id));
    pinged.bench.now = pinged.bench.now + STALE_AFTER;
    assert_eq!(pinged.ping(4, 2).0, 3, "the cache is stale");
}

#[test]
fn a_ping_that_may_not_be_passed_on_is_answered_for_this_node_only() {
    let mut pinged = Pinged::new();
    pinged.ping(1, 2);
    pinged.pong(2, 20, 1);
    assert_eq!(pinged.ping(3, 0), (0, vec![contact(0).id]));
}

/// One ping does not drown its sender in pongs, and the cache holds as many as one ping is answered with.
#[test]
fn pongs_are_bounded() {
    let mut pinged = Pinged::new();
    pinged.ping(1, 2);
    let passed = (0..MAX_HOSTS * 3).filter(|at| pinged.pong(2, 100 + at, 1));
    assert_eq!(passed.count(), MAX_HOSTS);
    let (_, hosts) = pinged.ping(3, 2);
    assert_eq!(hosts.len(), 1 + MAX_HOSTS);
    let newest = contact(100 + MAX_HOSTS * 3 - 1).id;
    assert!(hosts.contains(&newest), "the oldest are forgotten first");
}

#[test]
fn a_ping_beyond_all_measure_is_a_misdeed() {
    let mut pinged = Pinged::new();
    let sent = pinged.send(1, Message::Ping(Header::new(Guid::default(), MAX_TTL + 1)));
    assert!(sent.is_empty(), "{sent:?}");
    assert_eq!(pinged.bench.node.tally().misdeeds, 1);
}
