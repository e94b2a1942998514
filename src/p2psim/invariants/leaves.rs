//! What Pastry promises after every event: entries are in the right rows, and no two members
//! answer for one key.
//!
//! The second is promised while no live node was taken for dead (MSPastry, section 3.1). Where the
//! network neither loses nor splits, nobody is, and it is checked after every event; elsewhere
//! while every live member is listed by the live members beside it.

use super::super::overlays::{HasRouter, Scope};
use super::{Coverage, SharedOracle};
use overlay::{Arc, Id, KeyRouter};
use pastry::Pastry;
use pastry::invariants::entries_share_their_rows_prefix;
use sim::{Invariant, World};
use std::cell::Cell;
use std::rc::Rc;

/// Checks what a node touched by an event has in its tables and answers for.
pub(crate) struct LeafInvariants {
    oracle: SharedOracle,
    scope: Scope,
    /// By node index: the generation that was seen last.
    seen: Vec<Option<u64>>,
    coverage: Rc<Cell<Coverage>>,
}

impl LeafInvariants {
    pub(crate) fn new(oracle: SharedOracle, scope: Scope) -> Self {
        Self {
            oracle,
            scope,
            seen: Vec::new(),
            coverage: Rc::default(),
        }
    }

    /// Where the events are counted, also when this has been handed to the world.
    pub(crate) fn coverage(&self) -> Rc<Cell<Coverage>> {
        self.coverage.clone()
    }

    fn has_changed(&mut self, node: usize, generation: u64) -> bool {
        if self.seen.len() <= node {
            self.seen.resize(node + 1, None);
        }
        self.seen[node].replace(generation) != Some(generation)
    }
}

impl<M: HasRouter<Router = Pastry>> Invariant<M> for LeafInvariants {
    fn name(&self) -> &'static str {
        "the leaf sets"
    }

    fn check(&mut self, world: &World<M>, touched: usize) -> Result<(), String> {
        let mut coverage = self.coverage.get();
        coverage.events += 1;
        let Some(node) = world.node(touched).map(HasRouter::router) else {
            self.coverage.set(coverage);
            return Ok(());
        };
        entries_share_their_rows_prefix(node)?;
        let is_new = self.has_changed(touched, node.generation());
        let oracle = self.oracle.borrow();
        let holds = self.scope == Scope::Strict || oracle.all_integrated();
        coverage.checked += u64::from(holds);
        self.coverage.set(coverage);
        if !is_new || !holds || !node.is_member() {
            return Ok(());
        }
        let me = node.me().id;
        let beside = [oracle.predecessor(me), oracle.successor(me)];
        let others = beside.into_iter().flatten().filter(|id| *id != me);
        for other in others.filter_map(|id| world.node(oracle.node(id)?)) {
            overlap(node, other.router())?;
        }
        Ok(())
    }
}

fn overlap(one: &Pastry, other: &Pastry) -> Result<(), String> {
    let arcs = |node: &Pastry| -> Vec<Arc> { node.owned(1).iter().map(|part| part.arc).collect() };
    for mine in arcs(one) {
        for theirs in arcs(other) {
            let shared = |arc: &Arc, within: &Arc| within.contains(arc.to);
            if shared(&mine, &theirs) || shared(&theirs, &mine) {
                let (one, other): (Id, Id) = (one.me().id, other.me().id);
                return Err(format!(
                    "{one} answers for {mine} and {other} for {theirs}, which overlap"
                ));
            }
        }
    }
    Ok(())
}
