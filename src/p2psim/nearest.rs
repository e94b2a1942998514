//! Which of a key's replicas is reached first: the nearest to the client, or a farther one?
//!
//! The experiment of Rowstron and Druschel (Middleware 2001, section 3.4): in a network of 10,000
//! nodes a message for a key is routed towards it, and it is noted which of the k nodes closest to
//! the key it reaches first. A lookup here goes on to the root, and then a read asks the root and
//! other replicas at the same time; so both are measured: the first replica on the way of a lookup,
//! and the first to which a read of a value comes.

use super::cli::Overlay;
use super::overlays::Simulated;
use super::progress::{Progress, print_cost};
use super::storing::{self, Storing};
use super::{RunError, write_json};
use chord::Chord;
use clap::Args;
use dht::{DhtConfig, DhtMessage, StoreMessage};
use overlay::{
    Condition, Consistency, Contact, Duration, Id, MAX_REPLICAS, Notice, OpId, Outcome, Reply,
    Request,
};
use pastry::Pastry;
use serde::Serialize;
use sim::{Config, Dice, Latency, Table, World};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

/// Time between two calls. Our choice: a few dozen are under way at a time.
const SPACING: Duration = Duration::from_millis(20);
/// All calls are answered within this time.
const PATIENCE: Duration = Duration::from_secs(120);
/// Bytes of a value.
const VALUE_BYTES: usize = 100;
/// The stream of entropy that calls draw from.
const CALLS: u32 = 1;

/// `p2psim nearest`.
#[derive(Args, Clone, Debug)]
pub struct NearestArgs {
    /// The overlay.
    #[arg(long, default_value_t)]
    pub overlay: Overlay,
    /// Nodes in the network.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(3..=100_000))]
    pub nodes: u64,
    /// Keys: each is looked up by one node, stored by a second, and read by a third.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub keys: u64,
    /// Replicas of each key; a write and a read take more than half of them.
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_REPLICAS)))]
    pub replicas: u8,
    /// Decides everything that is random.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Measured round-trip times in milliseconds, a square matrix.
    #[arg(long, value_name = "FILE")]
    pub latency: Option<PathBuf>,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// How near the replica is that was reached first.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Ranks {
    /// How many were counted: those by nodes that are replicas themselves are not.
    pub counted: u64,
    /// Share of those that reached the nearest replica first.
    pub nearest: f64,
    /// Share of those that reached one of the two nearest first.
    pub one_of_two_nearest: f64,
}

impl Ranks {
    fn of(ranks: &[usize]) -> Self {
        let share = |below: usize| {
            let count = ranks.iter().filter(|rank| **rank < below).count();
            count as f64 / ranks.len().max(1) as f64
        };
        Self {
            counted: ranks.len() as u64,
            nearest: share(1),
            one_of_two_nearest: share(2),
        }
    }
}

/// What the experiment found.
#[derive(Clone, Debug, Serialize)]
pub struct NearestReport {
    /// Nodes.
    pub nodes: u64,
    /// Replicas of a key.
    pub replicas: u8,
    /// The first replica on the way of a lookup.
    pub route: Ranks,
    /// The first replica to which a read comes.
    pub reads: Ranks,
    /// Replicas that a read asked, on average.
    pub replicas_asked: f64,
    /// Mean time of a read that found its value, from the call to the answer, in milliseconds.
    pub read_ms: f64,
    /// Calls that were not answered as they must be.
    pub failed: u64,
    /// The hash of everything that happened, 16 hexadecimal digits.
    pub trace_hash: String,
}

/// Runs the experiment, prints the result, and says whether all calls were answered.
pub(super) fn command(args: &NearestArgs, out: &mut dyn Write) -> Result<bool, RunError> {
    let mut progress = Progress::new("calls", 3 * args.keys);
    let report = run_with(args, &mut progress)?;
    let wall = progress.finish();
    if args.json {
        write_json(out, &report)?;
    } else {
        print(args, &report, out)?;
    }
    print_cost(wall);
    Ok(report.failed == 0)
}

/// Runs the experiment.
///
/// # Errors
/// When the latency file is wrong.
pub fn run(args: &NearestArgs) -> Result<NearestReport, RunError> {
    run_with(args, &mut Progress::new("calls", 3 * args.keys))
}

fn run_with(args: &NearestArgs, progress: &mut Progress) -> Result<NearestReport, RunError> {
    match args.overlay {
        Overlay::Chord => Experiment::<Chord>::new(args)?.run(args, progress),
        Overlay::Pastry => Experiment::<Pastry>::new(args)?.run(args, progress),
    }
}

/// A call under way.
#[derive(Clone, Copy)]
struct Asked {
    key: Id,
    node: usize,
    began: overlay::Time,
}

struct Experiment<R: Simulated> {
    world: World<Storing<R>>,
    latency: Latency,
    dice: Dice,
    failed: u64,
}

/// Which key a message reads.
pub(super) fn read_key<P>(message: &DhtMessage<P>) -> Option<Id> {
    match message {
        DhtMessage::Store(StoreMessage::Read(read)) => Some(read.key),
        _ => None,
    }
}

impl<R: Simulated> Experiment<R> {
    fn new(args: &NearestArgs) -> Result<Self, RunError> {
        let mut config = Config::new(args.seed);
        config.latency = super::latency(args.latency.as_deref())?;
        let latency = config.latency.clone();
        let mut world = World::new(config);
        let file = args.latency.as_ref();
        world.set_replay(format!(
            "p2psim nearest --overlay {} --nodes {} --keys {} --replicas {} --seed {}{}",
            args.overlay,
            args.nodes,
            args.keys,
            args.replicas,
            args.seed,
            file.map_or_else(String::new, |file| format!(" --latency {}", file.display())),
        ));
        world.record(read_key::<R::Message>);
        let majority = usize::from(args.replicas / 2 + 1);
        let config = DhtConfig {
            replicas: args.replicas.into(),
            write_quorum: majority,
            read_quorum: majority,
            ..DhtConfig::default()
        };
        storing::build(&mut world, args.nodes as usize, &config, Some(&latency));
        Ok(Self {
            dice: world.dice(CALLS),
            world,
            latency,
            failed: 0,
        })
    }

    fn run(
        mut self,
        args: &NearestArgs,
        progress: &mut Progress,
    ) -> Result<NearestReport, RunError> {
        let keys: Vec<Id> = (0..args.keys).map(|_| self.dice.id()).collect();
        let mut replicas: BTreeMap<Id, Vec<Contact>> = BTreeMap::new();
        let mut route = Vec::new();
        let locate = |key| Request::Locate {
            key,
            iterative: false,
        };
        for (asked, reply, _) in self.ask_all(&keys, locate, progress)? {
            let Reply::Located(located) = reply else {
                self.failed += 1;
                continue;
            };
            let first = located
                .path
                .iter()
                .find(|hop| located.replicas.contains(hop));
            route.extend(first.and_then(|first| self.rank(asked.node, *first, &located.replicas)));
            replicas.insert(asked.key, located.replicas);
        }
        let put = |key| Request::Put {
            key,
            value: vec![7; VALUE_BYTES].into(),
            ttl_s: None,
            consistency: Consistency::All,
            condition: Condition::Always,
            text: String::new(),
            indexed: None,
        };
        self.ask_all(&keys, put, progress)?;
        self.world.take_recorded();
        let get = |key| Request::Get {
            key,
            consistency: Consistency::Quorum,
            at_least: None,
        };
        let got = self.ask_all(&keys, get, progress)?;
        let mut first: BTreeMap<Id, usize> = BTreeMap::new();
        for (key, node) in self.world.take_recorded() {
            first.entry(key).or_insert(node);
        }
        let (mut reads, mut asked_sum, mut took_us, mut found) = (Vec::new(), 0, 0, 0);
        for (asked, reply, took) in got {
            match reply {
                Reply::Got(got) if got.outcome == Outcome::Found => {
                    asked_sum += u64::from(got.replicas_asked);
                    took_us += took.as_micros();
                    found += 1;
                }
                _ => self.failed += 1,
            }
            let reached = first
                .get(&asked.key)
                .and_then(|node| self.world.contact(*node));
            if let (Some(reached), Some(replicas)) = (reached, replicas.get(&asked.key)) {
                reads.extend(self.rank(asked.node, reached, replicas));
            }
        }
        let mean = |sum: u64| sum as f64 / f64::from(found.max(1));
        Ok(NearestReport {
            nodes: args.nodes,
            replicas: args.replicas,
            route: Ranks::of(&route),
            reads: Ranks::of(&reads),
            replicas_asked: mean(asked_sum),
            read_ms: mean(took_us) / 1_000.0,
            failed: self.failed,
            trace_hash: self.world.trace_hash().to_string(),
        })
    }

    /// How many replicas are nearer to a node than this one; none when the node is a replica.
    fn rank(&self, node: usize, reached: Contact, replicas: &[Contact]) -> Option<usize> {
        let me = self.world.contact(node)?.id;
        let far = |replica: &Contact| {
            let at = sim::index_of(replica.addr)?;
            Some(self.latency.mean(node, at))
        };
        let is_replica = replicas.iter().any(|replica| replica.id == me);
        let limit = far(&reached)?;
        let nearer = replicas.iter().filter(|replica| far(replica) < Some(limit));
        (!is_replica).then_some(nearer.count())
    }

    /// Asks random nodes about every key, one after another, and waits for all answers.
    fn ask_all(
        &mut self,
        keys: &[Id],
        request: impl Fn(Id) -> Request,
        progress: &mut Progress,
    ) -> Result<Vec<(Asked, Reply, Duration)>, RunError> {
        let nodes: Vec<usize> = (0..self.world.node_count()).collect();
        let mut pending: BTreeMap<OpId, Asked> = BTreeMap::new();
        let mut answers = Vec::with_capacity(keys.len());
        for key in keys {
            let until = self.world.now() + SPACING;
            self.world.run_until(until)?;
            self.collect(&mut pending, &mut answers, progress);
            let Some(&node) = self.dice.pick(&nodes) else {
                break;
            };
            let op = self.world.call(node, request(*key));
            let began = self.world.now();
            pending.insert(
                op,
                Asked {
                    key: *key,
                    node,
                    began,
                },
            );
        }
        let limit = self.world.now() + PATIENCE;
        while !pending.is_empty() && !self.world.advance(limit)? {
            self.collect(&mut pending, &mut answers, progress);
        }
        self.failed += pending.len() as u64;
        Ok(answers)
    }

    fn collect(
        &mut self,
        pending: &mut BTreeMap<OpId, Asked>,
        answers: &mut Vec<(Asked, Reply, Duration)>,
        progress: &mut Progress,
    ) {
        for told in self.world.take_events() {
            if let Notice::Done { op, reply } = told.event
                && let Some(asked) = pending.remove(&op)
            {
                progress.step();
                answers.push((asked, reply, told.time.since(asked.began)));
            }
        }
    }
}

fn print(args: &NearestArgs, report: &NearestReport, out: &mut dyn Write) -> Result<(), RunError> {
    writeln!(
        out,
        "{}: {} nodes, {} replicas, seed {}: reached first\n",
        args.overlay, report.nodes, report.replicas, args.seed
    )?;
    let mut table = Table::new(&["", "the nearest", "one of the two nearest", "counted"]);
    for (name, ranks) in [("way of a lookup", report.route), ("read", report.reads)] {
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        table.row([
            name.to_owned(),
            percent(ranks.nearest),
            percent(ranks.one_of_two_nearest),
            ranks.counted.to_string(),
        ]);
    }
    writeln!(
        out,
        "{table}\na read asked {:.2} replicas and took {:.0} ms; {} calls failed; trace {}",
        report.replicas_asked, report.read_ms, report.failed, report.trace_hash
    )?;
    Ok(())
}
