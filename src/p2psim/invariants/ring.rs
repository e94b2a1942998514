//! Zave's invariant and what follows from it, after every event.
//!
//! [`Incremental`] follows each change of one member's list, each join and each death, so the
//! inductive invariant itself (a live entry in every list, r + 1 principals) and the order of all
//! lists are checked after every event in networks of any size. What follows from it by Zave's
//! theorem, one ordered ring, is checked in full ([`whole`]) after every change in a small network,
//! and once a simulated second in a large one, where a look at all members after each of a hundred
//! changes a second would cost more than the simulation.
//!
//! The invariant is checked while the theorem's [`premises`](super::premises) hold; the order of
//! the lists always.

use super::super::overlays::HasRouter;
use super::SharedOracle;
use super::premises::{Event, Premises, Scope};
use chord::Chord;
use chord::invariants::{Incremental, Member, check_all};
use overlay::{Contact, Duration, Id, KeyRouter, Time};
use sim::{Invariant, Oracle, World};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

/// Up to so many members, the whole ring is checked after every change.
const SMALL: usize = 64;
/// In larger networks it is checked this often at most.
const PAUSE: Duration = Duration::from_secs(1);

/// After how many events the invariant was checked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Coverage {
    /// All events.
    pub(crate) events: u64,
    /// Those after which the theorem's premises held, so that the whole invariant had to.
    pub(crate) checked: u64,
}

/// Checks the ring's invariants.
pub(crate) struct RingInvariants {
    oracle: SharedOracle,
    /// By node index: what was seen last; none while the node is down or no member.
    seen: Vec<Option<Seen>>,
    /// The indices of the nodes that were [cut off](chord::bootstrap) and have not come back:
    /// they may be on their way, as joining nodes.
    cut_off: BTreeSet<usize>,
    /// None before the first member.
    members: Option<Incremental>,
    premises: Premises,
    next_whole: Time,
    coverage: Rc<Cell<Coverage>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    id: Id,
    generation: u64,
}

impl RingInvariants {
    /// For a network that starts with correct tables and has neither losses nor partitions: more
    /// deaths than the theorem allows are a violation too.
    pub(crate) fn strict<M: HasRouter<Router = Chord>>(
        world: &World<M>,
        oracle: SharedOracle,
    ) -> Self {
        let mut ring = Self::new(oracle, Scope::Strict);
        (0..world.node_count()).for_each(|node| {
            ring.follow(world, node);
        });
        if let Some(members) = &ring.members {
            ring.premises.begin(members);
        }
        ring
    }

    /// For a network that grows from one node, in which live nodes may be taken for dead.
    pub(crate) fn under_premises(oracle: SharedOracle) -> Self {
        Self::new(oracle, Scope::UnderPremises)
    }

    fn new(oracle: SharedOracle, scope: Scope) -> Self {
        Self {
            oracle,
            seen: Vec::new(),
            cut_off: BTreeSet::new(),
            members: None,
            premises: Premises::new(scope),
            next_whole: Time::ZERO,
            coverage: Rc::default(),
        }
    }

    /// Where the events are counted, also when this has been handed to the world.
    pub(crate) fn coverage(&self) -> Rc<Cell<Coverage>> {
        self.coverage.clone()
    }

    /// Takes in what became of a node; says what happened to the ring, if anything did.
    fn follow<M: HasRouter<Router = Chord>>(
        &mut self,
        world: &World<M>,
        node: usize,
    ) -> Option<Event> {
        if self.seen.len() < world.node_count() {
            self.seen.resize(world.node_count(), None);
        }
        let chord = world.node(node).map(HasRouter::router);
        let is_cut_off = chord.is_some_and(Chord::is_cut_off);
        if is_cut_off {
            self.cut_off.insert(node);
        } else if chord.is_none_or(KeyRouter::is_member) {
            self.cut_off.remove(&node);
        }
        let chord = chord.filter(|chord| chord.is_member());
        let now = chord.map(|chord| Seen {
            id: chord.me().id,
            generation: chord.generation(),
        });
        let before = std::mem::replace(self.seen.get_mut(node)?, now);
        if before == now {
            return None;
        }
        let length = chord.map_or(1, |chord| chord.config().list_length());
        let members = self.members.get_or_insert_with(|| Incremental::new(length));
        if let Some(gone) = before.filter(|before| now.is_none_or(|now| now.id != before.id)) {
            members.remove(gone.id);
        }
        let Some(chord) = chord else {
            return Some(if is_cut_off {
                Event::CutOff
            } else {
                Event::Death
            });
        };
        let (me, list) = (chord.me().id, ids(chord.ring().successors()));
        let event = Event::of_change(members, me, &list);
        members.set(me, list);
        Some(event)
    }

    fn count(&self) {
        let mut coverage = self.coverage.get();
        coverage.events += 1;
        coverage.checked += u64::from(self.premises.hold());
        self.coverage.set(coverage);
    }
}

impl<M: HasRouter<Router = Chord>> Invariant<M> for RingInvariants {
    fn name(&self) -> &'static str {
        "the ring"
    }

    fn check(&mut self, world: &World<M>, touched: usize) -> Result<(), String> {
        let event = self.follow(world, touched);
        let (Some(event), Some(members)) = (event, &self.members) else {
            // What holds of all lists cannot have changed.
            self.premises.pass(world.now());
            self.count();
            return Ok(());
        };
        let text = |violation: chord::invariants::Violation| violation.to_string();
        members.check_order().map_err(text)?;
        let nobody_is_cut_off = self.cut_off.is_empty();
        let judged = self
            .premises
            .judge(members, event, nobody_is_cut_off, world.now());
        judged.map_err(text)?;
        self.count();
        let oracle = self.oracle.borrow();
        let is_due = oracle.members().len() <= SMALL || world.now() >= self.next_whole;
        if !self.premises.hold() || !is_due {
            return Ok(());
        }
        self.next_whole = world.now() + PAUSE;
        whole(world, &oracle)
    }
}

/// Checks the whole ring. A network in its bootstrap phase is passed over.
pub(crate) fn whole<M: HasRouter<Router = Chord>>(
    world: &World<M>,
    oracle: &Oracle,
) -> Result<(), String> {
    let members: Vec<&Chord> = oracle
        .members()
        .iter()
        .filter_map(|&id| Some(world.node(oracle.node(id)?)?.router()))
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

#[cfg(test)]
mod tests {
    use super::super::super::overlays::{Node, Pace, Settings};
    use super::*;
    use overlay::lookup::{LookupConfig, Routing};
    use sim::Config;

    const SUCCESSORS: usize = 20;

    /// A thousand nodes with correct tables, watched.
    fn watched() -> (World<Node<Chord>>, Rc<Cell<Coverage>>) {
        let config = Config::new(1);
        let latency = config.latency.clone();
        let mut world = World::new(config);
        let settings = Settings {
            successors: SUCCESSORS,
            pace: Pace::Never,
            proximity: false,
            alive: false,
            lookup: LookupConfig::default(),
        };
        let oracle = SharedOracle::new(settings.build(&mut world, 1_000, &latency));
        let ring = RingInvariants::strict(&world, oracle);
        let coverage = ring.coverage();
        world.watch(Box::new(ring));
        (world, coverage)
    }

    /// Puts a node in the place of `node` that has this list, as one event.
    fn plant(world: &mut World<Node<Chord>>, node: usize, list: &[Contact]) -> Result<(), String> {
        world.crash(node);
        world.check(node).expect("one death is nothing");
        let id = world.contact(node).expect("a node").id;
        let config = world.node(0).map(|node| node.router().config().clone());
        world.restart(node, id, |me| {
            let config = config.expect("node 0 is up");
            let chord = Chord::with_tables(me, config, list.to_vec(), None, Vec::new());
            Routing::new(chord, LookupConfig::default())
        });
        let broken = world.check(node);
        broken.map_err(|violation| violation.text)
    }

    #[test]
    fn in_a_large_network_one_bad_list_is_found_at_its_event() {
        let (mut world, coverage) = watched();
        let good: Vec<Contact> = world
            .node(7)
            .map(|node| node.router().ring().successors().to_vec())
            .expect("node 7 is up");
        plant(&mut world, 7, &good).expect("the old list");
        assert_eq!((coverage.get().events, coverage.get().checked), (2, 2));
        let stranger = Contact {
            id: good[0].id.wrapping_sub(Id::from_u64(1)),
            ..good[0]
        };
        let text = plant(&mut world, 7, &[stranger]).expect_err("nobody listed is alive");
        assert!(text.starts_with("live successor: none of the 1"), "{text}");
    }

    #[test]
    fn in_a_large_network_the_principals_are_counted_at_each_event() {
        let (mut world, _) = watched();
        // The list of node 7 leads all the way round: it skips everybody else.
        let before = world
            .node(7)
            .and_then(|node| node.router().ring().predecessor());
        let before = before.expect("a predecessor");
        let text = plant(&mut world, 7, &[before]).expect_err("two principals");
        assert!(text.starts_with("principals: 2 principals, 21"), "{text}");
    }
}
