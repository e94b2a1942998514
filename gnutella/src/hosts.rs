//! The host cache: nodes that may be connected to, learnt from whoever was met.
//!
//! Its contents survive a restart, for the driver keeps them in the data directory, so that a node
//! finds its network again without being told a member.

use crate::message::{Host, Role};
use overlay::{Contact, Duration, Id, Time};
use rand_core::Rng;
use std::collections::BTreeMap;

/// Most hosts that are kept: a network forgets nobody sooner than a day if a few hundred are known,
/// and they take 100 KiB.
pub const MAX_HOSTS_KEPT: usize = 1_000;
/// How long a host that did not answer is not tried again, at first; doubled each time.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// Longest pause between tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// A host that failed so often and is not known to be up is forgotten when another needs its place.
const FAILURES: u32 = 3;

#[derive(Clone, Copy, Debug)]
struct Entry {
    host: Host,
    heard: Time,
    /// Not before.
    try_at: Time,
    failures: u32,
}

/// Nodes that may be connected to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts {
    entries: BTreeMap<Id, Entry>,
}

impl Hosts {
    /// Somebody said that a host is there, or it did so itself.
    pub(crate) fn learn(&mut self, host: Host, now: Time, at_first_hand: bool) {
        if let Some(entry) = self.entries.get_mut(&host.contact.id) {
            if at_first_hand {
                *entry = Entry {
                    host,
                    heard: now,
                    try_at: now,
                    failures: 0,
                };
            } else if entry.host.contact == host.contact {
                entry.host = host;
            } else if entry.failures > 0 {
                entry.host = host;
                entry.try_at = now;
            }
            return;
        }
        if self.entries.len() >= MAX_HOSTS_KEPT && !self.make_room(at_first_hand) {
            return;
        }
        let entry = Entry {
            host,
            heard: now,
            try_at: now,
            failures: 0,
        };
        self.entries.insert(host.contact.id, entry);
    }

    /// Forgets one that does not answer; of those that do, only for one that was met itself.
    fn make_room(&mut self, at_first_hand: bool) -> bool {
        let silent = self.entries.values().max_by_key(|entry| entry.failures);
        let victim = match silent {
            Some(entry) if entry.failures >= FAILURES => Some(entry),
            _ if at_first_hand => self.entries.values().min_by_key(|entry| entry.heard),
            _ => None,
        };
        let Some(id) = victim.map(|entry| entry.host.contact.id) else {
            return false;
        };
        self.entries.remove(&id);
        true
    }

    /// It did not answer, or could not be dialled.
    pub(crate) fn failed(&mut self, id: Id, now: Time) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.failures = entry.failures.saturating_add(1);
            let pause = TRY_AGAIN.times(1 << entry.failures.min(8));
            entry.try_at = now + pause.min(LONGEST_PAUSE);
        }
    }

    /// It answered, but has no room.
    pub(crate) fn refused(&mut self, id: Id, now: Time) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.host.room = false;
            entry.failures = 0;
            entry.try_at = now + TRY_AGAIN.times(5);
        }
    }

    /// One that a link may be tried with now, those with room first.
    pub(crate) fn candidate(
        &self,
        now: Time,
        rng: &mut dyn Rng,
        mut fits: impl FnMut(&Host) -> bool,
    ) -> Option<Host> {
        let due = self.entries.values().filter(|entry| entry.try_at <= now);
        let fit: Vec<Host> = due.map(|entry| entry.host).filter(&mut fits).collect();
        let with_room: Vec<Host> = fit.iter().filter(|host| host.room).copied().collect();
        let list = if with_room.is_empty() { fit } else { with_room };
        pick(&list, rng).copied()
    }

    /// Some to tell others about.
    pub(crate) fn some(&self, count: usize, except: Id, rng: &mut dyn Rng) -> Vec<Host> {
        let alive = self.entries.values().filter(|entry| entry.failures == 0);
        let mut list: Vec<Host> = alive
            .map(|entry| entry.host)
            .filter(|host| host.contact.id != except)
            .collect();
        while list.len() > count {
            let at = below(rng, list.len());
            list.swap_remove(at);
        }
        list
    }

    /// All, in order of id.
    pub(crate) fn all(&self) -> impl Iterator<Item = Contact> {
        self.entries.values().map(|entry| entry.host.contact)
    }

    /// Hosts that are not known to be silent.
    pub(crate) fn alive(&self) -> usize {
        let alive = |entry: &&Entry| entry.failures == 0;
        self.entries.values().filter(alive).count()
    }

    /// Whether an ultrapeer that would take a leaf is known.
    pub(crate) fn has_free_ultrapeer(&self) -> bool {
        self.entries.values().any(|entry| {
            entry.failures == 0 && entry.host.room && entry.host.role == Role::Ultrapeer
        })
    }

    /// What is known of a host.
    pub(crate) fn get(&self, id: Id) -> Option<&Host> {
        self.entries.get(&id).map(|entry| &entry.host)
    }
}

/// A number below `limit`, which is not zero.
pub(crate) fn below(rng: &mut dyn Rng, limit: usize) -> usize {
    let wide = u128::from(rng.next_u64()) * limit.max(1) as u128;
    (wide >> 64) as usize
}

/// One of a list.
pub(crate) fn pick<'a, T>(list: &'a [T], rng: &mut dyn Rng) -> Option<&'a T> {
    if list.is_empty() {
        return None;
    }
    list.get(below(rng, list.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(number: u64) -> Host {
        Host {
            contact: Contact {
                id: Id::from_u64(number),
                addr: ([10, 0, 0, 1], 4000 + number as u16).into(),
            },
            role: Role::Peer,
            room: true,
        }
    }

    #[test]
    fn a_full_cache_takes_hearsay_only_for_the_silent() {
        let mut hosts = Hosts::default();
        for number in 0..MAX_HOSTS_KEPT as u64 {
            hosts.learn(host(number), Time(number), true);
        }
        hosts.learn(host(5_000), Time(9), false);
        assert!(hosts.get(Id::from_u64(5_000)).is_none());
        for _ in 0..FAILURES {
            hosts.failed(Id::from_u64(7), Time(9));
        }
        hosts.learn(host(5_000), Time(9), false);
        assert!(hosts.get(Id::from_u64(5_000)).is_some());
        assert!(hosts.get(Id::from_u64(7)).is_none(), "the silent one went");
        hosts.learn(host(6_000), Time(9), true);
        assert!(hosts.get(Id::from_u64(0)).is_none(), "the oldest one went");
        assert_eq!(hosts.all().count(), MAX_HOSTS_KEPT);
    }
}
