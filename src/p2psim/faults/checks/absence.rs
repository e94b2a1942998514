//! "Absent" is never said of a key with an acknowledged value that nobody deleted.
//!
//! While a partition lasts, each side takes the other for dead, and the smaller one proves absence
//! among those that it knows; so operations that overlap a partition are not judged. What was
//! acknowledged is found again after the partition: that is checked at the end.
//!
//! A ring of which more neighbours die at once than a list names may come apart in the same way
//! without a partition. So a write is not missed as long as the network has not been whole since,
//! if two live nodes took themselves for the root of its key when it was done. `p2psim faults`
//! says how many such writes there were.

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
                && !is_missed(write, operation, weather)
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

/// Whether one of two roots did the write, and they may not have come together before the read.
fn is_missed(write: &Operation, read: &Operation, weather: &Weather) -> bool {
    let done = write.acknowledged();
    write.is_contested && done.is_some_and(|done| !weather.was_whole(done.ended, read.began))
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
