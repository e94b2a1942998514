//! What the node shows of itself.

use crate::link::MAX_CONNECTING;
use crate::message::Role;
use crate::node::Gnutella;
use crate::parked::MAX_PARKED;
use crate::putting::MAX_PUTTINGS;
use crate::query::MAX_ASKED;
use crate::search::MAX_SEARCHES;
use crate::stage::Stage;
use crate::walk::MAX_WAITING;
use overlay::{
    Contact, Locate, LookupTally, Neighbours, PeerInfo, Promise, QueryTally, Status, Store, Tally,
    UnderWay,
};
use std::collections::BTreeMap;

impl<S: Store> Gnutella<S> {
    /// What is under way, by name, for the check that nothing leaks: empty when the node rests.
    #[must_use]
    pub fn under_way(&self) -> BTreeMap<&'static str, usize> {
        let all = self.counts().into_iter().filter(|one| one.count > 0);
        all.map(|one| (one.table, one.count)).collect()
    }

    /// The same with those that are none, and what each table holds at most.
    fn counts(&self) -> [UnderWay; 8] {
        let (names, waiting) = (self.search_of.len(), self.waiting.len());
        [
            UnderWay::of("searches", self.searches.len(), MAX_SEARCHES),
            UnderWay::of("queries", self.asked.len(), MAX_ASKED),
            UnderWay::bounded_elsewhere("names of searches", names),
            UnderWay::of("walkers", self.walkers.len(), MAX_WAITING),
            UnderWay::of("writes", self.puttings.len(), MAX_PUTTINGS),
            UnderWay::bounded_elsewhere("waiting for the disk", waiting),
            UnderWay::of("bodies", self.parked.len(), MAX_PARKED),
            UnderWay::of("links asked for", self.connecting.len(), MAX_CONNECTING),
        ]
    }

    /// GUIDs that are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.seen.len()
    }

    fn contacts(&self, role: impl Fn(Role) -> bool) -> Vec<Contact> {
        let links = self.links.values().filter(|link| role(link.role));
        links.map(|link| link.contact).collect()
    }

    /// Whether it has the links that it seeks, or knows nobody to have more with.
    fn is_settled(&self) -> bool {
        let (wanted, _) = self.wanted_links();
        let equals = self.full_links().count();
        let known = self.hosts.alive();
        self.stage == Stage::Member && self.puttings.is_empty() && equals >= wanted.min(known)
    }
}

impl<S: Store> Locate for Gnutella<S> {
    const OVERLAY: &'static str = "gnutella";

    fn promise(&self) -> Promise {
        Promise::BestEffort
    }

    fn me(&self) -> Contact {
        self.me
    }

    fn status(&self) -> Status {
        let counts = self.store.counts();
        Status {
            me: self.me,
            overlay: Self::OVERLAY.to_owned(),
            member: self.stage.is_member(),
            promise: Promise::BestEffort,
            peers: self.peers().len() as u32,
            values: counts.values,
            holders: counts.holders,
            entries: counts.entries,
            stored_bytes: counts.bytes,
            renewed_leases: self.leases.len() as u64,
            clocks_refused: self.clocks_refused,
            settled: self.is_settled(),
            neighbours: Neighbours::Links {
                role: self.role.name().to_owned(),
                equals: self.contacts(|role| role != Role::Leaf),
                leaves: self.contacts(|role| role == Role::Leaf),
            },
            leaving: self.stage == Stage::Leaving,
            moving: Vec::new(),
            moved_records: 0,
            moved_bytes: 0,
        }
    }

    fn tally(&self) -> Tally {
        let queries = QueryTally {
            seen: self.tally.queries,
            dropped_duplicate: self.tally.duplicates,
            ..self.tally.told
        };
        Tally {
            lookups: LookupTally {
                users: self.lookups.clone(),
                ..LookupTally::default()
            },
            records: self.store.counts(),
            neighbour_changes: queries.links_made + queries.links_lost,
            repair: None,
            queries: Some(queries),
            clock_ahead_ms: self.clock_ahead.furthest_ms(self.ticked_at),
            clock_behind_ms: None,
            under_way: self.counts().to_vec(),
            most_calls: MAX_SEARCHES + MAX_PUTTINGS,
            most_loads: MAX_PARKED,
        }
    }

    fn peers(&self) -> Vec<PeerInfo> {
        let known = self.hosts.all().map(|contact| PeerInfo {
            contact,
            rtt_us: None,
            role: "host cache".to_owned(),
        });
        let mut peers: BTreeMap<_, PeerInfo> = known.map(|peer| (peer.contact.id, peer)).collect();
        for link in self.links.values() {
            let role = match link.role {
                Role::Peer => "neighbour".to_owned(),
                other => format!("neighbour, {}", other.name()),
            };
            let peer = PeerInfo {
                contact: link.contact,
                rtt_us: link.rtt.map(|rtt| rtt.as_micros()),
                role,
            };
            peers.insert(link.contact.id, peer);
        }
        peers.into_values().collect()
    }

    fn hosts(&self) -> Option<Vec<Contact>> {
        Some(self.hosts.all().collect())
    }
}
