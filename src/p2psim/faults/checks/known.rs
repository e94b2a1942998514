//! In calm a read knows: "unknown" is not said while every replica set is complete, nobody comes or
//! goes, and no more messages are lost or late than always. Not judged is a read whose lookup found no
//! replica to ask, nor one of a client that has seen a write which was never acknowledged: the only
//! node that had it may have lost its disk.

use super::Check;
use crate::p2psim::faults::history::{History, Operation};
use crate::p2psim::faults::weather::Weather;
use dht::OLDER_THAN_SEEN;
use overlay::{Reply, Request};

/// Judges reads that do not know.
pub(super) struct KnownInCalm;

impl Check for KnownInCalm {
    fn name(&self) -> &'static str {
        "in calm a read knows"
    }

    fn answered(
        &mut self,
        history: &History,
        operation: &Operation,
        weather: &Weather,
    ) -> Result<(), String> {
        let asked = match &operation.answer {
            Some((_, Reply::Got(report))) => report.replicas_asked,
            Some((_, Reply::Searched(report))) => report.replicas_asked,
            _ => 0,
        };
        if asked == 0
            || !operation.is_unknown()
            || !weather.is_quiet_since(operation.began)
            || lacks_what_was_unacknowledged(history, operation)
        {
            return Ok(());
        }
        Err(operation.describe())
    }
}

/// Whether the replicas lack a version that the client has seen, and of which nobody was told that it
/// is durable.
fn lacks_what_was_unacknowledged(history: &History, operation: &Operation) -> bool {
    let Request::Get {
        key,
        at_least: Some(seen),
        ..
    } = &operation.request
    else {
        return false;
    };
    let is_behind = match &operation.answer {
        Some((_, Reply::Got(report))) => {
            let reason = report.reason.as_deref();
            reason.is_some_and(|reason| reason.ends_with(OLDER_THAN_SEEN))
        }
        _ => false,
    };
    let mut writes = history.on(*key).filter_map(Operation::acknowledged);
    is_behind && !writes.any(|done| done.version == *seen)
}
