//! Nothing leaks: when nobody asks any more, whatever a node had under way is over, and only the
//! timers of its periodic work are left.

use super::{Check, End};
use crate::p2psim::faults::history::History;

/// Judges what was left over a while after the last answer.
pub(super) struct NothingLeaks;

impl Check for NothingLeaks {
    fn name(&self) -> &'static str {
        "nothing leaks"
    }

    fn finished(&mut self, _history: &History, end: &End) -> Result<(), String> {
        let first = end.rest.left_over.first();
        first.map_or(Ok(()), |text| Err(text.clone()))
    }
}
