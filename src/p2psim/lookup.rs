//! Lookups in a network that starts with correct tables and never repairs them.
//!
//! The tables are built directly, then a fraction of the nodes dies at once. Random live nodes
//! look random keys up, and every answer is compared with the oracle. Zave's invariant is checked
//! of the correct tables, after the deaths, and at the end: in between nobody changes them.

use super::cli::{LookupArgs, Overlay};
use super::failure_table::failure_table;
use super::growth::grow;
use super::invariants::Standing;
use super::overlays::{Node, Pace, Settings, Simulated};
use super::progress::{Progress, print_cost};
use super::tally::{Pending, Stretch, Tally, Timeouts};
use super::{RunError, write_json};
use chord::Chord;
use overlay::lookup::{LookupConfig, LookupRequest, Mode, RoutingCall, RoutingEvent};
use overlay::{Duration, Id, Time};
use pastry::Pastry;
use serde::Serialize;
use sim::{Config, Dice, Latency, Oracle, Summary, Table, World};
use std::io::Write;

/// Time between two lookups. Our choice: short against the minute that a node needs to measure
/// anything, long enough that a few hundred are under way at a time and memory stays small.
const SPACING: Duration = Duration::from_millis(2);
/// How long the origin waits. Nothing repairs, so starting over finds nothing new: one patient
/// attempt counts each dead hop once, as the paper does.
const PATIENCE: Duration = Duration::from_secs(600);
/// After the last lookup, the world must fall quiet within this time.
const QUIET_WITHIN: Duration = Duration::from_secs(3_600);
/// The stream of entropy that lookups draw from.
const LOOKUPS: u32 = 1;
/// The stream of entropy that chooses who dies.
const DEATHS: u32 = 2;

/// What the experiment found.
#[derive(Clone, Debug, Serialize)]
pub struct LookupReport {
    /// Nodes before any died.
    pub nodes: u64,
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
    /// From the call to the answer.
    pub latency_ms: Summary,
    /// The delay until the request is at the owner, over that of a direct message.
    pub stretch: Stretch,
    /// Messages sent by all nodes.
    pub messages: u64,
    /// Live nodes without a live successor: with any, Zave's theorem says nothing of this network.
    #[serde(skip)]
    pub stranded: u64,
    /// The hash of everything that happened, 16 hexadecimal digits.
    pub trace_hash: String,
}

impl LookupReport {
    /// Whether every lookup found the owner.
    #[must_use]
    pub const fn is_right(&self) -> bool {
        self.correct == self.lookups
    }
}

/// Runs the experiment, prints the result, and says whether it was right.
pub(super) fn command(args: &LookupArgs, out: &mut dyn Write) -> Result<bool, RunError> {
    if args.paper {
        return failure_table(args, out);
    }
    let progress = Progress::new("looking up", args.lookups);
    let (report, wall) = run_with(args, progress)?;
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
/// When the latency file is wrong, or an invariant does not hold.
pub fn run(args: &LookupArgs) -> Result<LookupReport, RunError> {
    run_with(args, Progress::new("looking up", args.lookups)).map(|(report, _)| report)
}

fn run_with(
    args: &LookupArgs,
    progress: Progress,
) -> Result<(LookupReport, std::time::Duration), RunError> {
    match args.overlay {
        Overlay::Chord => run_on::<Chord>(args, progress),
        Overlay::Pastry => run_on::<Pastry>(args, progress),
    }
}

fn run_on<R: Simulated>(
    args: &LookupArgs,
    mut progress: Progress,
) -> Result<(LookupReport, std::time::Duration), RunError> {
    let mut config = Config::new(args.seed);
    config.latency = super::latency(args.latency.as_deref())?;
    let latency = config.latency.clone();
    let mut world: World<Node<R>> = World::new(config);
    let lookup = LookupConfig {
        cache: false,
        suspect_for: Duration::ZERO,
        attempts: 1,
        attempt_timeout: PATIENCE,
        ..LookupConfig::default()
    };
    let settings = Settings {
        successors: args.successors as usize,
        pace: match args.grow {
            Some(_) => Pace::Shipped,
            None => Pace::Never,
        },
        proximity: args.proximity,
        alive: args.fail.parts_per_million == 0,
        lookup,
    };
    world.set_replay(replay(args));
    let count = args.nodes as usize;
    let mut oracle = match args.grow {
        Some(rest) => {
            let rest = Duration::from_micros(rest.as_micros() as u64);
            grow(&mut world, &settings, count, rest)?
        }
        None => settings.build(&mut world, count, &latency),
    };
    standing(&world, &oracle)?;
    kill(&mut world, &mut oracle, args.fail.of(args.nodes as usize));
    let before = standing(&world, &oracle)?;
    let mut experiment = Experiment::new(world, oracle, before, args, latency);
    for _ in 0..args.lookups {
        let until = experiment.world.now() + SPACING;
        experiment.world.run_until(until)?;
        experiment.collect(&mut progress);
        experiment.ask();
    }
    let limit = experiment.world.now() + QUIET_WITHIN;
    while args.grow.is_some() && !experiment.tally.pending.is_empty() {
        let until = experiment.world.now() + SPACING.times(100);
        experiment.world.run_until(until.min(limit))?;
        experiment.collect(&mut progress);
    }
    if args.grow.is_none() {
        experiment.world.run_until_quiet(limit)?;
        experiment.collect(&mut progress);
    }
    let after = standing(&experiment.world, &experiment.oracle)?;
    if after != before && args.grow.is_none() {
        let text = format!("the tables were {before:?} before the lookups and are {after:?} now");
        let violation = experiment.world.violation("nobody maintains", None, text);
        return Err(violation.into());
    }
    Ok((experiment.report(args), progress.finish()))
}

/// The command that runs this experiment again.
fn replay(args: &LookupArgs) -> String {
    let latency = args.latency.as_ref();
    format!(
        "p2psim lookup --overlay {} --nodes {} --lookups {} --seed {} --fail {} --successors {}{}{}{}{}",
        args.overlay,
        args.nodes,
        args.lookups,
        args.seed,
        args.fail,
        args.successors,
        latency.map_or_else(String::new, |file| format!(" --latency {}", file.display())),
        if args.iterative { " --iterative" } else { "" },
        if args.proximity { " --proximity" } else { "" },
        args.grow
            .map_or_else(String::new, |rest| format!(" --grow {rest}")
                .replace(' ', "")
                .replace("--grow", " --grow "))
    )
}

/// Checks the tables as they stand.
fn standing<R: Simulated>(world: &World<Node<R>>, oracle: &Oracle) -> Result<Standing, RunError> {
    let checked = R::fixed(world, oracle);
    checked.map_err(|text| world.violation("the ring", None, text).into())
}

/// Kills random nodes at once.
fn kill<R: Simulated>(world: &mut World<Node<R>>, oracle: &mut Oracle, count: usize) {
    let mut nodes: Vec<usize> = (0..world.node_count()).collect();
    world.dice(DEATHS).shuffle(&mut nodes);
    nodes.truncate(count);
    let ids: Vec<Id> = nodes
        .iter()
        .filter_map(|&node| Some(world.contact(node)?.id))
        .collect();
    for node in nodes {
        world.crash(node);
    }
    oracle.all_gone(&ids, Time::ZERO);
}

struct Experiment<R: Simulated> {
    world: World<Node<R>>,
    latency: Latency,
    oracle: Oracle,
    standing: Standing,
    live: Vec<usize>,
    dice: Dice,
    mode: Mode,
    /// Whether a slow node may not be taken for a dead one.
    exact: bool,
    tally: Tally,
}

impl<R: Simulated> Experiment<R> {
    fn new(
        world: World<Node<R>>,
        oracle: Oracle,
        standing: Standing,
        args: &LookupArgs,
        latency: Latency,
    ) -> Self {
        let live = world.live().map(|(node, _)| node).collect();
        let mode = if args.iterative {
            Mode::Iterative
        } else {
            Mode::Recursive
        };
        let dice = world.dice(LOOKUPS);
        Self {
            world,
            latency,
            oracle,
            standing,
            live,
            dice,
            mode,
            // Nobody takes over what a dead node owned: then only a stand-in can answer.
            exact: args.fail.parts_per_million == 0,
            tally: Tally::default(),
        }
    }

    /// Lets a random node look a random key up.
    fn ask(&mut self) {
        let key = self.dice.id();
        let Some(&node) = self.dice.pick(&self.live) else {
            return;
        };
        let request = LookupRequest {
            mode: self.mode,
            exact: self.exact,
            ..LookupRequest::new(key)
        };
        let op = self.world.call(node, RoutingCall::Lookup(request));
        self.tally.pending.insert(
            op,
            Pending {
                key,
                node,
                began: self.world.now(),
            },
        );
    }

    /// Takes the answers in.
    fn collect(&mut self, progress: &mut Progress) {
        for told in self.world.take_events() {
            let RoutingEvent::Located { op, result } = told.event else {
                continue;
            };
            let Some(pending) = self.tally.pending.remove(&op) else {
                continue;
            };
            progress.step();
            match result {
                Ok(located) => {
                    let is_right = self.oracle.owner(pending.key) == Some(located.owner.id);
                    let took = told.time.since(pending.began);
                    self.tally.answered(&located, took, is_right);
                    if let Some(root) = sim::index_of(located.owner.addr) {
                        let direct = self.latency.mean(pending.node, root);
                        self.tally.stretched(&located, took, direct);
                    }
                }
                Err(_) => self.tally.failed += 1,
            }
        }
    }

    fn report(&self, args: &LookupArgs) -> LookupReport {
        LookupReport {
            nodes: args.nodes,
            lookups: args.lookups,
            correct: self.tally.correct,
            wrong: self.tally.wrong,
            // A lookup that was never answered has failed too.
            failed: self.tally.failed + self.tally.pending.len() as u64,
            hops: self.tally.hops(),
            timeouts: self.tally.timeouts(),
            latency_ms: self.tally.latency_ms(),
            stretch: self.tally.stretch(),
            messages: self.world.counters().sent,
            stranded: self.standing.stranded as u64,
            trace_hash: self.world.trace_hash().to_string(),
        }
    }
}

fn print(args: &LookupArgs, report: &LookupReport, out: &mut dyn Write) -> Result<(), RunError> {
    let lists = match args.overlay {
        Overlay::Chord => format!(" with {} successors", args.successors),
        _ => String::new(),
    };
    writeln!(
        out,
        "{}: {} nodes{lists}, {} of them dead, seed {}\n",
        args.overlay, args.nodes, args.fail, args.seed
    )?;
    let mut table = Table::new(&["", "mean", "p1", "p50", "p99", "max"]);
    for (name, summary) in [("hops", report.hops), ("latency ms", report.latency_ms)] {
        let figures = [summary.p1, summary.p50, summary.p99, summary.max];
        let cells = figures.map(|figure| format!("{figure:.0}"));
        table.row(
            [name.to_owned(), format!("{:.2}", summary.mean)]
                .into_iter()
                .chain(cells),
        );
    }
    let (mean, p99) = (report.timeouts.mean, report.timeouts.p99);
    let none = String::new;
    table.row([
        "time-outs".to_owned(),
        format!("{mean:.2}"),
        none(),
        none(),
        format!("{p99:.0}"),
    ]);
    writeln!(out, "{table}")?;
    let stretch = report.stretch;
    writeln!(
        out,
        "stretch {:.2} (median {:.2}; of the means {:.2})",
        stretch.mean, stretch.median, stretch.of_means
    )?;
    writeln!(
        out,
        "{} lookups: {} correct, {} wrong, {} failed; {} messages; trace {}",
        report.lookups,
        report.correct,
        report.wrong,
        report.failed,
        report.messages,
        report.trace_hash
    )?;
    if report.stranded > 0 && report.nodes > 1 {
        let stranded = report.stranded;
        writeln!(
            out,
            "{stranded} live nodes have no live successor: Zave's theorem says nothing of this ring"
        )?;
    }
    Ok(())
}
