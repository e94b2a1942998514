//! Writes that were answered lately, so that asking twice is still one write.

use crate::message::WriteResult;
use overlay::{Duration, Id, Time, Version};
use std::collections::{BTreeMap, VecDeque};

/// Most remembered writes; the oldest is forgotten first. A root that takes 2,000 writes a second
/// remembers them for longer than an origin asks again.
const MAX_REMEMBERED: usize = 65_536;
/// How long a write is remembered: an origin asks again for its `op_timeout` at most (8 s), and
/// messages may be late.
const REMEMBERED_FOR: Duration = Duration::from_secs(30);

/// What is known about a write.
#[derive(Clone, Debug)]
pub(crate) enum Known {
    /// It is under way, under this number.
    UnderWay(u64),
    /// It was answered.
    Done(WriteResult),
    /// Another root gave it this version and had it replicated here, or this one did and gave up.
    Replicated(Version),
}

/// Writes by origin and the origin's number.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    writes: BTreeMap<(Id, u64), Known>,
    order: VecDeque<(Time, (Id, u64))>,
}

impl Remembered {
    pub(crate) fn get(&self, origin: Id, number: u64) -> Option<&Known> {
        self.writes.get(&(origin, number))
    }

    /// A write is under way here, under this number.
    pub(crate) fn add(&mut self, origin: Id, number: u64, coordinated: u64, now: Time) {
        self.note(origin, number, Known::UnderWay(coordinated), now);
    }

    /// Another root has had a write replicated here; what this node itself knows as a root counts
    /// more.
    pub(crate) fn replicated(&mut self, origin: Id, number: u64, version: Version, now: Time) {
        if matches!(self.get(origin, number), None | Some(Known::Replicated(_))) {
            self.note(origin, number, Known::Replicated(version), now);
        }
    }

    fn note(&mut self, origin: Id, number: u64, what: Known, now: Time) {
        if let Some(known) = self.writes.get_mut(&(origin, number)) {
            *known = what;
            return;
        }
        while self.order.len() >= MAX_REMEMBERED
            || self
                .order
                .front()
                .is_some_and(|(since, _)| now.since(*since) > REMEMBERED_FOR)
        {
            let Some((_, oldest)) = self.order.pop_front() else {
                break;
            };
            self.writes.remove(&oldest);
        }
        self.order.push_back((now, (origin, number)));
        self.writes.insert((origin, number), what);
    }

    pub(crate) fn done(&mut self, origin: Id, number: u64, result: &WriteResult) {
        if let Some(known) = self.writes.get_mut(&(origin, number)) {
            *known = Known::Done(result.clone());
        }
    }

    /// A write is given up here with a version that it keeps, whoever asks again: replicas may have it.
    pub(crate) fn given_up(&mut self, origin: Id, number: u64, version: Version) {
        if let Some(known) = self.writes.get_mut(&(origin, number)) {
            *known = Known::Replicated(version);
        }
    }

    /// Forgets a write that changed nothing, so that asking again tries again.
    pub(crate) fn forget(&mut self, origin: Id, number: u64) {
        self.writes.remove(&(origin, number));
    }
}
