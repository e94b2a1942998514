//! The small exploration: predecessors, remembered candidates and notifications as they are.

use crate::model::{Network, R, check, contact, ideal, may_fail, number};
use chord::Ring;
use chord::ring::{AfterNotify, AfterSuccessor};
use std::collections::BTreeSet;
use std::collections::HashSet;

/// Notifications on their way at a time.
const MAX_IN_FLIGHT: usize = 2;
/// One state in so many is healed by maintenance alone, to see that it can.
const HEAL_EVERY: usize = 16;

/// A network with what is on its way.
#[derive(Clone, PartialEq, Eq, Hash)]
struct World {
    rings: Network,
    /// The candidate that each node remembers between its two steps of stabilisation.
    candidate: Vec<Option<u8>>,
    /// Notifications: from, to.
    notified: BTreeSet<(u8, u8)>,
}

impl World {
    fn live(&self, id: u8) -> bool {
        self.rings[usize::from(id)].is_some()
    }

    fn ring(&mut self, id: u8) -> &mut Ring {
        self.rings[usize::from(id)]
            .as_mut()
            .expect("only live nodes act")
    }

    fn list(&self, id: u8) -> Vec<overlay::Contact> {
        self.rings[usize::from(id)]
            .as_ref()
            .map_or_else(Vec::new, |r| r.successors().to_vec())
    }

    fn notify(&mut self, from: u8, to: Option<overlay::Contact>) {
        if let Some(to) = to.filter(|_| self.notified.len() < MAX_IN_FLIGHT) {
            self.notified.insert((from, number(&to)));
        }
    }

    /// The step that stabilisation of `me` takes next.
    fn stabilize(&mut self, me: u8) {
        let Some(first) = self.ring(me).first() else {
            return;
        };
        let successor = number(&first);
        if let Some(candidate) = self.candidate[usize::from(me)].take() {
            return self.second_step(me, candidate);
        }
        if !self.live(successor) {
            let next = self.ring(me).successor_dead(first.id);
            return self.notify(me, next);
        }
        let (list, before) = (self.list(successor), self.ring(successor).predecessor());
        match self.ring(me).from_successor(first, before, &list) {
            AfterSuccessor::AskPredecessor(candidate) => {
                self.candidate[usize::from(me)] = Some(number(&candidate));
            }
            AfterSuccessor::Notify(to) => self.notify(me, Some(to)),
            AfterSuccessor::Stale => unreachable!("the first successor was asked"),
        }
    }

    fn second_step(&mut self, me: u8, candidate: u8) {
        let list = self.list(candidate);
        let to = if self.live(candidate) {
            self.ring(me).from_predecessor(contact(candidate), &list)
        } else {
            self.ring(me).first()
        };
        self.notify(me, to);
    }

    /// A notification arrives. Its sender may have died since.
    fn rectify(&mut self, from: u8, to: u8) {
        self.notified.remove(&(from, to));
        if !self.live(to) {
            return;
        }
        if let AfterNotify::Probe(known) = self.ring(to).rectify(contact(from))
            && !self.live(number(&known))
        {
            self.ring(to).predecessor_dead(known.id, contact(from));
        }
    }

    fn fail(&mut self, id: u8) {
        self.rings[usize::from(id)] = None;
        self.candidate[usize::from(id)] = None;
    }

    /// Everything that may happen next.
    fn successors(&self, identifiers: u8) -> Vec<Self> {
        let mut next = Vec::new();
        for &(from, to) in &self.notified {
            let mut lost = self.clone();
            lost.notified.remove(&(from, to));
            next.push(lost);
            let mut world = self.clone();
            world.rectify(from, to);
            next.push(world);
        }
        for me in 0..identifiers {
            if self.live(me) {
                let mut world = self.clone();
                world.stabilize(me);
                next.push(world);
                if may_fail(&self.rings, usize::from(me)) {
                    let mut world = self.clone();
                    world.fail(me);
                    next.push(world);
                }
                continue;
            }
            for at in (0..identifiers).filter(|at| self.live(*at)) {
                if let Some(ring) = Ring::join(contact(me), R, contact(at), &self.list(at)) {
                    let mut world = self.clone();
                    world.rings[usize::from(me)] = Some(ring);
                    next.push(world);
                }
            }
        }
        next
    }

    /// Whether maintenance alone leads to the ideal ring, predecessors included.
    fn heals(&self, identifiers: u8) -> bool {
        let mut world = self.clone();
        let members = (0..identifiers)
            .filter(|id| world.live(*id))
            .fold(0, |m, id| m | 1 << id);
        let ideal = ideal(identifiers, members);
        for _ in 0..8 * identifiers {
            if world.rings == ideal {
                return true;
            }
            for me in (0..identifiers).filter(|me| self.live(*me)) {
                while let Some(&(from, to)) = world.notified.first() {
                    world.rectify(from, to);
                }
                world.stabilize(me);
            }
        }
        false
    }
}

/// Explores everything; says how many states there are and how many were healed.
pub(crate) fn explore(identifiers: u8) -> Result<(usize, usize), String> {
    let mut seen: HashSet<World> = HashSet::new();
    let mut frontier = Vec::new();
    for members in (0..1_u8 << identifiers).filter(|members| members.count_ones() as usize > R) {
        let rings = ideal(identifiers, members);
        let candidate = vec![None; usize::from(identifiers)];
        let world = World {
            rings,
            candidate,
            notified: BTreeSet::new(),
        };
        seen.insert(world.clone());
        frontier.push(world);
    }
    let (mut visited, mut healed) = (0, 0);
    while let Some(world) = frontier.pop() {
        check(&world.rings).map_err(|violation| format!("{violation} in {:?}", world.rings))?;
        visited += 1;
        if visited % HEAL_EVERY == 0 {
            if !world.heals(identifiers) {
                return Err(format!("maintenance alone does not heal {:?}", world.rings));
            }
            healed += 1;
        }
        for next in world.successors(identifiers) {
            if !seen.contains(&next) {
                seen.insert(next.clone());
                frontier.push(next);
            }
        }
    }
    Ok((visited, healed))
}
