//! Keeps the oracle up to date: who is a member, and whom its live neighbours know.

use super::super::overlays::{HasRouter, Simulated};
use super::SharedOracle;
use overlay::{Id, KeyRouter};
use sim::{Invariant, Oracle, Ownership, World};

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

impl<M: HasRouter> Invariant<M> for Track {
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
        let router = world.node(touched).map(HasRouter::router);
        let now = Seen {
            member: router
                .filter(|router| router.is_member())
                .map(|router| router.me().id),
            generation: router.map_or(0, KeyRouter::generation),
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
                for around in [oracle.predecessor(id), oracle.successor(id)] {
                    note(&mut oracle, world, around);
                }
            }
            if let Some(id) = now.member {
                oracle.joined(id, touched, world.now());
            }
        }
        for around in [
            now.member.and_then(|id| oracle.predecessor(id)),
            now.member.and_then(|id| oracle.successor(id)),
            now.member,
        ] {
            note(&mut oracle, world, around);
        }
        Ok(())
    }
}

/// Notes whether the live nodes beside `id` know it: the one after it, and where a key can also
/// belong to the one before, that one too.
fn note<M: HasRouter>(oracle: &mut Oracle, world: &World<M>, id: Option<Id>) {
    let Some(id) = id else { return };
    let beside = |node: Option<Id>| {
        let node = node.filter(|node| *node != id)?;
        let router = world.node(oracle.node(node)?)?.router();
        Some(router.beside())
    };
    let is_me = |known: Option<overlay::Contact>| known.is_some_and(|known| known.id == id);
    let after = beside(oracle.successor(id)).is_none_or(|(before, _)| is_me(before));
    let both = M::Router::OWNERSHIP == Ownership::Closest;
    let before = beside(oracle.predecessor(id)).is_none_or(|(_, after)| is_me(after));
    oracle.integrated(id, after && (before || !both), world.now());
}
