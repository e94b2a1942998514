//! What waits to be sent to one peer: encoded frames, bounded in number and bytes.
//!
//! While the writer of a connection has nothing to do, it lends its stream to the queue, and
//! [`FrameQueue::send`] writes to it at once: a task less must run for a message. The writer is
//! woken only for what is left over: large messages, and what the stream does not take.

use overlay::wire::{self, MAX_FRAME_BYTES, MAX_MESSAGE_BYTES};
use quinn::SendStream;
use serde::Serialize;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::sync::Notify;

/// Bytes of the length field before each frame.
pub(crate) const LENGTH_BYTES: usize = 4;

/// Room that a queue keeps after a burst; more is given back.
const KEPT_CAPACITY_BYTES: usize = 64 << 10;

/// Bounds of a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Most messages that wait.
    pub(crate) messages: usize,
    /// Most bytes that wait, those included that are being written to streams of their own.
    pub(crate) bytes: usize,
    /// A message longer than this gets a stream of its own.
    pub(crate) frame_bytes: usize,
}

impl Limits {
    /// To a peer: 4,096 messages are what a peer may fall behind in a second of full load; 4 MiB
    /// are four of the largest values. With 4,096 connections that is 16 GiB in theory; in
    /// practice only as many queues fill as this node talks to at a time, some dozens.
    pub(crate) const PEER: Self = Self {
        messages: 4_096,
        bytes: 4 << 20,
        frame_bytes: MAX_FRAME_BYTES,
    };
    /// To a peer, what must not wait: a router asks a neighbour a few things at a time, each at most
    /// a few hundred bytes. What does not find room here would come too late.
    pub(crate) const URGENT: Self = Self {
        messages: 256,
        bytes: 256 << 10,
        frame_bytes: MAX_FRAME_BYTES,
    };
    /// To a client: its requests in flight are bounded already; this bounds what a client that
    /// does not read can make us keep. Beyond it the connection is closed.
    pub(crate) const CLIENT: Self = Self {
        messages: 1 << 16,
        bytes: 64 << 20,
        frame_bytes: MAX_MESSAGE_BYTES,
    };
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It waits, and it is the first: somebody must send it.
    First,
    /// It waits behind others.
    Behind,
    /// Dropped: the queue is full.
    Full,
    /// Dropped: longer than any message may be.
    TooLong,
}

#[derive(Debug, Default)]
struct State {
    frames: Vec<u8>,
    frames_waiting: usize,
    large: Vec<Vec<u8>>,
    large_bytes: usize,
    /// The writer's stream, while the writer waits.
    stream: Option<SendStream>,
    closed: bool,
}

impl State {
    fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.large.is_empty()
    }

    /// Writes as many frames as the stream takes, if it is lent.
    fn write_frames(&mut self) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        // When the stream takes no more, or is broken, the writer finds that out for itself.
        let mut cx = Context::from_waker(Waker::noop());
        let mut written = 0;
        while let Some(rest) = self.frames.get(written..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut *stream).poll_write(&mut cx, rest) {
                Poll::Ready(Ok(count)) => written += count,
                Poll::Ready(Err(_)) | Poll::Pending => break,
            }
        }
        if written == self.frames.len() {
            self.frames.clear();
            self.frames.shrink_to(KEPT_CAPACITY_BYTES);
            self.frames_waiting = 0;
        } else {
            self.frames.drain(..written);
        }
    }
}

/// A bounded queue between the machine's task and the writer of one connection.
#[derive(Debug)]
pub(crate) struct FrameQueue {
    limits: Limits,
    state: Mutex<State>,
    ready: Notify,
}

/// What the writer takes at once.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Frames for the shared stream, with their length fields.
    pub(crate) frames: Vec<u8>,
    /// Messages that get a stream each.
    pub(crate) large: Vec<Vec<u8>>,
    /// The shared stream, which is lent to the queue during [`FrameQueue::take`].
    pub(crate) stream: Option<SendStream>,
}

impl FrameQueue {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: Mutex::default(),
            ready: Notify::new(),
        }
    }

    /// The lock is held for an instant only, and never across a panic that could leave the state
    /// half changed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Encodes a message straight into the queue.
    pub(crate) fn push<T: Serialize>(&self, message: &T) -> Pushed {
        self.push_sized(message).0
    }

    /// The same; says too how long the message is, with its length field.
    pub(crate) fn push_sized<T: Serialize>(&self, message: &T) -> (Pushed, usize) {
        let mut state = self.lock();
        let waiting = state.frames_waiting + state.large.len();
        let start = state.frames.len();
        if state.closed
            || waiting >= self.limits.messages
            || start + state.large_bytes >= self.limits.bytes
        {
            return (Pushed::Full, 0);
        }
        let first = state.is_empty();
        state.frames.extend_from_slice(&[0; LENGTH_BYTES]);
        wire::encode_into(message, &mut state.frames);
        let body = start + LENGTH_BYTES;
        let length = state.frames.len() - body;
        if length > MAX_MESSAGE_BYTES {
            state.frames.truncate(start);
            return (Pushed::TooLong, 0);
        }
        if length > self.limits.frame_bytes {
            let own = state.frames.split_off(body);
            state.frames.truncate(start);
            state.large.push(own);
            state.large_bytes += length;
        } else {
            // The limit above is far below 4 GiB.
            let prefix = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
            if let Some(field) = state.frames.get_mut(start..body) {
                field.copy_from_slice(&prefix);
            }
            state.frames_waiting += 1;
        }
        let pushed = if first { Pushed::First } else { Pushed::Behind };
        (pushed, LENGTH_BYTES + length)
    }

    /// Messages that wait, and their bytes.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        let state = self.lock();
        let messages = state.frames_waiting + state.large.len();
        (messages, state.frames.len() + state.large_bytes)
    }

    /// Sends what waits: at once when the stream is there and takes it, else the writer is woken.
    pub(crate) fn send(&self) {
        let mut state = self.lock();
        state.write_frames();
        if !state.is_empty() {
            self.ready.notify_one();
        }
    }

    /// Nothing more will be taken: the connection is gone.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let stream = state.stream.take();
        drop(state);
        drop(stream);
        self.ready.notify_one();
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Moves everything that waits to another queue, whose connection came up first.
    pub(crate) fn move_to(&self, other: &Self) {
        let mut from = self.lock();
        let mut to = other.lock();
        to.frames.append(&mut from.frames);
        to.large.append(&mut from.large);
        to.frames_waiting += std::mem::take(&mut from.frames_waiting);
        to.large_bytes += std::mem::take(&mut from.large_bytes);
        drop((from, to));
        other.ready.notify_one();
    }

    /// Waits for messages that were not sent at once and takes all of them. `batch` gives its room
    /// back and lends its stream meanwhile. False when the queue is closed.
    pub(crate) async fn take(&self, batch: &mut Batch) -> bool {
        batch.frames.clear();
        batch.frames.shrink_to(KEPT_CAPACITY_BYTES);
        batch.large.clear();
        if let Some(stream) = batch.stream.take() {
            self.lock().stream = Some(stream);
        }
        loop {
            if let Some(open) = self.try_take(batch) {
                return open;
            }
            self.ready.notified().await;
        }
    }

    fn try_take(&self, batch: &mut Batch) -> Option<bool> {
        let mut state = self.lock();
        if state.closed {
            return Some(false);
        }
        if state.is_empty() {
            return None;
        }
        std::mem::swap(&mut state.frames, &mut batch.frames);
        std::mem::swap(&mut state.large, &mut batch.large);
        batch.stream = state.stream.take();
        state.frames_waiting = 0;
        Some(true)
    }

    /// Says that large messages of this length were written or given up.
    pub(crate) fn large_done(&self, bytes: usize) {
        let mut state = self.lock();
        state.large_bytes = state.large_bytes.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Limits = Limits {
        messages: 3,
        bytes: 200,
        frame_bytes: 50,
    };

    #[tokio::test]
    async fn frames_carry_their_length_and_large_messages_go_apart() {
        let queue = FrameQueue::new(SMALL);
        assert_eq!(queue.push(&"abc"), Pushed::First);
        assert_eq!(queue.push(&"x".repeat(60)), Pushed::Behind);
        assert_eq!(queue.push(&"d"), Pushed::Behind);
        let mut batch = Batch::default();
        assert!(queue.take(&mut batch).await);
        assert_eq!(batch.frames, b"\x04\0\0\0\x03abc\x02\0\0\0\x01d");
        assert_eq!(batch.large.len(), 1);
        assert_eq!(batch.large[0].len(), 61);
    }

    #[test]
    fn a_full_queue_drops_the_newest() {
        let queue = FrameQueue::new(SMALL);
        for _ in 0..3 {
            assert_ne!(queue.push(&1u8), Pushed::Full);
        }
        assert_eq!(
            queue.push(&1u8),
            Pushed::Full,
            "more messages than the limit"
        );
        let queue = FrameQueue::new(SMALL);
        assert_eq!(queue.push(&"x".repeat(300)), Pushed::First);
        assert_eq!(queue.push(&1u8), Pushed::Full, "more bytes than the limit");
        queue.large_done(301);
        assert_eq!(queue.push(&1u8), Pushed::Behind);
    }

    #[tokio::test]
    async fn a_closed_queue_ends_its_writer() {
        let queue = FrameQueue::new(SMALL);
        assert_eq!(queue.push(&1u8), Pushed::First);
        queue.close();
        assert!(!queue.take(&mut Batch::default()).await);
        assert_eq!(queue.push(&1u8), Pushed::Full);
    }
}
