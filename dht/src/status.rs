//! What the node shows of itself.

use crate::former::Former;
use crate::view::View;
use crate::{Dht, Store};
use overlay::{Contact, KeyRouter, Locate, PeerInfo, Promise, Status};

impl<R: KeyRouter, S: Store> Locate for Dht<R, S> {
    const OVERLAY: &'static str = R::NAME;

    fn promise(&self) -> Promise {
        Promise::Replicated
    }

    fn me(&self) -> Contact {
        self.my()
    }

    fn status(&self) -> Status {
        let router = self.routing.router();
        let counts = self.store.counts();
        let contacts = router.contacts();
        Status {
            me: router.me(),
            overlay: R::NAME.to_owned(),
            member: router.is_member(),
            promise: Promise::Replicated,
            peers: contacts.len() as u32,
            values: counts.values,
            holders: counts.holders,
            entries: counts.entries,
            stored_bytes: counts.bytes,
            renewed_leases: self.leases.len() as u64,
            clocks_refused: self.clocks_refused,
            settled: router.is_member()
                && !self.views.is_empty()
                && self.views.iter().all(View::is_settled)
                && !self.former.iter().any(Former::is_untold),
            neighbours: router.neighbours(),
            leaving: self.leaving.is_some(),
            moving: self.movements(),
            moved_records: self.moved.records(),
            moved_bytes: self.moved.bytes(),
        }
    }

    fn peers(&self) -> Vec<PeerInfo> {
        let router = self.routing.router();
        let neighbours = router.neighbours();
        router
            .contacts()
            .into_iter()
            .map(|contact| PeerInfo {
                contact,
                rtt_us: self.routing.rtt(contact.id).map(|rtt| rtt.as_micros()),
                role: neighbours.role(contact),
            })
            .collect()
    }
}
