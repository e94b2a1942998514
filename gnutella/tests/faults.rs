//! Seeded networks that lose, copy and delay messages, crash, split and churn.

mod common;

use common::{Net, get, holder_addr, insert, put, search};
use gnutella::{Gnutella, GnutellaConfig, Way};
use overlay::{Duration, Id, Locate, MemoryStore, OpId, Outcome, Reply, Request, Slot};
use sim::Chance;
use std::collections::{BTreeMap, BTreeSet};

/// What was called, and what is true of the answers.
#[derive(Default)]
struct Book {
    calls: BTreeMap<OpId, (usize, Request)>,
    /// Every value that was ever put under a key.
    values: BTreeMap<Id, BTreeSet<Vec<u8>>>,
    /// Every holder that was ever inserted.
    holders: BTreeSet<(Id, u64)>,
}

impl Book {
    fn call(&mut self, net: &mut Net, node: usize, call: Request) {
        match &call {
            Request::Put { key, value, .. } => {
                self.values.entry(*key).or_default().insert(value.to_vec());
            }
            Request::Insert { key, .. } => {
                self.holders.insert((*key, node as u64));
            }
            _ => {}
        }
        let op = net.world.call(node, call.clone());
        self.calls.insert(op, (node, call));
    }

    /// Each call at a node that lived has one answer, and what was found is true.
    fn check(&self, net: &Net, dead: &BTreeSet<usize>, seed: u64) {
        for (op, (node, call)) in &self.calls {
            let answers = net.replies.get(op).map_or(&[][..], Vec::as_slice);
            let wanted = if dead.contains(node) { 0..=1 } else { 1..=1 };
            let count = answers.len();
            assert!(
                wanted.contains(&count),
                "seed {seed}: {count} answers to {call:?} at {node}"
            );
            for (_, reply) in answers {
                self.is_true(call, reply, seed);
            }
        }
    }

    fn is_true(&self, call: &Request, reply: &Reply, seed: u64) {
        match (call, reply) {
            (Request::Get { key, .. }, Reply::Got(report)) => {
                assert_ne!(report.outcome, Outcome::Absent, "seed {seed}");
                if let Some(value) = &report.value {
                    let known = self
                        .values
                        .get(key)
                        .is_some_and(|it| it.contains(&value[..]));
                    assert!(known, "seed {seed}: {value:?} was never put under {key}");
                }
            }
            (Request::Search { key, .. }, Reply::Searched(report)) => {
                assert_ne!(report.outcome, Outcome::Absent, "seed {seed}");
                for holder in &report.holders {
                    let known = (0..64).any(|number| {
                        holder.addr == holder_addr(number) && self.holders.contains(&(*key, number))
                    });
                    assert!(known, "seed {seed}: {holder:?} never held {key}");
                }
            }
            _ => {}
        }
    }
}

/// One seed: everything that may go wrong does, and then nothing; at the end all is at rest.
fn run(seed: u64) {
    let ways = [Way::Auto, Way::Flood, Way::Ring, Way::Walk, Way::Dynamic];
    let config = GnutellaConfig {
        way: ways[(seed % 5) as usize],
        ..GnutellaConfig::default()
    };
    let nodes = 6 + (seed % 17) as usize;
    let mut net = Net::grown(seed, config.clone(), nodes);
    net.world.faults_mut().loss = Chance((seed % 4) as u32 * 20_000);
    net.world.faults_mut().duplicate = Chance((seed % 3) as u32 * 20_000);
    net.world.faults_mut().reorder = Chance((seed % 2) as u32 * 100_000);
    let (mut book, mut dead) = (Book::default(), BTreeSet::new());
    for step in 0..60_u64 {
        let node = net.dice.index(net.world.node_count());
        let key = Id::from_u64(net.dice.below(12));
        if net.world.is_up(node) {
            let call = match net.dice.below(6) {
                0 => put(key, &step.to_be_bytes()),
                1 => insert(key, node as u64, "some words"),
                2 => common::delete(key, None),
                3 => search(key),
                _ => get(key),
            };
            book.call(&mut net, node, call);
        }
        match net.dice.below(12) {
            0 if net.world.live_count() > 4 => {
                dead.insert(node);
                net.world.crash(node);
            }
            1 => {
                let (id, config) = (net.dice.id(), config.clone());
                let live: Vec<usize> = net.world.live().map(|(at, _)| at).collect();
                let via = *net.dice.pick(&live).expect("a node");
                let via = net.world.contact(via).expect("its contact");
                let new = net
                    .world
                    .add(id, |me| Gnutella::new(me, MemoryStore::new(), config, &[]));
                net.world.call(new, Request::Join { via });
            }
            2 => {
                let half: Vec<usize> = (0..net.world.node_count())
                    .filter(|at| at % 2 == 0)
                    .collect();
                net.split(&half);
            }
            3 => net.heal(),
            _ => {}
        }
        net.run(Duration::from_millis(700));
    }
    net.heal();
    net.world.faults_mut().loss = Chance(0);
    net.world.faults_mut().duplicate = Chance(0);
    net.world.faults_mut().reorder = Chance(0);
    net.run(Duration::from_secs(400));
    book.check(&net, &dead, seed);
    assert_eq!(net.rests(), Ok(()), "seed {seed}");
    let most = net
        .world
        .live()
        .map(|(_, node)| node.remembered())
        .max()
        .unwrap_or(0);
    assert!(
        most < 400,
        "seed {seed}: {most} GUIDs and ways are still remembered"
    );
    found_where_it_is(&mut net, seed);
}

/// In a network at rest, what a node has is found by its neighbours.
fn found_where_it_is(net: &mut Net, seed: u64) {
    let (mut asked, mut found) = (0, 0);
    let live: Vec<usize> = net.world.live().map(|(at, _)| at).collect();
    for origin in live.iter().take(4) {
        let near: Vec<Id> = net
            .node(*origin)
            .neighbours()
            .map(|(it, _)| it.id)
            .collect();
        for number in 0..12 {
            let key = Id::from_u64(number);
            let has = |node: &common::Node| {
                let known = overlay::Store::meta(node.store(), key, Slot::Value);
                known.is_some_and(|known| !known.is_tombstone())
            };
            let neighbour_has = net
                .world
                .live()
                .any(|(_, node)| near.contains(&node.me().id) && has(node));
            if !neighbour_has {
                continue;
            }
            asked += 1;
            if let Reply::Got(report) = net.ask(*origin, get(key)) {
                let deleted = report
                    .reason
                    .as_ref()
                    .is_some_and(|it| it.contains("was deleted"));
                found += usize::from(report.outcome == Outcome::Found || deleted);
            }
        }
    }
    assert_eq!(found, asked, "seed {seed}");
}

#[test]
fn whatever_happens_calls_end_once_and_nothing_leaks() {
    let seeds: u64 = std::env::var("SEEDS").map_or(24, |text| text.parse().expect("a number"));
    for seed in 0..seeds {
        run(seed);
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    let hash = |seed| {
        let mut net = Net::grown(seed, GnutellaConfig::default(), 20);
        net.ask(3, put(Id::of(b"a"), b"1"));
        net.ask(7, get(Id::of(b"a")));
        net.world.trace_hash()
    };
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}
