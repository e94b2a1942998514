//! Nothing acknowledged is lost: in the end every key has its newest acknowledged write, or one
//! that was not acknowledged and may have come later.
//!
//! What was not acknowledged excuses little: only what began no earlier than [`LATE_BY`] before the
//! newest acknowledged write, and only what is found under a newer version than that. A write that
//! is found under another version than the one that its client was told was done twice.

use super::{Check, End};
use crate::p2psim::faults::history::{History, Operation};
use overlay::{Duration, GetReport, Id, Outcome, Reply, Request};

/// A root gives a write its version this long after its client asked, at the latest: calls end
/// after eight seconds, and clocks that differ by a minute still pass.
const LATE_BY: Duration = Duration::from_secs(70);

/// Judges the last read of every key.
pub(super) struct NothingLost;

impl Check for NothingLost {
    fn name(&self) -> &'static str {
        "nothing acknowledged is lost"
    }

    fn last_read(&self, history: &History, _end: &End, read: &Operation) -> Result<(), String> {
        let (Some(key), Request::Get { .. }) = (read.key(), &read.request) else {
            return Ok(());
        };
        let Some((_, Reply::Got(report))) = &read.answer else {
            return Err(format!("the last read failed: {}", read.describe()));
        };
        let newest = newest_acknowledged(history, key);
        if is_allowed(history, key, newest, report) {
            return Ok(());
        }
        let expected = newest.map_or_else(|| "nothing".to_owned(), Operation::describe);
        Err(format!(
            "{}; the newest acknowledged write was {expected}",
            read.describe()
        ))
    }
}

fn newest_acknowledged(history: &History, key: Id) -> Option<&Operation> {
    let writes = history.on(key).filter(|op| op.writes_value());
    let done = writes.filter_map(|write| Some((write.acknowledged()?.version, write)));
    let newest = done.max_by_key(|(version, _)| *version);
    newest.map(|(_, write)| write)
}

fn is_allowed(history: &History, key: Id, newest: Option<&Operation>, report: &GetReport) -> bool {
    let last = newest.and_then(Operation::acknowledged);
    let last = last.map(|done| done.version);
    if report.version.is_some_and(|found| Some(found) < last) {
        return false;
    }
    let uncertain = history.on(key).filter(|write| {
        let is_late = newest.is_none_or(|newest| write.began + LATE_BY >= newest.began);
        write.may_have_written() && write.acknowledged().is_none() && is_late
    });
    // Of a deletion that was collected no version is left.
    let is_newest = report.version.is_none() || report.version == last;
    let newest_may = newest.filter(|_| is_newest).into_iter();
    let uncertain_may = uncertain.filter(|_| report.version.is_none() || report.version > last);
    let mut writes = newest_may.chain(uncertain_may);
    match report.outcome {
        Outcome::Unknown => false,
        Outcome::Absent => {
            newest.is_none()
                || writes.any(|write| matches!(write.request, Request::Delete { .. }))
        }
        Outcome::Found => writes.any(|write| {
            matches!(&write.request, Request::Put { value, .. } if Some(value) == report.value.as_ref())
        }),
    }
}
