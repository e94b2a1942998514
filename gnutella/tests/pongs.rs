//! Pings, and the cache from which they are answered.

use gnutella::{Gnutella, GnutellaConfig, Guid, Header, Host, MAX_HOSTS, MAX_TTL, Message, Role};
use overlay::{
    Contact, Cx, Duration, Effect, Id, Input, Machine, MemoryStore, Outbox, Time, WallMs,
};
use rand_pcg::Pcg64Mcg;
use sim::address_of;

/// How long the cache is fresh, and a little more.
const STALE_AFTER: Duration = Duration::from_millis(3_001);

/// A node with four neighbours that the test plays.
struct Bench {
    node: Gnutella<MemoryStore>,
    rng: Pcg64Mcg,
    now: Time,
    pings: u64,
}

fn contact(number: usize) -> Contact {
    Contact {
        id: Id::of(&number.to_be_bytes()),
        addr: address_of(number),
    }
}

impl Bench {
    fn new() -> Self {
        let config = GnutellaConfig {
            maintain: false,
            ..GnutellaConfig::default()
        };
        let mut node = Gnutella::new(contact(0), MemoryStore::new(), config, &[]);
        let links: Vec<_> = (1..=4).map(|at| (contact(at), Role::Peer)).collect();
        node.assume_links(&links, Time::ZERO);
        Self {
            node,
            rng: Pcg64Mcg::new(1),
            now: Time(1),
            pings: 0,
        }
    }

    /// The messages that one from a neighbour brings about.
    fn send(&mut self, from: usize, message: Message) -> Vec<(Id, Message)> {
        let mut out = Outbox::default();
        let mut cx = Cx {
            now: self.now,
            wall: WallMs(sim::EPOCH.0),
            rng: &mut self.rng,
            out: &mut out,
        };
        let from = contact(from);
        self.node.handle(&mut cx, Input::Message { from, message });
        let sent = out.drain().filter_map(|effect| match effect {
            Effect::Send { to, message } => Some((to.id, message)),
            _ => None,
        });
        sent.collect()
    }

    /// A ping, under a new GUID: to whom it is passed on, and the hosts of the pongs that answer it.
    fn ping(&mut self, from: usize, ttl: u8) -> (usize, Vec<Id>) {
        self.pings += 1;
        let guid = Guid(u128::from(self.pings).to_be_bytes());
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
        let guid = Guid(u128::from(self.pings).to_be_bytes());
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
    let mut bench = Bench::new();
    let me = contact(0).id;
    assert_eq!(bench.ping(1, 2), (3, vec![me]));
    assert!(bench.pong(2, 20, 1) && bench.pong(3, 30, 1));
    let (passed_on, hosts) = bench.ping(4, 2);
    assert_eq!(passed_on, 0, "the cache is fresh");
    assert_eq!(hosts, [me, contact(20).id, contact(30).id]);
    // Nobody is told of itself.
    let host = bench.ping(4, 2).1;
    assert!(bench.pong(3, 4, 4) && !host.contains(&contact(4).id));
    assert!(!bench.ping(4, 2).1.contains(&contact(4).id));
    bench.now = bench.now + STALE_AFTER;
    assert_eq!(bench.ping(4, 2).0, 3, "the cache is stale");
}

#[test]
fn a_ping_that_may_not_be_passed_on_is_answered_for_this_node_only() {
    let mut bench = Bench::new();
    bench.ping(1, 2);
    bench.pong(2, 20, 1);
    assert_eq!(bench.ping(3, 0), (0, vec![contact(0).id]));
}

/// One ping does not drown its sender in pongs, and the cache holds as many as one ping is answered with.
#[test]
fn pongs_are_bounded() {
    let mut bench = Bench::new();
    bench.ping(1, 2);
    let passed = (0..MAX_HOSTS * 3).filter(|at| bench.pong(2, 100 + at, 1));
    assert_eq!(passed.count(), MAX_HOSTS);
    let (_, hosts) = bench.ping(3, 2);
    assert_eq!(hosts.len(), 1 + MAX_HOSTS);
    let newest = contact(100 + MAX_HOSTS * 3 - 1).id;
    assert!(hosts.contains(&newest), "the oldest are forgotten first");
}

#[test]
fn a_ping_beyond_all_measure_is_a_misdeed() {
    let mut bench = Bench::new();
    let sent = bench.send(1, Message::Ping(Header::new(Guid::default(), MAX_TTL + 1)));
    assert!(sent.is_empty(), "{sent:?}");
    assert_eq!(bench.node.tally().misdeeds, 1);
}
