//! Every operation is answered exactly once, unless its node goes first.

use super::{Check, End};
use crate::p2psim::faults::history::History;

/// A second answer is found when it arrives; a missing one at the end.
pub(super) struct AnsweredOnce;

impl Check for AnsweredOnce {
    fn name(&self) -> &'static str {
        "every call is answered exactly once"
    }

    fn finished(&mut self, history: &History, _end: &End) -> Result<(), String> {
        let missing = history
            .all()
            .find(|op| op.answer.is_none() && !op.is_orphan);
        missing.map_or(Ok(()), |operation| Err(operation.describe()))
    }
}
