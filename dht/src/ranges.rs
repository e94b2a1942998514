//! The root's side of a comparison: ranges that differ are divided until they are short.
//!
//! The first question is the sum of the whole arc: where a replica has the same, that was all. A
//! replica that has something else in a range answers with the sums of its parts, or with the
//! versions in it when they are few, and the root asks again about the parts that differ, many in
//! one question. With d differing records among n, that is about log₁₆(n / 64) round trips, each with at
//! most d answers of sixteen sums, and d lists of versions at the end.

use crate::judge::Findings;
use crate::message::{Evidence, RangeAnswer, RangeSum, SyncAsk, SyncDone, SyncTold};
use crate::planted::PlantedBug;
use crate::sync::Stage;
use crate::view::{MAX_EVIDENCE, View};
use crate::{Dht, Position, Store, StoreMessage};
use overlay::{Arc, Contact, Cx, Fault, Id, KeyRouter, Slot};

/// Parts that a replica divides a differing range into. Sixteen sums take about 700 bytes; twice as
/// many would save a round trip in five and cost twice the bytes.
pub(crate) const FAN_OUT: u64 = 16;
/// A range with at most so many records is answered with their versions, about 3 KiB: as much as
/// two more levels of sums.
pub(crate) const LIST_RECORDS: u64 = 64;
/// Most ranges in one question: the answer stays below 64 KiB.
pub(crate) const MAX_ASKED: usize = 16;
/// A copy counts for this many periods without being confirmed.
const PERIODS_VALID: u64 = 3;

/// For how many seconds a copy counts without being confirmed.
pub(crate) fn valid_s(config: &crate::DhtConfig) -> u32 {
    let seconds = PERIODS_VALID * config.anti_entropy.0.div_ceil(1_000_000);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

/// A part of the arc to be compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    pub(crate) after: Option<Position>,
    pub(crate) upto: Option<Position>,
    /// How often it was divided.
    pub(crate) depth: u8,
    /// About how many records have to be moved in it: what one side has more than the other.
    pub(crate) gap: u64,
}

impl Range {
    /// The whole arc.
    pub(crate) const WHOLE: Self = Self {
        after: None,
        upto: None,
        depth: 0,
        gap: 0,
    };

    /// Whether a position lies in it.
    pub(crate) fn contains(&self, arc: Arc, position: Position) -> bool {
        let at = order(arc, position);
        arc.contains(position.0)
            && self.after.is_none_or(|after| at > order(arc, after))
            && self.upto.is_none_or(|upto| at <= order(arc, upto))
    }
}

/// Where a position stands in an arc; the start of a whole circle is also its end.
pub(crate) fn order(arc: Arc, (key, slot): Position) -> (bool, Id, Slot) {
    let distance = arc.from.distance_to(key);
    (distance == Id::ZERO, distance, slot)
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Asks about the next ranges of a comparison; the same ones again when the last question was
    /// lost.
    pub(crate) fn send_ask(&mut self, cx: &mut Cx<'_, Self>, at: (usize, usize)) {
        let Some(walk) = self.walk_mut(at) else {
            return;
        };
        if walk.asked.is_empty() {
            let from = walk.pending.len().saturating_sub(MAX_ASKED);
            walk.asked = walk.pending.split_off(from);
            // What was found last is asked first, and in order.
            walk.asked.reverse();
        }
        let Some((view, member)) = self.member(at) else {
            return;
        };
        let Some(walk) = &member.walk else { return };
        let (arc, witness, first) = (view.arc, !member.replica, walk.first);
        let sum_of = |range: &Range| RangeSum {
            after: range.after,
            upto: range.upto,
            sum: self.store.sum(arc, (range.after, range.upto)),
        };
        let ranges = walk.asked.iter().map(sum_of).collect();
        let done = self.done_message(view, walk.quorum);
        self.sync_send(cx, at, Stage::Ranges, |req| {
            StoreMessage::SyncAsk(Box::new(SyncAsk {
                req,
                done,
                witness,
                first,
                ranges,
            }))
        });
    }

    pub(crate) fn done_message(&self, view: &View, quorum: u8) -> SyncDone {
        let mut horizons = self.horizons.of(view.arc);
        horizons.truncate(crate::horizon::MAX_SENT_PARTS);
        SyncDone {
            req: 0,
            view: view.id,
            arc: view.arc,
            quorum,
            valid_s: valid_s(&self.config),
            horizons,
        }
    }

    /// A replica says how the ranges compare.
    pub(crate) fn sync_told(&mut self, cx: &mut Cx<'_, Self>, from: Contact, told: SyncTold) {
        let Some(at) = self.walk_of(from, told.req, Stage::Ranges) else {
            return;
        };
        let Some((view, member)) = self.member(at) else {
            return;
        };
        let Some(walk) = &member.walk else { return };
        let all_same = walk.first
            && told.answers.len() == 1
            && told.answers.first() == Some(&RangeAnswer::Same);
        let Some(findings) = self.judge_answers(cx, (view, member), &told) else {
            return cx.hang_up(from, Fault::Protocol);
        };
        let findings = match self.config.has_bug(PlantedBug::SkipComparison) {
            true => Findings::default(),
            false => findings,
        };
        let (answered, collected) = (told.answers.len(), told.collected);
        let replica = self.member(at).is_some_and(|(_, member)| member.replica);
        self.take_evidence(at, told.evidence);
        self.clocks_refused += u64::from(findings.clock_ahead);
        self.compared.ranges += answered as u64;
        self.collect_gone(cx, at, &findings.gone);
        let Some(walk) = self.walk_mut(at) else {
            return;
        };
        if std::mem::take(&mut walk.first) {
            walk.collected = collected;
        }
        walk.passed_over |= findings.passed_over;
        walk.attempts = 0;
        // Ranges without an answer wait again, below what was found now.
        walk.pending
            .extend(walk.asked.drain(..).skip(answered).rev());
        walk.pending.extend(findings.pending.into_iter().rev());
        if replica {
            walk.push.extend(findings.push);
        }
        walk.want.extend(findings.want);
        self.skip_without_room(at);
        if all_same {
            // The replica has noted that it is a full copy.
            return self.finish_walk(cx, at);
        }
        self.next_items(cx, at);
    }

    /// What the replica knew before it was compared: only its first answer counts.
    fn take_evidence(&mut self, at: (usize, usize), mut evidence: Vec<Evidence>) {
        let Some(member) = self.member_mut(at) else {
            return;
        };
        if member.walk.as_ref().is_some_and(|walk| walk.first) {
            evidence.truncate(MAX_EVIDENCE);
            member.evidence = evidence;
            // The proof counts once this comparison is through.
            member.compared = false;
        }
    }
}
