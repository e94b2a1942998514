//! Clients of several nodes count once.

use super::*;
use crate::exchange::MAX_SUMMARY_PEERS;
use std::net::Ipv4Addr;

const HASH: InfoHash = InfoHash([1; 20]);
const OVERDUE_MS: u32 = 1_000;

fn peer(number: u32) -> Heard {
    Heard {
        addr: SocketAddr::from((Ipv4Addr::from_bits(0x0a00_0000 + number), 6881)),
        seed: false,
        paused: false,
        age_ms: 0,
        place: 0,
    }
}

/// What a node names of its clients: in turn those of the lowest ranks, and the last of them.
fn sample(clients: &[u32], most: usize) -> Vec<Heard> {
    let mut lowest: Vec<u32> = clients.to_vec();
    lowest.sort_by_key(|number| rank(&HASH, peer(*number).addr));
    let in_turn = lowest.iter().zip(clients.iter().rev());
    let mut seen = BTreeSet::new();
    let order = in_turn.flat_map(|(low, new)| [*low, *new]);
    let named = order.filter(|number| seen.insert(*number)).take(most);
    named.map(peer).collect()
}

fn counts(incomplete: usize) -> Counts {
    Counts {
        incomplete: incomplete as u64,
        downloaders: incomplete as u64,
        ..NOBODY
    }
}

/// How many leechers there seem to be besides these of this node, when others have those.
fn seem(own: &[u32], others: &[Vec<u32>], most: usize) -> u64 {
    let mut all = Distinct::new(HASH);
    for clients in others {
        all.add(counts(clients.len()), &sample(clients, most), OVERDUE_MS);
    }
    all.add_own(&Own {
        counts: counts(own.len()),
        peers: sample(own, MAX_SUMMARY_PEERS),
    });
    let counts = all.elsewhere();
    assert_eq!(counts.downloaders, counts.incomplete);
    counts.incomplete
}

/// Each client announces to `homes` nodes next to each other.
fn homes(clients: u32, nodes: u32, homes: u32) -> Vec<Vec<u32>> {
    let of = |node: u32| {
        let is_home = |client: &u32| (0..homes).any(|at| (client + at) % nodes == node);
        (0..clients).filter(is_home).collect()
    };
    (0..nodes).map(of).collect()
}

#[test]
fn ten_thousand_clients_of_two_nodes_are_ten_thousand() {
    let both = homes(10_000, 2, 2);
    assert_eq!(seem(&[], &both, MAX_SUMMARY_PEERS), 10_000);
    // To one of the two: the other has nobody else.
    assert_eq!(seem(&both[0], &both[1..], MAX_SUMMARY_PEERS), 0);
}

#[test]
fn whoever_announces_to_as_many_of_many_nodes_counts_once() {
    for (clients, nodes, each) in [(10_000, 12, 2), (100_000, 3, 2), (5_000, 40, 3)] {
        let all = homes(clients, nodes, each);
        let most = (400 / nodes as usize).min(MAX_SUMMARY_PEERS);
        let number = u64::from(clients);
        assert_eq!(seem(&[], &all, most), number, "{nodes} nodes");
        let (own, others) = all.split_first().unwrap();
        let rest = number - own.len() as u64;
        assert_eq!(seem(own, others, most), rest, "{nodes} nodes");
    }
}

#[test]
fn whoever_is_named_by_all_counts_once_however_they_are_spread() {
    let nodes = [vec![1, 2, 3], vec![2, 3], vec![3, 4], vec![]];
    assert_eq!(seem(&[], &nodes, MAX_SUMMARY_PEERS), 4);
    assert_eq!(seem(&[3, 9], &nodes, MAX_SUMMARY_PEERS), 3);
}

#[test]
fn when_some_announce_to_two_nodes_totals_are_as_good_as_the_samples() {
    // All of the first node are of the second, too, which has as many more.
    let (few, many): (Vec<u32>, Vec<u32>) = ((0..5_000).collect(), (0..10_000).collect());
    let number = seem(&[], &[few, many], MAX_SUMMARY_PEERS);
    assert!(number.abs_diff(10_000) <= 1_000, "{number}");
    let apart: Vec<Vec<u32>> = homes(9_000, 3, 1);
    assert_eq!(seem(&[], &apart, MAX_SUMMARY_PEERS), 9_000);
}

#[test]
fn who_has_become_a_seed_is_one_although_one_node_has_not_heard_of_it() {
    let mut all = Distinct::new(HASH);
    let before = Heard {
        age_ms: 500,
        ..peer(1)
    };
    let after = Heard {
        seed: true,
        ..peer(1)
    };
    all.add(counts(1), &[before], OVERDUE_MS);
    let seeds = Counts {
        complete: 1,
        ..NOBODY
    };
    all.add(seeds, &[after], OVERDUE_MS);
    assert_eq!(all.elsewhere(), seeds);
}

#[test]
fn of_a_node_that_has_long_been_silent_as_large_a_part_counts_as_of_its_sample() {
    // One in four has announced lately; most of them last, but the lowest ranks tell.
    let clients: Vec<u32> = (0..4_000).collect();
    let mut named = sample(&clients, MAX_SUMMARY_PEERS);
    for peer in &mut named {
        let number = u32::from_be_bytes(match peer.addr.ip() {
            std::net::IpAddr::V4(ip) => ip.octets(),
            std::net::IpAddr::V6(_) => [0; 4],
        });
        let is_late = !number.is_multiple_of(4) && number - 0x0a00_0000 < 3_900;
        peer.age_ms = if is_late { OVERDUE_MS } else { 0 };
    }
    let mut all = Distinct::new(HASH);
    all.add(counts(4_000), &named, OVERDUE_MS);
    let number = all.elsewhere().incomplete;
    assert!((500..=1_500).contains(&number), "{number}");
}
