//! No deleted key comes back: a value older than an acknowledged deletion is not found again.
//!
//! While nodes come and go, and on the other side of a partition, a read may see the past for a
//! while. So a read is judged when it began in calm and the deletion did not overlap a partition;
//! and the last reads are judged against every deletion.

use super::{Check, End};
use crate::p2psim::faults::history::{History, Operation};
use crate::p2psim::faults::weather::Weather;
use overlay::{Outcome, Reply, Request, Version};

/// Judges what reads find.
pub(super) struct StaysDeleted;

impl Check for StaysDeleted {
    fn name(&self) -> &'static str {
        "no deleted key comes back"
    }

    fn answered(
        &mut self,
        history: &History,
        operation: &Operation,
        weather: &Weather,
    ) -> Result<(), String> {
        if !weather.is_calm_since(operation.began) {
            return Ok(());
        }
        judge(history, operation, &|deletion| {
            let ended = deletion.acknowledged().map(|done| done.ended);
            ended.is_some_and(|ended| !weather.was_split(deletion.began, ended))
        })
    }

    fn finished(&mut self, history: &History, end: &End) -> Result<(), String> {
        let mut reads = history.all().filter(|read| end.is_last_read(read));
        reads.try_for_each(|read| judge(history, read, &|_| true))
    }
}

fn judge(
    history: &History,
    read: &Operation,
    counts: &dyn Fn(&Operation) -> bool,
) -> Result<(), String> {
    let (Some(key), Some(found)) = (read.key(), found(read)) else {
        return Ok(());
    };
    let hides = |op: &&Operation| {
        let done = op.acknowledged();
        matches!(op.request, Request::Delete { holder: None, .. })
            && done.is_some_and(|done| done.ended < read.began && done.version > found)
    };
    let mut deletions = history.on(key).filter(hides);
    let deletion = deletions.find(|deletion| counts(deletion));
    deletion.map_or(Ok(()), |deletion| {
        Err(format!(
            "{}; but it was deleted by {}",
            read.describe(),
            deletion.describe()
        ))
    })
}

/// The version of the value that a read found.
fn found(read: &Operation) -> Option<Version> {
    match &read.answer {
        Some((_, Reply::Got(report))) if report.outcome == Outcome::Found => report.version,
        _ => None,
    }
}
