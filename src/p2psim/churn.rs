//! Lookups while nodes join and crash all the time.
//!
//! The network starts with correct tables and maintains them as in the Chord paper (stabilising
//! every 15 to 45 s, by a uniform draw). Joins, crashes and lookups are Poisson processes; every
//! answer is judged by the oracle over the whole time of the operation. Zave's invariant is checked
//! after every event: here its premises always hold, but for a network of at most r members.

use super::churn_tables::{print, rate_table};
use super::cli::{ChurnArgs, Overlay, Rate};
use super::invariants::{SharedOracle, Track};
use super::overlays::{self, Node, Pace, Scope, Settings, Simulated};
use super::progress::{Progress, print_cost};
use super::tally::{Pending, Tally, Timeouts};
use super::{RunError, write_json};
use chord::Chord;
use overlay::lookup::{Located, LookupConfig, LookupError, LookupRequest};
use overlay::lookup::{RoutingCall, RoutingEvent};
use overlay::{Duration, Id, OpId, RouterEvent, Time};
use pastry::Pastry;
use serde::Serialize;
use sim::{Agenda, Config, Dice, Summary, Told, Verdict, World};
use std::io::Write;

/// One lookup a second in the whole network, as in the paper.
const LOOKUP_EVERY: Duration = Duration::from_secs(1);
/// After the last lookup, answers are waited for this long; it exceeds all attempts of a lookup.
const PATIENCE: Duration = Duration::from_secs(120);
/// Most wrong answers that are described: one is enough to begin with.
const MAX_COMPLAINTS: usize = 5;
/// The stream of entropy that the plan draws from.
const PLAN: u32 = 1;

/// What the experiment found.
#[derive(Clone, Debug, Serialize)]
pub struct ChurnReport {
    /// Nodes at the start.
    pub nodes: u64,
    /// Joins a second, and as many crashes.
    pub joins_per_s: f64,
    /// Simulated minutes.
    pub minutes: u64,
    /// Lookups that ended; those of an origin that crashed meanwhile are not counted.
    pub lookups: u64,
    /// Right answers.
    pub correct: u64,
    /// Wrong answers.
    pub wrong: u64,
    /// Lookups without an answer.
    pub failed: u64,
    /// Lookups that did not succeed (failed or wrong), for each 10,000.
    pub failed_per_10000: f64,
    /// Lookups whose origin crashed before their end.
    pub abandoned: u64,
    /// Nodes that joined.
    pub joins: u64,
    /// Nodes that tried to join and gave up.
    pub join_failures: u64,
    /// Nodes that crashed.
    pub crashes: u64,
    /// Network steps to the owner.
    pub hops: Summary,
    /// Silent hops.
    pub timeouts: Timeouts,
    /// From the call to the answer.
    pub latency_ms: Summary,
    /// Messages sent by all nodes.
    pub messages: u64,
    /// Messages of maintenance, a second and node.
    pub control_messages_per_node_s: f64,
    /// The hash of everything that happened, 16 hexadecimal digits.
    pub trace_hash: String,
    /// The first wrong answers in words, and last the command that replays them.
    #[serde(skip)]
    pub complaints: Vec<String>,
}

impl ChurnReport {
    /// Whether no answer was wrong.
    #[must_use]
    pub const fn is_right(&self) -> bool {
        self.wrong == 0
    }
}

/// Runs the experiment, prints the result, and says whether no answer was wrong.
pub(super) fn command(args: &ChurnArgs, out: &mut dyn Write) -> Result<bool, RunError> {
    if args.paper {
        return rate_table(args, out);
    }
    let progress = Progress::new("simulated seconds", args.minutes * 60);
    let (report, wall) = run_with(args, progress)?;
    if args.json {
        write_json(out, &report)?;
    } else {
        print(args, &report, out)?;
    }
    complain(&report);
    print_cost(wall);
    Ok(report.is_right())
}

/// Describes wrong answers on standard error.
pub(super) fn complain(report: &ChurnReport) {
    report
        .complaints
        .iter()
        .for_each(|complaint| eprintln!("{complaint}"));
}

/// Runs the experiment.
///
/// # Errors
/// When an invariant does not hold.
pub fn run(args: &ChurnArgs) -> Result<ChurnReport, RunError> {
    let progress = Progress::new("simulated seconds", args.minutes * 60);
    run_with(args, progress).map(|(report, _)| report)
}

fn run_with(
    args: &ChurnArgs,
    progress: Progress,
) -> Result<(ChurnReport, std::time::Duration), RunError> {
    match args.overlay {
        Overlay::Chord => run_on::<Chord>(args, progress),
        Overlay::Pastry => run_on::<Pastry>(args, progress),
    }
}

fn run_on<R: Simulated>(
    args: &ChurnArgs,
    mut progress: Progress,
) -> Result<(ChurnReport, std::time::Duration), RunError> {
    let mut experiment: Experiment<R> = Experiment::new(args);
    let end = Time::ZERO + Duration::from_secs(args.minutes * 60);
    while let Some(due) = experiment.agenda.next_at().filter(|&at| at <= end) {
        while !experiment.world.advance(due)? {
            experiment.collect()?;
        }
        while let Some(action) = experiment.agenda.pop_due(due) {
            experiment.act(action, &mut progress)?;
        }
    }
    let last = end + PATIENCE;
    while !experiment.tally.pending.is_empty() && !experiment.world.advance(last)? {
        experiment.collect()?;
    }
    Ok((experiment.report(args), progress.finish()))
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Join,
    Crash,
    Ask,
    Second,
}

struct Experiment<R: Simulated> {
    world: World<Node<R>>,
    oracle: SharedOracle,
    settings: Settings,
    agenda: Agenda<Action>,
    dice: Dice,
    churn: Rate,
    tally: Tally,
    abandoned: u64,
    joins: u64,
    join_failures: u64,
    crashes: u64,
    complaints: Vec<String>,
    replay: String,
}

impl<R: Simulated> Experiment<R> {
    fn new(args: &ChurnArgs) -> Self {
        let config = Config::new(args.seed);
        let latency = config.latency.clone();
        let mut world = World::new(config);
        let replay = format!(
            "p2psim churn --overlay {} --nodes {} {} --minutes {} --seed {} --successors {}",
            args.overlay,
            args.nodes,
            args.session_median.map_or_else(
                || format!("--joins-per-s {}", args.joins_per_s.per_second),
                |median| format!("--session-median {median}").replace(' ', ""),
            ),
            args.minutes,
            args.seed,
            args.successors
        );
        world.set_replay(replay.clone());
        let lookup = LookupConfig {
            cache: false,
            // While the question can still be answered: stabilisation takes up to 45 s.
            attempts: 9,
            ..LookupConfig::default()
        };
        let settings = Settings {
            successors: args.successors as usize,
            pace: match args.session_median {
                Some(_) => Pace::Shipped,
                None => Pace::Paper,
            },
            proximity: args.session_median.is_some(),
            alive: false,
            lookup,
        };
        let oracle = SharedOracle::new(settings.build(&mut world, args.nodes as usize, &latency));
        let mut dice = world.dice(PLAN);
        for node in 0..world.node_count() {
            let phase = dice.span(Duration::ZERO, overlays::PAPER_PERIOD.1);
            overlays::start(&mut world, node, Time::ZERO + phase);
        }
        world.classify(overlays::kind_of);
        world.watch(Box::new(Track::new(oracle.clone())));
        R::watch(&mut world, oracle.clone(), Scope::Strict);
        let mut experiment = Self {
            world,
            oracle,
            settings,
            agenda: Agenda::default(),
            dice,
            churn: args.rate(),
            tally: Tally::default(),
            abandoned: 0,
            joins: 0,
            join_failures: 0,
            crashes: 0,
            complaints: Vec::new(),
            replay,
        };
        for action in [Action::Join, Action::Crash, Action::Ask, Action::Second] {
            experiment.plan_next(action);
        }
        experiment
    }

    /// Plans when an action happens next.
    fn plan_next(&mut self, action: Action) {
        let mean = match action {
            Action::Join | Action::Crash => self.churn.mean_us.map(Duration::from_micros),
            Action::Ask => Some(LOOKUP_EVERY),
            Action::Second => None,
        };
        let now = self.world.now();
        match (mean, action) {
            (Some(mean), _) => {
                let wait = self.dice.exponential(mean);
                self.agenda.plan(now + wait, action);
            }
            (None, Action::Second) => self.agenda.plan(now + Duration::from_secs(1), action),
            (None, _) => (),
        }
    }

    fn act(&mut self, action: Action, progress: &mut Progress) -> Result<(), RunError> {
        self.plan_next(action);
        match action {
            Action::Join => self.join(),
            Action::Crash => self.crash()?,
            Action::Ask => self.ask(),
            Action::Second => {
                progress.step();
                // No lookup under way began earlier than its patience.
                self.oracle
                    .borrow_mut()
                    .forget_before(self.world.now() - PATIENCE);
            }
        }
        Ok(())
    }

    /// The index of a random live member.
    fn member(&mut self) -> Option<usize> {
        let oracle = self.oracle.borrow();
        let id: Id = *self.dice.pick(oracle.members())?;
        oracle.node(id)
    }

    fn join(&mut self) {
        let via = self.member().and_then(|node| self.world.contact(node));
        let Some(via) = via else { return };
        let id = self.dice.id();
        let settings = &self.settings;
        let node = self.world.add(id, |me| settings.fresh::<R>(me));
        self.world.call(node, RoutingCall::Join { via });
    }

    fn crash(&mut self) -> Result<(), RunError> {
        // The last node stays: without it there is no network to measure.
        if self.oracle.borrow().members().len() <= 1 {
            return Ok(());
        }
        let Some(node) = self.member() else {
            return Ok(());
        };
        self.world.crash(node);
        self.crashes += 1;
        let before = self.tally.pending.len();
        self.tally.pending.retain(|_, pending| pending.node != node);
        self.abandoned += (before - self.tally.pending.len()) as u64;
        self.world.check(node)?;
        Ok(())
    }

    fn ask(&mut self) {
        let key = self.dice.id();
        let Some(node) = self.member() else { return };
        let request = LookupRequest {
            exact: true,
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

    /// Takes in what nodes have told.
    fn collect(&mut self) -> Result<(), RunError> {
        for Told { time, node, event } in self.world.take_events() {
            match event {
                RoutingEvent::Located { op, result } => self.located(op, result, time),
                RoutingEvent::Router(RouterEvent::Joined { .. }) => self.joins += 1,
                RoutingEvent::Router(RouterEvent::JoinFailed { .. }) => {
                    self.join_failures += 1;
                    self.world.crash(node);
                    self.world.check(node)?;
                }
                RoutingEvent::Router(_) => (),
            }
        }
        Ok(())
    }

    fn located(&mut self, op: OpId, result: Result<Located, LookupError>, now: Time) {
        let Some(pending) = self.tally.pending.remove(&op) else {
            return;
        };
        match result {
            Ok(located) => {
                let oracle = self.oracle.borrow();
                let verdict = oracle.judge(pending.key, located.owner.id, pending.began);
                if verdict != Verdict::Right && self.complaints.len() < MAX_COMPLAINTS {
                    self.complaints.push(format!(
                        "wrong: node {} asked at {} and was told at {now} that {} owns {}: {verdict:?}",
                        pending.node, pending.began, located.owner, pending.key
                    ));
                }
                let took = now.since(pending.began);
                self.tally
                    .answered(&located, took, verdict == Verdict::Right);
            }
            Err(_) => self.tally.failed += 1,
        }
    }

    fn report(&self, args: &ChurnArgs) -> ChurnReport {
        let failed = self.tally.failed + self.tally.pending.len() as u64;
        let lookups = self.tally.correct + self.tally.wrong + failed;
        let counters = self.world.counters();
        let mut complaints = self.complaints.clone();
        if !complaints.is_empty() {
            complaints.push(format!("replay: {}", self.replay));
        }
        let node_seconds = args.nodes as f64 * self.world.now().0 as f64 / 1e6;
        ChurnReport {
            nodes: args.nodes,
            joins_per_s: args.rate().per_second,
            minutes: args.minutes,
            lookups,
            correct: self.tally.correct,
            wrong: self.tally.wrong,
            failed,
            failed_per_10000: (failed + self.tally.wrong) as f64 * 1e4 / lookups.max(1) as f64,
            abandoned: self.abandoned,
            joins: self.joins,
            join_failures: self.join_failures,
            crashes: self.crashes,
            hops: self.tally.hops(),
            timeouts: self.tally.timeouts(),
            latency_ms: self.tally.latency_ms(),
            messages: counters.sent,
            control_messages_per_node_s: counters.sent_by_kind[overlays::CONTROL] as f64
                / node_seconds,
            trace_hash: self.world.trace_hash().to_string(),
            complaints,
        }
    }
}
