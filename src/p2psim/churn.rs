//! Lookups while nodes join and crash all the time.
//!
//! The network starts with correct tables and maintains them as in the Chord paper (stabilising
//! every 15 to 45 s, by a uniform draw). Joins, crashes and lookups are Poisson processes; every
//! answer is judged by the oracle over the whole time of the operation. Zave's invariant is checked
//! after every event: here its premises always hold, but for a network of at most r members. In the
//! end nobody joins or crashes any more, and all neighbours must become the true ones.

pub use super::churn_report::ChurnReport;
use super::churn_report::complain;
use super::churn_tables::{print, rate_table};
use super::cli::{ChurnArgs, Overlay, Rate};
use super::invariants::{Coverage, SharedOracle, Track};
use super::overlays::{self, Node, Pace, Scope, Settings, Simulated};
use super::progress::{Progress, print_cost};
use super::tally::{Pending, Tally};
use super::{RunError, write_json};
use chord::Chord;
use overlay::lookup::{Located, LookupConfig, LookupError, LookupRequest};
use overlay::lookup::{RoutingCall, RoutingEvent};
use overlay::{Duration, Id, OpId, RouterEvent, Time};
use pastry::Pastry;
use sim::{Agenda, Config, Dice, Told, Verdict, World};
use std::cell::Cell;
use std::io::Write;
use std::rc::Rc;

/// One lookup a second in the whole network, as in the paper.
const LOOKUP_EVERY: Duration = Duration::from_secs(1);
/// After the last lookup, answers are waited for this long; it exceeds all attempts of a lookup.
const PATIENCE: Duration = Duration::from_secs(120);
/// Without joins and crashes, all neighbours are the true ones within this time: a list of 20 that is
/// looked after every 15 to 45 s needs ten minutes.
const SETTLE_WITHIN: Duration = Duration::from_secs(3_600);
/// How often it is looked whether they are.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Most wrong answers that are described: one is enough to begin with.
const MAX_COMPLAINTS: usize = 5;
/// The stream of entropy that the plan draws from.
const PLAN: u32 = 1;

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
    let mut experiment: Experiment<R> = Experiment::new(args)?;
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
    let mut report = experiment.report(args);
    report.settled_after_s = experiment.settle(end)?;
    Ok((report, progress.finish()))
}

/// The command that runs this experiment again.
fn replay(args: &ChurnArgs) -> String {
    let churn = args.session_median.map_or_else(
        || format!("--joins-per-s {}", args.joins_per_s.per_second),
        |median| format!("--session-median={}", median.to_string().replace(' ', "")),
    );
    let file = args.latency.as_ref();
    format!(
        "p2psim churn --overlay {} --nodes {} {churn} --minutes {} --seed {} --successors {}{}",
        args.overlay,
        args.nodes,
        args.minutes,
        args.seed,
        args.list_length(),
        file.map_or_else(String::new, |file| format!(" --latency {}", file.display())),
    )
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
    coverage: Rc<Cell<Coverage>>,
    agenda: Agenda<Action>,
    dice: Dice,
    churn: Rate,
    tally: Tally,
    /// Members, summed over the seconds of the churn.
    node_seconds: u64,
    abandoned: u64,
    joins: u64,
    join_failures: u64,
    crashes: u64,
    complaints: Vec<String>,
    replay: String,
}

impl<R: Simulated> Experiment<R> {
    fn new(args: &ChurnArgs) -> Result<Self, RunError> {
        let mut config = Config::new(args.seed);
        config.latency = super::latency(args.latency.as_deref())?;
        let latency = config.latency.clone();
        let mut world = World::new(config);
        let replay = replay(args);
        world.set_replay(replay.clone());
        let lookup = LookupConfig {
            cache: false,
            // While the question can still be answered: stabilisation takes up to 45 s.
            attempts: 9,
            ..LookupConfig::default()
        };
        let settings = Settings {
            successors: args.list_length() as usize,
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
        let coverage = R::watch(&mut world, oracle.clone(), Scope::Strict);
        let mut experiment = Self {
            world,
            oracle,
            settings,
            coverage,
            agenda: Agenda::default(),
            dice,
            churn: args.rate(),
            tally: Tally::default(),
            node_seconds: 0,
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
        Ok(experiment)
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
                self.node_seconds += self.oracle.borrow().members().len() as u64;
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

    /// Lets the network come to rest; gives how many seconds after `since`, the end of the churn, all
    /// neighbours were the true ones.
    fn settle(&mut self, since: Time) -> Result<f64, RunError> {
        loop {
            let now = self.world.now();
            let result = R::whole(&self.world, &self.oracle.borrow());
            match result {
                Ok(()) => return Ok(now.since(since).as_micros() as f64 / 1e6),
                Err(text) if now.since(since) >= SETTLE_WITHIN => {
                    let check = "without churn all neighbours become the true ones";
                    return Err(self.world.violation(check, None, text).into());
                }
                Err(_) => self.world.run_until(now + LOOK_EVERY)?,
            }
            self.collect()?;
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
                / self.node_seconds.max(1) as f64,
            events_checked: self.coverage.get().checked,
            settled_after_s: 0.0,
            trace_hash: self.world.trace_hash().to_string(),
            complaints,
        }
    }
}
