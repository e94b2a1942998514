//! Leases of holders that were inserted here, and their renewal.

use crate::machine::Due;
use crate::op::{Who, Work};
use crate::write::{Kind, WriteWork};
use crate::{Dht, Store};
use bytes::Bytes;
use overlay::{Cx, Duration, Failure, Id, KeyRouter, Reply, Request, Slot, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Most leases that one node renews. With the default of 30 minutes, renewed every 10, that is 170
/// writes a second, and about 20 MB of memory with short texts.
pub const MAX_RENEWED_LEASES: usize = 100_000;
/// Most renewals under way: they must not stand in the way of users.
const MAX_RENEWALS_UNDER_WAY: usize = 64;
/// The longest time to the next try after a renewal that failed.
const RETRY: Duration = Duration::from_secs(30);

/// Which holder of which key.
type Place = (Id, SocketAddr);

#[derive(Debug)]
struct Lease {
    lease_s: u32,
    text: Bytes,
    /// When it is to be renewed; none while that is under way.
    due: Option<Time>,
}

/// All leases that this node renews.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    leases: BTreeMap<Place, Lease>,
    by_time: BTreeSet<(Time, Place)>,
    under_way: usize,
}

impl Leases {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.leases.len()
    }

    /// Why a call would exceed the limit.
    pub(crate) fn refuse(&self, call: &Request) -> Option<String> {
        let Request::Insert { key, holder, .. } = call else {
            return None;
        };
        let full = self.leases.len() >= MAX_RENEWED_LEASES;
        (full && !self.leases.contains_key(&(*key, *holder))).then(|| {
            format!(
                "this node renews {MAX_RENEWED_LEASES} leases, its limit; insert at another node"
            )
        })
    }

    /// Forgets a lease.
    pub(crate) fn forget(&mut self, key: Id, slot: Slot) {
        let Slot::Holder(addr) = slot else { return };
        let place = (key, addr);
        if let Some(Lease { due: Some(due), .. }) = self.leases.remove(&place) {
            self.by_time.remove(&(due, place));
        }
    }

    fn set_due(&mut self, place: Place, at: Time) {
        let Some(lease) = self.leases.get_mut(&place) else {
            return;
        };
        if let Some(before) = lease.due.replace(at) {
            self.by_time.remove(&(before, place));
        }
        self.by_time.insert((at, place));
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// A write has ended: leases follow.
    pub(crate) fn lease_written(
        &mut self,
        cx: &mut Cx<'_, Self>,
        who: Who,
        key: Id,
        write: &WriteWork,
        reply: &Reply,
    ) {
        let Slot::Holder(addr) = write.slot else {
            return;
        };
        let place = (key, addr);
        if who == Who::Renewal {
            self.leases.under_way = self.leases.under_way.saturating_sub(1);
        }
        let lease_s = write.life_s.unwrap_or(1);
        match (write.kind, reply) {
            (Kind::Insert | Kind::Renewal, Reply::Inserted(_)) => {
                if write.kind == Kind::Insert {
                    self.leases.forget(key, write.slot);
                    let text = write.body.clone().unwrap_or_default();
                    self.leases.leases.insert(
                        place,
                        Lease {
                            lease_s,
                            text,
                            due: None,
                        },
                    );
                }
                // A third of the lease leaves two more tries; some earlier, so that leases that
                // began together do not stay together.
                let third = u64::from(lease_s) * 1_000_000 / 3;
                let early = cx.rng.next_u64() % (third / 8).max(1);
                self.leases.set_due(place, cx.now + Duration(third - early));
            }
            (Kind::Renewal, _) => {
                let tenth = Duration(u64::from(lease_s) * 100_000);
                self.leases.set_due(place, cx.now + tenth.min(RETRY));
            }
            // A deletion that was refused has not happened; any other may have.
            (Kind::Delete, Reply::Failed(Failure::Refused(_) | Failure::NotMember)) => {}
            (Kind::Delete, _) => self.leases.forget(key, write.slot),
            _ => {}
        }
        self.schedule_leases();
    }

    fn schedule_leases(&mut self) {
        match self.leases.by_time.first() {
            Some((at, _)) if self.leases.under_way < MAX_RENEWALS_UNDER_WAY => {
                self.deadlines.set(Due::Leases, *at);
            }
            _ => {
                self.deadlines.clear(Due::Leases);
            }
        }
    }

    pub(crate) fn leases_due(&mut self, cx: &mut Cx<'_, Self>) {
        let is_member = self.routing.router().is_member();
        while self.leases.under_way < MAX_RENEWALS_UNDER_WAY {
            let Some((at, place)) = self.leases.by_time.first().copied() else {
                break;
            };
            if at > cx.now {
                break;
            }
            if !is_member {
                self.leases.set_due(place, cx.now + RETRY);
                continue;
            }
            self.leases.by_time.remove(&(at, place));
            let Some(lease) = self.leases.leases.get_mut(&place) else {
                continue;
            };
            lease.due = None;
            let slot = Slot::Holder(place.1);
            let work = WriteWork::renewal(slot, lease.text.clone(), lease.lease_s);
            self.leases.under_way += 1;
            self.start_op(cx, Who::Renewal, place.0, Work::Write(work));
        }
        self.schedule_leases();
    }
}
