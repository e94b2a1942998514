//! What goes wrong in a run: crashes, power cuts, partitions, storms, slow nodes and disks.

use super::run::{Action, LOOK_EVERY, Run};
use overlay::Duration;
use sim::{Chance, Violation};

/// How long after a partition no node loses its data: what was written on either side is at nodes
/// that need not hold it, which notice when their old roots are silent for three comparisons (90
/// s), and then hand it over. A store in memory that dies before has not lost what it promised
/// when the others hold it; in this time they may not.
const HAND_OVER_WITHIN: Duration = Duration::from_secs(150);
/// Shortest and longest partition, block, storm of losses, or slowness of a node.
const SPELL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(25));
/// Losses in a storm.
const STORM: Chance = Chance::percent(20);
/// Longest delay of a node whose process gets too little time.
const SLOWEST: Duration = Duration::from_millis(400);
/// Longest delay of a disk that does something else.
const SLOWEST_DISK: Duration = Duration::from_millis(2_500);
/// Nodes that may come beyond the number asked for.
const EXTRA_NODES: usize = 4;

impl Run {
    /// Disturbs the network, once the last disturbance is repaired.
    pub(super) fn disturb(&mut self) -> Result<(), Box<Violation>> {
        if self.in_spell || !self.look() {
            self.plan(LOOK_EVERY, Action::Disturb);
            return Ok(());
        }
        let wait = self
            .swarm
            .dice
            .exponential(self.swarm.profile.disturb_every);
        self.plan(Duration(LOOK_EVERY.0 + wait.0), Action::Disturb);
        let Some(node) = self.swarm.member() else {
            return Ok(());
        };
        let now = self.swarm.world.now();
        let handed_over = !self.swarm.weather.was_split(now - HAND_OVER_WITHIN, now);
        match self.swarm.dice.below(15) {
            0..=2 => {
                let keeps_disk = !handed_over || self.swarm.dice.below(2) == 0;
                self.crash(node, keeps_disk)?;
            }
            10 | 11 => self.crash_many()?,
            12 => self.swarm.jump_clock(node),
            13 | 14 => self.begin_spell(|run| {
                let by = run.swarm.dice.span(Duration::ZERO, SLOWEST_DISK);
                run.swarm.world.set_slow_disk(node, by);
            }),
            3 | 4 => {
                self.swarm.leave(node);
                self.plan(Duration::from_secs(2), Action::Join);
            }
            5 if self.swarm.members().len() < self.nodes + EXTRA_NODES => {
                self.swarm.join();
            }
            5..=7 => self.begin_spell(|run| run.split(node)),
            8 => self.begin_spell(|run| run.swarm.world.faults_mut().loss = STORM),
            _ => self.begin_spell(|run| {
                let by = run.swarm.dice.span(Duration::ZERO, SLOWEST);
                run.swarm.world.set_slow(node, by);
            }),
        }
        Ok(())
    }

    /// Several nodes lose power at the same instant, maybe all of them; all come back.
    fn crash_many(&mut self) -> Result<(), Box<Violation>> {
        let mut members = self.swarm.members();
        let count = 2 + self.swarm.dice.index(members.len().saturating_sub(1));
        self.swarm.dice.shuffle(&mut members);
        members.truncate(count);
        members
            .into_iter()
            .try_for_each(|node| self.crash(node, true))
    }

    fn crash(&mut self, node: usize, keeps_disk: bool) -> Result<(), Box<Violation>> {
        self.swarm.crash(node, keeps_disk);
        self.history.orphan(node);
        self.swarm.world.check(node).map_err(Box::new)?;
        let wait = self.swarm.dice.span(Duration::from_millis(100), SPELL.1);
        if keeps_disk || self.swarm.dice.below(2) == 0 {
            self.plan(wait, Action::ComeBack(node));
        } else {
            self.plan(wait, Action::Join);
        }
        Ok(())
    }

    fn begin_spell(&mut self, begin: impl FnOnce(&mut Self)) {
        self.in_spell = true;
        self.swarm.weather.troubled();
        begin(self);
        let length = self.swarm.dice.span(SPELL.0, SPELL.1);
        self.plan(length, Action::EndOfSpell);
    }

    /// Splits the network into two sides, or blocks one direction between two nodes.
    fn split(&mut self, node: usize) {
        self.splits += 1;
        let now = self.swarm.world.now();
        self.swarm.weather.split(now);
        if self.swarm.dice.below(3) == 0 {
            let other = self.swarm.member().unwrap_or(node);
            self.swarm.world.faults_mut().block(node, other);
            return;
        }
        let count = self.swarm.world.node_count();
        let sides = (0..count).map(|_| self.swarm.dice.below(2) as u8).collect();
        self.swarm.world.faults_mut().partition(sides);
    }

    pub(super) fn end_spell(&mut self) {
        self.in_spell = false;
        let loss = self.swarm.profile.loss;
        let faults = self.swarm.world.faults_mut();
        faults.heal();
        faults.loss = loss;
        for node in 0..self.swarm.world.node_count() {
            self.swarm.world.set_slow(node, Duration::ZERO);
            self.swarm.world.set_slow_disk(node, Duration::ZERO);
        }
    }
}
