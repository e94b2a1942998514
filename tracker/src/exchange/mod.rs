//! One swarm over many nodes.
//!
//! Every node answers from its own table. What it knows of a swarm, it publishes as *one* holder
//! under the info-hash: its own address, and in the text a [`Summary`]: how many clients announce to
//! it, and a sample of them. So
//!
//! - a client that announces costs at most one write to the overlay, and one write carries all the
//!   clients that came since the last one: at most two writes a second for each swarm and node
//!   ([`PUBLISH_GAP`]), however popular it is. Who only comes back is written again within a 16th of the
//!   expiry, with all others who did; if nobody does, ages are refreshed three times within it;
//! - a node that is asked for a swarm of which it knows little looks it up, once for everybody who
//!   waits ([`Knowledge::Wait`]), unless it did so less than a second ago ([`FRESH_FOR`]). Of a swarm
//!   of which it knows plenty it answers at once and looks in the background, the more rarely the
//!   more it knows;
//! - none of that depends on the number of nodes. What a lookup brings does, so the samples become
//!   the smaller the more nodes publish ([`SAMPLE_IN_ALL`] peers in all), and no more than
//!   [`MAX_PUBLISHERS`] are listed. What all of them write and look up meets at one root, so that
//!   more than [`CROWD`] nodes share the pace of so many, and in a swarm of [`LARGE`] peers it is a
//!   tenth.
//!
//! A client that announced to one node is in the answers of every other within about two seconds:
//! half a second until it is published, the write, and a second until others look again. When a node
//! dies, its holder stays for as long as its clients would have been listed: nobody has to announce
//! again to be found, as far as the sample goes. A node that is started again finds its own holder
//! and takes its clients back.
//!
//! Memory and work are bounded whoever announces: a node publishes [`MAX_PUBLISHED`] swarms at most
//! and answers for the rest alone, until there is room when a client announces; a write that fails is tried again ever more rarely; half of the
//! lookups are kept for swarms of which the node has clients. Who announces to several nodes is
//! published by each until it has left there or is too old, and is counted once as far as the samples
//! tell.
//!
//! Turned down: a holder for each peer, which costs a write, a renewal and a deletion for each client
//! and node, and of which a key has at most 1,000; and telling each other node, which grows with their
//! number.
//!
//! This machine decides what is to be done and when; its driver does it, and says how it went.

mod budget;
mod distinct;
mod gather;
mod pace;
mod standing;
mod summary;
mod tally;
mod task;
#[cfg(test)]
mod tests;
mod under_way;

pub use budget::{LOOKUPS_PER_S, MAX_LOOKUPS};
pub use gather::{Found, Looker, MAX_AHEAD_MS};
pub use pace::{CROWD, FRESH_FOR, FRESH_WHEN_LARGE, PUBLISH_GAP, PUBLISH_GAP_WHEN_LARGE};
pub use summary::{MAX_SUMMARY_PEERS, Summary, signs_of, unsigned};
pub use tally::tally;
pub use task::{Knowledge, Known, Task, Written};

use crate::ids::InfoHash;
use crate::secret::{KeyedBuild, Secret};
use budget::Budget;
use overlay::{Duration, Time};
use pace::{fresh_for, publish_gap, refresh, renewed_within};
use standing::Standing;
use std::collections::{BTreeSet, VecDeque};

// Hash order: looked up by info-hash at each announce; a sweep looks at all, in any order.
use std::collections::HashMap;

/// How long a failed write waits for the next try; twice as long after each more that fails.
pub const TRY_AGAIN: Duration = Duration::from_secs(2);
/// So often it is doubled: to about four minutes, after which whatever was full or away may be back.
const MAX_DOUBLINGS: u8 = 7;
/// Most swarms that one node publishes: half of the 100,000 leases that a node renews, for there are
/// other holders than these, and those which are being removed.
pub const MAX_PUBLISHED: usize = 50_000;
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
/// Most nodes of which a lookup lists what they publish: as many holders as a key has. Their samples
/// are small by then; even texts of 1 KiB each would fit one message.
pub const MAX_PUBLISHERS: u32 = overlay::MAX_HOLDERS_PER_KEY as u32;
/// Writes under way at a time: enough to keep group commits full.
pub const MAX_WRITES: usize = 64;
/// Steps of the queue that one call goes through: whoever waits for longer is put back by the way.
const STEPS_IN_A_ROW: usize = 256;

/// The machine.
#[derive(Clone, Debug)]
pub struct Exchange {
    swarms: HashMap<InfoHash, Standing, KeyedBuild>,
    /// What is to be written, by when.
    queue: BTreeSet<(Time, InfoHash)>,
    /// Lookups that have not begun.
    to_look: Vec<InfoHash>,
    /// What cannot be written before it was looked for, each once.
    unseen: VecDeque<InfoHash>,
    writes: usize,
    /// Swarms whose holder is there, or may be.
    listed: usize,
    budget: Budget,
    expiry: Duration,
    /// Whether there is any other node.
    company: bool,
    swept_at: Time,
}

impl Exchange {
    /// For clients that expire after `expiry_ms` milliseconds. Nobody without the secret can choose
    /// swarms that are slow to find.
    #[must_use]
    pub fn new(expiry_ms: u32, secret: Secret) -> Self {
        Self {
            swarms: HashMap::with_hasher(KeyedBuild::new(secret)),
            queue: BTreeSet::new(),
            to_look: Vec::new(),
            unseen: VecDeque::new(),
            writes: 0,
            listed: 0,
            budget: Budget::default(),
            expiry: Duration::from_millis(expiry_ms.max(1).into()),
            company: true,
            swept_at: Time::ZERO,
        }
    }

    /// Whether there are other nodes: one that is alone looks for a swarm once, in case it has lived
    /// before, and then knows everything.
    pub fn set_company(&mut self, company: bool) {
        self.company = company;
    }

    /// Swarms that are published or to be, or were asked for lately.
    #[must_use]
    pub fn swarms(&self) -> usize {
        self.swarms.len()
    }

    /// Swarms whose holder is there, or may be.
    #[must_use]
    pub const fn listed(&self) -> usize {
        self.listed
    }

    /// Somebody asks for a swarm. Begins a lookup if one is needed.
    pub fn ask(&mut self, hash: InfoHash, known: Known, now: Time) -> Knowledge {
        let standing = match self.swarms.get_mut(&hash) {
            Some(standing) => {
                standing.large = known.peers >= LARGE;
                *standing
            }
            None => Standing::NEW,
        };
        let fresh_for = fresh_for(known.peers, standing.publishers);
        let is_fresh = |at: Time| !self.company || now.since(at) < fresh_for;
        if standing.looked_at.is_some_and(is_fresh) {
            return Knowledge::Good;
        }
        if !standing.looking {
            if !self.budget.take(known.own, now) {
                return Knowledge::Good;
            }
            self.begin_look(hash);
            self.to_look.push(hash);
        }
        if known.peers >= PLENTY {
            Knowledge::Good
        } else {
            Knowledge::Wait
        }
    }

    /// Whether a lookup is to be made now.
    #[must_use]
    pub const fn is_to_look(&self) -> bool {
        !self.to_look.is_empty()
    }

    fn begin_look(&mut self, hash: InfoHash) {
        let standing = self.swarms.entry(hash).or_insert(Standing::NEW);
        standing.looking = true;
    }

    /// A client of this node came, left, or became a seed.
    pub fn changed(&mut self, hash: InfoHash, now: Time) {
        let standing = self.swarms.entry(hash).or_insert(Standing::NEW);
        standing.changed = true;
        if standing.looked_at.is_none() {
            // What an earlier life of this node published must be found before it is overwritten.
            if !standing.waits {
                standing.waits = true;
                self.unseen.push_back(hash);
            }
        } else if !standing.writing {
            schedule(
                &mut self.queue,
                hash,
                standing,
                now.max(standing.not_before),
            );
        }
    }

    /// A client of this node announced, and nothing changed. Its swarm is published all the same if it
    /// is not, and there is room for it now; else its age is, soon. Gives whether there may be
    /// something to do earlier than before.
    pub fn remains(&mut self, hash: InfoHash, now: Time) -> bool {
        let within = renewed_within(self.expiry);
        let standing = self.swarms.entry(hash).or_insert(Standing::NEW);
        if standing.listed {
            standing.renewed = true;
            let at = standing.not_before.max(now + within);
            return !standing.writing && schedule(&mut self.queue, hash, standing, at);
        }
        let missing = !standing.changed && self.listed < MAX_PUBLISHED;
        if missing {
            self.changed(hash, now);
        }
        missing
    }

    /// What an earlier life of this node published is there, and to be written again or removed; says
    /// whether that is news.
    pub fn found_own(&mut self, hash: InfoHash, now: Time) -> bool {
        let standing = self.swarms.entry(hash).or_insert(Standing::NEW);
        let is_news = !standing.listed;
        self.listed += usize::from(is_news);
        standing.listed = true;
        self.changed(hash, now);
        is_news
    }

    /// The next thing to do, if there is one now.
    pub fn next_task(&mut self, now: Time) -> Option<Task> {
        if let Some(hash) = self.to_look.pop() {
            return Some(Task::Look(hash));
        }
        self.next_unseen(now).or_else(|| self.next_write(now))
    }

    /// A swarm that must be looked for before it is written, when the budget has room.
    fn next_unseen(&mut self, now: Time) -> Option<Task> {
        for _ in 0..STEPS_IN_A_ROW {
            let hash = *self.unseen.front()?;
            let standing = self.swarms.get(&hash).copied().unwrap_or(Standing::NEW);
            // Somebody has asked for it meanwhile, and it is looked for, or was.
            let begun = standing.looking || standing.looked_at.is_some();
            if !begun && !self.budget.take(true, now) {
                return None;
            }
            self.unseen.pop_front();
            if let Some(standing) = self.swarms.get_mut(&hash) {
                standing.waits = false;
            }
            if !begun {
                self.begin_look(hash);
                return Some(Task::Look(hash));
            }
        }
        None
    }

    fn next_write(&mut self, now: Time) -> Option<Task> {
        for _ in 0..STEPS_IN_A_ROW {
            let (at, hash) = *self.queue.first()?;
            if self.writes >= MAX_WRITES || at > now {
                return None;
            }
            self.queue.pop_first();
            let Some(standing) = self.swarms.get_mut(&hash) else {
                continue;
            };
            standing.due = None;
            let published = standing.listed;
            if !published && self.listed >= MAX_PUBLISHED {
                // This node answers for it alone, until there is room when a client announces.
                standing.changed = false;
                continue;
            }
            // From now on it may be there, whatever is heard of the write.
            standing.listed = true;
            self.listed += usize::from(!published);
            standing.writing = true;
            standing.changed = false;
            standing.renewed = false;
            self.writes += 1;
            let share = SAMPLE_IN_ALL / standing.publishers.max(1);
            return Some(Task::Write {
                hash,
                published,
                sample: share.clamp(LEAST_SAMPLE, MAX_SUMMARY_PEERS),
            });
        }
        None
    }

    /// When [`Self::next_task`] is to be called again, unless something happens before.
    #[must_use]
    pub fn next_time(&self) -> Option<Time> {
        let write = self.queue.first().filter(|_| self.writes < MAX_WRITES);
        let write = write.map(|(at, _)| *at);
        // While all lookups are under way the end of one is waited for.
        let look = self.unseen.front().and_then(|_| self.budget.room_at());
        write.into_iter().chain(look).min()
    }

    /// A lookup has ended, and found what so many nodes have published; none when it failed.
    pub fn looked(&mut self, hash: InfoHash, publishers: Option<usize>, now: Time) {
        self.budget.ended();
        if let Some(standing) = self.swarms.get_mut(&hash) {
            standing.looking = false;
            let first = standing.looked_at.is_none();
            standing.looked_at = Some(now);
            if let Some(publishers) = publishers {
                standing.publishers = publishers;
            }
            // What waited for the lookup need not wait longer.
            if first && standing.changed && !standing.writing {
                schedule(
                    &mut self.queue,
                    hash,
                    standing,
                    now.max(standing.not_before),
                );
            }
        }
    }

    /// A write has ended.
    pub fn wrote(&mut self, hash: InfoHash, written: Written, now: Time) {
        self.writes = self.writes.saturating_sub(1);
        let Some(standing) = self.swarms.get_mut(&hash) else {
            return;
        };
        standing.writing = false;
        standing.not_before = now + publish_gap(standing);
        let at = match written {
            Written::There { .. } if standing.changed => Some(standing.not_before),
            Written::There { .. } if standing.renewed => Some(now + renewed_within(self.expiry)),
            Written::There { oldest_ms } => Some(now + refresh(self.expiry, oldest_ms)),
            Written::Gone => standing.changed.then_some(now),
            Written::Failed => {
                standing.not_before = now + TRY_AGAIN.times(1 << standing.failures);
                Some(standing.not_before)
            }
        };
        if written == Written::Failed {
            standing.failures = (standing.failures + 1).min(MAX_DOUBLINGS);
        } else {
            standing.failures = 0;
        }
        if written == Written::Gone && standing.listed {
            standing.listed = false;
            standing.not_before = now;
            self.listed = self.listed.saturating_sub(1);
        }
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
        self.swarms
            .retain(|_, standing| standing.is_kept(now, keep));
    }
}

/// Puts a swarm into the queue for `at`, or for earlier if it is there for earlier; says whether that
/// changed anything.
fn schedule(
    queue: &mut BTreeSet<(Time, InfoHash)>,
    hash: InfoHash,
    standing: &mut Standing,
    at: Time,
) -> bool {
    match standing.due {
        Some(due) if due <= at => return false,
        Some(due) => {
            queue.remove(&(due, hash));
        }
        None => {}
    }
    standing.due = Some(at);
    queue.insert((at, hash))
}
