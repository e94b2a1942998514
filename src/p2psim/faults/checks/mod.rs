//! What clients were promised: one file for each promise.

mod absence;
mod answered;
mod conditional;
mod deleted;
mod digests;
mod durable;
mod fresh;
mod holders;
mod known;
mod leaks;
mod once;
mod session;
mod written;

use super::history::{History, Operation};
use super::rest::Rest;
use super::weather::Weather;
use overlay::Time;

/// A promise to clients.
pub trait Check {
    /// A short name for the report.
    fn name(&self) -> &'static str;

    /// Looks at an operation that has just been answered.
    ///
    /// # Errors
    /// In words, what is wrong.
    fn answered(
        &mut self,
        _history: &History,
        _operation: &Operation,
        _weather: &Weather,
    ) -> Result<(), String> {
        Ok(())
    }

    /// Looks at one of the last reads of the run, which see every key in a network without faults.
    ///
    /// # Errors
    /// In words, what is wrong.
    fn last_read(&self, _history: &History, _end: &End, _read: &Operation) -> Result<(), String> {
        Ok(())
    }

    /// Looks at everything after the last read of the run.
    ///
    /// # Errors
    /// In words, what is wrong.
    fn finished(&mut self, history: &History, end: &End) -> Result<(), String> {
        let mut reads = history.all().filter(|read| end.is_last_read(read));
        reads.try_for_each(|read| self.last_read(history, end, read))
    }
}

/// What a run knows at its end.
#[derive(Clone, Debug)]
pub struct End {
    /// When the last reads began.
    pub reads_began: Time,
    /// What was found while nothing happened any more.
    pub rest: Rest,
    /// When the nodes at each index stopped: one that has come back may stop again.
    pub stopped: Vec<Vec<Time>>,
}

impl End {
    /// Whether an operation is one of the last reads.
    #[must_use]
    pub fn is_last_read(&self, operation: &Operation) -> bool {
        operation.began >= self.reads_began
    }

    /// When the node that was up at `time` stopped; none when it is up still.
    #[must_use]
    pub fn stopped_after(&self, node: usize, time: Time) -> Option<Time> {
        self.stopped
            .get(node)?
            .iter()
            .find(|stopped| **stopped >= time)
            .copied()
    }
}

/// All promises.
#[must_use]
pub fn all() -> Vec<Box<dyn Check>> {
    vec![
        Box::new(answered::AnsweredOnce),
        Box::new(written::OnlyWhatWasWritten),
        Box::new(once::DoneOnce::default()),
        Box::new(absence::NoFalseAbsence),
        Box::new(known::KnownInCalm),
        Box::new(fresh::NewestInCalm),
        Box::new(conditional::OneOfSeveral),
        Box::new(session::NeverBackwards),
        Box::new(deleted::StaysDeleted),
        Box::new(durable::NothingLost),
        Box::new(holders::HoldersKept),
        Box::new(digests::ReplicasEqual),
        Box::new(leaks::NothingLeaks),
    ]
}
