//! One node's part of the one tracker that all nodes are: its tracker, what it exchanges with
//! others, and the overlay's calls that this takes.
//!
//! A machine like all others: announces and the ends of calls go in with the time, calls come out.
//! Two drivers run it: the daemon's thread for the tracker, and the simulator.

use crate::announce::Announce;
use crate::exchange::{
    Exchange, Found, Knowledge, Known, Looker, MAX_PUBLISHED, MAX_PUBLISHERS, Summary, Task,
    Written,
};
use crate::ids::InfoHash;
use crate::refusal::Refusal;
use crate::table::{Change, Own, Table};
use crate::tracker::{Entered, Tracker};
use overlay::{Condition, Consistency, Outcome, Reply, Request, Time, WallMs};
use std::net::{IpAddr, SocketAddr};

/// The shortest lease of what is published: less would end between two renewals on a busy machine.
const LEAST_LEASE_S: u32 = 10;
/// Tasks in a row that come to nothing, before the driver has its turn: each is a look into the table.
const EMPTY_TASKS: usize = 256;

/// Swarms without clients are published for their count of downloads, for as long as the table keeps
/// them, while no more than so many are published at all: those with clients come first.
const MAX_PUBLISHED_EMPTY: usize = MAX_PUBLISHED / 2;

/// The present.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// Since the driver started.
    pub now: Time,
    /// By this node's wall clock.
    pub wall: WallMs,
}

/// An announce that was entered.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    /// What was entered.
    pub entered: Entered,
    /// Whether the answer should wait for a lookup, for [`PATIENCE`](crate::exchange::PATIENCE) at
    /// the longest: [`Sharing::ended`] says when.
    pub waits: bool,
    /// Whether there may be a call to make: the driver asks [`Sharing::next_call`].
    pub roused: bool,
}

/// Calls that somebody's questions made necessary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inquired {
    /// As in [`Begun`].
    pub waits: bool,
    /// As in [`Begun`].
    pub roused: bool,
}

/// A call to the overlay.
#[derive(Clone, Debug)]
pub struct Call {
    /// What to ask of it.
    pub request: Request,
    /// To be given back with the reply.
    pub about: About,
}

/// What a call is for.
#[derive(Clone, Copy, Debug)]
pub struct About {
    hash: InfoHash,
    /// Of a write, the age of the oldest client in it; none for a lookup.
    oldest_ms: Option<u32>,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Sharing {
    /// Who is served, and who is in which swarm.
    pub tracker: Tracker,
    exchange: Exchange,
    me: SocketAddr,
    started: WallMs,
}

impl Sharing {
    /// Of a node that publishes under the address `me` and was started at `started` by its wall
    /// clock: what is published from before is of an earlier life.
    #[must_use]
    pub fn new(tracker: Tracker, me: SocketAddr, started: WallMs) -> Self {
        Self {
            exchange: Exchange::new(tracker.config().expiry_ms, tracker.secret()),
            tracker,
            me,
            started,
        }
    }

    /// Whether there is any other node: one that is alone knows everything.
    pub fn set_company(&mut self, company: bool) {
        self.exchange.set_company(company);
    }

    /// What it does and will do.
    #[must_use]
    pub const fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Admits and enters an announce, and begins to look the swarm up when too little is known.
    ///
    /// # Errors
    /// When the client is not served; nothing was changed but its rates.
    pub fn begin(
        &mut self,
        now: Time,
        ip: IpAddr,
        passkey: Option<&[u8]>,
        announce: &Announce,
    ) -> Result<Begun, Refusal> {
        let entered = self.tracker.enter(now, ip, passkey, announce)?;
        let hash = entered.hash;
        let known = known_of(&self.tracker.table, &hash);
        let waits = entered.numwant > 0 && self.exchange.ask(hash, known, now) == Knowledge::Wait;
        let changed = if entered.change != Change::Nothing {
            self.exchange.changed(hash, now);
            true
        } else {
            known.own && self.exchange.remains(hash, now)
        };
        Ok(Begun {
            entered,
            waits,
            // Also a lookup in the background has to be made.
            roused: changed || self.exchange.is_to_look(),
        })
    }

    /// Somebody asks without announcing: begins to look a swarm up of which too little is known. What
    /// is not served, or not with this passkey, is not looked for.
    pub fn inquire(&mut self, now: Time, hash: InfoHash, passkey: Option<&[u8]>) -> Inquired {
        if !self.tracker.serves(&hash, passkey) {
            return Inquired::default();
        }
        let known = known_of(&self.tracker.table, &hash);
        Inquired {
            waits: self.exchange.ask(hash, known, now) == Knowledge::Wait,
            roused: self.exchange.is_to_look(),
        }
    }

    /// Drops a part of what is too old; says whether there may be a call to make.
    pub fn sweep(&mut self, now: Time) -> bool {
        let exchange = &mut self.exchange;
        let mut roused = false;
        self.tracker.table.sweep(now, |hash| {
            exchange.changed(hash, now);
            roused = true;
        });
        exchange.sweep(now);
        roused
    }

    /// The next call to make, if there is one now.
    pub fn next_call(&mut self, clocks: Clocks) -> Option<Call> {
        for _ in 0..EMPTY_TASKS {
            match self.exchange.next_task(clocks.now)? {
                Task::Look(hash) => return Some(look(hash)),
                Task::Write {
                    hash,
                    published,
                    sample,
                } => {
                    if let Some(call) = self.write(hash, published, sample, clocks) {
                        return Some(call);
                    }
                    self.exchange.wrote(hash, Written::Gone, clocks.now);
                }
            }
        }
        None
    }

    /// When [`Self::next_call`] is to be asked again, unless something rouses it before.
    #[must_use]
    pub fn next_time(&self) -> Option<Time> {
        self.exchange.next_time()
    }

    /// A call has ended. Gives the swarm that was looked up, if it was a lookup: whoever waits for it
    /// is answered now.
    pub fn ended(&mut self, about: About, reply: &Reply, clocks: Clocks) -> Option<InfoHash> {
        let hash = about.hash;
        let Some(oldest_ms) = about.oldest_ms else {
            let found = self.found(hash, reply, clocks);
            self.exchange.looked(hash, found, clocks.now);
            return Some(hash);
        };
        let written = match reply {
            Reply::Inserted(_) => Written::There { oldest_ms },
            Reply::Deleted(_) => Written::Gone,
            _ => Written::Failed,
        };
        self.exchange.wrote(hash, written, clocks.now);
        None
    }

    /// Enters what was found; gives how many publish, if that is known.
    fn found(&mut self, hash: InfoHash, reply: &Reply, clocks: Clocks) -> Option<usize> {
        let Reply::Searched(report) = reply else {
            return None;
        };
        let whole = report.outcome != Outcome::Unknown;
        // Of an unknown outcome there may be a part all the same.
        let known = whole || !report.holders.is_empty();
        let found = Found {
            hash,
            holders: &report.holders,
            whole,
        };
        let looker = Looker {
            me: self.me,
            started: self.started,
            wall: clocks.wall,
            now: clocks.now,
            overdue_ms: self.overdue_ms(),
        };
        let publishers = found.enter(looker, &mut self.tracker.table, &mut self.exchange);
        known.then_some(publishers)
    }

    /// Half-way from when a client is to come back to when it expires.
    fn overdue_ms(&self) -> u32 {
        let config = self.tracker.config();
        let left = config.expiry_ms.saturating_sub(config.interval_ms);
        config.expiry_ms - left / 2
    }

    /// What brings the overlay up to date; none when there is nothing to be there, and nothing is.
    fn write(
        &self,
        hash: InfoHash,
        published: bool,
        sample: usize,
        clocks: Clocks,
    ) -> Option<Call> {
        let expiry_ms = self.tracker.config().expiry_ms;
        let table = &self.tracker.table;
        let counts = table.own_counts(&hash);
        let lasts = counts.downloaded > 0 && self.exchange.listed() <= MAX_PUBLISHED_EMPTY;
        if counts.complete + counts.incomplete == 0 && !lasts {
            let request = Request::Delete {
                key: hash.into(),
                holder: Some(self.me),
                consistency: Consistency::Quorum,
                condition: Condition::Always,
            };
            let about = About {
                hash,
                oldest_ms: Some(0),
            };
            return published.then_some(Call { request, about });
        }
        let Own { counts, peers } = table.own_peers(&hash, sample, clocks.now);
        let oldest_ms = peers.iter().map(|peer| peer.age_ms).max().unwrap_or(0);
        let summary = Summary {
            at: clocks.wall,
            counts,
            place: self.tracker.config().location.clone(),
            peers,
        };
        let request = Request::Insert {
            key: hash.into(),
            holder: self.me,
            lease_s: expiry_ms.div_ceil(1_000).max(LEAST_LEASE_S),
            text: summary.encode(expiry_ms),
            indexed: None,
        };
        let about = About {
            hash,
            oldest_ms: Some(oldest_ms),
        };
        Some(Call { request, about })
    }
}

fn look(hash: InfoHash) -> Call {
    let request = Request::Search {
        key: hash.into(),
        limit: MAX_PUBLISHERS,
        consistency: Consistency::Quorum,
    };
    let about = About {
        hash,
        oldest_ms: None,
    };
    Call { request, about }
}

fn known_of(table: &Table, hash: &InfoHash) -> Known {
    let own = table.own_counts(hash);
    Known {
        peers: table.peers_of(hash),
        own: own.complete + own.incomplete > 0,
    }
}

#[cfg(test)]
mod tests;
