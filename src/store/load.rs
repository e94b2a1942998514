//! The thread that reads bodies, also while a commit is under way.

use super::queue::Taken;
use super::record::Place;
use super::shared::Shared;
use bytes::Bytes;
use dht::Meta;
use overlay::LoadSeq;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// How long it waits for an engine that is being opened again after the disk was full.
const ENGINE_PAUSE: Duration = Duration::from_millis(20);

/// A request for bodies that are not in memory.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) seq: LoadSeq,
    pub(super) places: Vec<Place>,
}

/// What was found. A place that is missing was overwritten or removed meanwhile.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) seq: LoadSeq,
    pub(super) found: Vec<(Place, Meta, Bytes)>,
}

/// The thread's state.
pub(super) struct Loader {
    pub(super) shared: Arc<Shared>,
    pub(super) on_loaded: Box<dyn FnMut(LoadSeq) + Send>,
}

impl Loader {
    /// Works until the queue ends or the store fails.
    pub(super) fn run(mut self) {
        // One at a time: the first to ask is the first to be answered.
        while let Taken::Group(requests) = self.shared.loads.take(0, |_| 1, None) {
            for request in requests {
                let seq = request.seq;
                let Some(found) = self.read(&request.places) else {
                    return;
                };
                self.shared.metrics.loads.inc_by(found.len() as u64);
                let answers = self.shared.answers.lock();
                let mut answers = answers.unwrap_or_else(PoisonError::into_inner);
                answers.push_back(Answer { seq, found });
                drop(answers);
                (self.on_loaded)(seq);
            }
        }
    }

    /// None when the store failed or is being closed.
    fn read(&self, places: &[Place]) -> Option<Vec<(Place, Meta, Bytes)>> {
        let mut found = Vec::with_capacity(places.len());
        for place in places {
            let result = loop {
                let engine = self.shared.engine.read();
                let engine = engine.unwrap_or_else(PoisonError::into_inner);
                if let Some(engine) = engine.as_ref() {
                    break engine.load(*place);
                }
                drop(engine);
                if self.shared.loads.pause(ENGINE_PAUSE) {
                    return None;
                }
            };
            match result {
                Ok(Some((meta, body))) => found.push((*place, meta, body)),
                Ok(None) => {}
                Err(error) => {
                    self.shared.fail_damaged(&error.to_string());
                    return None;
                }
            }
        }
        Some(found)
    }
}
