//! What Pastry promises after every event: entries are in the right rows, and a node answers only
//! for keys to which it is the numerically closest live member.
//!
//! The second is promised while no live node was taken for dead (MSPastry, section 3.1). From the
//! event at which a member drops a live one whom it should list, until all live members are listed by
//! those beside them again, it is not checked. Where the network neither loses nor splits, such
//! an event is a violation itself.
//!
//! Where the live members beside it list a node, and it them, its part is moreover the whole of what
//! the oracle says is its own: no key is without an owner.

use super::super::overlays::{HasRouter, Scope};
use super::{Coverage, SharedOracle};
use overlay::{Arc, Id, KeyRouter};
use pastry::invariants::entries_share_their_rows_prefix;
use pastry::point::arc_between;
use pastry::{Pastry, Point, Side};
use sim::{Invariant, Oracle, World};
use std::cell::Cell;
use std::rc::Rc;

/// Checks what a node touched by an event, and those beside it, have in their tables and answer for.
pub(crate) struct LeafInvariants {
    oracle: SharedOracle,
    scope: Scope,
    /// By node index: the generation that was seen last, and the leaf set then; none while the node is
    /// down or no member.
    seen: Vec<Option<(u64, Vec<Id>)>>,
    /// Whether a live member was dropped, and not all is well again.
    is_excused: bool,
    coverage: Rc<Cell<Coverage>>,
}

impl LeafInvariants {
    pub(crate) fn new(oracle: SharedOracle, scope: Scope) -> Self {
        Self {
            oracle,
            scope,
            seen: Vec::new(),
            is_excused: false,
            coverage: Rc::default(),
        }
    }

    /// Where the events are counted, also when this has been handed to the world. After those that
    /// count as checked each member's part was what it may be: those that an event may have changed were
    /// compared, of that node and of those beside it.
    pub(crate) fn coverage(&self) -> Rc<Cell<Coverage>> {
        self.coverage.clone()
    }

    /// Takes in the leaf set of a node; says whether it has changed, and gives a live member that it no
    /// longer lists although it should.
    fn follow(&mut self, at: usize, node: Option<&Pastry>) -> (bool, Option<Id>) {
        if self.seen.len() <= at {
            self.seen.resize(at + 1, None);
        }
        let member = node.filter(|node| node.is_member() || node.is_cut_off());
        let Some(node) = member else {
            return (self.seen[at].take().is_some(), None);
        };
        let generation = node.generation();
        if matches!(&self.seen[at], Some((seen, _)) if *seen == generation) {
            return (false, None);
        }
        let leaves = node.leaves();
        let now = leaves.members().iter().map(|leaf| leaf.id).collect();
        let Some((_, before)) = self.seen[at].replace((generation, now)) else {
            return (true, None);
        };
        let oracle = self.oracle.borrow();
        // Others may have come between: then it is too far now.
        let should_list = |id: &Id| {
            let is_within = leaves.covers(Point::of(*id)) && !leaves.contains(*id);
            is_within && oracle.is_member(*id)
        };
        (true, before.into_iter().find(should_list))
    }

    /// Compares the parts of some members with what the oracle says.
    fn compare<M: HasRouter<Router = Pastry>>(
        &self,
        world: &World<M>,
        members: impl Iterator<Item = Id>,
    ) -> Result<(), String> {
        let oracle = self.oracle.borrow();
        for id in members {
            let node = oracle.node(id).and_then(|node| world.node(node));
            if let Some(node) = node.map(HasRouter::router).filter(|node| node.is_member()) {
                answers_for_its_own(node, &oracle)?;
            }
        }
        Ok(())
    }
}

impl<M: HasRouter<Router = Pastry>> Invariant<M> for LeafInvariants {
    fn name(&self) -> &'static str {
        "the leaf sets"
    }

    fn check(&mut self, world: &World<M>, touched: usize) -> Result<(), String> {
        let mut coverage = self.coverage.get();
        coverage.events += 1;
        self.coverage.set(coverage);
        let node = world.node(touched).map(HasRouter::router);
        node.map_or(Ok(()), entries_share_their_rows_prefix)?;
        let (has_changed, dropped) = self.follow(touched, node);
        if let Some(dropped) = dropped {
            if self.scope == Scope::Strict {
                return Err(format!("{dropped} is alive, and was dropped"));
            }
            self.is_excused = true;
        }
        let was_excused = self.is_excused;
        if was_excused {
            self.is_excused = !self.oracle.borrow().all_integrated();
        }
        if self.is_excused {
            return Ok(());
        }
        coverage.checked += 1;
        self.coverage.set(coverage);
        if was_excused {
            let all = self.oracle.borrow().members().to_vec();
            return self.compare(world, all.into_iter());
        }
        // What the others answer for, and what is theirs, is as it was.
        let Some(me) = world.contact(touched).filter(|_| has_changed) else {
            return Ok(());
        };
        let oracle = self.oracle.borrow();
        let beside = [
            oracle.predecessor(me.id),
            Some(me.id),
            oracle.successor(me.id),
        ];
        self.compare(world, beside.into_iter().flatten())
    }
}

/// Compares what a node answers for with what the oracle says is its own.
fn answers_for_its_own(node: &Pastry, oracle: &Oracle) -> Result<(), String> {
    let me = node.me().id;
    let (Some(before), Some(after)) = (oracle.predecessor(me), oracle.successor(me)) else {
        return Ok(());
    };
    let midway = |from: Id, to: Id| Point::of(from).midway_to(Point::of(to));
    let own = if before == me {
        Arc::whole(me)
    } else {
        arc_between(midway(before, me), midway(me, after))
    };
    let claimed: Vec<Arc> = node.owned(1).iter().map(|part| part.arc).collect();
    let has_beside = |side, id| node.leaves().nearest(side).is_none_or(|next| next.id == id);
    let knows_both = has_beside(Side::Smaller, before) && has_beside(Side::Larger, after);
    let wrong = || {
        let claimed: Vec<String> = claimed.iter().map(Arc::to_string).collect();
        Err(format!(
            "{me} answers for {}; between {before} and {after} its own is {own}",
            claimed.join(", ")
        ))
    };
    if !claimed.iter().all(|part| own.covers(part)) {
        return wrong();
    }
    if knows_both && claimed != [own] {
        return wrong();
    }
    Ok(())
}
