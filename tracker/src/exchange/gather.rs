//! Taking over what a lookup found: what other nodes publish, and what this one did in an earlier
//! life.
//!
//! Anybody who may write to the overlay may publish, so hearsay is believed within bounds: a
//! [`Summary`] that was written in the future is not, one publisher counts no more clients than a
//! table holds, and a client that announces here is what it says itself.

use super::distinct::Distinct;
use super::{Exchange, MAX_PUBLISHERS, MAX_SUMMARY_PEERS, Summary};
use crate::ids::InfoHash;
use crate::table::{Heard, MAX_PEERS_PER_SWARM, Table};
use overlay::{HolderInfo, Time, WallMs};
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// How far ahead of this node's clock a summary may have been written: clocks that are kept in step
/// differ by far less, and ages by the clock of a node that is further ahead say nothing.
pub const MAX_AHEAD_MS: u64 = 60_000;

/// What a lookup found.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Of which swarm.
    pub hash: InfoHash,
    /// Who is listed.
    pub holders: &'a [HolderInfo],
    /// Whether all replicas that count were heard.
    pub whole: bool,
}

/// Whose lookup it was.
#[derive(Clone, Copy, Debug)]
pub struct Looker {
    /// The address that this node publishes under.
    pub me: SocketAddr,
    /// When this node was started, by its clock.
    pub started: WallMs,
    /// The present, by the same clock.
    pub wall: WallMs,
    /// The present, since the start.
    pub now: Time,
    /// The age in milliseconds at which a client has long been due: it has gone, or announces to
    /// another node, if nothing newer is heard of it.
    pub overdue_ms: u32,
}

/// What becomes known while the holders are gone through.
struct Gathered {
    elsewhere: Distinct,
    publishers: usize,
    listed: BTreeSet<SocketAddr>,
}

impl Found<'_> {
    /// Enters what others have published, and drops who is not listed any more where the list is
    /// whole; gives how many have published.
    pub fn enter(&self, looker: Looker, table: &mut Table, exchange: &mut Exchange) -> usize {
        let mut gathered = Gathered {
            elsewhere: Distinct::new(self.hash),
            publishers: 0,
            listed: BTreeSet::new(),
        };
        let mut whole = self.whole && self.holders.len() < MAX_PUBLISHERS as usize;
        for holder in self.holders {
            let Some(summary) = Summary::decode(&holder.text) else {
                self.by_hand(holder.addr, looker.now, table, &mut gathered);
                continue;
            };
            if summary.at.0 > looker.wall.0.saturating_add(MAX_AHEAD_MS) {
                // Whom it names cannot be known, nor whom it would not name.
                whole = false;
                continue;
            }
            let clients = summary
                .counts
                .complete
                .saturating_add(summary.counts.incomplete);
            whole &= clients <= summary.peers.len() as u64;
            if holder.addr == looker.me {
                self.take_back(summary, looker, table, exchange, &mut gathered);
            } else {
                self.hear(summary, looker, table, &mut gathered);
            }
        }
        if whole {
            table.forget_unlisted(&self.hash, &gathered.listed);
        }
        let own = table.own_peers(&self.hash, MAX_SUMMARY_PEERS, looker.now);
        gathered.elsewhere.add_own(&own);
        let counts = gathered.elsewhere.elsewhere();
        table.count_elsewhere(&self.hash, counts, looker.now);
        gathered.publishers
    }

    /// Somebody was listed by hand, or by a program that uses holders for itself.
    fn by_hand(&self, addr: SocketAddr, now: Time, table: &mut Table, gathered: &mut Gathered) {
        let heard = Heard {
            addr,
            seed: false,
            paused: false,
            age_ms: 0,
            place: 0,
        };
        // A full table is no reason not to answer.
        let _ = table.hear(self.hash, &heard, now);
        gathered.listed.insert(addr);
        gathered.elsewhere.add_by_hand(addr);
    }

    /// What this node has published. Its clients are taken back if it did so before it was started,
    /// and what it had counted of downloads: of what it wrote since, whoever is not in the table any
    /// more has left.
    fn take_back(
        &self,
        summary: Summary,
        looker: Looker,
        table: &mut Table,
        exchange: &mut Exchange,
        gathered: &mut Gathered,
    ) {
        let earlier = summary.at < looker.started;
        if earlier && exchange.found_own(self.hash, looker.now) {
            table.recall(self.hash, summary.counts.downloaded, looker.now);
        }
        let since = since(&summary, looker.wall);
        for peer in summary.peers {
            gathered.listed.insert(peer.addr);
            let age_ms = peer.age_ms.saturating_add(since);
            let heard = Heard { age_ms, ..peer };
            if earlier {
                let _ = table.adopt(self.hash, &heard, looker.now);
            }
        }
    }

    /// What another node has published.
    fn hear(&self, summary: Summary, looker: Looker, table: &mut Table, gathered: &mut Gathered) {
        gathered.publishers += 1;
        let most = table.bounds().peers.min(MAX_PEERS_PER_SWARM) as u64;
        let place = table.place_number(summary.place.as_ref());
        let since = since(&summary, looker.wall);
        let mut peers = summary.peers;
        for peer in &mut peers {
            peer.age_ms = peer.age_ms.saturating_add(since);
            peer.place = place;
            let _ = table.hear(self.hash, peer, looker.now);
            gathered.listed.insert(peer.addr);
        }
        let counts = summary.counts.at_most(most);
        gathered.elsewhere.add(counts, &peers, looker.overdue_ms);
    }
}

/// Milliseconds since a summary was written.
fn since(summary: &Summary, wall: WallMs) -> u32 {
    u32::try_from(wall.0.saturating_sub(summary.at.0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
