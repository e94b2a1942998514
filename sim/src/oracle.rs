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
    /// This node lies between the key and the answer, and was live and integrated all the time.
    Passed(Id),
}

#[derive(Clone, Copy, Debug)]
struct Life {
    node: usize,
    member_since: Time,
    integrated_since: Option<Time>,
    gone_at: Option<Time>,
}

/// The truth about the ring: who is a live member, since when, and whether its live successor
/// knows it.
///
/// A lookup takes time, and the ring changes meanwhile, so an answer is judged over the whole
/// operation. It is right when the node that answered was a live member at some time of it, and no
/// node that was live and *integrated* (its live successor had it as predecessor) all the time
/// lies between the key and the answer. The first part allows for an owner that crashes just after
/// it has answered; the second for one that has only begun to join.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    live: Vec<Id>,
    lives: BTreeMap<Id, Life>,
}

impl Oracle {
    /// The oracle of a ring that is complete at time zero, of `(id, node index)`.
    #[must_use]
    pub fn complete(members: impl IntoIterator<Item = (Id, usize)>) -> Self {
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

    /// Says whether the live successor of `id` has it as predecessor now.
    pub fn integrated(&mut self, id: Id, is_known: bool, now: Time) {
        if let Some(life) = self.lives.get_mut(&id) {
            life.integrated_since =
                is_known.then(|| life.integrated_since.map_or(now, |since| since.min(now)));
        }
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

    /// The live member at the key or first after it.
    #[must_use]
    pub fn owner(&self, key: Id) -> Option<Id> {
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

    /// The `count` live members at and after the key: its replica set.
    #[must_use]
    pub fn replicas(&self, key: Id, count: usize) -> Vec<Id> {
        let at = self.live.partition_point(|&id| id < key);
        let after = self.live[at..].iter().chain(&self.live[..at]);
        after.take(count).copied().collect()
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
        let mut candidate = self.owner(key);
        for _ in 0..self.live.len() {
            let Some(id) = candidate else { break };
            // The walk from the key has reached or passed the answer.
            if key.distance_to(id) >= key.distance_to(answer) {
                break;
            }
            let since = self.lives.get(&id).and_then(|life| life.integrated_since);
            if since.is_some_and(|since| since <= began) {
                return Verdict::Passed(id);
            }
            candidate = self.successor(id);
        }
        Verdict::Right
    }

    /// When a node became a member, if it is known.
    #[must_use]
    pub fn member_since(&self, id: Id) -> Option<Time> {
        self.lives.get(&id).map(|life| life.member_since)
    }
}
