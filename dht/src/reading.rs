//! What the answers to a read amount to.

use crate::message::{Body, HolderSeen, ReadData, Seen, Standing, Wanted};
use overlay::{Consistency, Contact, Id, Time, Version, WallMs};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A read at its origin.
#[derive(Debug)]
pub(crate) struct ReadWork {
    pub(crate) what: Wanted,
    pub(crate) consistency: Consistency,
    /// Who was asked in this attempt.
    pub(crate) asked: SmallVec<[Asked; 3]>,
    /// The newest version seen, over all attempts, and where.
    pub(crate) value: Option<(Seen, Contact)>,
    /// The newest versions of holders seen, over all attempts.
    pub(crate) holders: BTreeMap<SocketAddr, HolderSeen>,
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
    pub(crate) fn value(consistency: Consistency) -> Self {
        Self::new(Wanted::Value, consistency)
    }

    pub(crate) fn holders(limit: u32, consistency: Consistency) -> Self {
        Self::new(Wanted::Holders { limit }, consistency)
    }

    fn new(what: Wanted, consistency: Consistency) -> Self {
        Self {
            what,
            consistency,
            asked: SmallVec::new(),
            value: None,
            holders: BTreeMap::new(),
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

    /// Where the read stands, for a person.
    pub(crate) fn progress(&self) -> String {
        let seen = if self.value.is_some() || !self.holders.is_empty() {
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

    /// Takes in what a replica has: newest wins.
    pub(crate) fn merge(&mut self, from: Contact, data: ReadData) {
        match (self.what, data) {
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

    fn found_something(&self, wall: WallMs) -> bool {
        match self.what {
            Wanted::Value => self.value.as_ref().is_some_and(|(seen, _)| {
                seen.body != Body::Tombstone && seen.expires.is_none_or(|end| wall < end)
            }),
            Wanted::Holders { .. } => self.holders.values().any(|seen| seen.is_live(wall)),
        }
    }

    /// Judges the answers so far.
    ///
    /// Found: the newest version, once the root and enough others have answered, or, when the root
    /// is silent, enough full copies under one view of it. Absent: only when the root holds everything that was acknowledged,
    /// and enough full copies of its present view say the same.
    /// `is_silent` says whether a node did not answer a moment ago.
    pub(crate) fn verdict(
        &self,
        replicas: &[Contact],
        quorum: usize,
        wall: WallMs,
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
        if self.found_something(wall) {
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
        } else if let Some(State::Root {
            complete: true,
            view,
        }) = root_state
            && 1 + copies((root.id, view)) >= needed
        {
            return Verdict::Absent;
        }
        let unasked = replicas.iter().any(|peer| !self.was_asked(peer.id));
        let enough_but_unproven = answered_by_root && self.answered() >= needed;
        let waiting = self
            .asked
            .iter()
            .any(|asked| matches!(asked.state, State::Waiting { .. }));
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
