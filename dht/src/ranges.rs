//! Comparing one range: fingerprints first, then versions.

use crate::checks::is_garbage;
use crate::clock::Clock;
use crate::fingerprint::Fingerprint;
use crate::message::{Evidence, SyncDone, SyncRange};
use crate::sync::Stage;
use crate::view::{MAX_EVIDENCE, Member, View};
use crate::{Dht, Meta, Position, Store, StoreMessage};
use overlay::{Arc, Contact, Cx, Fault, Id, KeyRouter, Slot, Version};
use std::collections::{BTreeMap, VecDeque};

/// Records whose fingerprint travels at a time: where two replicas differ in one record, the list
/// of this many versions is the price, about 16 KiB.
const RANGE_RECORDS: u32 = 256;
/// Most versions that a replica lists at a time.
pub(crate) const MAX_LISTED: usize = 1_024;
/// A copy counts for this many periods without being confirmed.
const PERIODS_VALID: u64 = 3;

/// Where a position stands in an arc; the start of a whole circle is also its end.
pub(crate) fn order(arc: Arc, (key, slot): Position) -> (bool, Id, Slot) {
    let distance = arc.from.distance_to(key);
    (distance == Id::ZERO, distance, slot)
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Visits the records of a range that still matter.
    pub(crate) fn scan(
        &self,
        cx: &Cx<'_, Self>,
        arc: Arc,
        (after, upto): (Option<Position>, Option<Position>),
        visit: &mut dyn FnMut(Position, &Meta) -> bool,
    ) {
        let (wall, grace_s) = (cx.wall, self.config.tombstone_grace_s);
        let end = upto.map(|upto| order(arc, upto));
        self.store.range(arc, after, &mut |key, slot, record| {
            if end.is_some_and(|end| order(arc, (key, slot)) > end) {
                return false;
            }
            is_garbage(slot, record, wall, grace_s) || visit((key, slot), record)
        });
    }

    /// Asks about the range after the walk's position.
    pub(crate) fn send_range(&mut self, cx: &mut Cx<'_, Self>, at: (usize, usize)) {
        let Some((view, member)) = self.member(at) else {
            return;
        };
        let Some(walk) = &member.walk else { return };
        let (arc, after, witness) = (view.arc, walk.after, !member.replica);
        let done = self.done_message(view, walk.quorum);
        let (mut print, mut count, mut last, mut more) = (Fingerprint::new(), 0, None, false);
        self.scan(cx, arc, (after, None), &mut |position, record| {
            more = count == RANGE_RECORDS;
            if !more {
                count += 1;
                print.add(position.0, position.1, record.version);
                last = Some(position);
            }
            !more
        });
        let upto = if more { last } else { None };
        if let Some(walk) = self.walk_mut(at) {
            walk.upto = upto;
        }
        let (count, print) = print.finish();
        self.sync_send(cx, at, Stage::Range, |req| {
            StoreMessage::SyncRange(Box::new(SyncRange {
                req,
                done,
                witness,
                after,
                upto,
                count,
                print,
            }))
        });
    }

    pub(crate) fn done_message(&self, view: &View, quorum: u8) -> SyncDone {
        let valid_s = PERIODS_VALID * self.period().0.div_ceil(1_000_000);
        let valid_s = u32::try_from(valid_s).unwrap_or(u32::MAX);
        SyncDone {
            req: 0,
            view: view.id,
            arc: view.arc,
            quorum,
            valid_s,
        }
    }

    /// The range is the same at the replica.
    pub(crate) fn sync_same(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        req: u64,
        evidence: Vec<Evidence>,
    ) {
        let Some(at) = self.walk_of(from, req, Stage::Range) else {
            return;
        };
        self.take_evidence(at, evidence);
        let Some(walk) = self.walk_mut(at) else {
            return;
        };
        walk.records += u64::from(RANGE_RECORDS);
        match walk.upto {
            // With the last range the replica has noted that it is a full copy.
            None => self.finish_walk(cx, at),
            Some(upto) => {
                walk.after = Some(upto);
                walk.attempts = 0;
                self.send_range(cx, at);
            }
        }
    }

    /// What the replica knew before it was compared: only its first answer counts.
    pub(crate) fn take_evidence(&mut self, at: (usize, usize), mut evidence: Vec<Evidence>) {
        let Some(member) = self.member_mut(at) else {
            return;
        };
        if member
            .walk
            .as_ref()
            .is_some_and(|walk| walk.after.is_none())
        {
            evidence.truncate(MAX_EVIDENCE);
            member.evidence = evidence;
            // The proof counts once this comparison is through.
            member.compared = false;
        }
    }

    /// The range differs: find out who has what newer.
    pub(crate) fn sync_listed(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        req: u64,
        entries: &[(Id, Slot, Version)],
        upto: Option<Position>,
        evidence: Vec<Evidence>,
    ) {
        let Some(at) = self.walk_of(from, req, Stage::Range) else {
            return;
        };
        let Some((
            view,
            Member {
                walk: Some(walk), ..
            },
        )) = self.member(at)
        else {
            return;
        };
        let (arc, after) = (view.arc, walk.after);
        let progress = |upto: Position| {
            after.is_none_or(|after| order(arc, upto) > order(arc, after))
                && walk
                    .upto
                    .is_none_or(|end| order(arc, upto) <= order(arc, end))
                && arc.contains(upto.0)
        };
        if entries.len() > MAX_LISTED || upto.is_some_and(|upto| !progress(upto)) {
            return cx.hang_up(from, Fault::Protocol);
        }
        let upto = upto.or(walk.upto);
        let mut theirs: BTreeMap<(bool, Id, Slot), (Position, Version)> = BTreeMap::new();
        let mut refused = 0;
        for (key, slot, version) in entries {
            let position = (*key, *slot);
            let inside = arc.contains(*key)
                && after.is_none_or(|after| order(arc, position) > order(arc, after))
                && upto.is_none_or(|upto| order(arc, position) <= order(arc, upto));
            let believed = Clock::believes(version.clock, cx.wall);
            refused += u64::from(!believed);
            if inside && believed {
                theirs.insert(order(arc, position), (position, *version));
            }
        }
        self.clocks_refused += refused;
        let (mut push, mut want, mut seen) = (VecDeque::new(), VecDeque::new(), 0);
        self.scan(cx, arc, (after, upto), &mut |position, record| {
            seen += 1;
            match theirs.remove(&order(arc, position)) {
                Some((_, version)) if version == record.version => {}
                Some((_, version)) if version > record.version => want.push_back(position),
                _ => push.push_back(position),
            }
            true
        });
        want.extend(theirs.into_values().map(|(position, _)| position));
        self.take_evidence(at, evidence);
        if self.member(at).is_some_and(|(_, member)| !member.replica) {
            push.clear();
        }
        let Some(walk) = self.walk_mut(at) else {
            return;
        };
        (walk.push, walk.want, walk.pushed) = (push, want, 0);
        walk.upto = upto;
        walk.attempts = 0;
        walk.records += seen;
        self.next_items(cx, at);
    }
}
