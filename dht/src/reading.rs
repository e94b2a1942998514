//! What the answers to a read amount to.

use crate::message::{Body, Filter, HolderSeen, Missing, ReadData, Seen, Standing, Wanted};
use crate::words::Parts;
use overlay::{Consistency, Contact, Hlc, Id, Time, Version, WallMs};
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// How the reason ends why a read does not know, when it is for this.
pub const OLDER_THAN_SEEN: &str = "; what they have is older than the version that was seen before";

/// A read at its origin.
#[derive(Debug)]
pub(crate) struct ReadWork {
    pub(crate) what: Wanted,
    pub(crate) consistency: Consistency,
    /// What the client has seen before: an older answer is none.
    pub(crate) at_least: Option<Version>,
    /// Who was asked in this attempt.
    pub(crate) asked: SmallVec<[Asked; 3]>,
    /// The newest version seen, over all attempts, and where.
    pub(crate) value: Option<(Seen, Contact)>,
    /// The newest versions of holders seen, over all attempts.
    pub(crate) holders: BTreeMap<SocketAddr, HolderSeen>,
    /// Who has nothing, by node: what is live and not newer was deleted. With the holders that the
    /// node has.
    pub(crate) collected: BTreeMap<Id, (Hlc, BTreeSet<SocketAddr>)>,
    /// Whether somebody has answered who holds everything that was acknowledged.
    pub(crate) testified: bool,
    /// What the replicas have of a node of the index.
    pub(crate) parts: Parts,
}

/// One replica that was asked.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) peer: Contact,
    pub(crate) sent: Time,
    /// When it counts as silent.
    pub(crate) until: Time,
    pub(crate) full: bool,
    /// The version of the value there, once it has answered.
    pub(crate) version: Option<Version>,
    pub(crate) state: State,
}

/// What it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing yet.
    Waiting {
        /// Whether it was asked twice.
        again: bool,
    },
    /// Nothing in time.
    Silent,
    /// That it is the root.
    Root { complete: bool, view: u64 },
    /// That it is not, and of what it is a full copy.
    Other { covered: Option<(Id, u64)> },
}

impl From<&Standing> for State {
    fn from(standing: &Standing) -> Self {
        match standing {
            Standing::Root { complete, view, .. } => Self::Root {
                complete: *complete,
                view: *view,
            },
            Standing::Other { covered } => Self::Other { covered: *covered },
        }
    }
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is there.
    Found,
    /// It is proven not to be there.
    Absent,
    /// It is there, and this peer has its bytes.
    Fetch(Contact),
    /// Some answers are still to come.
    Wait,
    /// Ask the replicas that were not asked yet.
    AskMore,
    /// Find the root anew.
    LookAgain,
    /// Nothing more can be learnt now.
    Pause,
}

impl ReadWork {
    pub(crate) fn value(consistency: Consistency, at_least: Option<Version>) -> Self {
        Self {
            at_least,
            ..Self::new(Wanted::Value, consistency)
        }
    }

    pub(crate) fn holders(limit: u32, consistency: Consistency) -> Self {
        Self::new(Wanted::Holders { limit }, consistency)
    }

    pub(crate) fn entries(filter: Filter, limit: u32, consistency: Consistency) -> Self {
        Self::new(Wanted::Entries { filter, limit }, consistency)
    }

    /// Whether it asks a part of an index.
    pub(crate) const fn is_of_index(&self) -> bool {
        matches!(self.what, Wanted::Entries { .. })
    }

    fn new(what: Wanted, consistency: Consistency) -> Self {
        Self {
            what,
            consistency,
            at_least: None,
            asked: SmallVec::new(),
            value: None,
            holders: BTreeMap::new(),
            collected: BTreeMap::new(),
            testified: false,
            parts: Parts::default(),
        }
    }

    /// How many of a replica set must answer.
    pub(crate) fn needed(&self, read_quorum: usize, replicas: usize) -> usize {
        match self.consistency {
            Consistency::One => 1,
            Consistency::Quorum => read_quorum.min(replicas),
            Consistency::All => replicas,
        }
    }

    pub(crate) fn waits_for(&self, peer: Id) -> bool {
        self.asked
            .iter()
            .any(|asked| asked.peer.id == peer && matches!(asked.state, State::Waiting { .. }))
    }

    pub(crate) fn was_asked(&self, peer: Id) -> bool {
        self.asked.iter().any(|asked| asked.peer.id == peer)
    }

    pub(crate) fn answered(&self) -> usize {
        let answered =
            |asked: &&Asked| matches!(asked.state, State::Root { .. } | State::Other { .. });
        self.asked.iter().filter(answered).count()
    }

    /// Whether what the replicas have is older than what the client has seen before. Nothing at all
    /// is not older when somebody who has nothing testifies that all up to that version is over.
    fn is_behind(&self) -> bool {
        let Some(at_least) = self.at_least else {
            return false;
        };
        let newest = self.value.as_ref().map(|(seen, _)| seen.version);
        let is_over = |(upto, _): &(Hlc, BTreeSet<SocketAddr>)| at_least.clock <= *upto;
        newest < Some(at_least) && !self.collected.values().any(is_over)
    }

    /// Where the read stands, for a person.
    pub(crate) fn progress(&self) -> String {
        let seen = if self.is_behind() {
            OLDER_THAN_SEEN
        } else if self.value.is_some() || !self.holders.is_empty() {
            "; some replica has a version, too few confirm it"
        } else {
            ""
        };
        let incomplete = self.asked.iter().any(|asked| {
            matches!(
                asked.state,
                State::Root {
                    complete: false,
                    ..
                }
            )
        });
        let incomplete = if incomplete {
            "; the root is not known to hold everything"
        } else {
            ""
        };
        format!(
            "{} of {} replicas asked have answered{incomplete}{seen}",
            self.answered(),
            self.asked.len()
        )
    }

    /// Takes in what a replica has, and what it says of what it has not: newest wins.
    pub(crate) fn merge(&mut self, from: Contact, data: ReadData, missing: Missing, wall: WallMs) {
        let Missing {
            is_whole,
            collected,
        } = missing;
        self.testified |= is_whole;
        let has_value =
            matches!(&data, ReadData::Value(Some(seen)) if seen.body != Body::Tombstone);
        if collected > Hlc::default() && !has_value {
            let there = match &data {
                ReadData::Holders(seen) => {
                    let there = seen.iter().filter(|seen| seen.text.is_some());
                    there.map(|seen| seen.addr).collect()
                }
                ReadData::Value(_) | ReadData::Entries(_) => BTreeSet::new(),
            };
            self.collected.insert(from.id, (collected, there));
        }
        self.merge_newest(from, data);
        if self.collected.is_empty() {
            return;
        }
        let collected = &self.collected;
        let is_dead = |version: Version, addr: Option<SocketAddr>| {
            collected.values().any(|(upto, there)| {
                version.clock <= *upto && addr.is_none_or(|addr| !there.contains(&addr))
            })
        };
        self.value = self.value.take().filter(|(seen, _)| {
            let live = seen.body != Body::Tombstone && seen.expires.is_none_or(|end| wall < end);
            !(live && is_dead(seen.version, None))
        });
        self.holders
            .retain(|addr, seen| !(seen.is_live(wall) && is_dead(seen.version, Some(*addr))));
    }

    fn merge_newest(&mut self, from: Contact, data: ReadData) {
        match (&self.what, data) {
            (Wanted::Entries { .. }, ReadData::Entries(seen)) => {
                self.parts.merge(from.id, *seen);
            }
            (Wanted::Value, ReadData::Value(Some(seen))) => {
                let better = self.value.as_ref().is_none_or(|(known, _)| {
                    seen.version > known.version
                        || seen.version == known.version && known.body == Body::Withheld
                });
                if better {
                    self.value = Some((seen, from));
                }
            }
            (Wanted::Holders { .. }, ReadData::Holders(holders)) => {
                for seen in holders {
                    let known = self.holders.get(&seen.addr);
                    if known.is_none_or(|known| seen.version > known.version) {
                        self.holders.insert(seen.addr, seen);
                    }
                }
            }
            _ => {}
        }
    }

    /// Whether somebody has answered, and nobody who did has anything.
    pub(crate) fn found_nothing(&self, wall: WallMs) -> bool {
        self.answered() > 0 && !self.found_something(wall)
    }

    fn found_something(&self, wall: WallMs) -> bool {
        match self.what {
            Wanted::Value => self.value.as_ref().is_some_and(|(seen, _)| {
                seen.body != Body::Tombstone && seen.expires.is_none_or(|end| wall < end)
            }),
            Wanted::Holders { .. } => self.holders.values().any(|seen| seen.is_live(wall)),
            Wanted::Entries { .. } => self.parts.is_something(wall),
        }
    }

    /// Whether something live was written before `horizon`, which no tombstone that was collected
    /// has passed: somebody who was away may have it, though it was deleted.
    fn found_old(&self, wall: WallMs, horizon: Hlc) -> bool {
        let is_old = |version: Version| version.clock < horizon;
        let value = self.value.iter().any(|(seen, _)| is_old(seen.version));
        let mut holders = self.holders.values();
        value || holders.any(|seen| seen.is_live(wall) && is_old(seen.version))
    }

    /// Judges the answers so far.
    ///
    /// Found: the newest version, once the root and enough others have answered, or, when the root
    /// is silent, enough full copies under one view of it. Absent: only when the root holds everything that was acknowledged,
    /// and enough full copies of its present view say the same.
    /// Neither: while what is there is older than what the client has seen before.
    /// What was written before `horizon` is found only when one of them has answered, or all are
    /// asked and nobody is waited for any more: else all may have been away while it was deleted.
    /// `is_silent` says whether a node did not answer a moment ago.
    pub(crate) fn verdict(
        &self,
        replicas: &[Contact],
        quorum: usize,
        (wall, horizon): (WallMs, Hlc),
        is_silent: &dyn Fn(Id) -> bool,
    ) -> Verdict {
        let Some(root) = replicas.first() else {
            return Verdict::LookAgain;
        };
        let needed = self.needed(quorum, replicas.len());
        let state = |id: Id| {
            self.asked
                .iter()
                .find(|asked| asked.peer.id == id)
                .map(|asked| asked.state)
        };
        let copies = |of: (Id, u64)| {
            let is_copy = |asked: &&Asked| asked.state == State::Other { covered: Some(of) };
            self.asked.iter().filter(is_copy).count()
        };
        let root_state = state(root.id);
        let answered_by_root = matches!(root_state, Some(State::Root { .. }));
        let unasked = replicas.iter().any(|peer| !self.was_asked(peer.id));
        let waiting = self
            .asked
            .iter()
            .any(|asked| matches!(asked.state, State::Waiting { .. }));
        if let Some(first) = self.fetch_first(root.id) {
            return first;
        }
        if self.is_behind() {
            // No answer for this client: others are asked, then again, then it is told so.
        } else if self.found_something(wall) {
            let is_doubtful = !self.testified && self.found_old(wall, horizon);
            if (unasked || waiting) && (is_doubtful || self.is_unproven(replicas, quorum)) {
                return if unasked {
                    Verdict::AskMore
                } else {
                    Verdict::Wait
                };
            }
            // Copies stand in for their root when that is silent, not when it is only slow or
            // another one by now: then they may be copies of the past.
            let by_copies = self.asked.iter().any(|asked| match asked.state {
                State::Other { covered: Some(of) } => copies(of) >= needed && is_silent(of.0),
                _ => false,
            });
            if by_copies || answered_by_root && self.answered() >= needed {
                return match &self.value {
                    Some((
                        Seen {
                            body: Body::Withheld,
                            ..
                        },
                        at,
                    )) if self.waits_for(at.id) => Verdict::Wait,
                    Some((
                        Seen {
                            body: Body::Withheld,
                            ..
                        },
                        at,
                    )) => Verdict::Fetch(*at),
                    _ => Verdict::Found,
                };
            }
        } else if self.is_proven(replicas, quorum) {
            return Verdict::Absent;
        }
        let enough_but_unproven = answered_by_root && self.answered() >= needed;
        match root_state {
            _ if unasked && (enough_but_unproven || !waiting) => Verdict::AskMore,
            _ if waiting => Verdict::Wait,
            Some(State::Root { .. }) => Verdict::Pause,
            _ => Verdict::LookAgain,
        }
    }
}

impl HolderSeen {
    /// Whether a reader sees it.
    pub(crate) fn is_live(&self, wall: WallMs) -> bool {
        self.text.is_some() && self.expires.is_none_or(|end| wall < end)
    }
}
