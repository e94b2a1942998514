//! Every live member has a live entry in its successor list: the first half of Zave's invariant.

use super::incremental::Lists;
use super::{Member, Violation, place_of};
use overlay::Id;
use std::collections::{BTreeMap, BTreeSet};

/// Checks every live member of the snapshot, which is sorted by id.
///
/// # Errors
/// The first member without a live successor.
pub fn check(members: &[Member<'_>]) -> Result<(), Violation> {
    (0..members.len()).try_for_each(|index| check_one(members, index))
}

/// Checks the member at `index`.
///
/// # Errors
/// When it is alive and none of its successors is.
pub fn check_one(members: &[Member<'_>], index: usize) -> Result<(), Violation> {
    let Some(member) = members.get(index) else {
        return Ok(());
    };
    if !member.alive || first_live(members, index).is_some() {
        return Ok(());
    }
    Err(violation(member.id, member.successors.len()))
}

fn violation(owner: Id, entries: usize) -> Violation {
    Violation {
        invariant: "live successor",
        text: format!("none of the {entries} successors of {owner} is alive"),
    }
}

/// The place of the first live entry in the list of the member at `index`.
pub(crate) fn first_live(members: &[Member<'_>], index: usize) -> Option<usize> {
    let mut guess = index;
    members[index].successors.iter().find_map(|entry| {
        let place = place_of(members, *entry, guess).ok()?;
        guess = place;
        members[place].alive.then_some(place)
    })
}

/// Who has a live entry, kept up to date from change to change. A death looks at the lists that
/// hold the dead one, and at no other.
#[derive(Clone, Debug, Default)]
pub(super) struct LiveEntries {
    /// By entry, alive or not: the members whose lists hold it.
    listed_by: BTreeMap<Id, BTreeSet<Id>>,
    /// The members without a live entry.
    without: BTreeSet<Id>,
    /// How many entries of all lists are dead; of duplicates in one list, one counts.
    dead: usize,
}

impl LiveEntries {
    /// The list of `owner` was `before` (nothing, if it joined) and is as in `lists` now.
    pub(super) fn changed(&mut self, owner: Id, before: &[Id], lists: &Lists) {
        let now = lists.get(&owner).map_or(&[][..], Vec::as_slice);
        for entry in before.iter().filter(|entry| !now.contains(entry)) {
            self.unlist(owner, *entry, lists);
        }
        for entry in now.iter().filter(|entry| !before.contains(entry)) {
            let is_new = self.listed_by.entry(*entry).or_default().insert(owner);
            self.dead += usize::from(is_new && !lists.contains_key(entry));
        }
        self.look_at(owner, lists);
    }

    /// `id` is a member now, and already in `lists`: an entry that was dead is alive.
    pub(super) fn joined(&mut self, id: Id, lists: &Lists) {
        if let Some(owners) = self.listed_by.get(&id) {
            self.dead -= owners.len();
            self.without.retain(|member| !owners.contains(member));
        }
        self.changed(id, &[], lists);
    }

    /// `id` is no member any more, and no longer in `lists`; `before` was its list.
    pub(super) fn gone(&mut self, id: Id, before: &[Id], lists: &Lists) {
        for entry in before {
            // An entry of itself was alive until now, and goes without having been dead.
            let is_own = *entry == id && self.listed_by.get(&id).is_some_and(|o| o.contains(&id));
            self.dead += usize::from(is_own);
            self.unlist(id, *entry, lists);
        }
        self.without.remove(&id);
        let owners: Vec<Id> = self.owners(id).collect();
        self.dead += owners.len();
        owners
            .into_iter()
            .for_each(|owner| self.look_at(owner, lists));
    }

    fn owners(&self, entry: Id) -> impl Iterator<Item = Id> {
        self.listed_by.get(&entry).into_iter().flatten().copied()
    }

    fn unlist(&mut self, owner: Id, entry: Id, lists: &Lists) {
        let Some(owners) = self.listed_by.get_mut(&entry) else {
            return;
        };
        let was_listed = owners.remove(&owner);
        self.dead -= usize::from(was_listed && !lists.contains_key(&entry));
        if owners.is_empty() {
            self.listed_by.remove(&entry);
        }
    }

    fn look_at(&mut self, owner: Id, lists: &Lists) {
        let list = lists.get(&owner).map_or(&[][..], Vec::as_slice);
        if list.iter().any(|entry| lists.contains_key(entry)) {
            self.without.remove(&owner);
        } else {
            self.without.insert(owner);
        }
    }

    /// Whether some list holds a dead entry.
    pub(super) const fn has_dead(&self) -> bool {
        self.dead > 0
    }

    /// As [`check`].
    pub(super) fn check(&self, lists: &Lists) -> Result<(), Violation> {
        let Some(owner) = self.without.first() else {
            return Ok(());
        };
        Err(violation(*owner, lists.get(owner).map_or(0, Vec::len)))
    }
}
