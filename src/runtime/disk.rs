//! How the disk's thread tells the machine's task what has become durable or was loaded.
//!
//! Two numbers that only grow and one bell: however far the disk is ahead of the task, nothing
//! queues up.

use overlay::{LoadSeq, WriteSeq};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Bells that may be ringing: one says as much as many.
const BELLS: usize = 1;

/// The end that a store on disk holds. Cheap to clone; may be used from any thread.
#[derive(Clone, Debug)]
pub struct DiskLink {
    state: Arc<State>,
    bell: mpsc::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    in_use: AtomicBool,
    durable: AtomicU64,
    loaded: AtomicU64,
    fatal: OnceLock<String>,
}

impl DiskLink {
    /// Writes up to this one are on stable storage.
    pub fn durable(&self, seq: WriteSeq) {
        self.state.durable.fetch_max(seq.0, Ordering::AcqRel);
        self.ring();
    }

    /// Bodies up to this request can be had.
    pub fn loaded(&self, seq: LoadSeq) {
        self.state.loaded.fetch_max(seq.0, Ordering::AcqRel);
        self.ring();
    }

    /// The disk cannot be trusted any more: the node must end, with this line.
    pub fn fatal(&self, why: String) {
        // The first cause is the one to tell.
        let _ = self.state.fatal.set(why);
        self.ring();
    }

    /// From now on only this link says what is durable.
    pub fn attach(&self) {
        self.state.in_use.store(true, Ordering::Release);
    }

    fn ring(&self) {
        // When it rings already, or nobody listens any more, that is as well.
        let _ = self.bell.try_send(());
    }
}

/// The end of the machine's task.
#[derive(Debug)]
pub(crate) struct DiskNews {
    state: Arc<State>,
    bell: mpsc::Receiver<()>,
}

/// A link, its two ends.
pub(crate) fn link() -> (DiskLink, DiskNews) {
    let state = Arc::new(State::default());
    let (bell, heard) = mpsc::channel(BELLS);
    let link = DiskLink {
        state: Arc::clone(&state),
        bell,
    };
    let news = DiskNews { state, bell: heard };
    (link, news)
}

impl DiskNews {
    /// Whether something may have happened since the last time.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.bell.poll_recv(cx) {
            Poll::Ready(Some(())) => Poll::Ready(()),
            // A store in memory has no use for the link.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// Whether there is a disk; without one, writes are as durable as they will get at once.
    pub(crate) fn in_use(&self) -> bool {
        self.state.in_use.load(Ordering::Acquire)
    }

    pub(crate) fn durable(&self) -> WriteSeq {
        WriteSeq(self.state.durable.load(Ordering::Acquire))
    }

    pub(crate) fn loaded(&self) -> LoadSeq {
        LoadSeq(self.state.loaded.load(Ordering::Acquire))
    }

    pub(crate) fn fatal(&self) -> Option<&str> {
        self.state.fatal.get().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn news_are_the_latest_however_often_the_bell_rang() {
        let (link, mut news) = link();
        assert!(!news.in_use());
        link.attach();
        link.durable(WriteSeq(3));
        link.durable(WriteSeq(7));
        link.loaded(LoadSeq(2));
        std::future::poll_fn(|cx| news.poll(cx)).await;
        assert!(news.in_use());
        assert_eq!((news.durable(), news.loaded()), (WriteSeq(7), LoadSeq(2)));
        link.durable(WriteSeq(5));
        assert_eq!(news.durable(), WriteSeq(7), "durability does not go back");
        link.fatal("first".to_owned());
        link.fatal("second".to_owned());
        assert_eq!(news.fatal(), Some("first"));
    }
}
