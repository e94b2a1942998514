//! "Absent" is never said of a key with an acknowledged value that nobody deleted, neither by a read
//! nor by a deletion that reports what was there; nor of a resource with an acknowledged holder that
//! nobody removed and whose first lease still runs. And a deletion does not say that there was
//! something where nobody can have put anything.
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
use overlay::{Duration, Id, Outcome, Reply, Request};
use std::net::SocketAddr;

/// Clocks differ, and so do the times at which they see a lease end.
const LEASES_DIFFER_BY: Duration = Duration::from_secs(60);

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
        judge_presence(history, operation)?;
        if !operation.says_absent() || weather.was_split(operation.began, *ended) {
            return Ok(());
        }
        let is_of_holders = matches!(reply, Reply::Searched(_));
        let hidden = history.on(key).find(|write| {
            let is_there = match write.request {
                Request::Put { ttl_s: None, .. } => {
                    !is_of_holders && !is_maybe_deleted(history, write, operation)
                }
                Request::Insert {
                    holder, lease_s, ..
                } => {
                    let lease = Duration::from_secs(u64::from(lease_s));
                    let is_running = write.began + lease > *ended + LEASES_DIFFER_BY;
                    is_of_holders && is_running && !is_removed(history, key, holder)
                }
                _ => false,
            };
            let is_known = write
                .acknowledged()
                .is_some_and(|done| done.ended <= operation.began);
            is_there
                && is_known
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

/// A deletion that says that there was something, though nobody can have put it before.
fn judge_presence(history: &History, operation: &Operation) -> Result<(), String> {
    let (Some(key), Some((ended, Reply::Deleted(report)))) = (operation.key(), &operation.answer)
    else {
        return Ok(());
    };
    if report.outcome != Outcome::Found {
        return Ok(());
    }
    let mut before = history.on(key).filter(|write| write.began <= *ended);
    let is_possible = match operation.request {
        Request::Delete {
            holder: Some(gone), ..
        } => {
            before.any(|op| matches!(op.request, Request::Insert { holder, .. } if holder == gone))
        }
        _ => before.any(|op| matches!(op.request, Request::Put { .. }) && op.may_have_written()),
    };
    if is_possible {
        return Ok(());
    }
    Err(format!("nothing was there: {}", operation.describe()))
}

/// Whether somebody may have removed a holder.
fn is_removed(history: &History, key: Id, addr: SocketAddr) -> bool {
    let removes = |op: &Operation| matches!(op.request, Request::Delete { holder: Some(gone), .. } if gone == addr);
    history.on(key).any(removes)
}

/// Whether one of two roots did the write, and they may not have come together before the read.
fn is_missed(write: &Operation, read: &Operation, weather: &Weather) -> bool {
    let done = write.acknowledged();
    write.is_contested && done.is_some_and(|done| !weather.was_whole(done.ended, read.began))
}

/// Whether any deletion of the key, other than the one that is judged, may come after this write.
fn is_maybe_deleted(history: &History, write: &Operation, judged: &Operation) -> bool {
    let Some(key) = write.key() else { return true };
    let mut deletions = history
        .on(key)
        .filter(|op| matches!(op.request, Request::Delete { holder: None, .. }))
        .filter(|op| op.may_have_written() && !std::ptr::eq(*op, judged));
    deletions.any(|deletion| {
        let ended_before = deletion.done().is_some_and(|done| done.ended < write.began);
        !ended_before
    })
}
