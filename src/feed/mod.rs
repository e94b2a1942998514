//! What happens at a node, told to whoever follows it.
//!
//! The machine's task tells, and never waits: a reader that is too far behind loses its place.

mod watch;

pub(crate) use watch::watch;

use crate::event::{Event, OperationKind};
use overlay::{Id, LookupReport, Reply, RingChange};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, broadcast};

/// Events that a reader may be behind. A busy node tells of some thousand calls a second, so this
/// outlasts a short pause of a reader, with 300 bytes each.
pub(crate) const MAX_BEHIND: usize = 1_024;
/// Readers at a time that come from outside of the process: a few pages and programs. Each gets
/// every event written for it.
pub(crate) const MAX_READERS: usize = 16;

/// Where it is told.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    sender: broadcast::Sender<Arc<Event>>,
    readers: Arc<Notify>,
}

impl Feed {
    pub(crate) fn new() -> Self {
        Self {
            sender: broadcast::Sender::new(MAX_BEHIND),
            readers: Arc::default(),
        }
    }

    /// A place at the feed, if there are fewer than `most` readers.
    pub(crate) fn read(&self, most: usize) -> Option<broadcast::Receiver<Arc<Event>>> {
        let receiver = (self.sender.receiver_count() < most).then(|| self.sender.subscribe());
        self.readers.notify_one();
        receiver
    }

    /// How many read, and how many events the one is behind that is farthest behind.
    pub(crate) fn level(&self) -> (usize, usize) {
        (self.sender.receiver_count(), self.sender.len())
    }

    /// Waits until somebody reads.
    pub(crate) async fn is_read(&self) {
        while self.sender.receiver_count() == 0 {
            self.readers.notified().await;
        }
    }

    /// Tells something. Where nobody reads it costs nothing.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        if self.sender.receiver_count() == 0 {
            return;
        }
        // The last reader may just have gone.
        let _ = self.sender.send(Arc::new(event()));
    }

    /// Tells of a call that was answered.
    pub(crate) fn answered(
        &self,
        kind: OperationKind,
        key: Option<Id>,
        reply: &Reply,
        took: Duration,
    ) {
        self.tell(|| Event::answered(kind, key, reply, took));
    }

    /// Tells of a lookup that a call needed.
    pub(crate) fn looked_up(&self, kind: OperationKind, report: LookupReport) {
        self.tell(|| Event::looked_up(kind, report));
    }

    /// Tells of a change of membership.
    pub(crate) fn ring(&self, change: &RingChange) {
        self.tell(|| Event::Ring(*change));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::broadcast::error::TryRecvError;

    #[test]
    fn a_reader_that_is_too_far_behind_loses_its_place() {
        let feed = Feed::new();
        // Nobody reads: nothing is even written down.
        feed.tell(|| unreachable!("nobody reads"));
        let mut slow = feed.read(1).unwrap();
        assert!(feed.read(1).is_none(), "one reader is the limit");
        let mut quick = feed.read(2).unwrap();
        for number in 1..=MAX_BEHIND {
            feed.ring(&RingChange::CutOff);
            quick.try_recv().unwrap();
            assert_eq!(feed.level(), (2, number));
        }
        drop(quick);
        feed.ring(&RingChange::CutOff);
        assert_eq!(feed.level(), (1, MAX_BEHIND));
        assert!(matches!(slow.try_recv(), Err(TryRecvError::Lagged(1))));
        drop(slow);
        assert_eq!(feed.level().0, 0);
        assert!(feed.read(1).is_some());
    }
}
