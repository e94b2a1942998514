//! One swarm over many nodes.
//!
//! Every node answers from its own table. What it knows of a swarm, it publishes as *one* holder
//! under the info-hash: its own address, and in the text a [`Summary`]: how many clients announce to
//! it, and a sample of them. So
//!
//! - a client that announces costs at most one write to the overlay, and one write carries all the
//!   clients that came since the last one: at most two writes a second for each swarm and node
//!   ([`PUBLISH_GAP`]), however popular it is. Announces at intervals cost nothing; three times
//!   within the expiry the ages are refreshed;
//! - a node that is asked for a swarm of which it knows little looks it up, once for everybody who
//!   waits ([`Knowledge::Wait`]), unless it did so less than a second ago ([`FRESH_FOR`]). Of a swarm
//!   of which it knows plenty it answers at once and looks in the background, the more rarely the
//!   more it knows;
//! - none of that depends on the number of nodes. What a lookup brings does, so the samples become
//!   the smaller the more nodes publish ([`SAMPLE_IN_ALL`] peers in all), and no more than
//!   [`MAX_PUBLISHERS`] are listed.
//!
//! A client that announced to one node is in the answers of every other within about two seconds:
//! half a second until it is published, the write, and a second until others look again. When a node
//! dies, its holder stays for as long as its clients would have been listed: nobody has to announce
//! again to be found, as far as the sample goes. A node that is started again finds its own holder
//! and takes its clients back.
//!
//! Turned down: a holder for each peer, which costs a write, a renewal and a deletion for each client
//! and node, and of which a key has at most 1,000; and telling each other node, which grows with their
//! number.
//!
//! This machine decides what is to be done and when; its driver does it, and says how it went.

mod gather;
mod summary;
#[cfg(test)]
mod tests;

pub use gather::{Found, Looker, MAX_AHEAD_MS};
pub use summary::{MAX_SUMMARY_PEERS, Summary, signs_of, unsigned};

use crate::ids::InfoHash;
use overlay::{Duration, Time};
use std::collections::{BTreeMap, BTreeSet};

/// Least time between two writes for one swarm. Within it clients are collected.
pub const PUBLISH_GAP: Duration = Duration::from_millis(500);
/// For how long what was looked up counts as new.
pub const FRESH_FOR: Duration = Duration::from_millis(1_000);
/// For how long it does in swarms of [`LARGE`] peers and more.
pub const FRESH_WHEN_LARGE: Duration = Duration::from_secs(10);
/// How long a failed write waits for the next try.
pub const TRY_AGAIN: Duration = Duration::from_secs(2);
/// For how long an announce waits for a lookup: clients wait for 15 s and more, but people watch.
pub const PATIENCE: Duration = Duration::from_millis(500);
/// A swarm of so many known peers is answered from memory: that is more than clients ask for.
pub const PLENTY: usize = 100;
/// A swarm of so many known peers changes little by who comes in ten seconds.
pub const LARGE: usize = 1_000;
/// Peers that all nodes publish together in one swarm, about.
pub const SAMPLE_IN_ALL: usize = 400;
/// Fewest that one node publishes.
pub const LEAST_SAMPLE: usize = 4;
/// Most nodes of which a lookup lists what they publish: 256 texts of 1 KiB fit one message.
pub const MAX_PUBLISHERS: u32 = 256;
/// Writes under way at a time: enough to keep group commits full.
pub const MAX_WRITES: usize = 64;
/// Lookups under way at a time. Beyond it announces are answered from memory.
pub const MAX_LOOKUPS: usize = 64;
/// Lookups a second, so that a flood of announces does not become one of lookups.
pub const LOOKUPS_PER_S: u64 = 500;
/// How many may come at once.
const LOOKUP_BURST: u64 = 500;
/// How often what is published is refreshed within the expiry: ages in it grow old.
const REFRESH_PER_EXPIRY: u64 = 3;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Write the holder of this node, if it has clients in the swarm; else remove it.
    Write {
        /// Of which swarm.
        hash: InfoHash,
        /// Whether there is one to be removed.
        published: bool,
        /// Most peers in the sample.
        sample: usize,
    },
    /// Look for what others have published.
    Look(InfoHash),
}

/// What an answer can be made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knowledge {
    /// From memory.
    Good,
    /// From memory as soon as the lookup that is under way has ended, but after [`PATIENCE`] at the
    /// latest.
    Wait,
}

/// What is known of one swarm.
#[derive(Clone, Copy, Debug)]
struct Standing {
    /// When a lookup ended last.
    looked_at: Option<Time>,
    looking: bool,
    /// When the holder was written last, if it is there.
    published_at: Option<Time>,
    writing: bool,
    /// Clients came or went since the last write began.
    changed: bool,
    /// When it is to be written; the same time is in the queue.
    due: Option<Time>,
    /// Nodes that had published at the last lookup.
    publishers: usize,
}

impl Standing {
    const NEW: Self = Self {
        looked_at: None,
        looking: false,
        published_at: None,
        writing: false,
        changed: false,
        due: None,
        publishers: 0,
    };
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Exchange {
    swarms: BTreeMap<InfoHash, Standing>,
    /// What is to be written, by when.
    queue: BTreeSet<(Time, InfoHash)>,
    /// Lookups that have not begun.
    to_look: Vec<InfoHash>,
    writes: usize,
    lookups: usize,
    refresh: Duration,
    /// When the budget of lookups is full again.
    full_at: Time,
    /// Whether there is any other node.
    company: bool,
    swept_at: Time,
}

impl Exchange {
    /// For clients that expire after `expiry_ms` milliseconds.
    #[must_use]
    pub fn new(expiry_ms: u32) -> Self {
        Self {
            swarms: BTreeMap::new(),
            queue: BTreeSet::new(),
            to_look: Vec::new(),
            writes: 0,
            lookups: 0,
            refresh: Duration::from_millis((u64::from(expiry_ms) / REFRESH_PER_EXPIRY).max(1)),
            full_at: Time::ZERO,
            company: true,
            swept_at: Time::ZERO,
        }
    }

    /// Whether there are other nodes: one that is alone looks for a swarm once, in case it has lived
    /// before, and then knows everything.
    pub fn set_company(&mut self, company: bool) {
        self.company = company;
    }

    /// Swarms that are published or to be.
    #[must_use]
    pub fn swarms(&self) -> usize {
        self.swarms.len()
    }

    /// Somebody asks for a swarm of which `known` peers are known. Begins a lookup if one is needed.
    pub fn ask(&mut self, hash: InfoHash, known: usize, now: Time) -> Knowledge {
        let standing = self.swarms.get(&hash).copied().unwrap_or(Standing::NEW);
        let fresh_for = if known >= LARGE {
            FRESH_WHEN_LARGE
        } else {
            FRESH_FOR
        };
        let is_fresh = |at: Time| !self.company || now.since(at) < fresh_for;
        if standing.looked_at.is_some_and(is_fresh) {
            return Knowledge::Good;
        }
        if !standing.looking && !self.begin_look(hash, standing, now) {
            return Knowledge::Good;
        }
        if known >= PLENTY {
            Knowledge::Good
        } else {
            Knowledge::Wait
        }
    }

    /// Takes a lookup from the budget, if there is one left.
    fn begin_look(&mut self, hash: InfoHash, standing: Standing, now: Time) -> bool {
        let interval = 1_000_000 / LOOKUPS_PER_S;
        let from = self.full_at.max(now);
        if self.lookups >= MAX_LOOKUPS || from.since(now).0 + interval > LOOKUP_BURST * interval {
            return false;
        }
        self.full_at = from + Duration(interval);
        self.lookups += 1;
        self.swarms.insert(
            hash,
            Standing {
                looking: true,
                ..standing
            },
        );
        self.to_look.push(hash);
        true
    }

    /// A client of this node came, left, or became a seed.
    pub fn changed(&mut self, hash: InfoHash, now: Time) {
        let standing = self.swarms.entry(hash).or_insert(Standing::NEW);
        standing.changed = true;
        if !standing.writing {
            let at = standing
                .published_at
                .map_or(now, |at| now.max(at + PUBLISH_GAP));
            schedule(&mut self.queue, hash, standing, at);
        }
    }

    /// The next thing to do, if there is one now.
    pub fn next_task(&mut self, now: Time) -> Option<Task> {
        if let Some(hash) = self.to_look.pop() {
            return Some(Task::Look(hash));
        }
        while self.writes < MAX_WRITES {
            let (at, hash) = *self.queue.first()?;
            if at > now {
                return None;
            }
            self.queue.pop_first();
            let Some(standing) = self.swarms.get_mut(&hash) else {
                continue;
            };
            standing.due = None;
            // What an earlier life of this node published must be found before it is overwritten.
            if standing.looked_at.is_none() {
                let (looking, copy) = (standing.looking, *standing);
                let began = looking || self.begin_look(hash, copy, now);
                if let Some(standing) = self.swarms.get_mut(&hash) {
                    schedule(&mut self.queue, hash, standing, now + PUBLISH_GAP);
                }
                match self.to_look.pop() {
                    Some(hash) if began => return Some(Task::Look(hash)),
                    _ => continue,
                }
            }
            standing.writing = true;
            standing.changed = false;
            self.writes += 1;
            let share = SAMPLE_IN_ALL / standing.publishers.max(1);
            return Some(Task::Write {
                hash,
                published: standing.published_at.is_some(),
                sample: share.clamp(LEAST_SAMPLE, MAX_SUMMARY_PEERS),
            });
        }
        None
    }

    /// When [`Self::next_task`] is to be called again, unless something happens before.
    #[must_use]
    pub fn next_time(&self) -> Option<Time> {
        if self.writes >= MAX_WRITES {
            return None;
        }
        self.queue.first().map(|(at, _)| *at)
    }

    /// A lookup has ended, and found what so many nodes have published; none when it failed.
    pub fn looked(&mut self, hash: InfoHash, publishers: Option<usize>, now: Time) {
        self.lookups = self.lookups.saturating_sub(1);
        if let Some(standing) = self.swarms.get_mut(&hash) {
            standing.looking = false;
            standing.looked_at = Some(now);
            if let Some(publishers) = publishers {
                standing.publishers = publishers;
            }
            // What waited for the lookup need not wait longer.
            if standing.published_at.is_none() && standing.due.is_some() {
                schedule(&mut self.queue, hash, standing, now);
            }
        }
    }

    /// A write has ended. `there` says whether the holder is there now; none when that failed.
    pub fn wrote(&mut self, hash: InfoHash, there: Option<bool>, now: Time) {
        self.writes = self.writes.saturating_sub(1);
        let Some(standing) = self.swarms.get_mut(&hash) else {
            return;
        };
        standing.writing = false;
        let at = match there {
            Some(true) => {
                standing.published_at = Some(now);
                let pause = if standing.changed {
                    PUBLISH_GAP
                } else {
                    self.refresh
                };
                Some(now + pause)
            }
            Some(false) => {
                standing.published_at = None;
                standing.changed.then_some(now)
            }
            None => Some(now + TRY_AGAIN),
        };
        if let Some(at) = at {
            schedule(&mut self.queue, hash, standing, at);
        }
    }

    /// Forgets swarms that are not published and were not asked for lately; looks at all of them, but
    /// not more often than once in [`FRESH_WHEN_LARGE`].
    pub fn sweep(&mut self, now: Time) {
        let keep = FRESH_WHEN_LARGE;
        if now.since(self.swept_at) < keep {
            return;
        }
        self.swept_at = now;
        self.swarms.retain(|_, standing| {
            let busy = standing.looking || standing.writing || standing.due.is_some();
            let recent = standing.looked_at.is_some_and(|at| now.since(at) < keep);
            busy || recent || standing.published_at.is_some()
        });
    }
}

/// Puts a swarm into the queue for `at`, or for earlier if it is there for earlier.
fn schedule(
    queue: &mut BTreeSet<(Time, InfoHash)>,
    hash: InfoHash,
    standing: &mut Standing,
    at: Time,
) {
    match standing.due {
        Some(due) if due <= at => return,
        Some(due) => {
            queue.remove(&(due, hash));
        }
        None => {}
    }
    standing.due = Some(at);
    queue.insert((at, hash));
}
