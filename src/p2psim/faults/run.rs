//! One seed: a network grows from one node, is troubled, and comes to rest.
//!
//! In the safety phase the network loses, copies, delays and splits, and nodes come and go, while
//! clients write and read. A node that crashes comes back with its disk, which has what was
//! reported durable and maybe some of what was being committed; or it loses its disk for good,
//! which only happens to one node at a time, after the last one's data has been copied again. In
//! the liveness phase nothing fails any more: the ring must become the oracle's, and every promise
//! to clients is checked by a last read of every key.

use super::checks::{Check, End};
use super::clients::{Asked, Clients};
use super::history::{History, Operation};
use super::machines::Machines;
use super::report::SeedReport;
use super::rest::Rest;
use super::swarm::Swarm;
use crate::p2psim::cli::Overlay;
use crate::p2psim::overlays::Simulated;
use chord::Chord;
use overlay::{Duration, Notice, Reply, Request, Time};
use pastry::Pastry;
use sim::{Agenda, Dice, Violation};

/// A node joins within this time, whatever the network does.
const JOIN_WITHIN: Duration = Duration::from_secs(180);
/// Without faults, ring and replicas are repaired within this time: a root that cannot prove that
/// it holds its whole part presumes the rest lost after ten minutes, and settles then.
const SETTLE_WITHIN: Duration = Duration::from_secs(900);
/// Before the last reads: the short leases, and by how much clocks differ.
const LEASES_END_WITHIN: Duration = Duration::from_secs(240);
/// All calls end within this time.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Fewest and most nodes of a network, when the seed chooses.
const SIZES: (u64, u64) = (3, 16);
/// The stream of entropy that the size of the network is drawn from.
const SIZE: u64 = 2;
/// How often it is looked whether all is repaired.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    Operation,
    Disturb,
    EndOfSpell,
    PowerCut,
    Crash,
    ComeBack(usize),
    Join,
    Look,
}

pub(super) struct Run<R: Simulated> {
    pub(super) swarm: Swarm<R>,
    pub(super) history: History,
    pub(super) clients: Clients,
    pub(super) checks: Vec<Box<dyn Check>>,
    pub(super) agenda: Agenda<Action>,
    pub(super) nodes: usize,
    pub(super) in_spell: bool,
    /// Whether one went for long since the last repair: two could be all that have a write.
    pub(super) is_one_away: bool,
    pub(super) splits: u64,
    pub(super) full_disks: u64,
}

/// Runs one seed with the given settings and checks. Without `nodes`, the seed chooses the size of
/// the network.
///
/// # Errors
/// The first promise or invariant that did not hold.
pub fn run_seed(
    overlay: Overlay,
    seed: u64,
    nodes: Option<u64>,
    machines: &Machines,
    checks: Vec<Box<dyn Check>>,
) -> Result<SeedReport, Box<Violation>> {
    let size = nodes.map_or_else(String::new, |nodes| format!(" --nodes {nodes}"));
    let replay = format!(
        "p2psim faults --overlay {overlay}{size} --seeds {seed}..{}",
        seed + 1
    );
    let nodes = nodes.unwrap_or_else(|| draw_size(seed)) as usize;
    match overlay {
        Overlay::Chord => run_on::<Chord>((seed, nodes), machines, checks, replay),
        Overlay::Pastry => run_on::<Pastry>((seed, nodes), machines, checks, replay),
    }
}

fn run_on<R: Simulated>(
    (seed, nodes): (u64, usize),
    machines: &Machines,
    checks: Vec<Box<dyn Check>>,
    replay: String,
) -> Result<SeedReport, Box<Violation>> {
    let mut swarm: Swarm<R> = Swarm::new(seed, machines.clone(), replay);
    let clients = Clients::new(&mut swarm.dice);
    let mut run = Run {
        swarm,
        history: History::default(),
        clients,
        checks,
        agenda: Agenda::default(),
        nodes,
        in_spell: false,
        is_one_away: false,
        splits: 0,
        full_disks: 0,
    };
    run.grow()?;
    run.safety()?;
    run.liveness()?;
    let acknowledged = run
        .history
        .all()
        .filter(|op| op.acknowledged().is_some())
        .count();
    let is_conflict = |op: &&Operation| matches!(op.answer, Some((_, Reply::Conflict(_))));
    let conflicts = run.history.all().filter(is_conflict).count();
    let coverage = run.swarm.coverage();
    Ok(SeedReport {
        seed,
        nodes: nodes as u64,
        full_disks: run.full_disks,
        failed_syncs: run.swarm.world.counters().failed_syncs,
        collected: run.swarm.collected(),
        outstayed: run.swarm.outstayed,
        conflicts: conflicts as u64,
        contested: run.contested() as u64,
        events: coverage.events,
        events_checked: coverage.checked,
        operations: run.history.all().count() as u64,
        acknowledged: acknowledged as u64,
        crashes: run.swarm.crashes,
        leaves: run.swarm.leaves,
        splits: run.splits,
        simulated: run.swarm.world.now(),
        trace_hash: run.swarm.world.trace_hash().value(),
    })
}

/// The size of the network under a seed: small ones more often, since that is where quorums and
/// lists are at their least. Its entropy is its own, so that naming the size changes nothing else.
fn draw_size(seed: u64) -> u64 {
    let mut dice = Dice::new(seed, SIZE);
    let mut above = || dice.below(SIZES.1 - SIZES.0 + 1);
    SIZES.0 + above().min(above())
}

impl<R: Simulated> Run<R> {
    fn violation(&self, check: &str, node: Option<usize>, text: String) -> Box<Violation> {
        Box::new(self.swarm.world.violation(check, node, text))
    }

    /// Lets the world go on until `until`, taking in what nodes tell.
    pub(super) fn pass(&mut self, until: Time) -> Result<(), Box<Violation>> {
        while !self.swarm.world.advance(until).map_err(Box::new)? {
            for node in self.swarm.world.take_failed_syncs() {
                self.disk_failed(node)?;
            }
            for told in self.swarm.world.take_events() {
                let (op, reply) = match told.event {
                    Notice::Done { op, reply } => (op, reply),
                    Notice::Ring(_) => {
                        self.swarm.weather.troubled();
                        continue;
                    }
                    Notice::Lookup { .. } => continue,
                };
                if let Some(stopped) = self.swarm.done(told.node, op, &reply) {
                    if let Some(node) = stopped {
                        self.history.orphan(node);
                        self.swarm.world.check(node).map_err(Box::new)?;
                        // At once, so that nobody takes the network for settled meanwhile.
                        if self.swarm.has_disk(node) {
                            self.swarm.come_back(node);
                        }
                    }
                    continue;
                }
                let answered = self.history.answered(op, reply, told.time);
                answered.map_err(|text| {
                    self.violation("every call is answered exactly once", Some(told.node), text)
                })?;
                self.note_rivals(op);
                self.judge(told.node, op)?;
            }
        }
        Ok(())
    }

    fn judge(&mut self, node: usize, op: overlay::OpId) -> Result<(), Box<Violation>> {
        if self.history.get(op).is_some_and(Operation::is_unknown) {
            // What a read does not know may be so since the last look.
            self.look();
        }
        let Some(operation) = self.history.get(op) else {
            return Ok(());
        };
        self.clients.told(operation);
        for check in &mut self.checks {
            let result = check.answered(&self.history, operation, &self.swarm.weather);
            if let Err(text) = result {
                let violation = self.swarm.world.violation(check.name(), Some(node), text);
                return Err(Box::new(violation));
            }
        }
        Ok(())
    }

    /// The network grows from one node, one by one.
    fn grow(&mut self) -> Result<(), Box<Violation>> {
        self.swarm.found();
        for _ in 0..self.nodes {
            let limit = self.swarm.world.now() + JOIN_WITHIN;
            while self.swarm.on_their_way() > 0 {
                let now = self.swarm.world.now();
                if now >= limit {
                    let text = format!("no answer within {JOIN_WITHIN:?}");
                    return Err(self.violation("a node can join", None, text));
                }
                self.pass(now + Duration::from_millis(100))?;
            }
            if self.swarm.members().len() < self.nodes {
                self.swarm.join();
            }
        }
        Ok(())
    }

    pub(super) fn plan(&mut self, wait: Duration, action: Action) {
        self.agenda.plan(self.swarm.world.now() + wait, action);
    }

    fn safety(&mut self) -> Result<(), Box<Violation>> {
        let end = self.swarm.world.now() + self.swarm.profile.safety;
        for action in [Action::Operation, Action::Look, Action::Disturb] {
            self.plan(LOOK_EVERY, action);
        }
        while let Some(at) = self.agenda.next_at().filter(|&at| at <= end) {
            self.pass(at)?;
            while let Some(action) = self.agenda.pop_due(at) {
                self.act(action)?;
            }
        }
        Ok(())
    }

    fn act(&mut self, action: Action) -> Result<(), Box<Violation>> {
        match action {
            Action::Operation => {
                let mean = self.swarm.profile.operation_every;
                let wait = self.swarm.dice.exponential(mean);
                self.plan(wait, Action::Operation);
                let members = self.swarm.members();
                for asked in self.clients.next(&members, &mut self.swarm.dice) {
                    let now = self.swarm.world.now();
                    self.ask(asked.in_session(&self.history, now));
                }
            }
            Action::Look => {
                self.plan(LOOK_EVERY, Action::Look);
                self.swarm.join_waiting();
                let now = self.swarm.world.now();
                let was_calm = self.swarm.weather.is_calm_since(now);
                if self.look() && !was_calm && self.swarm.dice.below(2) == 0 {
                    self.inspect();
                }
            }
            Action::Disturb => self.disturb()?,
            Action::EndOfSpell => self.end_spell(),
            Action::PowerCut => self.crash_all()?,
            Action::Crash => self.crash_one()?,
            Action::ComeBack(node) => self.swarm.come_back(node),
            Action::Join => {
                self.swarm.join();
            }
        }
        Ok(())
    }

    pub(super) fn look(&mut self) -> bool {
        let is_split = self.swarm.world.faults().is_split();
        let is_settled = !is_split && self.swarm.unsettled().is_none();
        let now = self.swarm.world.now();
        self.swarm.weather.found(is_settled, now);
        is_settled
    }

    /// Calm has returned: somebody looks at every key, so that what went wrong is seen before it is
    /// written over.
    fn inspect(&mut self) {
        for request in Clients::last_reads() {
            self.ask_somebody(request);
        }
    }

    fn ask_somebody(&mut self, request: Request) {
        let members = self.swarm.members();
        if let Some((client, node)) = self.clients.somebody(&members, &mut self.swarm.dice) {
            self.ask(Asked {
                client,
                node,
                request,
            });
        }
    }

    fn ask(&mut self, asked: Asked) {
        let Asked {
            client,
            node,
            request,
        } = asked;
        let now = self.swarm.world.now();
        let op = self.swarm.world.call(node, request.clone());
        self.history.began(op, client, node, request, now);
        self.note_rivals(op);
    }

    /// When all leases and, where that comes within the run, all deletions are of the past.
    fn ends_within(&self) -> Duration {
        let collected = self.swarm.grace.map(|grace| grace.lengthens());
        LEASES_END_WITHIN.max(collected.unwrap_or_default())
    }

    /// Nothing fails any more: everything must come right.
    fn liveness(&mut self) -> Result<(), Box<Violation>> {
        self.end_spell();
        self.swarm.world.faults_mut().clear();
        if let Some(grace) = self.swarm.grace.filter(|grace| grace.is_outstayed)
            && self.swarm.is_somebody_away()
        {
            self.swarm.most_come_back();
            // Until what was deleted meanwhile is collected.
            let until = self.swarm.world.now() + grace.lengthens();
            while self.swarm.world.now() < until {
                self.swarm.join_waiting();
                self.pass(self.swarm.world.now() + LOOK_EVERY)?;
            }
            if self.swarm.dice.below(2) == 0 {
                // Who is away comes back to nodes that remember nothing but what is on their disks.
                self.crash_all()?;
            }
        }
        self.swarm.all_come_back();
        let limit = self.swarm.world.now() + SETTLE_WITHIN;
        while !self.look() {
            let now = self.swarm.world.now();
            if now >= limit {
                let text = self.swarm.unsettled().unwrap_or_default();
                return Err(self.violation("without faults the ring becomes whole", None, text));
            }
            self.swarm.join_waiting();
            self.pass(now + LOOK_EVERY)?;
        }
        let now = self.swarm.world.now();
        let unequal = self.compare_replicas()?;
        self.pass(now + self.ends_within())?;
        let reads_began = self.swarm.world.now();
        for request in Clients::last_reads() {
            self.ask_somebody(request);
            let now = self.swarm.world.now();
            self.pass(now + Duration::from_millis(200))?;
        }
        self.pass(self.swarm.world.now() + ANSWER_WITHIN)?;
        let left_over = self.watch_rest()?;
        let end = End {
            reads_began,
            rest: Rest { unequal, left_over },
            stopped: self.swarm.stopped.clone(),
        };
        for check in &mut self.checks {
            if let Err(text) = check.finished(&self.history, &end) {
                let violation = self.swarm.world.violation(check.name(), None, text);
                return Err(Box::new(violation));
            }
        }
        Ok(())
    }
}
