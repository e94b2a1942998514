//! Writes for which two nodes took themselves for the root.

use super::history::Operation;
use super::run::Run;
use crate::p2psim::overlays::Simulated;
use overlay::OpId;

impl<R: Simulated> Run<R> {
    /// Notes it when a write may go, or may have gone, to either of two roots.
    pub(super) fn note_rivals(&mut self, op: OpId) {
        let write = self.history.get(op).filter(|op| op.writes_value());
        let key = write.and_then(Operation::key);
        if key.is_some_and(|key| self.swarm.has_rivals(key)) {
            self.history.contest(op);
        }
    }

    /// How many acknowledged writes had two roots, apart from partitions.
    pub(super) fn contested(&self) -> usize {
        let done = self.history.all().filter(|op| op.is_contested);
        let done = done.filter_map(|op| Some((op.began, op.acknowledged()?.ended)));
        done.filter(|(from, to)| !self.swarm.weather.was_split(*from, *to))
            .count()
    }
}
