//! What must be true of an answer.

use super::clients::{Client, Clients, number_of};
use super::network::CLOCKS_WITHIN;
use overlay::{Duration, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use tracker::table::Counts;

/// Without losses and crashes a client is in the answers of every node after this time.
pub const FOUND_WITHIN: Duration = Duration::from_secs(2);
/// With them, after this: a write that fails is made again after two seconds and more, and the
/// nodes need some twenty until they know who is the root now.
pub const FOUND_WITHIN_UNDER_FAULTS: Duration = Duration::from_secs(60);
/// Swarms in which everybody is in the samples, though all announce to one node, so that nobody may
/// be missing: who is there, and who may still be listed.
pub(super) const SMALL: usize = 80;
const _: () = assert!(SMALL <= tracker::exchange::MAX_SUMMARY_PEERS);
/// Totals are right to within this part, or to within one.
const PARTS: u64 = 20;
/// By how much a client may outlive its expiry: two clocks, and the rounding of ticks.
const CLOCKS: Duration = Duration(2 * CLOCKS_WITHIN.0 + 10_000);

/// The least and the most that is right.
#[derive(Clone, Copy, Debug, Default)]
struct Range {
    least: u64,
    most: u64,
}

impl Range {
    /// How far off a number is, and whether that is too far.
    fn misses(self, number: u64) -> (f64, bool) {
        let off = self
            .least
            .saturating_sub(number)
            .max(number.saturating_sub(self.most));
        let of = if number > self.most {
            self.most
        } else {
            self.least
        };
        (off as f64 / of.max(1) as f64, off > (of / PARTS).max(1))
    }
}

/// A promise that was not kept.
pub(super) struct Broken {
    pub(super) check: &'static str,
    pub(super) text: String,
}

/// What was judged so far.
#[derive(Default)]
pub(super) struct Judge {
    /// Whether nothing is lost and nobody crashes.
    calm: bool,
    expiry: Duration,
    /// To how many nodes each client announces.
    homes: u64,
    /// Since when nodes do not offer clients that they should, and count swarms wrongly.
    missing: BTreeMap<(usize, u32), Time>,
    wrong: BTreeMap<(usize, u32), Time>,
    /// Completed downloads of each swarm, by the node that counted them, and those that went with
    /// a node.
    completed: BTreeMap<(u32, usize), u64>,
    forgotten: BTreeMap<u32, u64>,
    pub(super) looks: u64,
    pub(super) judged: u64,
    pub(super) longest_missing: Duration,
    pub(super) worst_total: f64,
}

impl Judge {
    pub(super) fn new(calm: bool, expiry: Duration, homes: u8) -> Self {
        Self {
            calm,
            expiry,
            homes: homes.into(),
            ..Self::default()
        }
    }

    /// How soon a client must be found.
    pub(super) const fn within(&self) -> Duration {
        if self.calm {
            FOUND_WITHIN
        } else {
            FOUND_WITHIN_UNDER_FAULTS
        }
    }

    /// A node has counted a download.
    pub(super) fn completed(&mut self, swarm: u32, node: usize) {
        *self.completed.entry((swarm, node)).or_default() += 1;
    }

    /// A node crashed: nobody else need know what it counted.
    pub(super) fn crashed(&mut self, node: usize) {
        let forgotten = &mut self.forgotten;
        self.completed.retain(|(swarm, of), count| {
            if *of == node {
                *forgotten.entry(*swarm).or_default() += *count;
            }
            *of != node
        });
        self.missing.retain(|(at, _), _| *at != node);
        self.wrong.retain(|(at, _), _| *at != node);
    }

    /// Nobody is offered himself, a client of another swarm, or one that is gone for too long.
    pub(super) fn offer(
        &self,
        clients: &Clients,
        (swarm, asker): (u32, Option<u32>),
        peers: &[SocketAddr],
        now: Time,
    ) -> Result<(), Broken> {
        for peer in peers {
            let number = number_of(*peer);
            let found = number.and_then(|number| clients.get(number));
            let broken = |check, text: &str| {
                Err(Broken {
                    check,
                    text: format!("{peer}, {found:?}, is offered to {asker:?}{text}"),
                })
            };
            let Some(client) = found.filter(|client| client.swarm == swarm) else {
                return broken("only clients of the swarm are offered", "");
            };
            if number == asker {
                return broken("nobody is offered himself", "");
            }
            if client.gone.is_some() && now > client.announced + self.expiry + CLOCKS {
                return broken("no dead client is offered after its expiry", "");
            }
        }
        Ok(())
    }

    /// What a node says of a swarm to somebody who asks for everything.
    pub(super) fn look(
        &mut self,
        clients: &mut Clients,
        (node, swarm): (usize, u32),
        (counts, peers): (Counts, &[SocketAddr]),
        (since, now): (Time, Time),
    ) -> Result<(), Broken> {
        self.looks += 1;
        let members = clients
            .members(swarm, now, Duration(self.expiry.0 + CLOCKS.0))
            .to_vec();
        let there: Vec<(u32, &Client)> = members
            .iter()
            .filter_map(|number| Some((*number, clients.get(*number)?)))
            .collect();
        if members.len() <= SMALL {
            self.judged += 1;
            let offered: BTreeSet<u32> = peers.iter().filter_map(|peer| number_of(*peer)).collect();
            for (number, client) in &there {
                self.found(
                    node,
                    (*number, client),
                    offered.contains(number),
                    (since, now),
                )?;
            }
        }
        self.totals((node, swarm), counts, &there, now)
    }

    fn found(
        &mut self,
        node: usize,
        (number, client): (u32, &Client),
        is_offered: bool,
        (since, now): (Time, Time),
    ) -> Result<(), Broken> {
        let place = (node, number);
        let visible = client
            .visible
            .filter(|_| client.gone.is_none() && !is_offered);
        let Some(visible) = visible else {
            self.missing.remove(&place);
            return Ok(());
        };
        // A node that nobody asked before may have to find the root first.
        let first = if self.calm { since } else { now };
        let from = *self.missing.entry(place).or_insert(first);
        let missing = now.since(from.max(visible));
        self.longest_missing = self.longest_missing.max(missing);
        if missing > self.within() {
            return Err(Broken {
                check: "no live client is missing for longer than stated",
                text: format!("client {number}, {client:?}, is not offered for {missing:?}"),
            });
        }
        Ok(())
    }

    /// The numbers of seeds, others and downloads.
    fn totals(
        &mut self,
        (node, swarm): (usize, u32),
        counts: Counts,
        there: &[(u32, &Client)],
        now: Time,
    ) -> Result<(), Broken> {
        let within = self.within();
        let (mut seeds, mut others) = (Range::default(), Range::default());
        // Who left in order is counted no more, unless by what is left of a node that died.
        let counts_still = |client: &Client| {
            let lately = client.gone.is_none_or(|at| now.since(at) <= within);
            lately || client.vanishes || client.orphaned
        };
        for (_, client) in there.iter().filter(|(_, client)| counts_still(client)) {
            let settled = client.gone.is_none()
                && client.visible.is_some_and(|at| now.since(at) > within)
                && now.since(client.role_since) > within;
            let least = u64::from(settled);
            let was_other = now.since(client.role_since) <= within || client.completed;
            if client.seed {
                seeds.least += least;
                seeds.most += 1;
                // What a dead node said of it lasts until its clients are too old.
                others.most += u64::from(was_other && !settled);
            } else {
                others.least += least;
                others.most += 1;
            }
        }
        let counted = self.completed.range((swarm, 0)..=(swarm, usize::MAX));
        let counted: u64 = counted.map(|(_, count)| *count).sum();
        let forgotten = self.forgotten.get(&swarm).copied().unwrap_or_default();
        let young = there
            .iter()
            .filter(|(_, client)| client.completed && now.since(client.role_since) <= within);
        let completed = Range {
            least: counted.saturating_sub(young.count() as u64 * self.homes),
            most: counted + forgotten,
        };
        let all = [
            ("seeds", counts.complete, seeds),
            ("others", counts.incomplete, others),
            ("downloads", counts.downloaded, completed),
        ];
        let mut worst = None;
        for (what, number, range) in all {
            let (part, too_far) = range.misses(number);
            if too_far {
                worst = Some(format!("{number} {what} of swarm {swarm}, not {range:?}"));
            } else if range.least >= PARTS {
                self.worst_total = self.worst_total.max(part);
            }
        }
        let place = (node, swarm);
        let Some(text) = worst else {
            self.wrong.remove(&place);
            return Ok(());
        };
        let from = *self.wrong.entry(place).or_insert(now);
        if now.since(from) > within {
            return Err(Broken {
                check: "totals are right to within 5 %",
                text: format!("{text}, for {:?}", now.since(from)),
            });
        }
        Ok(())
    }
}
