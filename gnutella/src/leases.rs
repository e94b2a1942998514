//! Leases of holders that were inserted here: this node renews them, here and where their copies are.

use crate::node::{Due, Gnutella};
use overlay::{Cx, Duration, Id, Item, Slot, Store, Time};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Most leases that one node renews, as on the other overlays.
pub const MAX_RENEWED_LEASES: usize = 100_000;

/// All leases that this node renews, with their lengths in seconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leases {
    leases: BTreeMap<(Id, SocketAddr), u32>,
}

impl Leases {
    pub(crate) fn len(&self) -> usize {
        self.leases.len()
    }

    pub(crate) fn forget(&mut self, key: Id, addr: SocketAddr) {
        self.leases.remove(&(key, addr));
    }

    /// Whether one more would be too many.
    pub(crate) fn is_full_for(&self, key: Id, addr: SocketAddr) -> bool {
        self.leases.len() >= MAX_RENEWED_LEASES && !self.leases.contains_key(&(key, addr))
    }
}

/// When to renew: a third of the lease leaves two more tries.
fn renew_at(now: Time, lease_s: u32) -> Time {
    now + Duration(u64::from(lease_s) * 1_000_000 / 3)
}

impl<S: Store> Gnutella<S> {
    pub(crate) fn begin_lease(&mut self, cx: &Cx<'_, Self>, item: &Item, lease_s: u32) {
        let Slot::Holder(addr) = item.slot else {
            return;
        };
        self.leases.leases.insert((item.key, addr), lease_s);
        let due = Due::Lease(item.key, addr);
        self.deadlines.set(due, renew_at(cx.now, lease_s));
    }

    pub(crate) fn lease_due(&mut self, cx: &mut Cx<'_, Self>, key: Id, addr: SocketAddr) {
        let Some(lease_s) = self.leases.leases.get(&(key, addr)).copied() else {
            return;
        };
        self.deadlines
            .set(Due::Lease(key, addr), renew_at(cx.now, lease_s));
        let slot = Slot::Holder(addr);
        let known = self.store.meta(key, slot);
        if known.is_none_or(|known| known.is_tombstone()) {
            // Deleted through another node.
            self.leases.forget(key, addr);
            self.deadlines.clear(Due::Lease(key, addr));
            return;
        }
        let text = self.index.text((key, slot)).to_owned();
        self.insert(cx, None, (key, addr, lease_s), text);
    }
}
