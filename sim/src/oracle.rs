//! Who is right: a sorted vector of the live members.

use overlay::{Id, Time};
use std::collections::BTreeMap;

/// What the oracle says of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Correct.
    Right,
    /// The node that answered was no live member at any time of the operation.
    NoSuchMember,
    /// This node would own the key before the answer, and was live and integrated all the time.
    Passed(Id),
}

/// Which node a key belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ownership {
    /// The first at or after it.
    #[default]
    FirstAtOrAfter,
    /// The numerically closest; of two at the same distance the one before it.
    Closest,
}

impl Ownership {
    /// How far a node is from owning a key; the owner is the least.
    fn rank(self, key: Id, node: Id) -> (Id, bool) {
        let (after, before) = (key.distance_to(node), node.distance_to(key));
        match self {
            Self::Closest if before <= after => (before, false),
            _ => (after, true),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Life {
    node: usize,
    member_since: Time,
    integrated_since: Option<Time>,
    gone_at: Option<Time>,
}

/// The truth about the circle: who is a live member, since when, and whether its live neighbours
/// know it.
///
/// A lookup takes time, and the ring changes meanwhile, so an answer is judged over the whole
/// operation. It is right when the node that answered was a live member at some time of it, and no
/// node that was live and *integrated* (its live neighbours knew it) all the time would own the key
/// before it. The first part allows for an owner that crashes just after
/// it has answered; the second for one that has only begun to join.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    ownership: Ownership,
    live: Vec<Id>,
    lives: BTreeMap<Id, Life>,
}

impl Oracle {
    /// The oracle of an empty network.
    #[must_use]
    pub fn new(ownership: Ownership) -> Self {
        Self {
            ownership,
            ..Self::default()
        }
    }

    /// The oracle of a network that is complete at time zero, of `(id, node index)`.
    #[must_use]
    pub fn complete(ownership: Ownership, members: impl IntoIterator<Item = (Id, usize)>) -> Self {
        let life = |node| Life {
            node,
            member_since: Time::ZERO,
            integrated_since: Some(Time::ZERO),
            gone_at: None,
        };
        let lives: BTreeMap<Id, Life> = members
            .into_iter()
            .map(|(id, node)| (id, life(node)))
            .collect();
        Self {
            ownership,
            live: lives.keys().copied().collect(),
            lives,
        }
    }

    /// A node became a member.
    pub fn joined(&mut self, id: Id, node: usize, now: Time) {
        if let Err(at) = self.live.binary_search(&id) {
            self.live.insert(at, id);
        }
        let life = Life {
            node,
            member_since: now,
            integrated_since: None,
            gone_at: None,
        };
        self.lives.insert(id, life);
    }

    /// A member crashed or left.
    pub fn gone(&mut self, id: Id, now: Time) {
        if let Ok(at) = self.live.binary_search(&id) {
            self.live.remove(at);
        }
        if let Some(life) = self.lives.get_mut(&id) {
            life.gone_at = Some(now);
            life.integrated_since = None;
        }
    }

    /// Removes many members at once.
    pub fn all_gone(&mut self, ids: &[Id], now: Time) {
        for id in ids {
            if let Some(life) = self.lives.get_mut(id) {
                life.gone_at = Some(now);
                life.integrated_since = None;
            }
        }
        let lives = &self.lives;
        self.live
            .retain(|id| lives.get(id).is_some_and(|life| life.gone_at.is_none()));
    }

    /// Says whether the live neighbours of `id` know it now.
    pub fn integrated(&mut self, id: Id, is_known: bool, now: Time) {
        if let Some(life) = self.lives.get_mut(&id) {
            life.integrated_since =
                is_known.then(|| life.integrated_since.map_or(now, |since| since.min(now)));
        }
    }

    /// Whether the live neighbours of every live member know it now.
    #[must_use]
    pub fn all_integrated(&self) -> bool {
        let life = |id| self.lives.get(id);
        self.live
            .iter()
            .all(|id| life(id).is_some_and(|life| life.integrated_since.is_some()))
    }

    /// Forgets nodes that went before `before`: no operation began earlier.
    pub fn forget_before(&mut self, before: Time) {
        self.lives
            .retain(|_, life| life.gone_at.is_none_or(|gone| gone >= before));
    }

    /// The live members in order of id.
    #[must_use]
    pub fn members(&self) -> &[Id] {
        &self.live
    }

    /// Whether the node is a live member.
    #[must_use]
    pub fn is_member(&self, id: Id) -> bool {
        self.live.binary_search(&id).is_ok()
    }

    /// The node index of a live member or of one that has gone lately.
    #[must_use]
    pub fn node(&self, id: Id) -> Option<usize> {
        self.lives.get(&id).map(|life| life.node)
    }

    /// The live member to which the key belongs.
    #[must_use]
    pub fn owner(&self, key: Id) -> Option<Id> {
        let around = [self.at_or_after(key), self.predecessor(key)];
        let rank = |id: &Id| self.ownership.rank(key, *id);
        around.into_iter().flatten().min_by_key(rank)
    }

    fn at_or_after(&self, key: Id) -> Option<Id> {
        let at = self.live.partition_point(|&id| id < key);
        self.live.get(at).or_else(|| self.live.first()).copied()
    }

    /// The live member after `id`; itself when it is alone.
    #[must_use]
    pub fn successor(&self, id: Id) -> Option<Id> {
        let at = self.live.partition_point(|&other| other <= id);
        self.live.get(at).or_else(|| self.live.first()).copied()
    }

    /// The live member before `id`; itself when it is alone.
    #[must_use]
    pub fn predecessor(&self, id: Id) -> Option<Id> {
        let at = self.live.partition_point(|&other| other < id);
        at.checked_sub(1)
            .and_then(|before| self.live.get(before))
            .or(self.live.last())
            .copied()
    }

    /// The `count` live members that hold a key: the owner, and those that would own it next.
    #[must_use]
    pub fn replicas(&self, key: Id, count: usize) -> Vec<Id> {
        let mut near: Vec<Id> = self.around(key).take(2 * count).collect();
        near.sort_by_key(|id| self.ownership.rank(key, *id));
        near.dedup();
        near.truncate(count);
        near
    }

    /// The live members on both sides of a key in turn, each side nearest first.
    fn around(&self, key: Id) -> impl Iterator<Item = Id> {
        let at = self.live.partition_point(|&id| id < key);
        let count = self.live.len();
        (0..count).flat_map(move |step| {
            let (after, before) = ((at + step) % count, (at + count - 1 - step) % count);
            [after, before].map(|at| self.live[at])
        })
    }

    /// Judges the answer to a lookup that began at `began` and ends now.
    #[must_use]
    pub fn judge(&self, key: Id, answer: Id, began: Time) -> Verdict {
        let was_there = self
            .lives
            .get(&answer)
            .is_some_and(|life| life.gone_at.is_none_or(|gone| gone >= began));
        if !was_there {
            return Verdict::NoSuchMember;
        }
        let answered = self.ownership.rank(key, answer);
        let at = self.live.partition_point(|&id| id < key);
        let (before, after) = self.live.split_at(at);
        let is_nearer = |id: &&Id| self.ownership.rank(key, **id) < answered;
        let forward = after.iter().chain(before).take_while(is_nearer);
        let backward = before
            .iter()
            .rev()
            .chain(after.iter().rev())
            .take_while(is_nearer);
        for id in forward.chain(backward) {
            let since = self.lives.get(id).and_then(|life| life.integrated_since);
            if since.is_some_and(|since| since <= began) {
                return Verdict::Passed(*id);
            }
        }
        Verdict::Right
    }

    /// When a node became a member, if it is known.
    #[must_use]
    pub fn member_since(&self, id: Id) -> Option<Time> {
        self.lives.get(&id).map(|life| life.member_since)
    }
}
