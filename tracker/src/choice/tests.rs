//! Who is offered whom.

use super::*;
use crate::announce::Event;
use crate::ids::InfoHash;
use crate::table::{Bounds, Heard, Presence, Table};
use overlay::Time;
use rand_core::SeedableRng;
use rand_pcg::Pcg64Mcg;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

const HASH: InfoHash = InfoHash([1; 20]);
const EXPIRY_MS: u32 = 10_000;

fn addr(number: u32) -> SocketAddr {
    SocketAddr::new(IpAddr::from((0x0a00_0000 + number).to_be_bytes()), 6881)
}

fn six(number: u16) -> SocketAddr {
    SocketAddr::new(
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number)),
        6881,
    )
}

/// A swarm of `count` peers, each third of them a seed.
fn swarm(count: u32) -> Table {
    let mut table = Table::new(
        Bounds::default(),
        EXPIRY_MS,
        &mut Pcg64Mcg::seed_from_u64(1),
    );
    for number in 0..count {
        let presence = Presence {
            by: None,
            addr: addr(number),
            identity: number.into(),
            seed: number % 3 == 0,
            event: Event::Started,
        };
        table.announce(HASH, &presence, Time(0)).unwrap();
    }
    table
}

fn wish(number: u32, seed: bool, count: usize) -> Wish<'static> {
    Wish {
        count,
        addr: addr(number),
        identity: number.into(),
        seed,
        families: Families::Both,
        places: None,
        location: None,
        names: None,
    }
}

fn offered(table: &Table, wish: &Wish<'_>, seed: u64, at_ms: u32) -> Vec<Offered> {
    let mut list = Vec::new();
    let mut offer = Offer::default();
    let rng = &mut Pcg64Mcg::seed_from_u64(seed);
    let swarm = table.swarm(&HASH).unwrap();
    choose(
        swarm,
        wish,
        Tick(at_ms),
        EXPIRY_MS,
        rng,
        &mut offer,
        Some(&mut list),
    );
    assert_eq!(list.len(), offer.v4.len() / 6 + offer.v6.len() / 18);
    assert!(list.len() <= wish.count);
    let distinct: BTreeSet<_> = list.iter().map(|peer| peer.addr).collect();
    assert_eq!(distinct.len(), list.len(), "nobody twice");
    assert!(!distinct.contains(&wish.addr), "never the asker");
    list
}

#[test]
fn of_a_small_swarm_everybody_else_is_offered() {
    for count in 1..40 {
        let table = swarm(count);
        for asker in 0..count {
            let list = offered(&table, &wish(asker, false, 50), 1, 0);
            assert_eq!(list.len() as u32, count - 1);
        }
    }
}

#[test]
fn who_downloads_gets_seeds_first_and_a_fifth_by_chance() {
    let table = swarm(3_000);
    for seed in 0..50 {
        let list = offered(&table, &wish(1, false, 50), seed, 0);
        assert_eq!(list.len(), 50);
        let preferred = list.iter().filter(|peer| peer.reason == Reason::Preferred);
        assert_eq!(preferred.clone().count(), 40);
        assert!(preferred.clone().all(|peer| peer.seed));
    }
    // With few seeds the others fill up.
    let table = swarm(12);
    let list = offered(&table, &wish(1, false, 10), 1, 0);
    assert_eq!(list.len(), 10);
    assert_eq!(list.iter().take(4).filter(|peer| peer.seed).count(), 4);
}

#[test]
fn seeds_are_offered_no_seeds() {
    for count in [5, 100, 3_000] {
        let table = swarm(count);
        let list = offered(&table, &wish(0, true, 50), 9, 0);
        assert_eq!(
            list.len(),
            50.min(count as usize - count.div_ceil(3) as usize)
        );
        assert!(list.iter().all(|peer| !peer.seed));
    }
}

#[test]
fn partial_seeds_are_of_no_use_to_seeds() {
    let mut table = swarm(3);
    let paused = Presence {
        by: None,
        addr: addr(9),
        identity: 9,
        seed: false,
        event: Event::Paused,
    };
    table.announce(HASH, &paused, Time(0)).unwrap();
    let has = |list: Vec<Offered>| list.iter().any(|peer| peer.addr == addr(9));
    assert!(!has(offered(&table, &wish(0, true, 50), 1, 0)));
    assert!(has(offered(&table, &wish(1, false, 50), 1, 0)));
}

#[test]
fn a_draw_looks_at_a_bounded_part_of_a_swarm() {
    // Partial seeds, who are of no use to seeds, and one that downloads.
    let mut table = swarm(0);
    for number in 1..20_000 {
        let presence = Presence {
            by: None,
            addr: addr(number),
            identity: number.into(),
            seed: false,
            event: if number == 5 {
                Event::Regular
            } else {
                Event::Paused
            },
        };
        table.announce(HASH, &presence, Time(0)).unwrap();
    }
    // Two walks of 464 and 384 places at most come to one of 25.
    let found = (0..500).filter(|seed| !offered(&table, &wish(0, true, 50), *seed, 0).is_empty());
    let found = found.count();
    assert!((5..50).contains(&found), "{found}");
}

#[test]
fn nobody_is_offered_after_the_expiry_although_nothing_was_swept() {
    let table = swarm(30);
    assert_eq!(offered(&table, &wish(1, false, 50), 1, EXPIRY_MS).len(), 29);
    assert_eq!(
        offered(&table, &wish(1, false, 50), 1, EXPIRY_MS + 1).len(),
        0
    );
}

#[test]
fn all_are_offered_equally_often_over_time() {
    let table = swarm(60);
    let mut drawn = [0_u32; 60];
    for seed in 0..20_000 {
        for peer in offered(&table, &wish(0, true, 4), seed, 0) {
            let IpAddr::V4(ip) = peer.addr.ip() else {
                panic!("IPv6")
            };
            drawn[usize::from(ip.octets()[3])] += 1;
        }
    }
    // 40 that download share 80,000.
    for (number, count) in drawn.iter().enumerate() {
        let fair = if number % 3 == 0 { 0..1 } else { 1_750..2_250 };
        assert!(fair.contains(count), "{number}: {count}");
    }
}

#[test]
fn the_other_family_fills_up_what_is_left() {
    let mut table = swarm(3);
    for number in 0..9 {
        let presence = Presence {
            by: None,
            addr: six(number),
            identity: 1_000 + u64::from(number),
            seed: false,
            event: Event::Started,
        };
        table.announce(HASH, &presence, Time(0)).unwrap();
    }
    let both = offered(&table, &wish(1, false, 6), 1, 0);
    assert_eq!(both.iter().filter(|peer| peer.addr.is_ipv4()).count(), 2);
    assert_eq!(both.len(), 6);
    let one = Wish {
        families: Families::V4,
        ..wish(1, false, 6)
    };
    assert_eq!(offered(&table, &one, 1, 0).len(), 2);
    // A client with an IPv4 address that asks over IPv6 reads IPv6 alone.
    let other = Wish {
        families: Families::V6,
        ..one
    };
    let list = offered(&table, &other, 1, 0);
    assert_eq!(list.len(), 6);
    assert!(list.iter().all(|peer| peer.addr.is_ipv6()), "{list:?}");
}

#[test]
fn the_nearest_are_preferred_and_a_fifth_is_by_chance() {
    // Peers 0 to 255 are in rack 0, the next 256 in rack 1, and so on.
    let mut text = "10.0.0.0/8 dc1\n".to_owned();
    for rack in 0..8 {
        text += &format!("10.0.{rack}.0/24 dc{}/rack{rack}\n", 1 + rack / 4);
    }
    let places = Places::parse(&text).unwrap();
    let table = swarm(500);
    let near = Wish {
        places: Some(&places),
        ..wish(301, true, 30)
    };
    for seed in 0..20 {
        let list = offered(&table, &near, seed, 0);
        assert_eq!(list.len(), 30);
        let close = list
            .iter()
            .filter(|peer| peer.reason == Reason::Near(2))
            .count();
        let random = list
            .iter()
            .filter(|peer| peer.reason == Reason::Random)
            .count();
        assert_eq!((close, random), (24, 6));
        let rack = |peer: &&Offered| peer.place.as_ref().map(ToString::to_string);
        let racks = list
            .iter()
            .filter(|peer| peer.reason == Reason::Near(2))
            .filter_map(|p| rack(&p));
        assert!(racks.into_iter().all(|rack| rack == "dc1/rack1"));
    }
    // Whose place is not known is served as if nothing were known.
    let stranger = Wish {
        addr: six(1),
        identity: 7_777,
        ..near
    };
    let list = offered(&table, &stranger, 1, 0);
    assert_eq!(list.len(), 30);
    assert!(
        !list
            .iter()
            .any(|peer| matches!(peer.reason, Reason::Near(_)))
    );
}

#[test]
fn the_location_of_a_node_places_its_own_clients_and_nobody_else() {
    let places = Places::parse("10.0.0.0/24 dc1/rack1").unwrap();
    let location: Place = "dc2/rack2".parse().unwrap();
    let mut table = swarm(700);
    // Those whom another node tells of are no more in this node's place than anywhere.
    for number in 0..300 {
        let heard = Heard {
            addr: addr(0x0001_0000 + number),
            seed: false,
            paused: false,
            age_ms: 0,
            place: 0,
        };
        table.hear(HASH, &heard, Time(0)).unwrap();
    }
    let wish = Wish {
        places: Some(&places),
        location: Some(&location),
        ..wish(301, true, 30)
    };
    let list = offered(&table, &wish, 1, 0);
    let near = |peer: &&Offered| peer.reason == Reason::Near(2);
    assert_eq!(list.iter().filter(near).count(), 24);
    for peer in &list {
        let IpAddr::V4(ip) = peer.addr.ip() else {
            panic!("IPv6")
        };
        let expected = match ip.octets() {
            [10, 0, 0, _] => Some("dc1/rack1"),
            [10, 0, ..] => Some("dc2/rack2"),
            _ => None,
        };
        let found = peer.place.as_ref().map(ToString::to_string);
        assert_eq!(found.as_deref(), expected, "{peer:?}");
    }
}
