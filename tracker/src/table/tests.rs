//! The table against a naive oracle, what it costs, and its bounds.

use super::*;
use crate::announce::Event;
use proptest::prelude::*;
use rand_core::SeedableRng;
use rand_pcg::Pcg64Mcg;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const EXPIRY_MS: u32 = 10_000;

fn table() -> Table {
    Table::new(
        Bounds::default(),
        EXPIRY_MS,
        &mut Pcg64Mcg::seed_from_u64(7),
    )
}

fn hash(number: u8) -> InfoHash {
    InfoHash([number; 20])
}

fn four(number: u32) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number)), 6881)
}

fn six(number: u32) -> SocketAddr {
    let ip = Ipv6Addr::from((0x2001_0db8_u128 << 96) + u128::from(number));
    SocketAddr::new(IpAddr::V6(ip), 6881)
}

fn who(addr: SocketAddr, identity: u64, seed: bool, event: Event) -> Presence {
    Presence {
        by: None,
        addr,
        identity,
        seed,
        event,
    }
}

fn ms(at: u64) -> Time {
    Time(at * 1_000)
}

/// One step of a random history: who, over which family, what, and how long after the one before.
fn step() -> impl Strategy<Value = (u8, bool, bool, u8, u64)> {
    (0_u8..30, any::<bool>(), any::<bool>(), 0_u8..6, 0_u64..900)
}

/// What the naive oracle knows of one address.
#[derive(Clone, Copy)]
struct Known {
    client: u8,
    seed: bool,
    paused: bool,
    at: u64,
}

fn expected(oracle: &BTreeMap<SocketAddr, Known>, completed: u64) -> Counts {
    let mut counts = Counts {
        downloaded: completed,
        ..Counts::default()
    };
    for (addr, known) in oracle {
        // A client that is listed with both families counts where its IPv4 address is.
        let has_four = oracle.contains_key(&four(known.client.into()));
        if addr.is_ipv6() && has_four {
            continue;
        }
        counts.complete += u64::from(known.seed);
        counts.incomplete += u64::from(!known.seed);
        counts.downloaders += u64::from(!known.seed && !known.paused);
    }
    counts
}

proptest! {
    #[test]
    fn a_swarm_is_what_the_oracle_says(steps in prop::collection::vec(step(), 1..400)) {
        let mut table = table();
        let mut oracle: BTreeMap<SocketAddr, Known> = BTreeMap::new();
        let mut now = 0;
        for (client, over_six, seed, what, pause) in steps {
            now += pause;
            let addr = if over_six { six(client.into()) } else { four(client.into()) };
            let event = match what {
                0 => Event::Stopped,
                1 => Event::Paused,
                2 => Event::Started,
                _ => Event::Regular,
            };
            table.announce(hash(1), &who(addr, u64::from(client) + 1, seed, event), ms(now)).unwrap();
            if event == Event::Stopped {
                oracle.remove(&addr);
            } else {
                let paused = event == Event::Paused && !seed;
                oracle.insert(addr, Known { client, seed, paused, at: now });
            }
            // A sweep of everything: the table is small.
            table.sweep(ms(now), |_| {});
            oracle.retain(|_, known| now - known.at <= u64::from(EXPIRY_MS));
            prop_assert_eq!(table.counts(&hash(1)), expected(&oracle, 0));
            prop_assert_eq!(table.peers(), oracle.len());
            for addr in oracle.keys() {
                prop_assert!(table.lists(&hash(1), *addr));
            }
        }
    }
}

#[test]
fn a_completed_download_counts_once_for_each_client() {
    let mut table = table();
    let mut announce = |addr, event| {
        table
            .announce(hash(1), &who(addr, 5, true, event), ms(0))
            .unwrap();
        table.counts(&hash(1)).downloaded
    };
    assert_eq!(announce(four(1), Event::Completed), 1);
    assert_eq!(announce(four(1), Event::Completed), 1);
    assert_eq!(announce(four(1), Event::Regular), 1);
    assert_eq!(
        announce(six(1), Event::Completed),
        1,
        "the same client over IPv6"
    );
}

#[test]
fn a_client_that_moved_is_listed_where_it_is() {
    let mut table = table();
    table
        .announce(hash(1), &who(four(1), 5, false, Event::Started), ms(0))
        .unwrap();
    let change = table
        .announce(hash(1), &who(four(2), 5, false, Event::Regular), ms(1))
        .unwrap();
    assert_eq!(change, Change::Joined);
    assert!(table.lists(&hash(1), four(2)) && !table.lists(&hash(1), four(1)));
    // Another client takes the address over.
    table
        .announce(hash(1), &who(four(2), 6, true, Event::Started), ms(2))
        .unwrap();
    assert_eq!(table.counts(&hash(1)).complete, 1);
    assert_eq!(table.peers(), 1);
}

#[test]
fn changes_are_told() {
    let mut table = table();
    let mut announce = |seed, event| {
        table
            .announce(hash(1), &who(four(1), 5, seed, event), ms(0))
            .unwrap()
    };
    assert_eq!(announce(false, Event::Stopped), Change::Nothing);
    assert_eq!(announce(false, Event::Started), Change::Joined);
    assert_eq!(announce(false, Event::Regular), Change::Nothing);
    assert_eq!(announce(true, Event::Completed), Change::Became);
    assert_eq!(announce(true, Event::Stopped), Change::Left);
}

#[test]
fn peers_of_other_nodes_count_and_give_way() {
    let mut table = table();
    let heard = |number, age_ms| Heard {
        addr: four(number),
        seed: true,
        paused: false,
        age_ms,
        place: 0,
    };
    assert_eq!(
        table.hear(hash(1), &heard(1, 500), ms(1_000)),
        Ok(Change::Joined)
    );
    assert_eq!(
        table.hear(hash(1), &heard(1, EXPIRY_MS), ms(1_000)),
        Ok(Change::Nothing)
    );
    assert_eq!(table.counts(&hash(1)).complete, 1);
    assert_eq!(table.own_counts(&hash(1)).complete, 0);
    // It announces here: it is ours, and older news does not change that.
    table
        .announce(hash(1), &who(four(1), 5, false, Event::Regular), ms(4_000))
        .unwrap();
    assert_eq!(table.own_counts(&hash(1)).incomplete, 1);
    assert_eq!(
        table.hear(hash(1), &heard(1, 3_000), ms(5_000)),
        Ok(Change::Nothing)
    );
    assert_eq!(table.own_counts(&hash(1)).incomplete, 1);
    // Nor does newer news: whoever announces here is what it says itself.
    assert_eq!(
        table.hear(hash(1), &heard(1, 0), ms(7_000)),
        Ok(Change::Nothing)
    );
    assert!(table.serves(&hash(1), four(1)));
    assert_eq!(table.own_counts(&hash(1)).incomplete, 1);
    let left = who(four(1), 5, false, Event::Stopped);
    assert_eq!(table.announce(hash(1), &left, ms(7_000)), Ok(Change::Left));
    let elsewhere = Counts {
        complete: 40,
        incomplete: 2,
        downloaders: 2,
        downloaded: 9,
    };
    table.count_elsewhere(&hash(1), elsewhere, ms(7_000));
    assert_eq!(table.counts(&hash(1)), elsewhere);
    table.sweep(ms(30_000), |_| panic!("no client of this node was there"));
    assert_eq!(table.counts(&hash(1)), Counts::default());
}

#[test]
fn who_is_listed_nowhere_any_more_is_dropped_unless_it_announces_here() {
    let mut table = table();
    for number in 1..4 {
        let heard = Heard {
            addr: four(number),
            seed: false,
            paused: false,
            age_ms: 0,
            place: 0,
        };
        table.hear(hash(1), &heard, ms(0)).unwrap();
    }
    let own = who(four(9), 9, true, Event::Started);
    table.announce(hash(1), &own, ms(0)).unwrap();
    table.forget_unlisted(&hash(1), &[four(2)].into());
    assert!(table.lists(&hash(1), four(2)) && table.lists(&hash(1), four(9)));
    assert_eq!((table.peers(), table.peers_of(&hash(1))), (2, 2));
}

#[test]
fn the_sweep_drops_what_is_old_in_time_and_tells_of_it() {
    let mut table = table();
    for number in 0..20_000_u32 {
        let mut name = [0; 20];
        name[..4].copy_from_slice(&(number / 10).to_be_bytes());
        let presence = who(four(number), number.into(), false, Event::Started);
        table
            .announce(InfoHash(name), &presence, ms(u64::from(number) / 4))
            .unwrap();
    }
    assert_eq!((table.swarms(), table.peers()), (2_000, 20_000));
    let mut told = 0;
    // Everybody is too old from 15 s on; an eighth of 10 s later all are gone.
    for at in (0..17_000).step_by(100) {
        table.sweep(ms(at), |_| told += 1);
    }
    assert_eq!(table.peers(), 0);
    assert!((2_000..4_000).contains(&told), "{told}");
    for at in (17_000..60_000).step_by(100) {
        table.sweep(ms(at), |_| {});
    }
    assert_eq!(table.swarms(), 0, "empty swarms go, too");
}

#[test]
fn a_full_table_keeps_whom_it_has() {
    let bounds = Bounds {
        swarms: 2,
        peers: 3,
    };
    let mut table = Table::new(bounds, EXPIRY_MS, &mut Pcg64Mcg::seed_from_u64(7));
    let mut announce = |swarm, number: u32, event| {
        table.announce(
            hash(swarm),
            &who(four(number), number.into(), false, event),
            ms(0),
        )
    };
    for (swarm, number) in [(1, 1), (2, 2), (2, 3)] {
        assert_eq!(announce(swarm, number, Event::Started), Ok(Change::Joined));
    }
    assert_eq!(announce(2, 4, Event::Started), Err(Full));
    assert_eq!(announce(3, 4, Event::Started), Err(Full));
    assert_eq!(announce(2, 3, Event::Regular), Ok(Change::Nothing));
    assert_eq!(announce(2, 3, Event::Stopped), Ok(Change::Left));
    assert_eq!(announce(3, 4, Event::Started), Err(Full), "a third swarm");
    assert_eq!(announce(2, 4, Event::Started), Ok(Change::Joined));
}

/// Bytes a peer at a million, by what is reserved. Right after the vectors have grown it is at its
/// worst: the counts are chosen around that.
#[test]
fn a_million_peers_take_less_than_64_bytes_each() {
    const MILLION: u32 = 1_000_000;
    let fill = |swarms: u32, addr: &dyn Fn(u32) -> SocketAddr| {
        let mut table = table();
        for number in 0..MILLION {
            let mut name = [0; 20];
            name[..4].copy_from_slice(&(number % swarms).to_be_bytes());
            let presence = who(addr(number), number.into(), number % 3 == 0, Event::Started);
            table.announce(InfoHash(name), &presence, ms(0)).unwrap();
        }
        assert_eq!(table.peers(), MILLION as usize);
        table.bytes() as f64 / f64::from(MILLION)
    };
    for (swarms, most) in [(1, 46.0), (100, 46.0), (10_000, 50.0)] {
        let bytes = fill(swarms, &four);
        println!("IPv4 in {swarms} swarms: {bytes:.1} bytes a peer");
        assert!(bytes < most, "IPv4 in {swarms} swarms: {bytes:.1}");
    }
    let bytes = fill(1, &six);
    println!("IPv6 in one swarm: {bytes:.1} bytes a peer");
    assert!(bytes < 64.0, "IPv6 in one swarm: {bytes:.1}");
}

/// aria2 does so over UDP.
#[test]
fn a_new_key_at_an_address_that_announces_here_is_no_news() {
    let mut table = table();
    let mut announce = |identity, seed, event| {
        table.announce(hash(1), &who(four(1), identity, seed, event), ms(0))
    };
    assert_eq!(announce(1, false, Event::Started), Ok(Change::Joined));
    assert_eq!(announce(2, false, Event::Regular), Ok(Change::Nothing));
    assert_eq!(announce(3, true, Event::Completed), Ok(Change::Became));
    assert_eq!(announce(4, true, Event::Completed), Ok(Change::Nothing));
    let counts = table.own_counts(&hash(1));
    assert_eq!(
        (counts.complete, counts.incomplete, counts.downloaded),
        (1, 0, 1)
    );
}

/// A large swarm is swept as a whole, and then not again before its turn.
#[test]
fn a_large_swarm_is_swept_eight_times_within_the_expiry() {
    let mut table = Table::new(Bounds::default(), 80_000, &mut Pcg64Mcg::seed_from_u64(1));
    for number in 0..100_000 {
        let client = who(four(number), number.into(), false, Event::Started);
        table.announce(hash(1), &client, ms(0)).unwrap();
    }
    let mut swept = 0;
    for at in 1..=800 {
        let ahead = table.ahead;
        table.sweep(ms(at * 100), |_| {});
        swept += u64::from(table.ahead > ahead);
    }
    assert!((7..=9).contains(&swept), "{swept}");
}

#[test]
fn empty_swarms_keep_their_count_for_a_day_unless_the_table_is_crowded() {
    let bounds = Bounds {
        swarms: 4,
        peers: 100,
    };
    for count in 1..=4 {
        let mut table = Table::new(bounds, 1_000, &mut Pcg64Mcg::seed_from_u64(1));
        for number in 0..count {
            for event in [Event::Completed, Event::Stopped] {
                let client = who(four(1), 1, true, event);
                table.announce(hash(number), &client, ms(0)).unwrap();
            }
        }
        assert_eq!(table.swarms(), usize::from(count));
        for at in 1..10 {
            table.sweep(ms(at * 1_000), |_| {});
        }
        // Two are half of the room.
        assert_eq!(table.swarms(), usize::from(count.min(2)));
        table.sweep(ms(25 * 3_600_000), |_| {});
        assert_eq!(table.swarms(), 0, "a day is over");
    }
}
