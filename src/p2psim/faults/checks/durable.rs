//! Nothing acknowledged is lost: in the end every key has its newest acknowledged write, or one
//! that was not acknowledged and may have come later.

use super::{Check, End};
use crate::p2psim::faults::history::{History, Operation};
use overlay::{Id, Outcome, Reply, Request};

/// Judges the last read of every key.
pub(super) struct NothingLost;

impl Check for NothingLost {
    fn name(&self) -> &'static str {
        "nothing acknowledged is lost"
    }

    fn last_read(&self, history: &History, _end: &End, read: &Operation) -> Result<(), String> {
        read.key().map_or(Ok(()), |key| judge(history, key, read))
    }
}

fn judge(history: &History, key: Id, read: &Operation) -> Result<(), String> {
    let Some((_, Reply::Got(report))) = &read.answer else {
        let is_get = matches!(read.request, Request::Get { .. });
        return if is_get {
            Err(format!("the last read failed: {}", read.describe()))
        } else {
            Ok(())
        };
    };
    let writes = || history.on(key).filter(|op| op.may_have_written());
    let newest = writes()
        .filter_map(|write| Some((write.acknowledged()?.version, write)))
        .max_by_key(|(version, _)| *version)
        .map(|(_, write)| write);
    let uncertain = writes().filter(|write| write.acknowledged().is_none());
    let may_be_nothing = newest.is_none();
    let is_allowed = match report.outcome {
        Outcome::Unknown => false,
        Outcome::Absent => {
            may_be_nothing
                || newest.into_iter().chain(uncertain).any(|write| {
                    matches!(write.request, Request::Delete { .. })
                })
        }
        Outcome::Found => newest.into_iter().chain(uncertain).any(|write| {
            matches!(&write.request, Request::Put { value, .. } if Some(value) == report.value.as_ref())
        }),
    };
    if is_allowed {
        return Ok(());
    }
    let expected = newest.map_or_else(|| "nothing".to_owned(), Operation::describe);
    Err(format!(
        "{}; the newest acknowledged write was {expected}",
        read.describe()
    ))
}
