//! One experiment: a network at rest, deaths, repair, and a last look at every key.

use super::super::RunError;
use super::super::overlays::Simulated;
use super::super::storing::{self, REPAIR, Storing};
use super::keys::Keys;
use dht::DhtConfig;
use overlay::{
    Condition, Consistency, Duration, Locate, Notice, OpId, Outcome, Reply, Request, Time,
};
use sim::{Dice, Latency, World};
use std::collections::BTreeMap;

/// Calls in flight at each live node.
const IN_FLIGHT: usize = 64;
/// How often a call is made before it counts as failed: while the network changes, a few fail.
const TRIES: u32 = 5;
/// A network without faults comes to rest within this time.
const REST_WITHIN: Duration = Duration::from_secs(300);
/// How long it is left alone before the deaths: by then maintenance has its longest periods, so
/// that the deaths are found as late as they would be in a network that has run for days.
const QUIET: Duration = Duration::from_secs(60);
/// What is lost is lost; what is not is on all replicas again within this time, or something is
/// wrong: 10,000 records a second move, and there may be millions.
const REPAIR_WITHIN: Duration = Duration::from_secs(1_800);
/// How often it is looked whether all is repaired: the figures are exact to this.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The stream of entropy that calls draw from.
const CALLS: u32 = 1;
/// The stream of entropy that chooses who dies.
const DEATHS: u32 = 2;

/// What all runs have in common.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) nodes: usize,
    pub(super) keys: usize,
    pub(super) value_size: usize,
    pub(super) replicas: u8,
    pub(super) latency: Latency,
}

/// What one run came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcomes {
    /// Keys of which no replica is left.
    pub(super) lost: u64,
    /// From the deaths until all that is left is on all replicas again.
    pub(super) repaired_in: Duration,
    /// Messages of comparisons and moved records meanwhile, and their bytes.
    pub(super) messages: u64,
    pub(super) bytes: u64,
    pub(super) trace_hash: u64,
}

/// Runs one seed with one number of deaths.
pub(super) fn run<R: Simulated>(
    plan: &Plan,
    (seed, dead): (u64, usize),
    replay: String,
) -> Result<Outcomes, RunError> {
    let mut run = Run::<R>::new(plan, seed, replay);
    run.rest("the network at its start")?;
    run.put_all()?;
    run.rest("the network with all keys")?;
    run.quiet()?;
    let lost = run.kill(dead);
    let died = run.world.now();
    let before = *run.world.counters();
    run.repair(died)?;
    let after = *run.world.counters();
    let repaired_in = run.world.now().since(died);
    run.read_all()?;
    Ok(Outcomes {
        lost: lost as u64,
        repaired_in,
        messages: after.sent_by_kind[REPAIR] - before.sent_by_kind[REPAIR],
        bytes: after.delivered_bytes_by_kind[REPAIR] - before.delivered_bytes_by_kind[REPAIR],
        trace_hash: run.world.trace_hash().value(),
    })
}

struct Run<R: Simulated> {
    world: World<Storing<R>>,
    keys: Keys,
    replicas: usize,
    dice: Dice,
}

/// What is asked about a key.
#[derive(Clone, Copy)]
enum Ask {
    Put,
    Get,
}

impl<R: Simulated> Run<R> {
    fn new(plan: &Plan, seed: u64, replay: String) -> Self {
        let mut config = sim::Config::new(seed);
        config.latency = plan.latency.clone();
        let mut world = World::new(config);
        world.set_replay(replay);
        world.classify(storing::kind_of::<R::Message>);
        let majority = usize::from(plan.replicas / 2 + 1);
        let config = DhtConfig {
            replicas: plan.replicas.into(),
            write_quorum: majority,
            read_quorum: majority,
            ..DhtConfig::default()
        };
        storing::build(&mut world, plan.nodes, &config, None);
        Self {
            keys: Keys::new(seed, plan.keys, plan.value_size),
            replicas: plan.replicas.into(),
            dice: world.dice(CALLS),
            world,
        }
    }

    fn wrong(&self, check: &str, text: String) -> RunError {
        self.world.violation(check, None, text).into()
    }

    /// Lets the network come to rest.
    fn rest(&mut self, what: &str) -> Result<(), RunError> {
        let limit = self.world.now() + REST_WITHIN;
        let settled =
            |world: &World<Storing<R>>| world.live().all(|(_, node)| node.status().settled);
        while !settled(&self.world) {
            if self.world.now() >= limit {
                return Err(self.wrong("a network without faults settles", what.to_owned()));
            }
            let until = self.world.now() + Duration::from_secs(1);
            self.world.run_until(until)?;
        }
        Ok(())
    }

    /// Every key is put, and acknowledged.
    fn put_all(&mut self) -> Result<(), RunError> {
        self.ask_all(Ask::Put)?;
        let limit = self.world.now() + REST_WITHIN;
        while let Some(why) = self.keys.incomplete(&self.world, self.replicas) {
            if self.world.now() >= limit {
                return Err(self.wrong("a write reaches all replicas", why));
            }
            let until = self.world.now() + Duration::from_secs(1);
            self.world.run_until(until)?;
        }
        Ok(())
    }

    /// Lets time pass in which nothing happens: the replicas must stay where they are.
    fn quiet(&mut self) -> Result<(), RunError> {
        let until = self.world.now() + QUIET;
        self.world.run_until(until)?;
        self.keys.look_again();
        match self.keys.incomplete(&self.world, self.replicas) {
            None => Ok(()),
            Some(why) => Err(self.wrong("a network at rest keeps all replicas", why)),
        }
    }

    /// Kills random nodes at once; gives how many keys are lost.
    fn kill(&mut self, dead: usize) -> usize {
        let mut nodes: Vec<usize> = (0..self.world.node_count()).collect();
        self.world.dice(DEATHS).shuffle(&mut nodes);
        for node in nodes.into_iter().take(dead) {
            self.world.crash(node);
        }
        self.keys.count_lost(&self.world)
    }

    /// Waits until every key that is left is on all replicas again.
    fn repair(&mut self, died: Time) -> Result<(), RunError> {
        while let Some(why) = self.keys.incomplete(&self.world, self.replicas) {
            if self.world.now().since(died) > REPAIR_WITHIN {
                return Err(self.wrong("what is not lost is repaired", why));
            }
            let until = self.world.now() + LOOK_EVERY;
            self.world.run_until(until)?;
        }
        Ok(())
    }

    /// Every key is read: what survives is found, and of what is lost it is not said that it never
    /// was, while a replica might still come back.
    fn read_all(&mut self) -> Result<(), RunError> {
        self.ask_all(Ask::Get)
    }

    /// Asks random live nodes about every key, many at a time.
    fn ask_all(&mut self, ask: Ask) -> Result<(), RunError> {
        let live: Vec<usize> = self.world.live().map(|(node, _)| node).collect();
        let most = IN_FLIGHT * live.len();
        let mut pending: BTreeMap<OpId, (usize, u32)> = BTreeMap::new();
        let mut again: Vec<(usize, u32)> = Vec::new();
        let mut next = 0;
        loop {
            while pending.len() < most {
                let asked = again.pop().or_else(|| {
                    next += 1;
                    (next <= self.keys.count()).then_some((next - 1, 1))
                });
                let Some((number, tries)) = asked else { break };
                let Some(node) = self.dice.pick(&live).copied() else {
                    break;
                };
                let op = self.world.call(node, self.request(ask, number));
                pending.insert(op, (number, tries));
            }
            if pending.is_empty() {
                return Ok(());
            }
            let until = self.world.now() + REST_WITHIN;
            if self.world.advance(until)? {
                return Err(self.wrong(
                    "every call is answered",
                    format!("{} are not", pending.len()),
                ));
            }
            for told in self.world.take_events() {
                let Notice::Done { op, reply } = told.event else {
                    continue;
                };
                let Some((number, tries)) = pending.remove(&op) else {
                    continue;
                };
                match self.judge(number, &reply) {
                    Ok(()) => {}
                    Err(_) if tries < TRIES => again.push((number, tries + 1)),
                    Err(why) => {
                        let text = format!("{}: {why}: {reply:?}", self.keys.ids[number]);
                        return Err(self.wrong("no acknowledged write is lost", text));
                    }
                }
            }
        }
    }

    fn request(&self, ask: Ask, number: usize) -> Request {
        let key = self.keys.ids[number];
        let consistency = Consistency::Quorum;
        match ask {
            Ask::Get => Request::Get {
                key,
                consistency,
                at_least: None,
            },
            Ask::Put => Request::Put {
                key,
                value: self.keys.value(number),
                ttl_s: None,
                consistency,
                condition: Condition::Always,
                text: String::new(),
                indexed: None,
            },
        }
    }

    /// Whether an answer is as it must be.
    fn judge(&self, number: usize, reply: &Reply) -> Result<(), &'static str> {
        let survives = self.keys.survives(number);
        match reply {
            Reply::Put(_) => Ok(()),
            Reply::Got(got) => match got.outcome {
                Outcome::Found if got.value == Some(self.keys.value(number)) => Ok(()),
                Outcome::Found => Err("another value"),
                Outcome::Unknown if !survives => Ok(()),
                Outcome::Absent => Err("called absent, and it was acknowledged"),
                Outcome::Unknown => Err("not found, and a replica is left"),
            },
            _ => Err("no answer"),
        }
    }
}
