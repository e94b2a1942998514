//! Pastry, simulated.

use super::{HasRouter, Pace, Scope, Settings, Simulated};
use crate::p2psim::faults::Machines;
use crate::p2psim::invariants::{Coverage, LeafInvariants, SharedOracle, Standing};
use overlay::proximity::Distance;
use overlay::{Contact, KeyRouter};
use pastry::invariants::{entries_share_their_rows_prefix, leaf_sets_are_the_neighbours};
use pastry::{Pastry, PastryConfig, PastryTimer, Side};
use sim::{Oracle, Ownership, World};
use std::cell::Cell;
use std::rc::Rc;

fn config(settings: &Settings) -> PastryConfig {
    PastryConfig {
        maintain: settings.pace != Pace::Never,
        proximity: settings.proximity,
        ..PastryConfig::default()
    }
}

impl Simulated for Pastry {
    const OWNERSHIP: Ownership = Ownership::Closest;

    fn fresh(me: Contact, settings: &Settings) -> Self {
        Self::new(me, config(settings))
    }

    fn with_machines(me: Contact, machines: &Machines, _successors: usize) -> Self {
        Self::new(me, machines.pastry.clone())
    }

    fn correct(
        contacts: &[Contact],
        at: usize,
        settings: &Settings,
        rtt: Option<Distance<'_>>,
    ) -> Self {
        pastry::tables::correct(contacts, at, config(settings), rtt)
    }

    fn start() -> PastryTimer {
        PastryTimer::Start
    }

    fn beside(&self) -> (Option<Contact>, Option<Contact>) {
        let nearest = |side| self.leaves().nearest(side);
        (nearest(Side::Smaller), nearest(Side::Larger))
    }

    fn neighbours_are_true(&self, oracle: &Oracle) -> Result<(), String> {
        leaf_sets_are_the_neighbours(self, oracle.members())
    }

    fn watch<M: HasRouter<Router = Self>>(
        world: &mut World<M>,
        oracle: SharedOracle,
        scope: Scope,
    ) -> Rc<Cell<Coverage>> {
        let leaves = LeafInvariants::new(oracle, scope);
        let coverage = leaves.coverage();
        world.watch(Box::new(leaves));
        coverage
    }

    fn fixed<M: HasRouter<Router = Self>>(
        world: &World<M>,
        oracle: &Oracle,
    ) -> Result<Standing, String> {
        let mut standing = Standing::default();
        for (_, machine) in world.live() {
            let node = machine.router();
            entries_share_their_rows_prefix(node)?;
            let leaves = node.leaves().members().iter();
            let live = leaves.filter(|leaf| oracle.is_member(leaf.id)).count();
            standing.stranded += usize::from(live == 0);
            if live == node.leaves().members().len() {
                // None of them died: then they still are the nearest.
                node.neighbours_are_true(oracle)?;
            }
            standing.generations += node.generation();
        }
        Ok(standing)
    }

    fn whole<M: HasRouter<Router = Self>>(world: &World<M>, oracle: &Oracle) -> Result<(), String> {
        let nodes = oracle.members().iter().filter_map(|id| oracle.node(*id));
        for node in nodes.filter_map(|node| world.node(node)) {
            node.router().neighbours_are_true(oracle)?;
            entries_share_their_rows_prefix(node.router())?;
        }
        Ok(())
    }
}
