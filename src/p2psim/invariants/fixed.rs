//! What Zave's theorem says of tables that nobody maintains.
//!
//! Such tables do not change, so the invariant need not be checked after each event: it is
//! checked once before and once after, together with the fact that nothing has changed.
//!
//! The tables are correct ones, of which some owners have died. A death removes the pairs of one
//! list and adds none, so all live members remain principals; what deaths can break is that a
//! member has a live entry, or that there are r + 1 members at all. Then the theorem says nothing
//! of the ring, and nothing is claimed: the order of the lists is checked, and how many members
//! are without a live entry is reported.

use super::super::overlays::HasRouter;
use super::ring::whole;
use chord::Chord;
use chord::invariants::{Member, ordered_lists};
use overlay::{Id, KeyRouter};
use sim::{Oracle, World};

/// Of what kind the tables are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Live members without a live entry in their lists.
    pub(crate) stranded: usize,
    /// Whether the theorem applies: nobody is stranded, and there are more than r members.
    applies: bool,
    /// The sum of all generations: unchanged when no table has changed.
    pub(crate) generations: u64,
}

/// Checks tables that nobody maintains.
///
/// # Errors
/// When a list is out of order; or when the theorem applies and something does not hold.
pub(crate) fn fixed<M: HasRouter<Router = Chord>>(
    world: &World<M>,
    oracle: &Oracle,
) -> Result<Standing, String> {
    let mut standing = Standing::default();
    let mut length = 0;
    for (_, machine) in world.live() {
        let chord = machine.router();
        let successors: Vec<Id> = chord.ring().successors().iter().map(|c| c.id).collect();
        order(chord, &successors)?;
        let has_live = successors.iter().any(|id| oracle.is_member(*id));
        standing.stranded += usize::from(!has_live);
        standing.generations += chord.generation();
        length = chord.config().list_length();
    }
    standing.applies = standing.stranded == 0 && oracle.members().len() > length;
    if standing.applies {
        whole(world, oracle)?;
    }
    Ok(standing)
}

fn order(chord: &Chord, successors: &[Id]) -> Result<(), String> {
    let member = Member {
        id: chord.me().id,
        alive: true,
        successors,
        predecessor: None,
    };
    ordered_lists::check_one(&member).map_err(|violation| violation.to_string())
}
