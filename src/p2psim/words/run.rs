//! One network with its index, and queries one after another.

use super::super::RunError;
use super::super::cli::WordsArgs;
use super::super::nearest::read_key;
use super::super::overlays::{Pace, Settings, Simulated};
use super::super::progress::{Progress, print_cost};
use super::super::storing::{self, Storing};
use super::placing::{Stores, key};
use super::report::{Asked, Counted, WordsReport};
use super::texts::Texts;
use dht::{Dht, DhtConfig, DhtMessage, DhtTimer, StoreMessage};
use overlay::lookup::{LookupConfig, RoutingMessage, RoutingTimer};
use overlay::{
    Consistency, Contact, Duration, Id, Notice, Reply, Request, TextReport, Time, WallMs,
};
use sim::{Dice, World, address_of};
use std::collections::{BTreeMap, BTreeSet};

/// Streams of entropy: ids, the first maintenance, texts, their order, queries.
const IDS: u32 = 100;
const PHASES: u32 = 101;
const TEXTS: u32 = 102;
const ORDER: u32 = 103;
const QUERIES: u32 = 104;
/// The kind of messages that a search causes: reads and lookups.
const OF_SEARCHES: usize = 1;
/// The first maintenance of all nodes falls into this span.
const FIRST_WITHIN: Duration = Duration::from_secs(1);
/// How long a network is left alone before the first query: by then every copy has been compared,
/// and absence can be proven.
const REST: Duration = Duration::from_secs(60);
/// No query may take longer.
const LONGEST: Duration = Duration::from_secs(60);

fn kind_of<P>(message: &DhtMessage<P>) -> usize {
    match message {
        DhtMessage::Routing(RoutingMessage::Lookup(_))
        | DhtMessage::Store(StoreMessage::Read(_) | StoreMessage::ReadReply(_)) => OF_SEARCHES,
        _ => 0,
    }
}

/// Runs the experiment on one overlay.
pub(super) fn run<R: Simulated>(args: &WordsArgs) -> Result<WordsReport, RunError> {
    let mut config = sim::Config::new(args.seed);
    config.latency = super::super::latency(args.latency.as_deref())?;
    let wall = sim::EPOCH;
    let mut world: World<Storing<R>> = World::new(config);
    world.set_replay(format!(
        "p2psim words --overlay {} --nodes {} --texts {} --vocabulary {} --queries {} --limit {} --seed {}",
        args.overlay, args.nodes, args.texts, args.vocabulary, args.queries, args.limit, args.seed
    ));
    world.classify(kind_of::<R::Message>);
    let (texts, vocabulary) = (args.texts as usize, args.vocabulary as usize);
    let texts = Texts::new(&mut world.dice(TEXTS), texts, vocabulary);
    let (loads, index_nodes) = build::<R>(&mut world, args.nodes as usize, &texts, wall);
    let numbers: BTreeMap<Id, u32> = (0..args.texts as u32).map(|it| (key(it), it)).collect();
    world.run_until(Time::ZERO + REST)?;
    let mut counted = Counted::new(loads, index_nodes);
    world.record(read_key::<R::Message>);
    let mut dice = world.dice(QUERIES);
    let mut progress = Progress::new("queries", args.queries);
    for number in 0..args.queries {
        let ranks = query(&texts, &mut dice, number as usize % 3 + 1);
        let node = dice.index(world.node_count());
        let asked = ask(&mut world, node, &ranks, args.limit)?;
        let wrong = judge(&texts, &numbers, &ranks, args.limit, &asked.report);
        counted.add(ranks.len(), asked, wrong);
        for (_, at) in world.take_recorded() {
            counted.asked(at);
        }
        progress.step();
    }
    print_cost(progress.finish());
    Ok(counted.report(args, &texts, world.trace_hash()))
}

/// Fills a world with nodes that have correct tables and the index; gives how many entries each
/// node has.
fn build<R: Simulated>(
    world: &mut World<Storing<R>>,
    count: usize,
    texts: &Texts,
    wall: WallMs,
) -> (Vec<u64>, u64) {
    let (mut ids, mut phases) = (world.dice(IDS), world.dice(PHASES));
    let contacts: Vec<Contact> = (0..count)
        .map(|node| Contact {
            id: ids.id(),
            addr: address_of(node),
        })
        .collect();
    let settings = Settings {
        successors: storing::SUCCESSORS,
        pace: Pace::Shipped,
        proximity: false,
        alive: true,
        lookup: LookupConfig::default(),
    };
    let config = DhtConfig::default();
    let mut sorted = contacts.clone();
    sorted.sort_unstable();
    let router = |id: Id| {
        let at = sorted.partition_point(|other| other.id < id);
        R::correct(&sorted, at, &settings, None)
    };
    let arcs = contacts.iter().flat_map(|contact| {
        let owned = router(contact.id).owned(config.replicas);
        owned.into_iter().collect::<Vec<_>>()
    });
    let places: BTreeMap<Id, usize> = contacts.iter().map(|it| it.id).zip(0..).collect();
    let index_of = |id: Id| places.get(&id).copied();
    let mut stores = Stores::new(arcs.collect(), count, &index_of, wall);
    stores.fill(texts, &mut world.dice(ORDER));
    let loads = stores.stores.iter().map(|store| {
        let counts = dht::Store::counts(store);
        counts.entries
    });
    let (loads, nodes) = (loads.collect(), stores.nodes);
    for (contact, store) in contacts.iter().zip(stores.stores) {
        let node = world.add(contact.id, |_| {
            let lookup = settings.lookup.clone();
            let mut node = Dht::new(router(contact.id), store, config.clone(), lookup);
            node.assume_complete();
            node
        });
        let first = Time::ZERO + phases.span(Duration::ZERO, FIRST_WITHIN);
        let timer = DhtTimer::Routing(RoutingTimer::Router(R::start()));
        world.arm(node, first, timer);
    }
    (loads, nodes)
}

/// A query of some words of a random text: so popular words are asked for more often too.
fn query(texts: &Texts, dice: &mut Dice, words: usize) -> Vec<u32> {
    let text = dice.index(texts.words_of.len());
    let mut ranks = texts.words_of[text].clone();
    dice.shuffle(&mut ranks);
    ranks.truncate(words);
    ranks
}

/// Asks one query, alone, and counts what it causes.
fn ask<R: Simulated>(
    world: &mut World<Storing<R>>,
    node: usize,
    ranks: &[u32],
    limit: u32,
) -> Result<Asked, RunError> {
    let words: Vec<String> = ranks.iter().map(|rank| Texts::word(*rank)).collect();
    let request = Request::SearchText {
        text: words.join(" "),
        limit,
        consistency: Consistency::Quorum,
    };
    let (before, began) = (*world.counters(), world.now());
    let op = world.call(node, request);
    loop {
        if world.advance(began + LONGEST)? {
            let text = format!("the query {words:?} is not answered");
            return Err(world
                .violation("every call is answered", Some(node), text)
                .into());
        }
        for told in world.take_events() {
            let Notice::Done { op: done, reply } = told.event else {
                continue;
            };
            if let (true, Reply::TextSearched(report)) = (done == op, reply) {
                let after = world.counters();
                let kinds = |counters: &sim::Counters| {
                    (
                        counters.sent_by_kind[OF_SEARCHES],
                        counters.delivered_bytes_by_kind[OF_SEARCHES],
                    )
                };
                let (sent, bytes) = kinds(after);
                let (sent_before, bytes_before) = kinds(&before);
                return Ok(Asked {
                    report,
                    messages: sent - sent_before,
                    bytes: bytes - bytes_before,
                    took: world.now().since(began),
                });
            }
        }
    }
}

/// How many results there should have been and were not, and whether anything was wrong.
fn judge(
    texts: &Texts,
    numbers: &BTreeMap<Id, u32>,
    ranks: &[u32],
    limit: u32,
    report: &TextReport,
) -> (u64, u64, bool) {
    let limit = limit as usize;
    let matching = texts.matching(ranks, limit);
    let found: BTreeSet<Id> = report.results.iter().map(|hit| hit.key).collect();
    let is_right = |key: &&Id| {
        numbers
            .get(*key)
            .is_some_and(|it| texts.matches(*it, ranks))
    };
    let right = found.iter().filter(is_right).count();
    let is_exact = found.len() == right && right == report.results.len();
    let says_so = matching > limit || report.complete;
    (
        matching.min(limit) as u64,
        right as u64,
        is_exact && says_so,
    )
}
