//! Words under loss, crashes and churn: once it is quiet everything that lives is found, and nothing
//! that ended.

mod common;

use bytes::Bytes;
use common::{World, contact, delete, holder, key};
use overlay::{Condition, Consistency, Duration, Id, OpId, Outcome, Reply, Request, TextReport};
use std::collections::{BTreeMap, BTreeSet};

/// In seconds; short, so that a run sees many of them end.
const LEASE: u32 = 120;
/// Longer than the entries of values last: those that nobody renewed are gone.
const QUIET: Duration = Duration::from_secs(2_000);

/// What must be, must not be, and may be found.
#[derive(Debug, Default)]
struct Model {
    /// Stored values by number.
    values: BTreeSet<u64>,
    /// Holders that live, with the node that renews them.
    holders: BTreeMap<u64, Id>,
    /// What was deleted, or whose node died.
    gone: BTreeSet<u64>,
    /// Calls without a clear answer: either will do.
    open: BTreeSet<u64>,
    calls: BTreeMap<OpId, (u64, Id, Request)>,
}

fn text_of(number: u64) -> String {
    format!("all group{} number{number}", number % 5)
}

fn name_of(number: u64) -> Bytes {
    Bytes::from(format!("item/{}/{number:04}", number % 5))
}

fn put(number: u64) -> Request {
    Request::Put {
        key: key(number),
        value: Bytes::from_static(b"value"),
        ttl_s: None,
        consistency: Consistency::Quorum,
        condition: Condition::Always,
        text: text_of(number),
        indexed: Some(name_of(number)),
    }
}

fn insert(number: u64) -> Request {
    Request::Insert {
        key: key(number),
        holder: holder(number as u16),
        lease_s: LEASE,
        text: text_of(number),
        indexed: Some(name_of(number)),
    }
}

impl Model {
    fn call(&mut self, world: &mut World, node: Id, number: u64, request: Request) {
        let op = world.call(node, request.clone());
        self.calls.insert(op, (number, node, request));
    }

    /// Takes the answers in.
    fn answered(&mut self, world: &World) {
        for (op, (number, node, request)) in std::mem::take(&mut self.calls) {
            match (request, world.answers.get(&op)) {
                (Request::Put { .. }, Some(Reply::Put(_))) => {
                    self.values.insert(number);
                }
                (Request::Insert { .. }, Some(Reply::Inserted(_))) => {
                    self.holders.insert(number, node);
                }
                (Request::Delete { .. }, Some(Reply::Deleted(_))) => {
                    self.values.remove(&number);
                    self.holders.remove(&number);
                    self.gone.insert(number);
                }
                _ => {
                    self.open.insert(number);
                }
            }
        }
    }

    /// A node died: the leases that it renewed end.
    fn died(&mut self, node: Id) {
        let lost: Vec<u64> = self
            .holders
            .iter()
            .filter(|it| *it.1 == node)
            .map(|it| *it.0)
            .collect();
        for number in lost {
            self.holders.remove(&number);
            self.gone.insert(number);
        }
    }

    fn check(&self, seed: u64, what: &str, group: Option<u64>, report: &TextReport) {
        let found: BTreeSet<Id> = report.results.iter().map(|hit| hit.key).collect();
        let is_wanted = |number: &&u64| group.is_none_or(|group| **number % 5 == group);
        for number in self
            .values
            .iter()
            .chain(self.holders.keys())
            .filter(is_wanted)
        {
            let there = found.contains(&key(*number)) || self.open.contains(number);
            assert!(
                there,
                "seed {seed}, {what}: {number} is missing: {:?}",
                report.reason
            );
        }
        for number in self.gone.difference(&self.open) {
            assert!(
                !found.contains(&key(*number)),
                "seed {seed}, {what}: {number} is gone"
            );
        }
        assert!(report.complete, "seed {seed}, {what}: {:?}", report.reason);
        assert_ne!(report.outcome, Outcome::Unknown, "seed {seed}, {what}");
    }
}

fn search(world: &mut World, node: Id, request: Request) -> TextReport {
    match world.ask(node, request) {
        Reply::TextSearched(report) => report,
        other => panic!("{other:?}"),
    }
}

/// Some calls at nodes that live.
fn calls(world: &mut World, model: &mut Model, round: u64) {
    for number in round * 20..(round + 1) * 20 {
        let ids = world.ids();
        let node = ids[number as usize % ids.len()];
        let request = if number % 3 == 0 {
            put(number)
        } else {
            insert(number)
        };
        model.call(world, node, number, request);
    }
    world.run_for(Duration::from_secs(9));
    model.answered(world);
    // Some of those of the round before go again, a holder where it is renewed.
    for number in (round.saturating_sub(1) * 20..round * 20).step_by(4) {
        let ids = world.ids();
        let (node, addr) = match model.holders.get(&number) {
            Some(node) => (*node, Some(holder(number as u16))),
            None if model.values.contains(&number) => (ids[0], None),
            None => continue,
        };
        model.call(world, node, number, delete(key(number), addr));
    }
    world.run_for(Duration::from_secs(9));
    model.answered(world);
}

/// Searches for everything, at two nodes.
fn look(world: &mut World, model: &Model, seed: u64) {
    let consistency = Consistency::Quorum;
    let nodes = [world.ids()[0], world.ids()[5]];
    for node in nodes {
        for query in ["all", "all group2", "group3", "numb*"] {
            let text = query.to_owned();
            let limit = 1_000;
            let request = Request::SearchText {
                text,
                limit,
                consistency,
            };
            let report = search(world, node, request);
            if query == "numb*" {
                // More words begin so than a query stands for.
                assert!(!report.complete, "seed {seed}");
                continue;
            }
            let group = query.chars().last().and_then(|digit| digit.to_digit(10));
            model.check(seed, query, group.map(u64::from), &report);
        }
        for (prefix, group) in [("item/", None), ("item/4/", Some(4))] {
            let prefix = Bytes::from(prefix);
            let request = Request::SearchPrefix {
                prefix,
                limit: 1_000,
                consistency,
            };
            let report = search(world, node, request);
            model.check(seed, "prefix", group, &report);
        }
    }
}

fn run(seed: u64) {
    let mut world = World::of(8, seed);
    let mut model = Model::default();
    for round in 0..6 {
        (
            world.lose_one_in,
            world.duplicate_one_in,
            world.delay_one_in,
        ) = (20, 30, 30);
        calls(&mut world, &mut model, round);
        let ids = world.ids();
        let dead = ids[(seed + round * 3) as usize % ids.len()];
        world.kill(dead);
        model.died(dead);
        world.run_for(Duration::from_millis(700));
        world.bury(dead);
        // Every second one comes back with its disk, else another node joins.
        let number = (0..200)
            .find(|number| contact(*number).id == dead)
            .unwrap_or(0);
        world.lose_one_in = 0;
        world.join(if round % 2 == 0 { number } else { 100 + round });
        world.run_for(Duration::from_secs(20));
    }
    (world.duplicate_one_in, world.delay_one_in) = (0, 0);
    world.run_for(QUIET);
    look(&mut world, &model, seed);
    // Comparisons and the like go on for ever; what was done for words must be over.
    let of_words = [
        "calls",
        "searches by words",
        "entries to place",
        "batches of entries to answer",
    ];
    for id in world.ids() {
        let all = world.node(id).under_way().into_iter();
        let busy: Vec<_> = all
            .filter(|(name, count)| *count > 0 && of_words.contains(name))
            .collect();
        assert!(busy.is_empty(), "seed {seed}: {busy:?}");
    }
    println!(
        "seed {seed}: {} values, {} holders, {} gone, {} open",
        model.values.len(),
        model.holders.len(),
        model.gone.len(),
        model.open.len()
    );
}

#[test]
fn once_it_is_quiet_all_that_lives_is_found_and_nothing_that_ended() {
    for seed in 0..10 {
        run(400 + seed);
    }
}
