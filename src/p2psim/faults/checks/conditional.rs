//! Of several writes with the same condition one is done, and one that is refused changes nothing.
//!
//! This holds among conditional writes in any weather, also while two nodes take themselves for
//! responsible: a replica confirms only one of them. Only a node that was left alone, the last of its
//! network as far as it knows, decides alone (1 of 1 replicas, says its answer). An ordinary write that the other of those two
//! acknowledges at that moment may be missed; so those count in calm only. A condition also misses
//! writes of which all replicas have been gone for ten minutes, as one side of a partition takes those
//! of the other to be when it lasts that long. A conditional
//! write that was not acknowledged may appear at any time, and then be deleted: no deletion that
//! may have happened is ruled out.

use super::{Check, End};
use crate::p2psim::faults::history::{History, Operation};
use crate::p2psim::faults::weather::Weather;
use overlay::{Condition, Reply, Request, Time};

/// Judges acknowledged and refused conditional writes.
pub(super) struct OneOfSeveral;

impl Check for OneOfSeveral {
    fn name(&self) -> &'static str {
        "of several writes with one condition one is done"
    }

    fn answered(
        &mut self,
        history: &History,
        operation: &Operation,
        weather: &Weather,
    ) -> Result<(), String> {
        let Some(key) = operation.key().filter(|_| operation.writes_value()) else {
            return Ok(());
        };
        if let Some((_, Reply::Conflict(report))) = &operation.answer
            && operation.condition().holds(report.found)
        {
            return Err(format!("refused without cause: {}", operation.describe()));
        }
        if operation.acknowledged().is_none() {
            return Ok(());
        }
        // The one that is answered last may be the one that was done first.
        let other = history
            .on(key)
            .filter(|other| other.writes_value() && other.acknowledged().is_some())
            .find(|other| {
                excludes(history, other, operation, weather)
                    || excludes(history, operation, other, weather)
            });
        other.map_or(Ok(()), |other| {
            Err(format!(
                "{}; but also {}",
                operation.describe(),
                other.describe()
            ))
        })
    }

    fn finished(&mut self, history: &History, _end: &End) -> Result<(), String> {
        for refused in history.all().filter(|op| op.was_refused()) {
            let (Request::Put { value, .. }, Some(key)) = (&refused.request, refused.key()) else {
                continue;
            };
            let read = history.on(key).find(|read| {
                matches!(&read.answer, Some((_, Reply::Got(report))) if report.value.as_ref() == Some(value))
            });
            if let Some(read) = read {
                return Err(format!("{}; but {}", refused.describe(), read.describe()));
            }
        }
        Ok(())
    }
}

/// Whether the acknowledged write `second` cannot have been done if `first` was, which was there
/// before or at the same time.
fn excludes(history: &History, first: &Operation, second: &Operation, weather: &Weather) -> bool {
    let (Some(done), Some(later)) = (first.acknowledged(), second.acknowledged()) else {
        return false;
    };
    // A node that was left alone decides alone: the survivor of a pair prefers to serve.
    if done.version == later.version || was_alone(first) || was_alone(second) {
        return false;
    }
    let decided_apart = |began, ended| weather.was_presumed_lost(began, ended);
    if decided_apart(first.began, done.ended) || decided_apart(second.began, later.ended) {
        return false;
    }
    let is_before = done.ended < second.began;
    let counts = first.condition() != Condition::Always
        || weather.is_calm_since(first.began.min(second.began));
    match second.condition() {
        Condition::Always => false,
        Condition::Version(wanted) if first.condition() == second.condition() => {
            // A version is there once.
            wanted != done.version
        }
        Condition::Version(wanted) => is_before && counts && done.version > wanted,
        Condition::Absent => {
            let both = first.condition() == Condition::Absent;
            let is_put = matches!(first.request, Request::Put { ttl_s: None, .. });
            let (from, to) = (first.began.min(second.began), later.ended.max(done.ended));
            is_put && (both || is_before && counts) && !may_be_deleted(history, first, from, to)
        }
    }
}

/// Whether the write was acknowledged by a node that was the only replica.
fn was_alone(write: &Operation) -> bool {
    match &write.answer {
        Some((_, Reply::Put(report))) => report.replicas == 1,
        Some((_, Reply::Deleted(report))) => report.replicas == 1,
        _ => false,
    }
}

/// Whether a deletion of the same key may have been done in this time: it began before its end,
/// and was not over before its start.
fn may_be_deleted(history: &History, write: &Operation, from: Time, to: Time) -> bool {
    let Some(key) = write.key() else { return true };
    let mut deletions = history.on(key).filter(|op| {
        matches!(op.request, Request::Delete { holder: None, .. }) && op.may_have_written()
    });
    deletions.any(|deletion| {
        let was_over = deletion.done().is_some_and(|done| done.ended < from);
        deletion.began <= to && !was_over
    })
}
