//! Replicas that missed a write get it: on reading, and when they are back.
//!
//! *On reading.* A read that sees unequal versions of a value among the replicas tells the root,
//! which sends what it has to the others. When it is the root that lacks the newest version, the
//! reader hands that over, as any node does with a record that belongs to a root. Either way it goes
//! through the root, as a write does, so that versions cannot race; newest wins at each replica. A
//! version that is younger than a root tries to replicate it is left to that root. A reader repairs
//! a key once in [`ONCE_IN`], a root has one repair of a key under way, and both have a bound.
//! Holders are not repaired on reading: their renewal does that.
//!
//! *When a replica is back.* There is no queue of hints. The hint is the record itself in the store of
//! the root: a root that could not reach a replica compares the arc with it as soon as it answers
//! (`resync_soon`, then again every five seconds at the latest), and the comparison finds exactly
//! what the replica missed, deletions included, at the price of fingerprints. That is as good as a
//! queue and safer: nothing has to be bounded, nothing is lost when the root restarts, and when the
//! root itself dies, the next one compares its arc with all of its replicas anyway. A replica that was
//! taken for dead is in no view; when it comes back, a new view makes a comparison at once. In
//! either case it has everything within [`CAUGHT_UP_WITHIN`](crate::CAUGHT_UP_WITHIN), and
//! the time that moving the records takes.

use crate::coordinate::{Asker, MAX_COORDINATED, Task};
use crate::message::{Body, Seen};
use crate::parked::Parked;
use crate::reading::{Asked, ReadWork, State};
use crate::{Dht, Store, StoreMessage};
use overlay::{
    Consistency, Contact, Cx, Duration, Id, Item, KeyRouter, Record, Slot, Time, Version,
};
use smallvec::SmallVec;
use std::collections::{BTreeSet, VecDeque};

/// How long after a replica answers again it has whatever it missed, apart from the time that
/// moving the records takes: the longest pause between two comparisons, and one that was begun
/// while it was silent has to be given up first.
pub const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(15);

/// How often one reader has one key repaired.
const ONCE_IN: Duration = Duration::from_secs(10);
/// Most keys that a reader has repaired in that time: reading old copies must not become a load.
const MAX_REPAIRED: usize = 256;
/// Most repairs that a root has under way.
pub(crate) const MAX_REPAIRING: usize = 256;

/// For so long a comparison that succeeded is believed, whatever readers say of the replica: they may
/// lie, or have asked before it.
const BELIEVED_FOR: Duration = Duration::from_secs(1);

/// What was repaired lately, and what is being repaired here.
#[derive(Debug, Default)]
pub(crate) struct Repairs {
    asked: VecDeque<(Time, Id)>,
    pub(crate) under_way: BTreeSet<Id>,
}

impl Repairs {
    /// Whether a reader may ask for a repair now; if so, it is noted.
    fn may_ask(&mut self, key: Id, now: Time) -> bool {
        while self
            .asked
            .front()
            .is_some_and(|(since, _)| now.since(*since) >= ONCE_IN)
        {
            self.asked.pop_front();
        }
        let is_free = self.asked.len() < MAX_REPAIRED
            && self.asked.iter().all(|(_, repaired)| *repaired != key);
        if is_free {
            self.asked.push_back((now, key));
        }
        is_free
    }
}

impl ReadWork {
    /// The root that holds everything, if one has answered, and the replicas that say they are copies of
    /// nobody.
    pub(crate) fn replicas_that_are_no_copies(&self) -> (Option<Contact>, SmallVec<[Id; 3]>) {
        let is_root = |asked: &&Asked| matches!(asked.state, State::Root { complete: true, .. });
        let root = self.asked.iter().find(is_root).map(|asked| asked.peer);
        let is_none = |asked: &&Asked| asked.state == State::Other { covered: None };
        let replicas = self.asked.iter().filter(is_none);
        (root, replicas.map(|asked| asked.peer.id).collect())
    }

    /// Whether some replica answered with an older version than the newest, and whether the root
    /// is one of them.
    fn lacking(&self, newest: Version) -> Option<bool> {
        let is_behind = |asked: &&Asked| match asked.state {
            State::Root { .. } | State::Other { .. } => asked.version < Some(newest),
            State::Waiting { .. } | State::Silent => false,
        };
        let mut behind = self.asked.iter().filter(is_behind).peekable();
        behind.peek()?;
        Some(behind.any(|asked| matches!(asked.state, State::Root { .. })))
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// A read is about to be answered: what its replicas lack is sent to them.
    pub(crate) fn repair_after(
        &mut self,
        cx: &mut Cx<'_, Self>,
        key: Id,
        root: Contact,
        read: &ReadWork,
    ) {
        let Some((seen, _)) = &read.value else {
            return;
        };
        let written = seen.version.clock.wall();
        let settles = self.config.write_timeout.0 / 1_000;
        if written.0.saturating_add(settles) > cx.wall.0 {
            return;
        }
        let root_answered = read
            .asked
            .iter()
            .any(|asked| asked.peer.id == root.id && matches!(asked.state, State::Root { .. }));
        let Some(root_lacks) = read.lacking(seen.version) else {
            return;
        };
        if !root_answered || !self.repairs.may_ask(key, cx.now) {
            return;
        }
        let message = if root_lacks {
            let Some(record) = record_of(seen) else {
                return;
            };
            let slot = Slot::Value;
            StoreMessage::HandOff {
                req: self.draw_number(cx),
                items: vec![Item { key, slot, record }],
            }
        } else {
            StoreMessage::Repair { key }
        };
        self.post(cx, root, message);
    }

    /// A read does not know yet, and these replicas say that they are no copies.
    pub(crate) fn tell_root_of(
        &mut self,
        cx: &mut Cx<'_, Self>,
        key: Id,
        (root, replicas): (Option<Contact>, SmallVec<[Id; 3]>),
    ) {
        let Some(root) = root else { return };
        for replica in replicas {
            self.post(cx, root, StoreMessage::NoCopy { key, replica });
        }
    }

    /// A reader says that a replica is no copy, and this root takes it for one: it was started again
    /// so soon that nobody missed it. Whether that is true a comparison finds out.
    pub(crate) fn no_copy_told(&mut self, cx: &mut Cx<'_, Self>, key: Id, replica: Id) {
        let view = self.views.iter_mut().find(|view| view.arc.contains(key));
        let member = view.and_then(|view| {
            let mut members = view.members.iter_mut();
            members.find(|member| member.contact.id == replica && member.replica)
        });
        let Some(member) = member.filter(|member| member.walk.is_none() && member.covered) else {
            return;
        };
        if member
            .since
            .is_some_and(|since| cx.now.since(since) >= BELIEVED_FOR)
        {
            member.next_at = cx.now;
            self.schedule_sync(cx);
        }
    }

    /// A reader has seen a replica that lacks what this root has.
    pub(crate) fn repair_asked(&mut self, cx: &mut Cx<'_, Self>, from: Contact, key: Id) {
        let is_mine = self.views.iter().any(|view| view.arc.contains(key));
        let is_full = self.repairs.under_way.len() >= MAX_REPAIRING
            || self.coordinated.len() >= MAX_COORDINATED;
        if !is_mine || is_full || self.repairs.under_way.contains(&key) {
            return;
        }
        let slot = Slot::Value;
        let again = || Parked::Message {
            from,
            message: Box::new(StoreMessage::Repair { key }),
        };
        if !self.have_bodies(&[(key, slot)], again) {
            return;
        }
        let Some(record) = self.record_here((key, slot)) else {
            return;
        };
        self.repairs.under_way.insert(key);
        let task = Task {
            asker: Asker::Repair { key },
            version: record.version,
            items: vec![Item { key, slot, record }],
            consistency: Consistency::All,
            existed: None,
            conditional: false,
        };
        self.coordinate(cx, task);
    }
}

/// The record that a reader has seen, when it has the bytes.
fn record_of(seen: &Seen) -> Option<Record> {
    let body = match &seen.body {
        Body::Tombstone => None,
        Body::Bytes(bytes) => Some(bytes.clone()),
        Body::Withheld => return None,
    };
    Some(Record {
        version: seen.version,
        body,
        expires: seen.expires,
    })
}
