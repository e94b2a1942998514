//! The values of an experiment, and where they are.

use super::super::overlays::Simulated;
use super::super::storing::Storing;
use bytes::Bytes;
use dht::Store;
use overlay::{Id, OwnedArc, Slot};
use sim::World;

/// The values that are put: a key and its value follow from its number.
pub(super) struct Keys {
    pub(super) ids: Vec<Id>,
    /// Whether any replica is left.
    survives: Vec<bool>,
    value_size: usize,
    /// The first that was not complete at the last look: those before it stay so.
    first_open: usize,
}

impl Keys {
    pub(super) fn new(seed: u64, count: usize, value_size: usize) -> Self {
        let id = |number| Id::of(format!("loss {seed} {number}").as_bytes());
        Self {
            ids: (0..count).map(id).collect(),
            survives: vec![true; count],
            value_size,
            first_open: 0,
        }
    }

    pub(super) const fn count(&self) -> usize {
        self.ids.len()
    }

    /// The value of a key: its id, again and again.
    pub(super) fn value(&self, number: usize) -> Bytes {
        let id = self.ids.get(number).copied().unwrap_or_default();
        id.0.iter().copied().cycle().take(self.value_size).collect()
    }

    /// Notes of which keys no replica is left, after deaths; gives how many there are.
    pub(super) fn count_lost<R: Simulated>(&mut self, world: &World<Storing<R>>) -> usize {
        self.look_again();
        for (id, survives) in self.ids.iter().zip(&mut self.survives) {
            let holds = |node: &Storing<R>| node.store().meta(*id, Slot::Value).is_some();
            *survives = world.live().any(|(_, node)| holds(node));
        }
        self.survives.iter().filter(|survives| !**survives).count()
    }

    /// The next look is at all keys.
    pub(super) const fn look_again(&mut self) {
        self.first_open = 0;
    }

    pub(super) fn survives(&self, number: usize) -> bool {
        self.survives.get(number).copied().unwrap_or_default()
    }

    /// Why not every surviving key is on all replicas that it should have; none when it is.
    pub(super) fn incomplete<R: Simulated>(
        &mut self,
        world: &World<Storing<R>>,
        replicas: usize,
    ) -> Option<String> {
        let wanted = replicas.min(world.live_count());
        let mut owned: Vec<OwnedArc> = Vec::new();
        for (node, machine) in world.live() {
            for part in machine.routing().router().owned(replicas) {
                let up = |id: Id| world.live().any(|(_, peer)| peer_id(peer) == id);
                if part.replicas.len() < wanted || !part.replicas.iter().all(|peer| up(peer.id)) {
                    return Some(format!("node {node} counts on {:?}", part.replicas));
                }
                owned.push(part);
            }
        }
        let holders = |part: &OwnedArc, id: Id| {
            let nodes = world
                .live()
                .filter(|(_, node)| part.replicas.iter().any(|peer| peer.id == peer_id(node)));
            nodes
                .filter(|(_, node)| node.store().meta(id, Slot::Value).is_some())
                .count()
        };
        while let Some(id) = self.ids.get(self.first_open).copied() {
            let mut roots = owned.iter().filter(|part| part.arc.contains(id));
            let (root, other) = (roots.next(), roots.next());
            let (Some(root), None) = (root, other) else {
                return Some(format!("{id} has no root, or two"));
            };
            if self.survives(self.first_open) && holders(root, id) < wanted {
                return Some(format!("{id} is not on all of {:?}", root.replicas));
            }
            self.first_open += 1;
        }
        None
    }
}

fn peer_id<R: Simulated>(node: &Storing<R>) -> Id {
    overlay::Locate::me(node).id
}
