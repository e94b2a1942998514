//! How lookups fare, and what repair costs, when a part of a large network dies at once.
//!
//! The experiment of Rowstron and Druschel (Middleware 2001, section 3.3): 5,000 nodes of which 500
//! fail silently. The network starts with correct tables and maintains them as shipped. Random live
//! nodes look random keys up before the deaths, at the very instant of the deaths, and once all
//! neighbours are right again and hardly any table names a dead node. The messages of repair are those
//! that maintain the tables, less what the same network sends in the same time when nobody dies.

use super::cli::{Fraction, Overlay};
use super::overlays::{self, CONTROL, Node, Pace, Settings, Simulated};
use super::progress::{Progress, print_cost};
use super::tally::{Pending, Tally, Timeouts};
use super::{RunError, write_json};
use chord::Chord;
use clap::Args;
use overlay::lookup::{LookupConfig, LookupRequest, RoutingCall, RoutingEvent};
use overlay::{Duration, Id, Time};
use pastry::Pastry;
use serde::Serialize;
use sim::{Config, Dice, Latency, Oracle, Summary, Table, World};
use std::io::Write;

/// How long the network is left alone before anything is measured: by then maintenance has its
/// longest periods.
const WARM_UP: Duration = Duration::from_secs(600);
/// Time between two lookups before the deaths and after repair.
const SPACING: Duration = Duration::from_millis(2);
/// All lookups of one phase are answered within this time: longer than all attempts of one.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is looked whether all is repaired.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// When so few parts of a million of the tables' entries are dead, the tables are repaired: those
/// of nodes that saw no failure are probed once an hour.
const DEAD_PPM: usize = 1_000;
/// Longest time that repair may take.
const REPAIR_WITHIN: Duration = Duration::from_secs(7_200);
/// Successors, for Chord: as shipped.
const SUCCESSORS: usize = 8;
/// The stream of entropy that lookups draw from.
const LOOKUPS: u32 = 1;
/// The stream of entropy that chooses who dies.
const DEATHS: u32 = 2;
/// The stream of entropy that the nodes' first maintenance comes from.
const PHASES: u32 = 3;

/// `p2psim repair`.
#[derive(Args, Clone, Debug)]
pub struct RepairArgs {
    /// The overlay.
    #[arg(long, default_value_t)]
    pub overlay: Overlay,
    /// Nodes in the network.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(20..=1_000_000))]
    pub nodes: u64,
    /// This fraction of them dies at once.
    #[arg(long, default_value = "0.1")]
    pub fail: Fraction,
    /// Lookups in each of the three phases.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub lookups: u64,
    /// Decides everything that is random.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// The lookups of one phase.
#[derive(Clone, Debug, Serialize)]
pub struct Phase {
    /// Lookups made.
    pub lookups: u64,
    /// Answers that named the owner.
    pub correct: u64,
    /// Answers that named another node.
    pub wrong: u64,
    /// Lookups without an answer.
    pub failed: u64,
    /// Network steps to the owner.
    pub hops: Summary,
    /// Silent hops.
    pub timeouts: Timeouts,
}

/// What the experiment found.
#[derive(Clone, Debug, Serialize)]
pub struct RepairReport {
    /// Nodes before any died.
    pub nodes: u64,
    /// How many died.
    pub dead: u64,
    /// Lookups before the deaths.
    pub before: Phase,
    /// Lookups that all began at the instant of the deaths.
    pub right_after: Phase,
    /// Lookups after repair.
    pub after: Phase,
    /// Seconds until every node's neighbours were the true ones.
    pub neighbours_right_after_s: f64,
    /// Seconds until the tables were repaired.
    pub tables_right_after_s: f64,
    /// Messages of maintenance for each dead node until the neighbours were right, beyond those of
    /// a network in which nobody dies.
    pub neighbour_messages_per_dead: f64,
    /// The same until the tables were repaired.
    pub messages_per_dead: f64,
    /// The hash of everything that happened, 16 hexadecimal digits.
    pub trace_hash: String,
}

impl RepairReport {
    /// Whether every lookup found the owner.
    #[must_use]
    pub fn is_right(&self) -> bool {
        let right = |phase: &Phase| phase.correct == phase.lookups;
        right(&self.before) && right(&self.right_after) && right(&self.after)
    }
}

/// Runs the experiment, prints the result, and says whether every lookup was right.
pub(super) fn command(args: &RepairArgs, out: &mut dyn Write) -> Result<bool, RunError> {
    let mut progress = Progress::new("lookups", 3 * args.lookups);
    let report = run_with(args, &mut progress)?;
    let wall = progress.finish();
    if args.json {
        write_json(out, &report)?;
    } else {
        print(args, &report, out)?;
    }
    print_cost(wall);
    Ok(report.is_right())
}

/// Runs the experiment.
///
/// # Errors
/// When the network is not repaired in time.
pub fn run(args: &RepairArgs) -> Result<RepairReport, RunError> {
    run_with(args, &mut Progress::new("lookups", 3 * args.lookups))
}

fn run_with(args: &RepairArgs, progress: &mut Progress) -> Result<RepairReport, RunError> {
    match args.overlay {
        Overlay::Chord => run_on::<Chord>(args, progress),
        Overlay::Pastry => run_on::<Pastry>(args, progress),
    }
}

fn run_on<R: Simulated>(
    args: &RepairArgs,
    progress: &mut Progress,
) -> Result<RepairReport, RunError> {
    let mut experiment: Experiment<R> = Experiment::new(args)?;
    let before = experiment.phase(args.lookups, SPACING, progress)?;
    let died = experiment.kill(args.fail.of(args.nodes as usize));
    let dead = experiment.dead.len();
    let right_after = experiment.phase(args.lookups, Duration::ZERO, progress)?;
    let neighbours = experiment.until("neighbours", Experiment::neighbours_are_right)?;
    let tables = experiment.until("tables", Experiment::tables_are_right)?;
    let after = experiment.phase(args.lookups, SPACING, progress)?;

    // The same without deaths, at the same times.
    let mut twin: Experiment<R> = Experiment::new(args)?;
    let mut quiet = Progress::new("lookups without deaths", 2 * args.lookups);
    twin.phase(args.lookups, SPACING, &mut quiet)?;
    let start = twin.control();
    twin.phase(args.lookups, Duration::ZERO, &mut quiet)?;
    let live = (args.nodes as usize - dead) as f64 / args.nodes as f64;
    let mut cost = |(at, sent): (Time, u64)| -> Result<f64, RunError> {
        twin.world.run_until(at)?;
        let without = (twin.control() - start) as f64 * live;
        Ok((sent as f64 - without) / dead.max(1) as f64)
    };
    let (neighbour_messages, messages) = (cost(neighbours)?, cost(tables)?);
    let _ = quiet.finish();
    let seconds = |(at, _): (Time, u64)| at.since(died).as_micros() as f64 / 1e6;
    Ok(RepairReport {
        nodes: args.nodes,
        dead: dead as u64,
        before,
        right_after,
        after,
        neighbours_right_after_s: seconds(neighbours),
        tables_right_after_s: seconds(tables),
        neighbour_messages_per_dead: neighbour_messages,
        messages_per_dead: messages,
        trace_hash: experiment.world.trace_hash().to_string(),
    })
}

struct Experiment<R: Simulated> {
    world: World<Node<R>>,
    oracle: Oracle,
    dice: Dice,
    /// Messages of maintenance before the deaths.
    sent_before: u64,
    /// The dead, sorted.
    dead: Vec<Id>,
}

impl<R: Simulated> Experiment<R> {
    fn new(args: &RepairArgs) -> Result<Self, RunError> {
        let mut config = Config::new(args.seed);
        config.latency = super::latency(None)?;
        let latency: Latency = config.latency.clone();
        let mut world = World::new(config);
        world.set_replay(format!(
            "p2psim repair --overlay {} --nodes {} --fail {} --lookups {} --seed {}",
            args.overlay, args.nodes, args.fail, args.lookups, args.seed
        ));
        world.classify(overlays::kind_of);
        let settings = Settings {
            successors: SUCCESSORS,
            pace: Pace::Shipped,
            proximity: true,
            alive: true,
            lookup: LookupConfig {
                cache: false,
                ..LookupConfig::default()
            },
        };
        let oracle = settings.build(&mut world, args.nodes as usize, &latency);
        let mut dice = world.dice(PHASES);
        for node in 0..world.node_count() {
            let phase = dice.span(Duration::ZERO, overlays::PAPER_PERIOD.0);
            overlays::start(&mut world, node, Time::ZERO + phase);
        }
        world.run_until(Time::ZERO + WARM_UP)?;
        Ok(Self {
            dice: world.dice(LOOKUPS),
            world,
            oracle,
            sent_before: 0,
            dead: Vec::new(),
        })
    }

    /// Messages of maintenance so far.
    const fn control(&self) -> u64 {
        self.world.counters().sent_by_kind[CONTROL]
    }

    /// Kills random nodes at once; gives when.
    fn kill(&mut self, count: usize) -> Time {
        let mut nodes: Vec<usize> = (0..self.world.node_count()).collect();
        self.world.dice(DEATHS).shuffle(&mut nodes);
        nodes.truncate(count);
        let id = |node: &usize| Some(self.world.contact(*node)?.id);
        self.dead = nodes.iter().filter_map(id).collect();
        self.dead.sort_unstable();
        for node in nodes {
            self.world.crash(node);
        }
        let now = self.world.now();
        self.oracle.all_gone(&self.dead, now);
        self.sent_before = self.control();
        now
    }

    /// Lets random live nodes look random keys up, `spacing` apart, and waits for all answers.
    fn phase(
        &mut self,
        lookups: u64,
        spacing: Duration,
        progress: &mut Progress,
    ) -> Result<Phase, RunError> {
        let live: Vec<usize> = self.world.live().map(|(node, _)| node).collect();
        let mut tally = Tally::default();
        for _ in 0..lookups {
            if spacing > Duration::ZERO {
                let until = self.world.now() + spacing;
                self.world.run_until(until)?;
                self.collect(&mut tally, progress);
            }
            let key = self.dice.id();
            let Some(&node) = self.dice.pick(&live) else {
                break;
            };
            let request = LookupRequest {
                exact: true,
                ..LookupRequest::new(key)
            };
            let op = self.world.call(node, RoutingCall::Lookup(request));
            let began = self.world.now();
            tally.pending.insert(op, Pending { key, node, began });
        }
        let limit = self.world.now() + PATIENCE;
        while !tally.pending.is_empty() && !self.world.advance(limit)? {
            self.collect(&mut tally, progress);
        }
        Ok(Phase {
            lookups,
            correct: tally.correct,
            wrong: tally.wrong,
            failed: tally.failed + tally.pending.len() as u64,
            hops: tally.hops(),
            timeouts: tally.timeouts(),
        })
    }

    fn collect(&mut self, tally: &mut Tally, progress: &mut Progress) {
        for told in self.world.take_events() {
            let RoutingEvent::Located { op, result } = told.event else {
                continue;
            };
            let Some(pending) = tally.pending.remove(&op) else {
                continue;
            };
            progress.step();
            match result {
                Ok(located) => {
                    let is_right = self.oracle.owner(pending.key) == Some(located.owner.id);
                    let took = told.time.since(pending.began);
                    tally.answered(&located, took, is_right);
                }
                Err(_) => tally.failed += 1,
            }
        }
    }

    /// Lets time pass until something is right; gives when, and the messages of maintenance since
    /// the deaths.
    fn until(
        &mut self,
        what: &str,
        is_right: impl Fn(&Self) -> bool,
    ) -> Result<(Time, u64), RunError> {
        let limit = self.world.now() + REPAIR_WITHIN;
        while !is_right(self) {
            if self.world.now() >= limit {
                let violation = self.world.violation("repair", None, format!("the {what}"));
                return Err(violation.into());
            }
            let until = self.world.now() + LOOK_EVERY;
            self.world.run_until(until)?;
        }
        Ok((self.world.now(), self.control() - self.sent_before))
    }

    fn neighbours_are_right(&self) -> bool {
        let mut live = self.world.live();
        live.all(|(_, node)| node.router().neighbours_are_true(&self.oracle).is_ok())
    }

    fn tables_are_right(&self) -> bool {
        let (mut all, mut dead) = (0, 0);
        for (_, node) in self.world.live() {
            for contact in node.router().contacts() {
                all += 1;
                dead += usize::from(self.dead.binary_search(&contact.id).is_ok());
            }
        }
        dead * 1_000_000 <= all * DEAD_PPM
    }
}

fn print(args: &RepairArgs, report: &RepairReport, out: &mut dyn Write) -> Result<(), RunError> {
    writeln!(
        out,
        "{}: {} nodes, {} of them die at once, seed {}\n",
        args.overlay, report.nodes, report.dead, args.seed
    )?;
    let mut table = Table::new(&["", "hops", "time-outs", "correct", "wrong", "failed"]);
    let phases = [
        ("before", &report.before),
        ("right after", &report.right_after),
        ("after repair", &report.after),
    ];
    for (name, phase) in phases {
        table.row([
            name.to_owned(),
            format!("{:.2}", phase.hops.mean),
            format!("{:.2}", phase.timeouts.mean),
            phase.correct.to_string(),
            phase.wrong.to_string(),
            phase.failed.to_string(),
        ]);
    }
    writeln!(
        out,
        "{table}\nneighbours right after {:.0} s, with {:.1} messages for each dead node; \
         tables after {:.0} s, with {:.1}\ntrace {}",
        report.neighbours_right_after_s,
        report.neighbour_messages_per_dead,
        report.tables_right_after_s,
        report.messages_per_dead,
        report.trace_hash
    )?;
    Ok(())
}
