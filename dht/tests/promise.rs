//! The promise under random deaths, returns, joins, leaves and lost messages: what was
//! acknowledged is never called absent, and is found again once its disks are back.

mod common;

use common::{World, contact, key, put};
use overlay::{Duration, Failure, Id, Outcome, Reply, Request};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};

const KEYS: u64 = 20;
const ROUNDS: u64 = 60;

/// One random life of a network.
struct Random {
    seed: u64,
    rng: Pcg64Mcg,
    world: World,
    /// The round of the last acknowledged write of each key.
    acknowledged: [Option<u64>; KEYS as usize],
    /// Nodes that died and that the ring still lists.
    unburied: Vec<u64>,
    /// Nodes that may come back with their disks.
    dead: Vec<u64>,
    newest: u64,
}

impl Random {
    fn new(seed: u64) -> Self {
        let mut world = World::of(6, seed);
        world.lose_one_in = if seed.is_multiple_of(2) { 0 } else { 50 };
        Self {
            seed,
            rng: Pcg64Mcg::seed_from_u64(seed),
            world,
            acknowledged: [None; KEYS as usize],
            unburied: Vec::new(),
            dead: Vec::new(),
            newest: 6,
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.rng.next_u64() % below
    }

    fn anybody(&mut self) -> Id {
        let ids = self.world.ids();
        ids[self.draw(ids.len() as u64) as usize]
    }

    fn kill(&mut self, node: Id) -> u64 {
        self.world.kill(node);
        let all = 0..self.newest;
        all.map(|number| (number, contact(number).id))
            .find(|(_, id)| *id == node)
            .map_or(0, |(number, _)| number)
    }

    fn change(&mut self) {
        let alive = self.world.ids().len();
        match self.draw(10) {
            0 | 1 if alive > 3 => {
                for _ in 0..=self.draw(2) {
                    let victim = self.anybody();
                    let number = self.kill(victim);
                    self.unburied.push(number);
                }
            }
            2 if !self.dead.is_empty() => {
                let at = self.draw(self.dead.len() as u64) as usize;
                let number = self.dead.swap_remove(at);
                self.world.join(number);
            }
            3 if alive < 12 => {
                self.world.join(self.newest);
                self.newest += 1;
            }
            4 if alive > 5 => {
                let leaver = self.anybody();
                // The dead are not buried yet: it may not be able to hand everything over.
                let leave = Request::LeaveWithin { seconds: 20 };
                let reply = self.world.ask(leaver, leave);
                if matches!(
                    reply,
                    Reply::Left | Reply::Failed(Failure::NotHandedOver { .. })
                ) {
                    let number = self.kill(leaver);
                    self.world.touch_all();
                    self.dead.push(number);
                }
            }
            _ => {}
        }
        if self.draw(2) == 0 {
            self.bury_all();
        }
    }

    fn bury_all(&mut self) {
        for number in self.unburied.drain(..) {
            self.world.bury(contact(number).id);
            self.dead.push(number);
        }
    }

    fn use_it(&mut self, round: u64) {
        let (caller, at) = (self.anybody(), self.draw(KEYS));
        let value = round.to_string();
        if let Reply::Put(_) = self.world.ask(caller, put(key(at), value.as_bytes())) {
            self.acknowledged[at as usize] = Some(round);
        }
        for _ in 0..3 {
            let at = self.draw(KEYS);
            let report = self.world.get(caller, key(at));
            if let Some(last) = self.acknowledged[at as usize] {
                let what = format!("seed {} round {round} key {at} of {last}", self.seed);
                assert_ne!(report.outcome, Outcome::Absent, "{what}: {report:?}");
            }
        }
    }

    /// Everybody comes back, and everything is there.
    fn check_at_the_end(mut self) {
        self.world.lose_one_in = 0;
        self.bury_all();
        for number in std::mem::take(&mut self.dead) {
            self.world.join(number);
        }
        self.world.run_for(Duration::from_secs(180));
        for (at, last) in self.acknowledged.into_iter().enumerate() {
            let Some(last) = last else { continue };
            let reader = self.anybody();
            let report = self.world.get(reader, key(at as u64));
            let what = format!("seed {} key {at} of round {last}", self.seed);
            assert_eq!(report.outcome, Outcome::Found, "{what}: {report:?}");
            let value = report.value.unwrap_or_default();
            let found = String::from_utf8_lossy(&value).parse();
            // A write that was not acknowledged may have taken effect after the last that was.
            assert!(
                found.is_ok_and(|found: u64| found >= last),
                "{what}: found {value:?}"
            );
        }
    }
}

#[test]
fn what_was_acknowledged_is_never_called_absent() {
    for seed in 1_000..1_100 {
        let mut life = Random::new(seed);
        for round in 0..ROUNDS {
            life.change();
            life.use_it(round);
            let pause = Duration::from_millis(life.draw(3_000));
            life.world.run_for(pause);
        }
        life.check_at_the_end();
    }
}
