//! In calm, a read sees the newest acknowledged write, and versions grow in real time.
//!
//! R + W > N promises this while the replica set is stable; while nodes come and go, an older
//! version may be seen for a while. Who asks for the word of one replica is promised nothing.

use super::Check;
use crate::p2psim::faults::history::{History, Operation};
use crate::p2psim::faults::weather::Weather;
use overlay::{Consistency, Reply, Version};

/// Judges what began and ended in calm.
pub(super) struct NewestInCalm;

impl Check for NewestInCalm {
    fn name(&self) -> &'static str {
        "in calm the newest acknowledged write counts"
    }

    fn answered(
        &mut self,
        history: &History,
        operation: &Operation,
        weather: &Weather,
    ) -> Result<(), String> {
        let (Some(key), Some((_, reply))) = (operation.key(), &operation.answer) else {
            return Ok(());
        };
        let is_of_one =
            matches!(reply, Reply::Got(_)) && operation.consistency() == Consistency::One;
        if is_of_one || !weather.is_calm_since(operation.began) {
            return Ok(());
        }
        let version: Version = match reply {
            Reply::Got(report) => match report.version {
                Some(version) => version,
                None => return Ok(()),
            },
            Reply::Conflict(report) => match report.found {
                Some(version) => version,
                None => return Ok(()),
            },
            Reply::Put(report) => report.version,
            Reply::Deleted(report) if operation.writes_value() => report.version,
            _ => return Ok(()),
        };
        let newer = history
            .on(key)
            .filter(|write| write.writes_value())
            .find(|write| {
                write.acknowledged().is_some_and(|done| {
                    done.ended < operation.began
                        && done.version > version
                        && !weather.was_split(write.began, done.ended)
                })
            });
        newer.map_or(Ok(()), |write| {
            Err(format!(
                "{}; newer was {}",
                operation.describe(),
                write.describe()
            ))
        })
    }
}
