//! One test for each claim of the papers and of the lecture's worked example.

#![allow(clippy::unwrap_used, reason = "a test says what broke by panicking")]

mod common;

use chord::ring::{AfterNotify, AfterSuccessor};
use chord::{Chord, ChordConfig, Ring, tables};
use common::World;
use overlay::{Claim, Contact, Duration, Id, KeyRouter, Neighbours};
use smallvec::SmallVec;

/// A point of the lecture's 4-bit circle: the four leading bits of ours.
fn point(number: u8) -> Id {
    let mut bytes = [0; 20];
    bytes[0] = number << 4;
    Id(bytes)
}

fn node(number: u8) -> Contact {
    Contact {
        id: point(number),
        addr: ([127, 0, 0, 1], 4000 + u16::from(number)).into(),
    }
}

fn number(contact: &Contact) -> u8 {
    contact.id.0[0] >> 4
}

const RING: [u8; 7] = [0, 1, 3, 7, 9, 11, 14];

/// The lecture's ring, with lists of two.
fn lecture() -> Vec<Chord> {
    let ids: Vec<Contact> = RING.iter().map(|number| node(*number)).collect();
    let config = ChordConfig {
        successors: 2,
        proximity: false,
        ..ChordConfig::default()
    };
    (0..ids.len())
        .map(|index| tables::correct(&ids, index, config.clone(), None))
        .collect()
}

fn at(nodes: &[Chord], wanted: u8) -> &Chord {
    nodes
        .iter()
        .find(|chord| number(&chord.me()) == wanted)
        .expect("a node of the ring")
}

/// The node of finger `start` of a node: from the list as far as it reaches, else from the table.
fn finger(chord: &Chord, start: u8) -> u8 {
    let me = number(&chord.me());
    let Neighbours::Ring {
        successors,
        fingers,
        ..
    } = chord.neighbours()
    else {
        unreachable!("Chord has a ring")
    };
    let distance = |number: u8| (number + 16 - me) % 16;
    let known = successors.iter().chain(&fingers).map(number);
    known
        .filter(|known| distance(*known) >= distance(start))
        .min_by_key(|k| distance(*k))
        .unwrap()
}

/// Lecture: finger table of 0: start 1 → 1; 2..3 → 3; 4..7 → 7; 8..15 → 9.
#[test]
fn finger_table_of_0() {
    let nodes = lecture();
    let table: Vec<u8> = [1, 2, 4, 8]
        .map(|start| finger(at(&nodes, 0), start))
        .to_vec();
    assert_eq!(table, [1, 3, 7, 9]);
}

/// Lecture: finger table of 9: 10 → 11; 11..12 → 11; 13..0 → 14; 1..8 → 1.
#[test]
fn finger_table_of_9() {
    let nodes = lecture();
    let table: Vec<u8> = [10, 11, 13, 1]
        .map(|start| finger(at(&nodes, 9), start))
        .to_vec();
    assert_eq!(table, [11, 11, 14, 1]);
}

/// Lecture: `search(13)` at 0 goes to 9, then to 14, and 14 answers.
#[test]
fn search_13_from_0_goes_over_9_to_14() {
    let nodes = lecture();
    let mut path = vec![0];
    loop {
        let chord = at(&nodes, *path.last().unwrap());
        if chord.claim(point(13)) == Claim::Mine {
            break;
        }
        let mut hops = SmallVec::new();
        chord.next_hops(point(13), false, 1, &|_| false, &mut hops);
        path.push(number(&hops[0].contact));
    }
    assert_eq!(path, [0, 9, 14]);
}

/// Lecture: a resource lives at the node with id k, else at the next higher one.
#[test]
fn each_key_has_exactly_one_root_the_next_node_clockwise() {
    let nodes = lecture();
    for key in 0..16 {
        let roots: Vec<u8> = nodes
            .iter()
            .filter(|chord| chord.claim(point(key)) == Claim::Mine)
            .map(|chord| number(&chord.me()))
            .collect();
        let right = *RING.iter().find(|node| **node >= key).unwrap_or(&0);
        assert_eq!(roots, [right], "key {key}");
    }
}

/// Zave: join. "Find m with between(m, j, m.succ[0]); succ := m.succ, prdc := m."
#[test]
fn a_joining_node_takes_over_the_list_of_the_member_before_it() {
    let list = [node(7), node(9)];
    let joined = Ring::join(node(5), 2, node(3), &list).expect("5 lies between 3 and 7");
    assert_eq!(joined.successors(), list);
    assert_eq!(joined.predecessor(), Some(node(3)));
    assert_eq!(Ring::join(node(8), 2, node(3), &list), None, "8 does not");
}

/// Zave: stabilise from successor. "succ := [s] + s.succ without its last. If between(n, s.prdc,
/// s): … the next step; else notify s."
#[test]
fn stabilize_from_a_live_successor() {
    let mut ring = Ring::with(node(0), 2, vec![node(3), node(7)], Some(node(14)));
    let next = ring.from_successor(node(3), Some(node(0)), &[node(9), node(11)]);
    assert_eq!(ring.successors(), [node(3), node(9)]);
    assert_eq!(next, AfterSuccessor::Notify(node(3)));
    let next = ring.from_successor(node(3), Some(node(1)), &[node(9), node(11)]);
    assert_eq!(next, AfterSuccessor::AskPredecessor(node(1)));
    assert_eq!(
        ring.first(),
        Some(node(3)),
        "1 is adopted only after it has answered"
    );
}

/// Zave: "Dead: drop it, pad the list at its end, notify the new succ[0]."
#[test]
fn stabilize_from_a_dead_successor() {
    let mut ring = Ring::with(node(0), 2, vec![node(3), node(7)], None);
    assert_eq!(ring.successor_dead(point(3)), Some(node(7)));
    assert_eq!(ring.successors(), [node(7)]);
}

/// Zave: stabilise from predecessor. "Only while between(n, p, succ[0]) still holds."
#[test]
fn stabilize_from_predecessor() {
    let mut ring = Ring::with(node(0), 2, vec![node(7), node(9)], None);
    assert_eq!(
        ring.from_predecessor(node(3), &[node(7), node(9)]),
        Some(node(3))
    );
    assert_eq!(ring.successors(), [node(3), node(7)]);
    assert_eq!(
        ring.from_predecessor(node(5), &[node(7)]),
        Some(node(3)),
        "5 is too late"
    );
    assert_eq!(ring.successors(), [node(3), node(7)]);
}

/// Zave: rectify. "If between(prdc, q, n): prdc := q. Else probe prdc, and replace it by q only
/// if it is dead."
#[test]
fn rectify() {
    let mut ring = Ring::with(node(9), 2, vec![node(11)], Some(node(3)));
    assert_eq!(ring.rectify(node(7)), AfterNotify::Settled);
    assert_eq!(ring.predecessor(), Some(node(7)));
    assert_eq!(ring.rectify(node(3)), AfterNotify::Probe(node(7)));
    assert_eq!(ring.predecessor(), Some(node(7)), "until the probe fails");
    ring.predecessor_dead(point(7), node(3));
    assert_eq!(ring.predecessor(), Some(node(3)));
}

/// ToN 2003, theorem 2: O(log N) steps; section 6.2: ½·log2 N on average. With a list of r:
/// ½·log2 N − ½·log2 r + 1.
#[test]
fn mean_path_is_as_published() {
    let (nodes, list) = (4096, 16);
    let config = ChordConfig {
        successors: list,
        proximity: false,
        ..ChordConfig::default()
    };
    let mut ids: Vec<Contact> = (0..nodes)
        .map(|number: u32| Contact {
            id: Id::of(&number.to_be_bytes()),
            addr: ([10, 0, (number >> 8) as u8, number as u8], 4000).into(),
        })
        .collect();
    ids.sort_unstable();
    let chords: Vec<Chord> = (0..ids.len())
        .map(|index| tables::correct(&ids, index, config.clone(), None))
        .collect();
    let (mut hops_total, lookups) = (0, 20_000_u32);
    for lookup in 0..lookups {
        let key = Id::of(format!("key {lookup}").as_bytes());
        let mut at = (lookup as usize * 7919) % ids.len();
        while chords[at].claim(key) != Claim::Mine {
            let mut hops = SmallVec::new();
            chords[at].next_hops(key, false, 1, &|_| false, &mut hops);
            at = ids
                .binary_search(&hops[0].contact)
                .expect("a node of the network");
            hops_total += 1;
        }
        assert_eq!(ids[at], tables::successor_of(&ids, key));
    }
    let mean = f64::from(hops_total) / f64::from(lookups);
    let published = 0.5 * 4096_f64.log2() - 0.5 * 16_f64.log2() + 1.0;
    println!("mean path {mean:.3}, published {published:.3}");
    assert!(
        mean <= published * 1.03,
        "{mean} hops, {published} are published"
    );
}

/// ToN 2003, section 4.4: joined nodes fill their fingers; they come to the correct tables.
#[test]
fn fingers_of_a_grown_network_are_those_of_a_built_one() {
    let config = ChordConfig {
        successors: 3,
        proximity: false,
        ..ChordConfig::default()
    };
    let mut world = World::grown(1, 40, &config);
    world.run_for(Duration::from_secs(3_000));
    world.ideal().expect("converges");
    let sorted: Vec<Contact> = world.nodes.values().map(KeyRouter::me).collect();
    for (index, chord) in world.nodes.values().enumerate() {
        let built = tables::correct(&sorted, index, config.clone(), None);
        assert_eq!(chord.neighbours(), built.neighbours(), "node {index}");
    }
}

/// ToN 2003, section 4.3: O(log N) state for each node. Small enough for a million of them.
#[test]
fn a_node_of_a_large_network_is_small() {
    let contacts = 20 + 17;
    let bytes = size_of::<Chord>() + contacts * (size_of::<Contact>() + 4);
    println!(
        "{} bytes and {} a contact: {bytes}",
        size_of::<Chord>(),
        size_of::<Contact>()
    );
    assert!(bytes < 6_000);
}
