//! Replicas are equal within a stated time after quiet: for the arc of each root, the sums over all
//! records of all N replicas.

use super::{Check, End};
use crate::p2psim::faults::history::History;

/// Judges what was compared after the ring had become whole.
pub(super) struct ReplicasEqual;

impl Check for ReplicasEqual {
    fn name(&self) -> &'static str {
        "replicas become equal"
    }

    fn finished(&mut self, _history: &History, end: &End) -> Result<(), String> {
        let first = end.rest.unequal.first();
        first.map_or(Ok(()), |text| Err(text.clone()))
    }
}
