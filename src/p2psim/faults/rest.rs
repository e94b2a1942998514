//! The network at rest: replicas become equal, and nothing stays under way.

use super::run::Run;
use crate::p2psim::overlays::Simulated;
use overlay::{Arc, Duration, Id, Locate, Time};
use sim::Violation;
use std::collections::BTreeMap;

/// Within this time after the ring is whole and every replica a full copy, while nobody asks, the N
/// replicas of each arc hold the same. A root compares each replica with itself every 30 s, an
/// eighth more at most; a comparison that was begun while a message was lost has to be given up and
/// begun again, which takes [`dht::CAUGHT_UP_WITHIN`]; and moving what differs takes its time.
pub const REPLICAS_EQUAL_WITHIN: Duration = Duration::from_secs(60);
/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long it is watched what is under way. Periodic work (a comparison, a renewal, a
/// stabilisation) lasts a few round trips each time; what is there at every look stays.
const WATCHED: Duration = Duration::from_secs(30);
/// Things due in the whole world for each node: the timers of its periodic work, and those that a
/// deadline that was moved has left behind until they fire, since timers are not cancelled.
const DUE_A_NODE: usize = 40;

/// What was found at rest, in words.
#[derive(Clone, Debug, Default)]
pub struct Rest {
    /// Arcs whose replicas did not become equal in time.
    pub unequal: Vec<String>,
    /// What was still under way.
    pub left_over: Vec<String>,
}

impl<R: Simulated> Run<R> {
    /// Waits until the replicas of every arc have been equal once; gives those that have not.
    ///
    /// Leases are renewed all the time, and a renewal reaches replicas one after another: so each arc
    /// is asked for one moment in which all of its replicas hold the same.
    pub(super) fn compare_replicas(&mut self) -> Result<Vec<String>, Box<Violation>> {
        let end = self.now() + REPLICAS_EQUAL_WITHIN;
        let mut unequal = self.unequal();
        while !unequal.is_empty() && self.now() < end {
            self.pass(self.now() + LOOK_EVERY)?;
            let now = self.unequal();
            unequal.retain(|part, _| now.contains_key(part));
        }
        Ok(unequal.into_values().collect())
    }

    fn now(&self) -> Time {
        self.swarm.world.now()
    }

    /// The arcs whose replicas differ, by root, and how.
    fn unequal(&self) -> BTreeMap<(Id, Arc), String> {
        let world = &self.swarm.world;
        let machine = |id: Id| {
            let mut live = world.live().map(|(_, machine)| machine);
            live.find(|machine| Locate::me(*machine).id == id)
        };
        let mut found = BTreeMap::new();
        for (node, root) in world.live() {
            for (arc, replicas) in root.arcs() {
                let sums = replicas.iter().map(|replica| {
                    let machine = machine(replica.id);
                    machine.map(|machine| machine.sum_of(arc))
                });
                let sums: Vec<_> = sums.collect();
                if sums.windows(2).any(|pair| pair.first() != pair.last()) {
                    let text = format!(
                        "the replicas of {arc:?}, whose root is node {node}, differ: {sums:?}"
                    );
                    found.insert((Locate::me(root).id, arc), text);
                }
            }
        }
        found
    }

    /// Watches what is under way at each node; gives what always was.
    pub(super) fn watch_rest(&mut self) -> Result<Vec<String>, Box<Violation>> {
        let end = self.now() + WATCHED;
        let mut least = self.under_way();
        let mut due = self.swarm.world.pending();
        while self.now() < end {
            self.pass(self.now() + LOOK_EVERY)?;
            let now = self.under_way();
            for (what, count) in &mut least {
                *count = (*count).min(now.get(what).copied().unwrap_or_default());
            }
            due = due.min(self.swarm.world.pending());
        }
        least.retain(|_, count| *count > 0);
        let mut left: Vec<String> = least
            .into_iter()
            .map(|((node, what), count)| format!("{count} {what} under way at node {node}"))
            .collect();
        let live = self.swarm.world.live_count();
        if due > DUE_A_NODE * live {
            left.push(format!("{due} messages and timers are due at {live} nodes"));
        }
        Ok(left)
    }

    fn under_way(&self) -> BTreeMap<(usize, &'static str), usize> {
        let mut all = BTreeMap::new();
        for (node, machine) in self.swarm.world.live() {
            for (what, count) in machine.under_way() {
                all.insert((node, what), count);
            }
        }
        all
    }
}
