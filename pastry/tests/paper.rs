//! One test for each claim of the papers that can be checked, and for the worked example.

#![allow(clippy::unwrap_used, reason = "a test says what broke by panicking")]

mod common;
#[path = "paper/locality.rs"]
mod locality;

use common::Net;
use overlay::{
    Claim, Contact, Cx, Duration, Effect, Id, Input, KeyRouter, Machine, OpId, Outbox, RouterCall,
    Time, WallMs,
};
use pastry::{LeafSet, Pastry, PastryConfig, Side, Table, tables};
use sim::Dice;
use smallvec::SmallVec;

fn contact(digits: &str) -> Contact {
    let id: Id = format!("{digits:0<40}").parse().unwrap();
    let port = u16::from_be_bytes([id.0[0], id.0[1]]).max(1);
    Contact {
        id,
        addr: ([127, 0, 0, 1], port).into(),
    }
}

/// A node that knows these leaves and table entries.
fn knowing(me: &str, leaves: &[&str], entries: &[&str]) -> Pastry {
    let config = PastryConfig::default();
    let me = contact(me);
    let mut set = LeafSet::new(me, config.half());
    set.note_gap();
    for leaf in leaves {
        set.insert(contact(leaf));
    }
    let mut table = Table::new(me.id, config.digit_bits);
    for entry in entries {
        table.offer(contact(entry), None, Time::ZERO);
    }
    Pastry::with_tables(me, config, set, table)
}

fn next(node: &Pastry, key: &str) -> Option<Contact> {
    let mut hops = SmallVec::new();
    node.next_hops(contact(key).id, false, 1, &|_| false, &mut hops);
    hops.first().map(|hop| hop.contact)
}

/// Lecture, after Rowstron and Druschel, figure 2: from 65A1FC to D46A1C each hop shares one more
/// digit, D13DA3, D4213F, D462BA, and at last the numerically closest node answers.
#[test]
fn routing_from_65a1fc_to_d46a1c() {
    let path = [
        knowing("65a1fc", &["65a1f0", "65a20c"], &["d13da3", "9a7f00"]),
        knowing("d13da3", &["d13c00", "d13f00"], &["d4213f", "d9a000"]),
        knowing("d4213f", &["d42100", "d42200"], &["d462ba", "d47f00"]),
        knowing("d462ba", &["d46142", "d467c4", "d471f1"], &["d4a000"]),
    ];
    let mut route: Vec<Contact> = vec![contact("65a1fc")];
    for node in &path {
        assert_eq!(route.last().unwrap().id, node.me().id);
        route.extend(next(node, "d46a1c"));
    }
    let expected = ["65a1fc", "d13da3", "d4213f", "d462ba", "d467c4"].map(contact);
    assert_eq!(route, expected);
    let last = knowing("d467c4", &["d462ba", "d471f1", "d46142", "d47a00"], &[]);
    assert_eq!(last.claim(contact("d46a1c").id), Claim::Mine);
}

/// Section 2.3, "the rare case": without an entry for the next digit the request goes to a node
/// that shares as many digits and is closer.
#[test]
fn without_an_entry_a_closer_node_with_the_same_prefix_is_next() {
    let node = knowing("d13da3", &["d13c00", "d13f00"], &["d9a000", "20aa00"]);
    assert_eq!(
        next(&node, "d46a1c"),
        Some(contact("d13f00")),
        "closer than d9a000"
    );
    let node = knowing("d13da3", &["d13c00", "d13f00"], &["d3f000", "20aa00"]);
    assert_eq!(next(&node, "d46a1c"), Some(contact("d3f000")));
}

fn network(count: usize) -> Vec<Contact> {
    let mut dice = Dice::new(9, 9);
    let mut ids: Vec<Contact> = (0..count)
        .map(|node| Contact {
            id: dice.id(),
            addr: sim::address_of(node),
        })
        .collect();
    ids.sort_unstable();
    ids
}

/// Section 2.1: |L| / 2 nodes on either side; a table of about log16 N rows of 15.
#[test]
fn tables_have_the_papers_sizes() {
    let ids = network(10_000);
    let mut entries = 0;
    for at in (0..10_000).step_by(100) {
        let node = tables::correct(&ids, at, PastryConfig::default(), None);
        assert_eq!(
            [Side::Larger, Side::Smaller].map(|side| node.leaves().count(side)),
            [8, 8]
        );
        assert!(
            (2..=7).contains(&node.table().last_row()),
            "row {}",
            node.table().last_row()
        );
        entries += node.table().entries().len();
    }
    let mean = entries / 100;
    assert!(
        (45..65).contains(&mean),
        "{mean} entries; three full rows and a part of the fourth"
    );
}

/// Section 2.3: each key is delivered to the live node whose id is numerically closest.
#[test]
fn each_key_has_exactly_one_root_the_closest_node() {
    let ids = network(300);
    let nodes: Vec<Pastry> = (0..300)
        .map(|at| tables::correct(&ids, at, PastryConfig::default(), None))
        .collect();
    let mut dice = Dice::new(1, 1);
    for _ in 0..500 {
        let key = dice.id();
        let roots: Vec<Id> = nodes
            .iter()
            .filter(|node| node.claim(key) == Claim::Mine)
            .map(|node| node.me().id)
            .collect();
        assert_eq!(roots, [tables::closest_to(&ids, key).id], "key {key}");
    }
}

/// PAST: a key is kept by the k nodes closest to it, and its root can name them all.
#[test]
fn the_replicas_of_a_key_are_the_nodes_closest_to_it() {
    for count in [1, 2, 3, 4, 7, 100] {
        let ids = network(count);
        let mut dice = Dice::new(2, count as u64);
        for _ in 0..200 {
            let key = dice.id();
            let root = tables::closest_to(&ids, key);
            let at = ids.iter().position(|known| known.id == root.id).unwrap();
            let node = tables::correct(&ids, at, PastryConfig::default(), None);
            let owned = node.owned(3);
            let parts: Vec<_> = owned.iter().filter(|part| part.arc.contains(key)).collect();
            assert_eq!(parts.len(), 1, "{count} nodes, key {key}: {owned:?}");
            assert_eq!(parts[0].replicas[0].id, root.id, "the root comes first");
            let mut named: Vec<Id> = parts[0].replicas.iter().map(|known| known.id).collect();
            let point = pastry::Point::of(key);
            let mut closest: Vec<Id> = ids.iter().map(|known| known.id).collect();
            closest.sort_by_key(|id| pastry::Point::of(*id).closeness_to(point));
            closest.truncate(3);
            named.sort_unstable();
            closest.sort_unstable();
            assert_eq!(named, closest, "{count} nodes, key {key}");
        }
    }
}

/// The parts of all nodes together are the whole circle, once.
#[test]
fn the_parts_of_all_nodes_fit_together() {
    let ids = network(50);
    let mut ends = Vec::new();
    for at in 0..50 {
        let node = tables::correct(&ids, at, PastryConfig::default(), None);
        ends.extend(
            node.owned(3)
                .into_iter()
                .map(|part| (part.arc.from, part.arc.to)),
        );
    }
    for (_, to) in &ends {
        assert_eq!(
            ends.iter().filter(|(from, _)| from == to).count(),
            1,
            "after {to}"
        );
    }
}

/// MSPastry, section 3.1: a node answers for keys only when its whole leaf set lists it. At no
/// instant of a join do two members answer for one key.
#[test]
fn no_key_has_two_roots_while_nodes_join() {
    for seed in 0..20 {
        let mut net = Net::new(seed);
        net.found();
        let keys: Vec<Id> = (0..40).map(|_| net.dice.id()).collect();
        for _ in 0..20 {
            net.join();
            net.join();
            for _ in 0..40 {
                net.run(Duration::from_millis(25));
                for key in &keys {
                    let roots = net.claimants(*key);
                    assert!(
                        roots.len() <= 1,
                        "seed {seed}: {roots:?} all answer for {key}"
                    );
                }
            }
        }
    }
}

/// Middleware 2001, section 3.3: after 500 of 5,000 nodes fail, routing goes on, and repair brings
/// the leaf sets back; here with fewer nodes.
#[test]
fn a_tenth_of_the_nodes_fails_and_the_leaf_sets_are_repaired() {
    let mut net = Net::new(5);
    net.found();
    for _ in 1..200 {
        net.join();
        net.run(Duration::from_millis(200));
    }
    net.run(Duration::from_secs(10));
    let mut members = net.members();
    net.dice.shuffle(&mut members);
    for node in &members[..20] {
        net.world.crash(*node);
    }
    let took = net.settle(Duration::from_secs(120));
    assert!(took < Duration::from_secs(60), "{took:?}");
}

/// Section 2.1: a table of ⌈log16 N⌉ rows of 15 slots has 75 slots among 100,000 nodes, "approximately
/// 75 entries". Of them those have an entry for which there is a node: a slot of row r is empty
/// with probability (1 - 16^-(r+1))^N, so that 58 are filled.
#[test]
fn a_table_has_an_entry_in_each_slot_for_which_there_is_a_node() {
    for (count, filled) in [
        (1_000, 25.0..35.0),
        (10_000, 44.0..50.0),
        (100_000, 57.0..60.0),
    ] {
        let ids = network(count);
        let others = (count - 1) as f64;
        let slots = |row: i32| 15.0 * (1.0 - (1.0 - 16_f64.powi(-row - 1)).powf(others));
        let expected: f64 = (0..32).map(slots).sum();
        assert!(filled.contains(&expected), "{expected} of {count} nodes");
        let sample = (0..count).step_by(count / 100);
        let entries: usize = sample
            .map(|at| tables::correct(&ids, at, PastryConfig::default(), None))
            .map(|node| node.table().entries().len())
            .sum();
        let mean = entries as f64 / 100.0;
        assert!(
            (mean - expected).abs() < 1.0,
            "{mean} entries, not {expected}"
        );
        let rows = (count as f64).log(16.0).ceil();
        assert!(mean < 15.0 * rows, "{mean} entries in {rows} rows");
    }
}

/// Section 2.2: a message is delivered unless |L| / 2 nodes with adjacent ids fail at the same time.
#[test]
fn seven_neighbours_may_die_at_once() {
    let mut net = Net::new(8);
    net.found();
    for _ in 1..60 {
        net.join();
        net.run(Duration::from_millis(400));
    }
    net.run(Duration::from_secs(5));
    let mut members = net.members();
    members.sort_by_key(|node| net.pastry(*node).me().id);
    for node in &members[20..27] {
        net.world.crash(*node);
    }
    for (key, found) in net.look_up(200, Duration::from_secs(60)) {
        let owner = found.map(|found| found.owner.id);
        assert_eq!(owner, Some(net.closest(key)), "key {key}");
    }
}

/// Draws zeros.
struct Zero;

impl rand_core::TryRng for Zero {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        bytes.fill(0);
        Ok(())
    }
}

/// MSPastry, section 3.1: a node is declared dead only after it was probed, however silent others
/// found it.
#[test]
fn a_silent_leaf_is_probed_before_it_is_dead() {
    let mut node = knowing("d467c4", &["d462ba", "d471f1"], &[]);
    let leaf = contact("d462ba");
    let mut out = Outbox::default();
    let mut cx = Cx {
        now: Time::ZERO,
        wall: WallMs(0),
        rng: &mut Zero,
        out: &mut out,
    };
    let call = RouterCall::Silent(leaf);
    node.handle(&mut cx, Input::Call { op: OpId(0), call });
    assert!(node.leaves().contains(leaf.id), "it stays");
    let asked = out
        .drain()
        .any(|effect| matches!(effect, Effect::Send { to, .. } if to == leaf));
    assert!(asked, "it is probed");
}
