//! A write is done once, however often it was sent: its value is found under one version only, the
//! one that its client was told.

use super::Check;
use crate::p2psim::faults::history::{History, Operation};
use crate::p2psim::faults::weather::Weather;
use bytes::Bytes;
use overlay::{Reply, Request, Version};
use std::collections::BTreeMap;

/// Every value that is written is unique, so a value names its write.
#[derive(Debug, Default)]
pub(super) struct DoneOnce {
    /// The version under which each value was first seen.
    versions: BTreeMap<Bytes, Version>,
}

impl Check for DoneOnce {
    fn name(&self) -> &'static str {
        "a write is done once"
    }

    fn answered(
        &mut self,
        _history: &History,
        operation: &Operation,
        _weather: &Weather,
    ) -> Result<(), String> {
        let (value, version) = match (&operation.request, &operation.answer) {
            (Request::Put { value, .. }, Some((_, Reply::Put(report)))) => (value, report.version),
            (_, Some((_, Reply::Got(report)))) => match (&report.value, report.version) {
                (Some(value), Some(version)) => (value, version),
                _ => return Ok(()),
            },
            _ => return Ok(()),
        };
        let first = *self.versions.entry(value.clone()).or_insert(version);
        if first == version {
            return Ok(());
        }
        Err(format!(
            "{}; the same write was seen as {first:?}",
            operation.describe()
        ))
    }
}
