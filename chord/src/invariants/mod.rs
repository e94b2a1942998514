//! What must hold in every state of a network: one file for each invariant.
//!
//! [`live_successor`] and [`principals`] are Zave's inductive invariant; [`one_ring`] and
//! [`ordered_lists`] follow from it and are what users rely on, so they are checked by themselves.
//! All are pure functions of a snapshot, cheap enough to run after every event of a small
//! simulation; [`Incremental`] follows the changes instead and is cheap in a large one.
//!
//! In the bootstrap phase (fewer than r + 1 members) only `ordered_lists` holds always.

mod incremental;
pub mod live_successor;
pub mod one_ring;
pub mod ordered_lists;
pub mod principals;

pub use incremental::Incremental;

use overlay::Id;
use std::fmt;

/// One node in a snapshot of a network.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Its id.
    pub id: Id,
    /// Whether it is a live member; the lists of others are ignored.
    pub alive: bool,
    /// Its successors, nearest first.
    pub successors: &'a [Id],
    /// Its predecessor.
    pub predecessor: Option<Id>,
}

/// An invariant does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which one.
    pub invariant: &'static str,
    /// Where and how.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.text)
    }
}

/// Checks all invariants for a network with lists of `length` entries. `members` is sorted by id.
///
/// # Errors
/// The first invariant that does not hold.
pub fn check_all(members: &[Member<'_>], length: usize) -> Result<(), Violation> {
    ordered_lists::check(members)?;
    live_successor::check(members)?;
    principals::check(members, length)?;
    one_ring::check(members)
}

/// The place of `id` in the sorted snapshot. `guess` is tried first, then its next neighbour: the
/// entries of a list mostly follow each other.
pub(crate) fn place_of(members: &[Member<'_>], id: Id, guess: usize) -> Result<usize, usize> {
    for near in [guess, guess + 1] {
        let at = if near >= members.len() {
            near - members.len()
        } else {
            near
        };
        if members.get(at).is_some_and(|member| member.id == id) {
            return Ok(at);
        }
    }
    members.binary_search_by_key(&id, |member| member.id)
}
