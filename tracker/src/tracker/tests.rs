//! Announces from admission to answer.

use super::*;
use crate::front_end::FrontEnd;
use crate::http::RetryIn;
use crate::ids::PeerId;
use rand_core::SeedableRng;
use rand_pcg::Pcg64Mcg;
use std::num::NonZeroU16;

const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const SCOPE: Scope = Scope {
    most: 200,
    families: Families::Both,
};

fn tracker(config: Config) -> Tracker {
    Tracker::new(config, &mut Pcg64Mcg::seed_from_u64(1))
}

fn announce(number: u32) -> Announce {
    let mut name = [0; 20];
    name[..4].copy_from_slice(&number.to_be_bytes());
    Announce {
        by: FrontEnd::Http,
        info_hash: InfoHash(name),
        peer_id: PeerId(*b"-TR4000-abcdefghijkl"),
        port: NonZeroU16::new(6881),
        uploaded: 0,
        downloaded: 0,
        left: 1,
        event: Event::Started,
        key: Some(1),
        numwant: None,
        claimed_ip: None,
    }
}

#[test]
fn a_million_info_hashes_from_one_address_are_refused() {
    let mut tracker = tracker(Config::default());
    let mut refused = 0;
    // Within a second.
    for number in 0..1_000_000_u32 {
        match tracker.enter(Time(u64::from(number)), IP, None, &announce(number)) {
            Ok(_) => {}
            Err(Refusal::TooManySwarms | Refusal::TooOften) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(
        tracker.table.swarms() <= 10_050,
        "{}",
        tracker.table.swarms()
    );
    assert!(refused > 980_000);
    // Somebody else is not touched by that.
    let other = IpAddr::from([192, 0, 2, 2]);
    assert!(
        tracker
            .enter(Time(1_000_000), other, None, &announce(7_000_000))
            .is_ok()
    );
}

#[test]
fn one_address_brings_a_bounded_number_of_clients() {
    let mut tracker = tracker(Config::default());
    let mut entered = 0;
    for port in 1..=u16::MAX {
        let client = Announce {
            port: NonZeroU16::new(port),
            key: Some(port.into()),
            ..announce(1)
        };
        entered += u32::from(tracker.enter(Time(0), IP, None, &client).is_ok());
    }
    assert_eq!(entered, 500);
    assert_eq!(tracker.table.peers(), 500);
}

#[test]
fn claimed_addresses_are_believed_only_on_demand() {
    let claimed = Announce {
        claimed_ip: Some(IpAddr::from([203, 0, 113, 9])),
        ..announce(1)
    };
    let entered = tracker(Config::default())
        .enter(Time(0), IP, None, &claimed)
        .unwrap();
    assert_eq!(entered.addr.ip(), IP);
    let closed = Config {
        believe_addresses: true,
        ..Config::default()
    };
    let entered = tracker(closed).enter(Time(0), IP, None, &claimed).unwrap();
    assert_eq!(entered.addr.ip(), IpAddr::from([203, 0, 113, 9]));
}

#[test]
fn who_takes_no_connections_gets_an_answer_and_is_not_listed() {
    let mut tracker = tracker(Config::default());
    tracker.enter(Time(0), IP, None, &announce(1)).unwrap();
    let deaf = Announce {
        port: None,
        key: Some(2),
        ..announce(1)
    };
    let entered = tracker.enter(Time(0), IP, None, &deaf).unwrap();
    let (mut rng, mut offer) = (Pcg64Mcg::seed_from_u64(1), Offer::default());
    let answer = tracker.answer(Time(0), &entered, SCOPE, &mut rng, &mut offer, None);
    assert_eq!(offer.v4, [192, 0, 2, 1, 0x1a, 0xe1]);
    assert_eq!(answer.counts.incomplete, 1);
}

#[test]
fn rules_come_first_and_say_never() {
    let mut tracker = tracker(Config::default());
    tracker.rules.denied_clients = [b"-TR".to_vec()].into();
    let refusal = tracker.enter(Time(0), IP, None, &announce(1)).unwrap_err();
    assert_eq!(
        (refusal, refusal.retry()),
        (Refusal::Client, RetryIn::Never)
    );
    tracker.rules = Rules {
        passkeys: Some([b"k".to_vec()].into()),
        ..Rules::default()
    };
    assert!(tracker.enter(Time(0), IP, Some(b"k"), &announce(1)).is_ok());
    assert_eq!(
        tracker.enter(Time(0), IP, None, &announce(1)).unwrap_err(),
        Refusal::Passkey
    );
    assert_eq!(
        tracker.scrape(&announce(1).info_hash, None),
        Err(Refusal::Passkey)
    );
}

#[test]
fn gotorrents_tracker_is_a_configuration() {
    let config = Config {
        interval_ms: 10_000,
        expiry_ms: 10_000,
        default_numwant: 3,
        ..Config::default()
    };
    let mut tracker = tracker(config);
    for key in 1..20 {
        let client = Announce {
            port: NonZeroU16::new(key),
            key: Some(key.into()),
            ..announce(1)
        };
        tracker.enter(Time(0), IP, None, &client).unwrap();
    }
    let asker = Announce {
        key: Some(1),
        port: NonZeroU16::new(1),
        ..announce(1)
    };
    let entered = tracker.enter(Time(0), IP, None, &asker).unwrap();
    let (mut rng, mut offer) = (Pcg64Mcg::seed_from_u64(1), Offer::default());
    let mut intervals = std::collections::BTreeMap::<u32, u32>::new();
    for _ in 0..1_000 {
        let answer = tracker.answer(Time(0), &entered, SCOPE, &mut rng, &mut offer, None);
        assert_eq!(offer.v4.len(), 3 * 6);
        *intervals.entry(answer.interval_s).or_default() += 1;
    }
    // From 9 to 10 s, so about half of them are told each.
    let known: Vec<u32> = intervals.keys().copied().collect();
    assert_eq!(known, [9, 10], "jitter");
    assert!((400..=600).contains(&intervals[&9]), "{intervals:?}");
}

#[test]
fn no_client_is_told_to_wait_for_longer_than_is_said() {
    for (interval_ms, longest) in [(1, 1_000), (500, 1_000), (1_500, 2_000), (90_000, 90_000)] {
        assert_eq!(Config::longest_told_ms(interval_ms), longest);
        let mut tracker = tracker(Config {
            interval_ms,
            ..Config::default()
        });
        let entered = tracker.enter(Time(0), IP, None, &announce(1)).unwrap();
        let (mut rng, mut offer) = (Pcg64Mcg::seed_from_u64(1), Offer::default());
        for _ in 0..100 {
            let answer = tracker.answer(Time(0), &entered, SCOPE, &mut rng, &mut offer, None);
            assert!((1..=longest / 1_000).contains(&answer.interval_s));
        }
    }
}

#[test]
fn a_client_that_stops_gets_no_peers() {
    let mut tracker = tracker(Config::default());
    for key in [1, 2] {
        let client = Announce {
            port: NonZeroU16::new(key),
            key: Some(key.into()),
            ..announce(1)
        };
        tracker.enter(Time(0), IP, None, &client).unwrap();
    }
    let stopped = Announce {
        event: Event::Stopped,
        port: NonZeroU16::new(1),
        numwant: Some(200),
        ..announce(1)
    };
    let entered = tracker.enter(Time(0), IP, None, &stopped).unwrap();
    let (mut rng, mut offer) = (Pcg64Mcg::seed_from_u64(1), Offer::default());
    let answer = tracker.answer(Time(0), &entered, SCOPE, &mut rng, &mut offer, None);
    assert!(offer.v4.is_empty() && offer.v6.is_empty());
    assert_eq!(answer.counts.incomplete, 1);
}

#[test]
fn samples_hold_what_anybody_may_know_of() {
    let mut tracker = tracker(Config::default());
    let rng = &mut Pcg64Mcg::seed_from_u64(1);
    for number in 0..10 {
        tracker.enter(Time(0), IP, None, &announce(number)).unwrap();
    }
    let (hashes, count) = tracker.sample_hashes(20, rng);
    assert_eq!((hashes.len(), count), (10, 10));
    tracker.rules.denied_hashes = [announce(3).info_hash].into();
    let (hashes, _) = tracker.sample_hashes(20, rng);
    assert!(hashes.len() == 9 && !hashes.contains(&announce(3).info_hash));
    assert!(!tracker.serves(&announce(3).info_hash, None));
    tracker.rules.passkeys = Some([b"key".to_vec()].into());
    assert_eq!(tracker.sample_hashes(20, rng), (Vec::new(), 0));
    assert!(tracker.serves(&announce(1).info_hash, Some(b"key")));
    assert!(!tracker.serves(&announce(1).info_hash, None));
}

#[test]
fn a_swarm_takes_no_more_announces_a_second_than_is_configured() {
    let config = Config {
        swarm_announces: Rate { per_s: 1, burst: 3 },
        ..Config::default()
    };
    let mut tracker = tracker(config);
    let mut enter = |ip: u8, number: u32, at: u64| {
        let ip = IpAddr::from([192, 0, 2, ip]);
        let entered = tracker.enter(Time(at), ip, None, &announce(number));
        entered.map(|_| ())
    };
    // From whatever address they come.
    for ip in 1..=3 {
        assert_eq!(enter(ip, 1, 0), Ok(()));
    }
    assert_eq!(enter(4, 1, 0), Err(Refusal::SwarmTooOften));
    assert_eq!(enter(4, 2, 0), Ok(()), "another swarm");
    assert_eq!(enter(4, 1, 1_000_000), Ok(()), "a second later");
}
