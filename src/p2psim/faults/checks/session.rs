//! What a client reads never goes backwards: when it carries along the newest version that it has
//! read or written, an older answer, or an absence that is older, is called unknown.
//!
//! That is promised always, in whatever weather and through whichever nodes.

use super::Check;
use crate::p2psim::faults::history::{History, Operation};
use crate::p2psim::faults::weather::Weather;
use overlay::{Outcome, Reply, Request, Version};

/// Judges the reads of clients that carry along what they have seen.
pub(super) struct NeverBackwards;

impl Check for NeverBackwards {
    fn name(&self) -> &'static str {
        "what a client reads never goes backwards"
    }

    fn answered(
        &mut self,
        history: &History,
        operation: &Operation,
        _weather: &Weather,
    ) -> Result<(), String> {
        let Request::Get {
            key,
            at_least: Some(_),
            ..
        } = operation.request
        else {
            return Ok(());
        };
        let Some((_, Reply::Got(report))) = &operation.answer else {
            return Ok(());
        };
        let seen = history.newest_seen(operation.client, key, operation.began);
        let Some(seen) = seen else { return Ok(()) };
        let is_fine = match report.outcome {
            Outcome::Unknown => true,
            Outcome::Found => report.version >= Some(seen),
            Outcome::Absent => {
                report.version >= Some(seen) || may_be_over(history, operation, seen)
            }
        };
        if is_fine {
            return Ok(());
        }
        Err(format!(
            "{}; the client had seen version {seen}",
            operation.describe()
        ))
    }
}

/// Whether what a client had seen may have been deleted since, or ended.
fn may_be_over(history: &History, read: &Operation, seen: Version) -> bool {
    let Some(key) = read.key() else { return false };
    let mut writes = history.on(key).filter(|op| op.may_have_written());
    writes.any(|write| match (&write.request, write.done()) {
        (Request::Delete { .. }, Some(done)) => done.version >= seen,
        (Request::Delete { .. }, None) => true,
        (Request::Put { ttl_s, .. }, _) => ttl_s.is_some(),
        _ => false,
    })
}
