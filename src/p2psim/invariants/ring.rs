//! Zave's invariant and what follows from it, over the whole ring.
//!
//! Every list is checked whenever its node changes. The ring as a whole is checked after every
//! change in a small network, and once a simulated second in a large one, where a check of all
//! members after each of a hundred changes a second would cost more than the simulation. It is
//! checked only while the theorem's conditions hold: no bootstrap phase (r + 1 members at least)
//! and no partition; [`whole`] checks it at a time of the caller's choice.

use super::super::ring::HasChord;
use super::SharedOracle;
use chord::Chord;
use chord::invariants::{Member, check_all, ordered_lists};
use overlay::{Contact, Duration, Id, KeyRouter, Time};
use sim::{Invariant, Oracle, World};

/// Up to so many members, the whole ring is checked after every change.
const SMALL: usize = 64;
/// In larger networks it is checked this often at most.
const PAUSE: Duration = Duration::from_secs(1);

/// Which conditions hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// Those of the theorem, from the start on.
    Whole,
    /// None is sure: single nodes only.
    Lists,
}

/// Checks the ring's invariants.
pub(crate) struct RingInvariants {
    oracle: SharedOracle,
    scope: Scope,
    /// By node index: the generation seen last; none while the node is down or no member.
    seen: Vec<Option<u64>>,
    next_whole: Time,
}

impl RingInvariants {
    /// For a network that starts with correct tables and has no partitions.
    pub(crate) const fn whole(oracle: SharedOracle) -> Self {
        Self {
            oracle,
            scope: Scope::Whole,
            seen: Vec::new(),
            next_whole: Time::ZERO,
        }
    }

    /// For a network that grows from one node, or has partitions.
    pub(crate) const fn lists(oracle: SharedOracle) -> Self {
        Self {
            oracle,
            scope: Scope::Lists,
            seen: Vec::new(),
            next_whole: Time::ZERO,
        }
    }
}

impl<M: HasChord> Invariant<M> for RingInvariants {
    fn name(&self) -> &'static str {
        "the ring"
    }

    fn check(&mut self, world: &World<M>, touched: usize) -> Result<(), String> {
        if self.seen.len() < world.node_count() {
            self.seen.resize(world.node_count(), None);
        }
        let chord = world
            .node(touched)
            .map(HasChord::chord)
            .filter(|chord| chord.is_member());
        let generation = chord.map(KeyRouter::generation);
        let Some(seen) = self.seen.get_mut(touched) else {
            return Ok(());
        };
        if *seen == generation {
            return Ok(());
        }
        *seen = generation;
        if let Some(chord) = chord {
            list(chord)?;
        }
        if self.scope == Scope::Lists {
            return Ok(());
        }
        let oracle = self.oracle.borrow();
        let is_small = oracle.members().len() <= SMALL;
        if !is_small && world.now() < self.next_whole {
            return Ok(());
        }
        self.next_whole = world.now() + PAUSE;
        whole(world, &oracle)
    }
}

/// Checks the list of one member.
fn list(chord: &Chord) -> Result<(), String> {
    let successors = ids(chord.ring().successors());
    let predecessor = chord.ring().predecessor().map(|contact| contact.id);
    let member = Member {
        id: chord.me().id,
        alive: true,
        successors: &successors,
        predecessor,
    };
    ordered_lists::check_one(&member).map_err(|violation| violation.to_string())
}

/// Checks the whole ring. A network in its bootstrap phase is passed over.
pub(crate) fn whole<M: HasChord>(world: &World<M>, oracle: &Oracle) -> Result<(), String> {
    let members: Vec<&Chord> = oracle
        .members()
        .iter()
        .filter_map(|&id| Some(world.node(oracle.node(id)?)?.chord()))
        .collect();
    let Some(length) = members.first().map(|chord| chord.config().list_length()) else {
        return Ok(());
    };
    if members.len() <= length {
        return Ok(());
    }
    let lists: Vec<Vec<Id>> = members
        .iter()
        .map(|chord| ids(chord.ring().successors()))
        .collect();
    let snapshot: Vec<Member<'_>> = members
        .iter()
        .zip(&lists)
        .map(|(chord, successors)| Member {
            id: chord.me().id,
            alive: true,
            successors,
            predecessor: chord.ring().predecessor().map(|contact| contact.id),
        })
        .collect();
    check_all(&snapshot, length).map_err(|violation| violation.to_string())
}

fn ids(contacts: &[Contact]) -> Vec<Id> {
    contacts.iter().map(|contact| contact.id).collect()
}
