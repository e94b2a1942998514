//! Dynamic querying: which links are asked next, and with which TTL.
//!
//! After Fisk, "Gnutella Dynamic Query Protocol" 0.1: the leaves first; then those neighbours whose
//! tables say that they may have it, a few at a time and no further; then probe three links with a
//! TTL that reaches two links away; then go on, as far as the results seen so far say that is
//! needed; stop at 150 results, or 50 for a leaf, or when every link was asked with the whole TTL.
//!
//! Deviation: a round ends with its echo, not after 2.4 s a hop: the same messages in less time.
//! A round may ask twice as many links as the last, because a user waits for at most eight seconds.
//! Where two links away are not enough, all links are asked at once: floods of several links, one
//! after another, overlap, and cost more than the one of all. Leaves whose tables match are asked as
//! many as are still needed. What ends it is how many its user wants, of a leaf's 150 at most, and
//! not 150 and 50: 100 are listed when nothing is said. And a leaf asks one ultrapeer first, not all
//! of its three, since each of them searches the same network: the others when that one has nothing,
//! or is slow.

use crate::message::{Guid, MAX_WANTED, Reach};
use overlay::Id;
use std::collections::{BTreeMap, BTreeSet};

/// Links that are probed first.
const PROBES: usize = 3;
/// Ultrapeers that a leaf asks first.
const PROBES_OF_LEAF: usize = 1;
/// The TTL of a probe: it is forwarded once.
const PROBE_TTL: u8 = 1;
/// Highest TTL with which only some links are asked.
const STEP_TTL: u8 = 2;
/// Rounds that ask only some links; then all: eight seconds are soon over.
const MAX_STEPS: u32 = 6;
/// Results that end a dynamic query of this node: all that its user may want.
pub const ENOUGH: u32 = MAX_WANTED;
/// The same for a leaf's, which others pay for. A leaf that wants more is told that there may be more.
pub const ENOUGH_FOR_LEAF: u32 = 150;

/// What is left to do of a dynamic query.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Own leaves whose tables match, and that have not been asked.
    pub(crate) leaves: Vec<Id>,
    /// Neighbours, no leaves, whose tables match, and that have not been asked.
    pub(crate) likely: Vec<Id>,
    /// All links with others in random order, and with which TTL each was asked at most.
    links: Vec<(Id, Option<u8>)>,
    /// The GUID of all rounds with a TTL of 0, which go to different neighbours.
    pub(crate) near: Guid,
    /// The GUIDs of rounds that have not ended.
    pub(crate) running: BTreeSet<Guid>,
    /// In which round each node hit first.
    heard: BTreeMap<Id, Guid>,
    /// Rounds that have been begun, those with a TTL of 0 not counted.
    rounds: u32,
    /// Results after which it ends.
    enough: u32,
    /// Whether the node is a leaf, whose neighbours all search the same network for it.
    pub(crate) is_leaf: bool,
    /// Links in the last round.
    last: usize,
    /// Leaves, and likely neighbours, in the last round of them.
    last_leaves: usize,
    last_likely: usize,
    /// How far the rounds with a TTL of 0 came, all together.
    near_reach: Reach,
    /// How far a GUID came at most.
    furthest: Reach,
}

/// Whom to ask next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) to: Vec<Id>,
    pub(crate) ttl: u8,
    /// Whether it goes to leaves and likely neighbours only.
    pub(crate) is_near: bool,
}

/// What a plan goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SoFar {
    /// Results.
    pub(crate) results: u32,
    /// Nodes that are known to have looked.
    pub(crate) reached: u32,
    /// Links with others that this node has: those that it knows have as many.
    pub(crate) degree: usize,
    /// The highest TTL.
    pub(crate) most: u8,
}

impl Plan {
    pub(crate) fn new(near: Guid, links: Vec<Id>, enough: u32, is_leaf: bool) -> Self {
        Self {
            leaves: Vec::new(),
            likely: Vec::new(),
            links: links.into_iter().map(|id| (id, None)).collect(),
            near,
            running: BTreeSet::new(),
            heard: BTreeMap::new(),
            rounds: 0,
            enough,
            is_leaf,
            last: 0,
            last_leaves: 0,
            last_likely: 0,
            near_reach: Reach::default(),
            furthest: Reach::default(),
        }
    }

    /// Whom to ask next; nobody when there is enough, or nobody left.
    pub(crate) fn next_round(&mut self, so_far: SoFar) -> Option<Round> {
        let needed = self.enough.saturating_sub(so_far.results) as usize;
        if needed == 0 {
            return None;
        }
        self.near_round(needed).or_else(|| self.wide_round(so_far))
    }

    fn near_round(&mut self, needed: usize) -> Option<Round> {
        // A leaf's table speaks for one node, a neighbour's for all of its leaves.
        let (list, last, first) = if self.leaves.is_empty() {
            let first = needed.min(PROBES);
            (&mut self.likely, &mut self.last_likely, first)
        } else {
            (&mut self.leaves, &mut self.last_leaves, needed)
        };
        let count = (*last * 2).max(first).min(list.len());
        *last = count;
        let to: Vec<Id> = list.drain(..count).collect();
        (!to.is_empty()).then_some(Round {
            to,
            ttl: 0,
            is_near: true,
        })
    }

    fn wide_round(&mut self, so_far: SoFar) -> Option<Round> {
        let (count, ttl) = self.how_wide(so_far);
        let mut open: Vec<&mut (Id, Option<u8>)> = self
            .links
            .iter_mut()
            .filter(|(_, asked)| *asked < Some(ttl))
            .collect();
        open.sort_by_key(|(_, asked)| *asked);
        let mut to = Vec::new();
        for (id, asked) in open.into_iter().take(count) {
            *asked = Some(ttl);
            to.push(*id);
        }
        self.rounds += 1;
        self.last = to.len();
        (!to.is_empty()).then_some(Round {
            to,
            ttl,
            is_near: false,
        })
    }

    /// How many links the next round asks, and how far.
    fn how_wide(&self, so_far: SoFar) -> (usize, u8) {
        let most = so_far.most;
        let all = (self.links.len(), most);
        if self.is_leaf {
            // Each searches the whole network for it: the next has nothing that one has not.
            let next = (self.last * 2).max(PROBES_OF_LEAF);
            return (if so_far.results == 0 { next } else { 0 }, most);
        }
        match self.rounds {
            0 => return (PROBES, PROBE_TTL.min(most)),
            1 if so_far.results == 0 => return (self.last * 2, STEP_TTL.min(most)),
            2..MAX_STEPS if so_far.results == 0 => return all,
            MAX_STEPS.. => return all,
            _ => {}
        }
        let needed = u64::from(self.enough.saturating_sub(so_far.results));
        let reached = u64::from(so_far.reached.max(1));
        let nodes = reached * needed / u64::from(so_far.results.max(1));
        let spread = so_far.degree.saturating_sub(1).max(2) as u64;
        for ttl in PROBE_TTL..=STEP_TTL.min(most) {
            let open = self.links.iter().filter(|(_, asked)| *asked < Some(ttl));
            let needs = nodes.div_ceil(spread.pow(ttl.into())).max(1) as usize;
            if needs <= open.count() {
                return (needs.min(self.last.max(1) * 2), ttl);
            }
        }
        all
    }

    /// Whether a hit is the first of its node, or in the same round as that: the nodes that a wider
    /// round reaches again say again what they have.
    pub(crate) fn is_news(&mut self, node: Id, round: Guid) -> bool {
        if let Some(first) = self.heard.get(&node) {
            return *first == round;
        }
        if self.heard.len() < crate::query::MAX_HITS_PASSED as usize {
            self.heard.insert(node, round);
        }
        true
    }

    /// Whether it has stopped, or will, with fewer results than are wanted.
    pub(crate) const fn stops_short(&self, results: u32, wanted: u32) -> bool {
        self.enough < wanted && results >= self.enough
    }

    /// A round has ended.
    pub(crate) fn ended(&mut self, round: Guid, reach: Reach) {
        self.running.remove(&round);
        let reach = if round == self.near {
            self.near_reach = self.near_reach.and(reach);
            self.near_reach
        } else {
            reach
        };
        self.furthest = self.furthest.or_further(reach);
    }

    /// How far one GUID came at most. Rounds overlap, and nobody knows how much: together they reached
    /// no fewer nodes than that.
    pub(crate) const fn reach(&self) -> Reach {
        self.furthest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: u64) -> Vec<Id> {
        (0..count).map(Id::from_u64).collect()
    }

    fn plan(links: u64, enough: u32) -> Plan {
        Plan::new(Guid([1; 16]), ids(links), enough, false)
    }

    const fn so_far(results: u32, reached: u32) -> SoFar {
        SoFar {
            results,
            reached,
            degree: 16,
            most: 7,
        }
    }

    /// The links and TTLs of all rounds, if results never change.
    fn rounds(plan: &mut Plan, so_far: SoFar) -> Vec<(usize, u8)> {
        let mut rounds = Vec::new();
        while let Some(round) = plan.next_round(so_far) {
            rounds.push((round.to.len(), round.ttl));
            assert!(rounds.len() < 50, "it never ends: {rounds:?}");
        }
        rounds
    }

    #[test]
    fn a_query_that_finds_nothing_ends_with_a_flood_of_all_links() {
        assert_eq!(
            rounds(&mut plan(16, 1), so_far(0, 0)),
            [(3, 1), (6, 2), (16, 7)]
        );
        assert_eq!(
            rounds(&mut plan(2, 1), so_far(0, 0)),
            [(2, 1), (2, 2), (2, 7)]
        );
        let flat = SoFar {
            most: 0,
            ..so_far(0, 0)
        };
        assert_eq!(rounds(&mut plan(4, 1), flat), [(3, 0), (1, 0)]);
    }

    #[test]
    fn likely_neighbours_are_asked_again_with_a_larger_ttl() {
        let mut plan = plan(4, 50);
        plan.likely = ids(4);
        let rounds = rounds(&mut plan, so_far(1, 4));
        assert_eq!(rounds[..2], [(3, 0), (1, 0)], "{rounds:?}");
        assert_eq!(rounds.last(), Some(&(4, 7)), "{rounds:?}");
    }

    #[test]
    fn no_more_leaves_are_asked_than_results_are_needed() {
        let mut plan = plan(0, 5);
        plan.leaves = ids(100);
        let first = plan.next_round(so_far(0, 0)).expect("a round");
        assert_eq!((first.to.len(), first.is_near), (5, true));
        assert_eq!(plan.next_round(so_far(5, 5)), None, "there is enough");
        let second = plan.next_round(so_far(4, 5)).expect("a round");
        assert_eq!(second.to.len(), 10, "one table was wrong: twice as many");
    }

    #[test]
    fn a_leaf_asks_the_next_ultrapeers_only_for_what_one_has_not() {
        let leaf = || Plan::new(Guid([1; 16]), ids(3), 50, true);
        assert_eq!(rounds(&mut leaf(), so_far(0, 0)), [(1, 7), (2, 7)]);
        let mut plan = leaf();
        assert!(plan.next_round(so_far(0, 0)).is_some());
        assert_eq!(plan.next_round(so_far(1, 100)), None);
    }

    #[test]
    fn few_more_results_need_few_more_links() {
        let mut plan = plan(16, 12);
        assert_eq!(plan.next_round(so_far(0, 0)).map(|it| it.to.len()), Some(3));
        let next = plan.next_round(so_far(10, 48)).expect("a round");
        assert_eq!((next.to.len(), next.ttl), (1, 1));
    }

    #[test]
    fn a_node_is_heard_in_one_round() {
        let (mut plan, near, wide) = (plan(4, 1), Guid([1; 16]), Guid([2; 16]));
        let node = Id::from_u64(9);
        assert!(plan.is_news(node, near) && plan.is_news(node, near));
        assert!(!plan.is_news(node, wide));
        let reach = |nodes| Reach {
            nodes,
            ..Reach::NONE
        };
        plan.ended(near, reach(3));
        plan.ended(near, reach(4));
        assert_eq!(plan.reach(), reach(7), "they are different nodes");
        plan.ended(wide, reach(9));
        assert_eq!(plan.reach(), reach(9), "seven may be among these");
    }
}
