//! Leases of holders that were inserted here, and their renewal.
//!
//! Leases are renewed by owner: when one is due, the root of its key is found, and all leases in
//! the root's arc that are due soon go into one message. A batch gets one new time for all of its
//! leases, so that what was renewed together stays together: a node with 100,000 leases sends about
//! 100,000 / 512 messages in a third of a lease, whatever the order in which they were inserted.
//!
//! A renewal does not undo a deletion, also where it reaches a root that has not heard of it: its
//! version is the next after that of the insert, and older than every deletion since.

mod words;

use crate::arcs::clockwise;
use crate::checks::BATCH_BYTES;
use crate::due::Due;
use crate::message::{RenewMany, RenewResult, Renewal};
use crate::planted::PlantedBug;
use crate::read::WRITE_PATIENCE;
use crate::renewals::MAX_RENEWALS;
use crate::write::{Kind, WriteWork};
use crate::{Dht, Store, StoreMessage};
use bytes::Bytes;
use overlay::lookup::{Located, LookupRequest};
use overlay::{
    Arc, Contact, Cx, Duration, Failure, Hlc, Id, KeyRouter, Reply, Request, Slot, Time,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Most leases that one node renews. With the default of 30 minutes, renewed every 10, that is a
/// message in three seconds, and about 20 MB of memory with short texts.
pub const MAX_RENEWED_LEASES: usize = 100_000;
/// Most batches under way: they must not stand in the way of users.
pub(crate) const MAX_BATCHES: usize = 4;
/// The longest time to the next try after a renewal that failed.
const RETRY: Duration = Duration::from_secs(30);

/// Which holder of which key.
type Place = (Id, SocketAddr);

#[derive(Debug)]
struct Lease {
    lease_s: u32,
    text: Bytes,
    /// The clock value of the insert, and one more for each renewal since.
    clock: Hlc,
    /// The bytes of the key, when it is to be found by them.
    indexed: Option<Bytes>,
    /// When it is to be renewed; none while that is under way.
    due: Option<Time>,
}

/// All leases that this node renews.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    leases: BTreeMap<Place, Lease>,
    by_time: BTreeSet<(Time, Place)>,
    batches: BTreeMap<u64, Batch>,
}

/// Leases that are renewed together.
#[derive(Debug)]
struct Batch {
    places: Vec<Place>,
    /// Who was asked; none while the root is looked for.
    asked: Option<Contact>,
}

impl Leases {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.leases.len()
    }

    /// How many batches are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.batches.len()
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
    fn forget(&mut self, place: Place) -> Option<Lease> {
        let lease = self.leases.remove(&place)?;
        if let Some(due) = lease.due {
            self.by_time.remove(&(due, place));
        }
        Some(lease)
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

    /// The leases in an arc, clockwise.
    fn within(&self, arc: Arc) -> impl Iterator<Item = (&Place, &Lease)> {
        let lowest = (arc.from, SocketAddr::from(([0, 0, 0, 0], 0)));
        let all = self
            .leases
            .range(lowest..)
            .chain(self.leases.range(..lowest));
        let length = clockwise(arc.from, arc.to);
        let inside = move |place: &Place| {
            arc.is_whole() || place.0 == arc.from || clockwise(arc.from, place.0) <= length
        };
        all.take_while(move |(place, _)| inside(place))
            .filter(move |(place, _)| arc.contains(place.0))
    }

    /// Takes what is to be renewed together out of the queue: the first leases of an arc that are
    /// due soon. Always from the start of the arc, so that the next time they are the same.
    fn take_batch(&mut self, arc: Arc, now: Time) -> (Vec<Place>, Vec<Renewal>) {
        let (mut places, mut renewals, mut bytes) = (Vec::new(), Vec::new(), 0);
        for (place, lease) in self.within(arc) {
            if renewals.len() == MAX_RENEWALS {
                break;
            }
            // What is due within a sixth of the lease comes along now.
            let soon = now + Duration(u64::from(lease.lease_s) * 1_000_000 / 6);
            if lease.due.is_none_or(|due| due > soon) {
                continue;
            }
            bytes += RENEWAL_BYTES + lease.text.len();
            if bytes > BATCH_BYTES && !renewals.is_empty() {
                break;
            }
            places.push(*place);
            renewals.push(Renewal {
                key: place.0,
                holder: place.1,
                lease_s: lease.lease_s,
                text: lease.text.clone(),
                clock: lease.clock.following(),
            });
        }
        for place in &places {
            self.take(*place);
            if let Some(lease) = self.leases.get_mut(place) {
                lease.clock = lease.clock.following();
            }
        }
        (places, renewals)
    }

    /// The lease is being renewed now.
    fn take(&mut self, place: Place) {
        if let Some(due) = self.leases.get_mut(&place).and_then(|it| it.due.take()) {
            self.by_time.remove(&(due, place));
        }
    }

    /// Sets the next time for what is still a lease.
    fn again(&mut self, place: Place, pause: impl FnOnce(u32) -> Duration, now: Time) {
        if let Some(lease) = self.leases.get(&place) {
            let at = now + pause(lease.lease_s);
            self.set_due(place, at);
        }
    }
}

/// What a renewal takes of a message besides its text.
const RENEWAL_BYTES: usize = 56;

/// When to renew a lease: a third of it leaves two more tries; up to an eighth of that earlier, so
/// that batches which began together do not stay together. `draw` is the same for a batch.
fn third(lease_s: u32, draw: u64) -> Duration {
    let third = u64::from(lease_s) * 1_000_000 / 3;
    Duration(third - draw % (third / 8).max(1))
}

/// When to try again after a failure.
fn retry(lease_s: u32) -> Duration {
    Duration(u64::from(lease_s) * 100_000).min(RETRY)
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// A write has ended: leases follow.
    pub(crate) fn lease_written(
        &mut self,
        cx: &mut Cx<'_, Self>,
        key: Id,
        write: &WriteWork,
        reply: &Reply,
    ) {
        let Slot::Holder(addr) = write.slot else {
            return;
        };
        let place = (key, addr);
        match (write.kind, reply) {
            (Kind::Insert, Reply::Inserted(report)) => {
                let before = self.leases.forget(place);
                let lease_s = write.life_s.unwrap_or(1);
                let lease = Lease {
                    lease_s,
                    text: write.body.clone().unwrap_or_default(),
                    clock: report.version.clock,
                    indexed: write.indexed.clone(),
                    due: None,
                };
                self.lease_ended(cx, place, before, Some(&lease));
                self.leases.leases.insert(place, lease);
                let at = cx.now + third(lease_s, cx.rng.next_u64());
                self.leases.set_due(place, at);
            }
            // A deletion that was refused has not happened; any other may have.
            (Kind::Delete, Reply::Failed(Failure::Refused(_) | Failure::NotMember)) => {}
            (Kind::Delete, _) => {
                let before = self.leases.forget(place);
                self.lease_ended(cx, place, before, None);
            }
            _ => {}
        }
        self.schedule_leases();
    }

    fn schedule_leases(&mut self) {
        match self.leases.by_time.first() {
            Some((at, _)) if self.leases.batches.len() < MAX_BATCHES => {
                self.deadlines.set(Due::Leases, *at);
            }
            _ => {
                self.deadlines.clear(Due::Leases);
            }
        }
    }

    pub(crate) fn leases_due(&mut self, cx: &mut Cx<'_, Self>) {
        let is_member =
            self.routing.router().is_member() && !self.config.has_bug(PlantedBug::NoRenewal);
        while self.leases.batches.len() < MAX_BATCHES {
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
            self.leases.take(place);
            let number = self.draw_number(cx);
            let batch = Batch {
                places: vec![place],
                asked: None,
            };
            self.leases.batches.insert(number, batch);
            self.deadlines
                .set(Due::Renewals(number), cx.now + self.config.op_timeout);
            self.look_up(cx, number, LookupRequest::new(place.0));
        }
        self.schedule_leases();
    }

    /// Whether a lookup was for a batch of renewals; if so, the batch goes to the root.
    pub(crate) fn renewals_located(
        &mut self,
        cx: &mut Cx<'_, Self>,
        number: u64,
        found: Option<&Located>,
    ) -> bool {
        let Some(batch) = self.leases.batches.get_mut(&number) else {
            return false;
        };
        let (Some(found), Some(place)) = (found, batch.places.first().copied()) else {
            self.renewals_failed(cx, number);
            return true;
        };
        // The first lease was taken already: it is due again for the batch.
        self.leases.set_due(place, cx.now);
        let (places, items) = self.leases.take_batch(found.arc, cx.now);
        if places.is_empty() {
            // It was deleted meanwhile, or the answer was about another arc.
            self.leases.again(place, retry, cx.now);
            self.leases.batches.remove(&number);
            self.deadlines.clear(Due::Renewals(number));
            self.schedule_leases();
            return true;
        }
        let owner = found.owner;
        if let Some(batch) = self.leases.batches.get_mut(&number) {
            batch.places = places;
            batch.asked = Some(owner);
        }
        let message = RenewMany {
            req: number,
            items,
            seen: self.clock.latest(),
        };
        let patience = self.routing.timeout_for(owner.id).0 + WRITE_PATIENCE.0;
        let until = cx.now + Duration(patience) + self.config.write_timeout;
        self.deadlines.set(Due::Renewals(number), until);
        self.post(cx, owner, StoreMessage::RenewMany(message));
        self.schedule_leases();
        true
    }

    /// A root answers for a batch.
    pub(crate) fn renewed(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        number: u64,
        result: RenewResult,
    ) {
        let asked = self.leases.batches.get(&number).and_then(|it| it.asked);
        if asked.is_none_or(|asked| asked.id != from.id) {
            return;
        }
        let RenewResult::Done {
            removed, not_mine, ..
        } = &result
        else {
            if result == RenewResult::NotResponsible {
                self.forget_root(number);
            }
            return self.renewals_failed(cx, number);
        };
        self.deadlines.clear(Due::Renewals(number));
        let Some(batch) = self.leases.batches.remove(&number) else {
            return;
        };
        let failed = match &result {
            RenewResult::Done { full, .. } => full.as_slice(),
            _ => &[],
        };
        let draw = cx.rng.next_u64();
        let mut done = Vec::new();
        for (at, place) in (0_u32..).zip(batch.places) {
            if removed.contains(&at) {
                let before = self.leases.forget(place);
                self.lease_ended(cx, place, before, None);
            } else if not_mine.contains(&at) {
                self.routing.forget(place.0);
                self.leases.again(place, |_| Duration(0), cx.now);
            } else if failed.contains(&at) {
                self.leases.again(place, retry, cx.now);
            } else {
                self.leases
                    .again(place, |lease_s| third(lease_s, draw), cx.now);
                done.push(place);
            }
        }
        self.schedule_leases();
        self.publish_renewed(cx, &done);
    }

    /// The root of a batch was not found, or was silent for as long as an answer may take.
    pub(crate) fn renewals_due(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let asked = self.leases.batches.get(&number).and_then(|it| it.asked);
        if let Some(silent) = asked {
            self.forget_root(number);
            if silent.id != self.my().id {
                self.with_routing(cx, |routing, cx| routing.suspect(cx, silent));
            }
        }
        self.renewals_failed(cx, number);
    }

    /// Looks the owner of a batch up anew the next time.
    fn forget_root(&mut self, number: u64) {
        let batch = self.leases.batches.get(&number);
        if let Some((key, _)) = batch.and_then(|batch| batch.places.first()) {
            self.routing.forget(*key);
        }
    }

    fn renewals_failed(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        self.deadlines.clear(Due::Renewals(number));
        if let Some(batch) = self.leases.batches.remove(&number) {
            for place in batch.places {
                self.leases.again(place, retry, cx.now);
            }
        }
        self.schedule_leases();
    }
}
