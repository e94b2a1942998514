//! The words of holders go on and end with their leases.

use super::{Lease, Place};
use crate::{Dht, Store};
use overlay::{Cx, KeyRouter};

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// A lease is not renewed from here any more, or by another one: what the index has of it ends.
    pub(super) fn lease_ended(
        &mut self,
        cx: &mut Cx<'_, Self>,
        place: Place,
        before: Option<Lease>,
        now: Option<&Lease>,
    ) {
        if let Some(before) = before {
            let now = now.map(|now| (&now.text, now.indexed.as_ref()));
            self.withdraw_holder(cx, place, (&before.text, before.indexed.as_ref()), now);
        }
    }

    /// The words of these holders go on with them.
    pub(super) fn publish_renewed(&mut self, cx: &mut Cx<'_, Self>, places: &[Place]) {
        for place in places {
            if let Some(lease) = self.leases.leases.get(place) {
                let (text, indexed) = (lease.text.clone(), lease.indexed.clone());
                let lease_s = lease.lease_s;
                self.publish_holder(cx, *place, (&text, indexed.as_ref()), lease_s);
            }
        }
        self.send_entries(cx);
    }
}
