//! What a replica's answers in a comparison call for, and whether they can be answers at all.

use crate::clock::Clock;
use crate::horizon::is_dead;
use crate::member::Member;
use crate::message::{Evidence, PartSum, RangeAnswer, SyncTold};
use crate::planted::PlantedBug;
use crate::ranges::{FAN_OUT, LIST_RECORDS, Range, order};
use crate::view::View;
use crate::{Dht, Position, Store};
use overlay::{Arc, Cx, Hlc, Id, KeyRouter, Slot, Version, WallMs};
use std::collections::BTreeMap;

/// Most records of one answer that are queued to travel; ranges beyond it are asked about again.
const MAX_QUEUED: usize = 4_096;
/// How often a range may be divided: sixteen to this power is more than any store holds, and parts
/// of equal size need no more.
const MAX_DEPTH: u8 = 16;
/// Most ranges that wait to be asked about. A store of 10 million is divided five times, and each
/// level leaves at most `MAX_ASKED · FAN_OUT` behind.
const MAX_PENDING: usize = 8_192;
/// The versions of a replica, by their order in the arc.
type Theirs = BTreeMap<(bool, Id, Slot), (Position, Version)>;

/// What an answer calls for, before it is acted upon.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) pending: Vec<Range>,
    pub(crate) push: Vec<Position>,
    pub(crate) want: Vec<Position>,
    /// What the other lacks and what is dead by its word, and leases that ended long ago.
    pub(crate) gone: Vec<(Position, Version)>,
    /// Whether versions were passed over because they are from too far in the future.
    pub(crate) clock_ahead: bool,
    /// Whether any were passed over, for whatever reason.
    pub(crate) passed_over: bool,
}

/// What a replica's word is worth.
struct Witness<'told> {
    told: &'told SyncTold,
    /// No deletion that is newer can have been collected.
    latest: Hlc,
    evidence: &'told [Evidence],
    is_last_resort: bool,
}

impl Witness<'_> {
    /// Up to where what it does not have was deleted.
    fn collected(&self, key: Id) -> Hlc {
        let mut parts = self.told.collected.iter();
        let part = parts.find(|(part, _)| part.contains(key));
        part.map_or(Hlc::default(), |(_, upto)| self.latest.min(*upto))
    }

    /// Whether an old record of it is taken now. One that it kept while it was away may have been
    /// deleted: it waits until the root has everything, and so can tell, or nobody is left who could
    /// help it to that.
    fn is_believed(&self, key: Id) -> bool {
        let vouches =
            |evidence: &Evidence| evidence.arc.contains(key) && evidence.proof.is_of_everything();
        self.is_last_resort || self.evidence.iter().any(vouches)
    }
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Checks the answers and finds out what they call for; nothing when they cannot be answers to
    /// what was asked.
    pub(crate) fn judge_answers(
        &self,
        cx: &Cx<'_, Self>,
        (view, member): (&View, &Member),
        told: &SyncTold,
    ) -> Option<Findings> {
        let walk = member.walk.as_deref()?;
        let witness = Witness {
            told,
            latest: self.latest_horizon(cx.wall),
            evidence: if walk.first {
                &told.evidence
            } else {
                &member.evidence
            },
            is_last_resort: view.has_no_better_source(),
        };
        let fits = (1..=walk.asked.len()).contains(&told.answers.len());
        if !fits || told.collected.len() > crate::horizon::MAX_SENT_PARTS {
            return None;
        }
        let mut findings = Findings::default();
        for (range, answer) in walk.asked.iter().zip(&told.answers) {
            match answer {
                RangeAnswer::Same => {}
                RangeAnswer::Parts(parts) => {
                    self.judge_parts(view.arc, range, parts, &mut findings)?;
                }
                RangeAnswer::Versions(entries) => {
                    let theirs = versions_by_order(view.arc, range, entries)?;
                    if findings.push.len() + findings.want.len() < MAX_QUEUED {
                        self.judge_versions(cx, (view.arc, range), theirs, &witness, &mut findings);
                    } else {
                        findings.pending.push(*range);
                    }
                }
            }
        }
        (walk.pending.len() + findings.pending.len() <= MAX_PENDING).then_some(findings)
    }

    /// The parts that differ are to be asked about.
    fn judge_parts(
        &self,
        arc: Arc,
        range: &Range,
        parts: &[PartSum],
        findings: &mut Findings,
    ) -> Option<()> {
        let depth = range.depth + 1;
        if !(2..=FAN_OUT as usize).contains(&parts.len()) || depth > MAX_DEPTH {
            return None;
        }
        let mut after = range.after;
        for (index, part) in parts.iter().enumerate() {
            let rest = Range { after, ..*range };
            let upto = match part.upto {
                None if index + 1 == parts.len() => range.upto,
                Some(upto)
                    if index + 1 < parts.len()
                        && rest.contains(arc, upto)
                        && Some(upto) != range.upto =>
                {
                    Some(upto)
                }
                _ => return None,
            };
            let own = self.store.sum(arc, (after, upto));
            if own != part.sum {
                let gap = own.count.abs_diff(part.sum.count).max(1);
                findings.pending.push(Range {
                    after,
                    upto,
                    depth,
                    gap,
                });
            }
            after = upto;
        }
        Some(())
    }

    /// Finds out who has what newer in a range.
    fn judge_versions(
        &self,
        cx: &Cx<'_, Self>,
        (arc, range): (Arc, &Range),
        mut theirs: Theirs,
        witness: &Witness<'_>,
        findings: &mut Findings,
    ) {
        let (mut looked, mut cut) = (0, None);
        let grace_ms = self.config.tombstone_grace_s.saturating_mul(1_000);
        let old = Hlc::at(WallMs(cx.wall.0.saturating_sub(grace_ms)));
        let is_ahead = |version: &Version| !Clock::believes(version.clock, cx.wall);
        findings.clock_ahead |= theirs.values().any(|(_, version)| is_ahead(version));
        // What is not believed is not taken; but the witness has it, so that ours is not dead.
        let is_taken = |key: Id, version: &Version| {
            !is_ahead(version) && (version.clock >= old || witness.is_believed(key))
        };
        let mut last = None;
        self.store
            .range(arc, range.after, &mut |key, slot, record| {
                let position = (key, slot);
                if !range.contains(arc, position) {
                    return false;
                }
                if looked == 1 && self.config.has_bug(PlantedBug::SkipRange) {
                    return false;
                }
                if looked == MAX_QUEUED {
                    cut = last;
                    return false;
                }
                (looked, last) = (looked + 1, Some(position));
                match theirs.remove(&order(arc, position)) {
                    Some((_, version)) if version == record.version => {}
                    Some((_, version)) if version > record.version => {
                        match is_taken(key, &version) {
                            true => findings.want.push(position),
                            false => findings.passed_over = true,
                        }
                    }
                    Some(_) => findings.push.push(position),
                    None if self.need_not_travel(cx, slot, record)
                        || is_dead(record, witness.collected(key)) =>
                    {
                        findings.gone.push((position, record.version));
                    }
                    None => findings.push.push(position),
                }
                true
            });
        if cut.is_some() {
            // We have more than fits at a time: the rest is another range.
            let end = cut.map(|cut| order(arc, cut));
            let all = theirs.len();
            theirs.retain(|at, _| Some(*at) <= end);
            let left = (all - theirs.len()) as u64;
            let own = self.store.sum(arc, (cut, range.upto)).count;
            findings.pending.push(Range {
                after: cut,
                gap: own.abs_diff(left).max(1),
                ..*range
            });
        }
        for (position, version) in theirs.into_values() {
            match is_taken(position.0, &version) {
                true => findings.want.push(position),
                false => findings.passed_over = true,
            }
        }
    }
}

/// The versions of a replica by their order in the arc; nothing when there are too many, or they
/// are out of order or outside of the range.
fn versions_by_order(arc: Arc, range: &Range, entries: &[(Id, Slot, Version)]) -> Option<Theirs> {
    let mut theirs = BTreeMap::new();
    let mut rest = *range;
    for (key, slot, version) in entries {
        let position = (*key, *slot);
        if !rest.contains(arc, position) {
            return None;
        }
        theirs.insert(order(arc, position), (position, *version));
        rest.after = Some(position);
    }
    (entries.len() as u64 <= LIST_RECORDS).then_some(theirs)
}
