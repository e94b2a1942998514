//! What others publish, taken over.

use super::*;
use crate::announce::Event;
use crate::table::{Bounds, Counts, Presence};
use rand_core::SeedableRng;
use rand_pcg::Pcg64Mcg;

const HASH: InfoHash = InfoHash([1; 20]);
const EXPIRY_MS: u32 = 100_000;
const STARTED: WallMs = WallMs(1_000_000);

fn addr(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number], 6881))
}

fn peer(number: u8, seed: bool) -> Heard {
    Heard {
        addr: addr(number),
        seed,
        paused: false,
        age_ms: 0,
        place: 0,
    }
}

fn holder(number: u8, at: u64, counts: Counts, peers: Vec<Heard>) -> HolderInfo {
    let at = WallMs(at);
    let place = (number >= 210).then(|| "dc1/rack7".parse().unwrap());
    let text = Summary {
        at,
        counts,
        place,
        peers,
    }
    .encode(EXPIRY_MS);
    HolderInfo {
        addr: addr(number),
        text,
        expires_in_s: 100,
    }
}

fn counts(complete: u64, incomplete: u64) -> Counts {
    Counts {
        complete,
        incomplete,
        downloaders: incomplete,
        downloaded: 0,
    }
}

struct Node {
    table: Table,
    exchange: Exchange,
}

impl Node {
    fn new() -> Self {
        let bounds = Bounds {
            swarms: 10,
            peers: 1_000,
        };
        Self {
            table: Table::new(bounds, EXPIRY_MS, &mut Pcg64Mcg::seed_from_u64(7)),
            exchange: crate::exchange::tests::exchange_for(EXPIRY_MS),
        }
    }

    fn announces(&mut self, number: u8, seed: bool, event: Event) {
        let presence = Presence {
            by: None,
            addr: addr(number),
            identity: number.into(),
            seed,
            event,
        };
        self.table.announce(HASH, &presence, Time(0)).unwrap();
    }

    /// As node 200, ten seconds after its start.
    fn finds(&mut self, holders: &[HolderInfo]) -> usize {
        let looker = Looker {
            me: addr(200),
            started: STARTED,
            wall: WallMs(STARTED.0 + 10_000),
            now: Time(10_000_000),
            overdue_ms: 80_000,
        };
        let found = Found {
            hash: HASH,
            holders,
            whole: true,
        };
        found.enter(looker, &mut self.table, &mut self.exchange)
    }
}

#[test]
fn clients_of_an_earlier_life_are_taken_back_and_who_left_in_this_one_is_not() {
    let mut node = Node::new();
    let earlier = holder(200, STARTED.0 - 1, counts(1, 0), vec![peer(1, true)]);
    assert_eq!(node.finds(&[earlier]), 0, "nobody else publishes");
    assert_eq!(node.table.own_counts(&HASH), counts(1, 0));
    assert_eq!(
        node.exchange.listed(),
        1,
        "it is to be removed when all leave"
    );
    node.announces(1, true, Event::Stopped);
    // Its holder as it was written in this life: the write without the client has not landed.
    let present = holder(200, STARTED.0 + 5_000, counts(1, 0), vec![peer(1, true)]);
    node.finds(&[present]);
    assert!(!node.table.lists(&HASH, addr(1)));
    assert_eq!(node.table.counts(&HASH), Counts::default());
}

#[test]
fn downloads_that_an_earlier_life_counted_are_counted_once() {
    let mut node = Node::new();
    let mut said = counts(1, 0);
    said.downloaded = 7;
    let earlier = holder(200, STARTED.0 - 1, said, vec![peer(1, true)]);
    node.finds(std::slice::from_ref(&earlier));
    // Before it is written anew it may be found again.
    node.finds(&[earlier]);
    assert_eq!(node.table.own_counts(&HASH).downloaded, 7);
}

#[test]
fn clients_of_a_node_that_has_long_been_silent_are_not_counted_for_ever() {
    let mut node = Node::new();
    let long_ago = STARTED.0 + 10_000 - 60_000;
    let aged = |number: u8, age_ms: u32| Heard {
        age_ms,
        ..peer(number, false)
    };
    // 30 s and more before it wrote: they are overdue by now.
    let peers = vec![
        aged(1, 0),
        aged(2, 10_000),
        aged(3, 30_000),
        aged(4, 35_000),
    ];
    node.finds(&[holder(201, long_ago, counts(0, 4), peers.clone())]);
    assert_eq!(node.table.counts(&HASH).incomplete, 2);
    node.finds(&[holder(201, long_ago, counts(0, 1_000), peers.clone())]);
    assert_eq!(node.table.counts(&HASH).incomplete, 500, "by the sample");
    // One of them has come to another node meanwhile.
    let silent = holder(201, long_ago, counts(0, 4), peers);
    let present = holder(202, STARTED.0 + 9_000, counts(0, 1), vec![peer(3, false)]);
    node.finds(&[silent, present]);
    assert_eq!(node.table.counts(&HASH).incomplete, 3);
}

#[test]
fn clients_are_where_their_node_says() {
    let mut node = Node::new();
    let placed = holder(210, STARTED.0, counts(0, 1), vec![peer(1, false)]);
    let elsewhere = holder(201, STARTED.0, counts(0, 1), vec![peer(2, false)]);
    node.finds(&[placed, elsewhere]);
    let swarm = node.table.swarm(&HASH).unwrap();
    let entries = swarm.v4.entries().iter();
    let places = entries.map(|entry| {
        let place = node.table.names().get(entry.place);
        (entry.ip[3], place.map(ToString::to_string))
    });
    let places: Vec<_> = places.collect();
    assert!(
        places.contains(&(1, Some("dc1/rack7".to_owned()))),
        "{places:?}"
    );
    assert!(places.contains(&(2, None)), "{places:?}");
}

#[test]
fn what_was_written_in_the_future_is_not_believed() {
    let mut node = Node::new();
    let now = STARTED.0 + 10_000;
    let ahead = holder(
        201,
        now + MAX_AHEAD_MS + 1,
        counts(1, 0),
        vec![peer(1, true)],
    );
    assert_eq!(node.finds(std::slice::from_ref(&ahead)), 0);
    assert_eq!(node.table.peers(), 0);
    let slightly = holder(202, now + MAX_AHEAD_MS, counts(1, 0), vec![peer(2, true)]);
    assert_eq!(node.finds(&[slightly]), 1);
    // The list that it is in is not whole.
    node.finds(&[ahead]);
    assert!(node.table.lists(&HASH, addr(2)));
}

#[test]
fn one_publisher_counts_no_more_than_a_table_holds() {
    let mut node = Node::new();
    let many = u64::from(u32::MAX);
    let mut said = counts(many, many);
    said.downloaders = 7;
    node.finds(&[holder(201, STARTED.0, said, vec![peer(1, true)])]);
    let counts = node.table.counts(&HASH);
    assert_eq!((counts.complete, counts.incomplete), (1_000, 1_000));
    assert_eq!(counts.downloaders, 7);
}

#[test]
fn who_announces_here_is_what_it_says_itself_and_counts_once() {
    let mut node = Node::new();
    node.announces(1, true, Event::Started);
    // It was heard of later, as a downloader; and so was another, by two nodes.
    let one = holder(
        201,
        STARTED.0 + 9_999,
        counts(0, 2),
        vec![peer(1, false), peer(2, false)],
    );
    let two = holder(202, STARTED.0 + 9_999, counts(3, 1), vec![peer(2, false)]);
    assert_eq!(node.finds(&[one, two]), 2);
    assert_eq!(node.table.own_counts(&HASH), counts(1, 0));
    assert_eq!(node.table.counts(&HASH), counts(4, 1));
    node.finds(&[]);
    assert!(node.table.lists(&HASH, addr(1)) && !node.table.lists(&HASH, addr(2)));
}
