//! Keeps the oracle up to date: who is a member, and whose live successor knows it.

use super::super::ring::HasChord;
use super::SharedOracle;
use overlay::{Id, KeyRouter};
use sim::{Invariant, Oracle, World};

/// Watches every event; it never finds anything wrong.
pub(crate) struct Track {
    oracle: SharedOracle,
    /// By node index: what was seen last.
    seen: Vec<Seen>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// The id as a member, if it was one.
    member: Option<Id>,
    generation: u64,
}

impl Track {
    pub(crate) const fn new(oracle: SharedOracle) -> Self {
        Self {
            oracle,
            seen: Vec::new(),
        }
    }
}

impl<M: HasChord> Invariant<M> for Track {
    fn name(&self) -> &'static str {
        "the oracle is up to date"
    }

    fn check(&mut self, world: &World<M>, touched: usize) -> Result<(), String> {
        if self.seen.len() <= touched {
            let oracle = self.oracle.borrow();
            let from = self.seen.len();
            self.seen.extend((from..world.node_count()).map(|node| {
                let id = world.contact(node).map(|contact| contact.id);
                Seen {
                    member: id.filter(|&id| oracle.is_member(id)),
                    generation: u64::MAX,
                }
            }));
        }
        let chord = world.node(touched).map(HasChord::chord);
        let now = Seen {
            member: chord
                .filter(|chord| chord.is_member())
                .map(|chord| chord.me().id),
            generation: chord.map_or(0, KeyRouter::generation),
        };
        let Some(slot) = self.seen.get_mut(touched) else {
            return Ok(());
        };
        let before = std::mem::replace(slot, now);
        if before.member == now.member && before.generation == now.generation {
            return Ok(());
        }
        let mut oracle = self.oracle.borrow_mut();
        if before.member != now.member {
            if let Some(id) = before.member {
                oracle.gone(id, world.now());
                let around = oracle.predecessor(id);
                note(&mut oracle, world, around);
            }
            if let Some(id) = now.member {
                oracle.joined(id, touched, world.now());
            }
        }
        let around = now.member.and_then(|id| oracle.predecessor(id));
        note(&mut oracle, world, around);
        note(&mut oracle, world, now.member);
        Ok(())
    }
}

/// Notes whether the live successor of `id` has it as predecessor.
fn note<M: HasChord>(oracle: &mut Oracle, world: &World<M>, id: Option<Id>) {
    let Some(id) = id else { return };
    let after = oracle.successor(id).filter(|&after| after != id);
    let is_known = after.is_none_or(|after| {
        let chord = oracle
            .node(after)
            .and_then(|node| world.node(node))
            .map(HasChord::chord);
        let predecessor = chord.and_then(|chord| chord.ring().predecessor());
        predecessor.is_some_and(|known| known.id == id)
    });
    oracle.integrated(id, is_known, world.now());
}
