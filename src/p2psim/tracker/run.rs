//! One seed: clients come in the first interval; from then on everything is judged.

use super::super::RunError;
use super::super::cli::TrackerArgs;
use super::super::overlays::Simulated;
use super::clients::{self, Client, Clients, Step};
use super::desk::{Asker, Bug, Desk, Told};
use super::judge::{Broken, Judge};
use super::network::Network;
use super::report::{Loads, SeedReport};
use overlay::{Duration, Time};
use sim::{Agenda, Dice, TraceHash};
use tracker::Event;
use tracker::exchange::PATIENCE;

/// Streams of entropy: the clients, and when what happens.
const CLIENTS: u32 = 2;
const EVENTS: u32 = 3;
/// How often tables are swept.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// How often a swarm is looked at through all nodes, and the same for each million clients in it.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const LOOK_EVERY_PER_MILLION: Duration = Duration::from_secs(300);
/// When a client that got no answer tries again: stock ones wait some fifteen seconds.
const AGAIN: Duration = Duration::from_secs(15);

/// What happens when.
enum Action {
    Client(u32),
    /// Whoever waits at this place has waited long enough.
    Patience {
        node: usize,
        life: u32,
        place: u64,
    },
    Sweep,
    Look,
    Crash,
    /// All clients are there: from here on loads are counted.
    Begin,
}

struct Run<R: Simulated> {
    network: Network<R>,
    clients: Clients,
    judge: Judge,
    agenda: Agenda<Action>,
    dice: Dice,
    loads: Loads,
    trace: TraceHash,
    announces: u64,
    swarms: u32,
    homes: usize,
    bug: Option<Bug>,
    look_every: Duration,
    crash_every: Option<Duration>,
    /// How long after a client came back its node may die before others know of that.
    renewed: Duration,
}

/// Runs one seed.
pub(super) fn run<R: Simulated>(
    args: &TrackerArgs,
    seed: u64,
    bug: Option<Bug>,
) -> Result<SeedReport, RunError> {
    let interval = Duration(args.interval.as_micros() as u64);
    let config = Desk::config(interval, args.peers as usize);
    let expiry = Duration::from_millis(config.expiry_ms.into());
    let network = Network::<R>::new(seed, args, config, bug);
    let look = LOOK_EVERY_PER_MILLION.0 * args.peers / 1_000_000;
    let calm = args.crashes <= 0.0 && args.loss.parts_per_million == 0;
    let mut run = Run {
        clients: Clients::new(args, network.world.dice(CLIENTS)),
        judge: Judge::new(calm, expiry, args.homes),
        agenda: Agenda::default(),
        dice: network.world.dice(EVENTS),
        loads: Loads::default(),
        trace: TraceHash::default(),
        announces: 0,
        swarms: args.swarms as u32,
        homes: args.homes.into(),
        bug,
        look_every: LOOK_EVERY.max(Duration(look)),
        crash_every: (args.crashes > 0.0)
            .then(|| Duration((interval.0 as f64 / args.crashes) as u64)),
        renewed: Duration(expiry.0 / 16),
        network,
    };
    run.plan(args.peers, interval);
    let end = Time::ZERO + interval.times(args.intervals.into());
    run.go(end)?;
    Ok(run.report(seed, end))
}

impl<R: Simulated> Run<R> {
    fn plan(&mut self, peers: u64, interval: Duration) {
        for _ in 0..peers {
            let at = Time::ZERO + self.dice.span(Duration::from_secs(1), interval);
            let client = self.clients.come(at);
            self.agenda.plan(at, Action::Client(client));
        }
        let begin = Time::ZERO + interval;
        self.agenda.plan(begin, Action::Begin);
        self.agenda.plan(begin, Action::Look);
        self.agenda.plan(Time::ZERO, Action::Sweep);
        self.plan_crash(begin);
    }

    fn plan_crash(&mut self, from: Time) {
        if let Some(mean) = self.crash_every {
            let at = from + self.dice.exponential(mean);
            self.agenda.plan(at, Action::Crash);
        }
    }

    fn go(&mut self, end: Time) -> Result<(), RunError> {
        while self.network.world.now() < end {
            let nexts = [self.agenda.next_at(), self.network.later.next_at()];
            let next = nexts.into_iter().flatten().min().unwrap_or(end).min(end);
            for (node, told) in self.network.advance(next)? {
                self.told(node, told)?;
            }
            let now = self.network.world.now();
            while let Some(later) = self.network.later.pop_due(now) {
                self.network.act(later);
            }
            while let Some(action) = self.agenda.pop_due(now) {
                self.act(action, now)?;
            }
        }
        Ok(())
    }

    fn act(&mut self, action: Action, now: Time) -> Result<(), RunError> {
        match action {
            Action::Client(client) => self.client(client, now)?,
            Action::Patience { node, life, place } => {
                if self.network.life(node) == life
                    && let Some(desk) = self.network.desk(node)
                    && let Some(told) = desk.patience_ends(now, place)
                {
                    self.told(node, told)?;
                }
            }
            Action::Sweep => {
                self.network.sweep();
                self.agenda.plan(now + SWEEP_EVERY, Action::Sweep);
            }
            Action::Look => {
                let swarm = self.dice.below(self.swarms.into()) as u32;
                let inquiry = clients::inquiry(swarm);
                let nodes: Vec<usize> = self.network.serving().collect();
                for node in nodes {
                    self.ask(
                        node,
                        Asker::Judge(swarm),
                        clients::ip_of(u32::MAX >> 8),
                        &inquiry,
                    )?;
                }
                self.agenda.plan(now + self.look_every, Action::Look);
            }
            Action::Crash => {
                if let Some(node) = self.network.crash() {
                    self.crashed(node, now);
                }
                self.plan_crash(now);
            }
            Action::Begin => self.loads.begin(&self.network.world),
        }
        Ok(())
    }

    /// Those whose last word nobody may have heard need not be found before they come again.
    fn crashed(&mut self, node: usize, now: Time) {
        self.judge.crashed(node);
        let (within, renewed) = (self.judge.within(), self.renewed);
        for (number, client) in self.clients.all_mut() {
            let is_first = client.homes().next() == Some(node);
            if client.gone.is_some() || client.homes().all(|home| home != node) {
                continue;
            }
            client.orphaned = true;
            // Another node tells of it that heard the same word.
            let mut others = client.homes().filter(|home| *home != node);
            let is_told_of = others.any(|home| self.network.desk(home).is_some());
            if !is_told_of && now.since(client.announced) < Duration(renewed.0 + within.0) {
                client.visible = None;
            }
            if is_first && std::mem::take(&mut client.waits) {
                self.agenda.plan(now + AGAIN, Action::Client(number));
            }
        }
    }

    /// The time of a client has come.
    fn client(&mut self, number: u32, now: Time) -> Result<(), RunError> {
        let Some(step) = self.clients.step(number, now) else {
            return Ok(());
        };
        let Some(client) = self.clients.get_mut(number) else {
            return Ok(());
        };
        let swarm = client.swarm;
        if let Step::Announce(event) = step {
            let homes = Self::settle(&mut self.network, client, self.homes);
            if homes.is_empty() {
                self.agenda.plan(now + AGAIN, Action::Client(number));
                return Ok(());
            }
            client.announced = now;
            client.visible = client.visible.or(Some(now));
            client.waits = true;
            client.completed |= event == Event::Completed;
            let is_lost = self.bug == Some(Bug::CountsNoDownloads);
            let said = match event {
                Event::Completed if is_lost => Event::Regular,
                event => event,
            };
            let announce = clients::announce(number, client, said);
            let mut asker = Asker::Client(number);
            for home in homes {
                if event == Event::Completed {
                    self.judge.completed(swarm, home);
                }
                self.announces += 1;
                self.ask(home, asker, clients::ip_of(number), &announce)?;
                asker = Asker::ClientElsewhere(number);
            }
        }
        if self
            .clients
            .get(number)
            .is_some_and(|client| client.gone.is_some())
        {
            // As many come as go.
            let next = self.clients.come_to(swarm, now);
            let at = now
                + self
                    .dice
                    .span(Duration::from_millis(1), Duration::from_secs(1));
            self.agenda.plan(at, Action::Client(next));
        }
        Ok(())
    }

    /// Finds other nodes in place of those that do not serve; gives whom a client announces to.
    fn settle(network: &mut Network<R>, client: &mut Client, homes: usize) -> Vec<usize> {
        for at in 0..homes {
            let mut others: Vec<usize> = client.homes().collect();
            let Some(home) = client.homes.get_mut(at) else {
                break;
            };
            if home.is_none_or(|home| network.desk(home as usize).is_none()) {
                others.retain(|other| Some(*other as u32) != *home);
                *home = network.any_but(&others).map(|node| node as u32);
            }
        }
        client.homes().collect()
    }

    fn ask(
        &mut self,
        node: usize,
        asker: Asker,
        ip: std::net::IpAddr,
        announce: &tracker::Announce,
    ) -> Result<(), RunError> {
        let (now, life) = (self.network.world.now(), self.network.life(node));
        let Some(desk) = self.network.desk(node) else {
            return Ok(());
        };
        let begun = desk.announce(now, asker, ip, announce);
        self.network.pump(node);
        match begun {
            Ok(Ok(told)) => self.told(node, told),
            Ok(Err(place)) => {
                let patience = Action::Patience { node, life, place };
                self.agenda.plan(now + PATIENCE, patience);
                Ok(())
            }
            Err(refusal) => Err(self.broken(
                node,
                Broken {
                    check: "everybody is served",
                    text: refusal.to_string(),
                },
            )),
        }
    }

    fn broken(&self, node: usize, broken: Broken) -> RunError {
        let violation = self
            .network
            .world
            .violation(broken.check, Some(node), broken.text);
        violation.into()
    }

    /// Somebody is answered.
    fn told(&mut self, node: usize, told: Told) -> Result<(), RunError> {
        let now = self.network.world.now();
        let counts = told.answer.counts;
        for word in [
            now.0,
            node as u64,
            counts.complete,
            counts.incomplete,
            counts.downloaded,
        ] {
            self.trace.word(word);
        }
        for peer in &told.peers {
            self.trace
                .word(clients::number_of(*peer).unwrap_or(u32::MAX).into());
        }
        let judged = match told.asker {
            Asker::Client(number) => {
                let Some(client) = self.clients.get_mut(number) else {
                    return Ok(());
                };
                client.waits = false;
                let (swarm, is_gone) = (client.swarm, client.gone.is_some());
                if !is_gone {
                    let at = self.clients.next(number, now, told.answer.interval_s);
                    self.agenda.plan(at, Action::Client(number));
                }
                self.judge
                    .offer(&self.clients, (swarm, Some(number)), &told.peers, now)
            }
            Asker::ClientElsewhere(number) => {
                let Some(client) = self.clients.get(number) else {
                    return Ok(());
                };
                let asker = (client.swarm, Some(number));
                self.judge.offer(&self.clients, asker, &told.peers, now)
            }
            Asker::Judge(swarm) => {
                let since = self.network.serves_since(node);
                let said = (counts, &told.peers[..]);
                let offer = self
                    .judge
                    .offer(&self.clients, (swarm, None), &told.peers, now);
                let (judge, clients) = (&mut self.judge, &mut self.clients);
                offer.and_then(|()| judge.look(clients, (node, swarm), said, (since, now)))
            }
        };
        judged.map_err(|broken| self.broken(node, broken))
    }

    fn report(mut self, seed: u64, end: Time) -> SeedReport {
        self.trace.word(self.network.world.trace_hash().value());
        SeedReport {
            seed,
            announces: self.announces,
            crashes: self.network.crashes,
            looks: self.judge.looks,
            judged: self.judge.judged,
            longest_missing: self.judge.longest_missing,
            worst_total: self.judge.worst_total,
            loads: self.loads.end(&self.network.world),
            simulated: end,
            trace_hash: self.trace.value(),
        }
    }
}
