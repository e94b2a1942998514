//! A read gives only what somebody wrote to that key.

use super::Check;
use crate::p2psim::faults::history::{History, Operation};
use crate::p2psim::faults::weather::Weather;
use overlay::{Reply, Request};

/// Every value that is written is unique, so a value names its write.
pub(super) struct OnlyWhatWasWritten;

impl Check for OnlyWhatWasWritten {
    fn name(&self) -> &'static str {
        "a read gives only what was written"
    }

    fn answered(
        &mut self,
        history: &History,
        operation: &Operation,
        _weather: &Weather,
    ) -> Result<(), String> {
        let (Some((_, Reply::Got(report))), Some(key)) = (&operation.answer, operation.key())
        else {
            return Ok(());
        };
        let Some(found) = &report.value else {
            return Ok(());
        };
        let is_written = history
            .on(key)
            .filter(|write| write.may_have_written())
            .any(|write| matches!(&write.request, Request::Put { value, .. } if value == found));
        if is_written {
            Ok(())
        } else {
            Err(operation.describe())
        }
    }
}
