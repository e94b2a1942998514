//! What goes wrong in a run: crashes, power cuts, partitions, storms, slow nodes, bad disks.

use super::run::{Action, LOOK_EVERY, Run};
use crate::p2psim::overlays::Simulated;
use overlay::Duration;
use sim::{Chance, Dice, Violation};

/// How long after a partition no node loses its data: what was written on either side is at nodes
/// that need not hold it, which notice when their old roots are silent for three comparisons (90
/// s), and then hand it over. A store in memory that dies before has not lost what it promised
/// when the others hold it; in this time they may not.
pub(super) const HAND_OVER_WITHIN: Duration = Duration::from_secs(150);
/// Shortest and longest partition, block, storm of losses, or trouble of a node or a disk.
pub(super) const SPELL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(25));
/// Most losses in a storm, and most copies and late messages.
const STORM: (u64, u64) = (300_000, 500_000);
/// Longest delay of a node whose process gets too little time.
const SLOWEST: Duration = Duration::from_millis(400);
/// Delay of a disk that does much else, and its longest delay.
const SLOW_DISK: Duration = Duration::from_millis(1_000);
const SLOWEST_DISK: Duration = Duration::from_millis(2_500);
/// When a node comes in place of one that leaves.
const REPLACED_AFTER: Duration = Duration::from_secs(2);
/// Members that a network has before one of them goes, where nodes are away for long: two are left,
/// who bring the next one up to date before another goes.
const MEMBERS_WHO_KNOW: usize = 3;
/// Members that stay when others leave: the last one of all, whom the farewell does not reach, cannot
/// tell whether it is cut off, and waits for the others for ever.
const WHO_SEE_A_LEAVE: usize = 2;
/// Nodes that may come beyond the number asked for.
const EXTRA_NODES: usize = 4;

/// A way in which something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A node crashes, and may lose its disk.
    Crash,
    /// Several nodes lose power at the same instant, maybe all of them.
    PowerCut,
    Leave,
    Join,
    /// The wall clock of a node is set.
    ClockJump,
    /// Two sides hear nothing of each other.
    Partition,
    /// One side hears the other, and is not heard.
    OneWay,
    /// One node is not heard by one other.
    Block,
    /// Many messages are lost, copied and late.
    Storm,
    SlowNode,
    SlowDisk,
    /// Disks have no room for new records.
    FullDisk,
    /// Disks fail to synchronise what is written: their nodes stop.
    FailingDisk,
}

/// How often each happens, before a seed chooses.
const USUAL: [(Trouble, u64); 13] = [
    (Trouble::Crash, 3),
    (Trouble::PowerCut, 2),
    (Trouble::Leave, 2),
    (Trouble::Join, 1),
    (Trouble::ClockJump, 1),
    (Trouble::Partition, 2),
    (Trouble::OneWay, 1),
    (Trouble::Block, 1),
    (Trouble::Storm, 1),
    (Trouble::SlowNode, 2),
    (Trouble::SlowDisk, 2),
    (Trouble::FullDisk, 2),
    (Trouble::FailingDisk, 2),
];

/// How often each happens in one run: a seed leaves some out and prefers others, so that each is
/// also met alone, and often.
#[derive(Clone, Debug)]
pub(super) struct Troubles(Vec<(Trouble, u64)>);

impl Troubles {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let choose =
            |(trouble, weight): (Trouble, u64)| (trouble, weight * [0, 1, 1, 3][dice.index(4)]);
        let chosen: Vec<_> = USUAL.into_iter().map(choose).collect();
        let is_quiet = chosen.iter().all(|(_, weight)| *weight == 0);
        Self(if is_quiet { USUAL.to_vec() } else { chosen })
    }

    fn next(&self, dice: &mut Dice) -> Trouble {
        let total = self.0.iter().map(|(_, weight)| weight).sum();
        let mut left = dice.below(total);
        for (trouble, weight) in &self.0 {
            let Some(rest) = left.checked_sub(*weight) else {
                return *trouble;
            };
            left = rest;
        }
        Trouble::Crash
    }
}

impl<R: Simulated> Run<R> {
    /// Disturbs the network, once the last disturbance is repaired.
    pub(super) fn disturb(&mut self) -> Result<(), Box<Violation>> {
        if self.in_spell || !self.look() {
            self.plan(LOOK_EVERY, Action::Disturb);
            return Ok(());
        }
        self.is_one_away = false;
        let wait = self
            .swarm
            .dice
            .exponential(self.swarm.profile.disturb_every);
        self.plan(Duration(LOOK_EVERY.0 + wait.0), Action::Disturb);
        let Some(node) = self.swarm.member() else {
            return Ok(());
        };
        match self.swarm.profile.troubles.next(&mut self.swarm.dice) {
            Trouble::Crash if self.must_stay() => {}
            Trouble::Crash => {
                let now = self.swarm.world.now();
                let handed_over = !self.swarm.weather.was_split(now - HAND_OVER_WITHIN, now);
                let spares = self.can_spare_one() && handed_over;
                let keeps_disk = !spares || self.swarm.dice.below(2) == 0;
                self.crash(node, keeps_disk)?;
            }
            Trouble::PowerCut => self.crash_many()?,
            Trouble::Leave if self.must_stay() => {}
            Trouble::Leave => self.leave(node),
            Trouble::Join => {
                if self.swarm.members().len() < self.nodes + EXTRA_NODES {
                    self.swarm.join();
                }
            }
            Trouble::ClockJump => self.swarm.jump_clock(node),
            trouble => self.begin_spell(trouble, node),
        }
        Ok(())
    }

    /// Whether somebody is left who holds everything when a member goes for good.
    fn can_spare_one(&self) -> bool {
        self.swarm.members().len() > 1
    }

    /// Whether so few are left that all who know what was collected could be gone when somebody
    /// comes back who was away for long.
    fn must_stay(&self) -> bool {
        let outstayed = self.swarm.grace.is_some_and(|grace| grace.is_outstayed);
        outstayed && self.swarm.members().len() < MEMBERS_WHO_KNOW
    }

    /// A node leaves, or several do at the same instant: a root, say, and a copy of it. As many come
    /// instead.
    fn leave(&mut self, node: usize) {
        let stays = if self.swarm.grace.is_some() {
            MEMBERS_WHO_KNOW
        } else {
            WHO_SEE_A_LEAVE
        };
        let most = self.swarm.members().len().saturating_sub(stays);
        let mut leaving = vec![node];
        if self.swarm.dice.below(2) == 0 {
            leaving = self.some_members(2);
        }
        leaving.truncate(most);
        for node in leaving {
            self.swarm.leave(node);
            self.plan(REPLACED_AFTER, Action::Join);
        }
    }

    /// A node crashes and comes back.
    pub(super) fn crash_one(&mut self) -> Result<(), Box<Violation>> {
        let node = self.swarm.member();
        node.map_or(Ok(()), |node| self.crash(node, true))
    }

    /// All nodes lose power at the same instant; all come back.
    pub(super) fn crash_all(&mut self) -> Result<(), Box<Violation>> {
        let members = self.swarm.members();
        members
            .into_iter()
            .try_for_each(|node| self.crash(node, true))
    }

    /// Several nodes lose power at the same instant, maybe all of them; all come back.
    fn crash_many(&mut self) -> Result<(), Box<Violation>> {
        self.some_members(2)
            .into_iter()
            .try_for_each(|node| self.crash(node, true))
    }

    /// At least so many members, maybe all of them.
    fn some_members(&mut self, least: usize) -> Vec<usize> {
        let mut members = self.swarm.members();
        let more = members.len().saturating_sub(least) + 1;
        let count = least + self.swarm.dice.index(more);
        self.swarm.dice.shuffle(&mut members);
        members.truncate(count);
        members
    }

    fn crash(&mut self, node: usize, keeps_disk: bool) -> Result<(), Box<Violation>> {
        let may_outstay = keeps_disk && !self.is_one_away && !self.must_stay();
        self.swarm.crash(node, keeps_disk);
        self.history.orphan(node);
        self.swarm.world.check(node).map_err(Box::new)?;
        let mut wait = self.swarm.dice.span(Duration::from_millis(100), SPELL.1);
        if let Some(grace) = self.swarm.grace.filter(|_| may_outstay)
            && let Some(long) = grace.away(&mut self.swarm.dice)
        {
            self.swarm.outstayed += 1;
            self.swarm.outstaying.insert(node);
            self.is_one_away = true;
            wait = long;
        }
        if keeps_disk || self.swarm.dice.below(2) == 0 {
            self.plan(wait, Action::ComeBack(node));
        } else {
            self.plan(wait, Action::Join);
        }
        Ok(())
    }

    /// The disk of a node failed to synchronise a group of writes. Nobody knows what of it is on
    /// the disk, and asking again proves nothing, so the daemon ends; somebody starts it again.
    pub(super) fn disk_failed(&mut self, node: usize) -> Result<(), Box<Violation>> {
        self.crash(node, true)
    }

    fn begin_spell(&mut self, trouble: Trouble, node: usize) {
        self.in_spell = true;
        self.swarm.weather.troubled();
        self.swarm.weather.spell();
        let is_last = trouble == Trouble::SlowDisk && self.swarm.dice.below(2) == 0;
        // Others must take over from a node that goes while disks are full.
        let goes_meanwhile = trouble == Trouble::FullDisk && self.swarm.dice.below(2) == 0;
        match trouble {
            Trouble::Partition | Trouble::OneWay | Trouble::Block => self.split(trouble, node),
            Trouble::Storm => self.storm(),
            Trouble::SlowDisk => {
                // All are slow when power is about to be cut: then much is not committed.
                let (nodes, least) = match is_last {
                    true => (self.swarm.members(), SLOW_DISK),
                    false => (self.some_members(1), Duration::ZERO),
                };
                for node in nodes {
                    let by = self.swarm.dice.span(least, SLOWEST_DISK);
                    self.swarm.world.set_slow_disk(node, by);
                }
            }
            Trouble::FullDisk => {
                for node in self.some_members(1) {
                    self.full_disks += 1;
                    self.swarm.set_full_disk(node, true);
                }
            }
            Trouble::FailingDisk => {
                for node in self.some_members(1) {
                    self.swarm.world.set_failing_disk(node, true);
                }
            }
            _ => {
                let by = self.swarm.dice.span(Duration::ZERO, SLOWEST);
                self.swarm.world.set_slow(node, by);
            }
        }
        let is_split = matches!(
            trouble,
            Trouble::Partition | Trouble::OneWay | Trouble::Block
        );
        let length = match self.swarm.long_splits {
            Some(long) if is_split => long.length(&mut self.swarm.dice),
            _ => self.swarm.dice.span(SPELL.0, SPELL.1),
        };
        if is_last {
            self.plan(length, Action::PowerCut);
        }
        if goes_meanwhile {
            self.plan(Duration(length.0 / 4), Action::Crash);
        }
        self.plan(length, Action::EndOfSpell);
    }

    /// Splits the network into two sides, or blocks one direction between two nodes.
    fn split(&mut self, trouble: Trouble, node: usize) {
        self.splits += 1;
        let now = self.swarm.world.now();
        self.swarm.weather.split(now);
        let count = self.swarm.world.node_count();
        let mut sides = || (0..count).map(|_| self.swarm.dice.below(2) as u8).collect();
        match trouble {
            Trouble::Partition => {
                let sides = sides();
                self.swarm.world.faults_mut().partition(sides);
            }
            Trouble::OneWay => {
                let sides = sides();
                self.swarm.world.faults_mut().partition_one_way(sides);
            }
            _ => {
                let other = self.swarm.member().unwrap_or(node);
                self.swarm.world.faults_mut().block(node, other);
            }
        }
    }

    /// Some of losses, copies and late messages, or all three.
    fn storm(&mut self) {
        let dice = &mut self.swarm.dice;
        let kinds = 1 + dice.below(7);
        let [lost, copied, late] =
            [STORM.0, STORM.1, STORM.1].map(|most| Chance(dice.below(most) as u32));
        let faults = self.swarm.world.faults_mut();
        if kinds & 1 != 0 {
            faults.loss = faults.loss.max(lost);
        }
        if kinds & 2 != 0 {
            faults.duplicate = faults.duplicate.max(copied);
        }
        if kinds & 4 != 0 {
            faults.reorder = faults.reorder.max(late);
        }
    }

    pub(super) fn end_spell(&mut self) {
        self.in_spell = false;
        let now = self.swarm.world.now();
        self.swarm.weather.spell_ended(now);
        self.swarm.world.faults_mut().heal();
        self.swarm.usual_faults();
        for node in 0..self.swarm.world.node_count() {
            self.swarm.world.set_slow(node, Duration::ZERO);
            self.swarm.world.set_slow_disk(node, Duration::ZERO);
            self.swarm.world.set_failing_disk(node, false);
            self.swarm.set_full_disk(node, false);
        }
    }
}
