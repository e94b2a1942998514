//! "Absent" is never said of a key with an acknowledged value that nobody deleted.
//!
//! While a partition lasts, each side takes the other for dead, and the smaller one proves absence
//! among those that it knows; so operations that overlap a partition are not judged. What was
//! acknowledged is found again after the partition: that is checked at the end.

use super::Check;
use crate::p2psim::faults::history::{History, Operation};
use crate::p2psim::faults::weather::Weather;
use overlay::{Reply, Request};

/// Judges reads that say "absent".
pub(super) struct NoFalseAbsence;

impl Check for NoFalseAbsence {
    fn name(&self) -> &'static str {
        "no false absence"
    }

    fn answered(
        &mut self,
        history: &History,
        operation: &Operation,
        weather: &Weather,
    ) -> Result<(), String> {
        let (Some(key), Some((ended, reply))) = (operation.key(), &operation.answer) else {
            return Ok(());
        };
        let is_of_value = matches!(reply, Reply::Got(_) | Reply::Conflict(_));
        if !operation.says_absent() || !is_of_value || weather.was_split(operation.began, *ended) {
            return Ok(());
        }
        let hidden = history.on(key).find(|write| {
            let is_put = matches!(write.request, Request::Put { ttl_s: None, .. });
            let is_known = write
                .acknowledged()
                .is_some_and(|done| done.ended <= operation.began);
            is_put
                && is_known
                && !is_maybe_deleted(history, write)
                && !weather.was_split(write.began, operation.began)
        });
        hidden.map_or(Ok(()), |write| {
            Err(format!(
                "{}; but there was {}",
                operation.describe(),
                write.describe()
            ))
        })
    }
}

/// Whether any deletion of the key may come after this write.
fn is_maybe_deleted(history: &History, write: &Operation) -> bool {
    let Some(key) = write.key() else { return true };
    let mut deletions = history
        .on(key)
        .filter(|op| matches!(op.request, Request::Delete { holder: None, .. }))
        .filter(|op| op.may_have_written());
    deletions.any(|deletion| {
        let ended_before = deletion
            .acknowledged()
            .is_some_and(|done| done.ended < write.began);
        !ended_before
    })
}
