//! A window of requests in flight: the engine of the load generator and of the demo.

use super::client::ClientError;
use super::session::Session;
use super::{ControlBody, ReplyBody};
use std::time::Duration;
use tokio::time::Instant;

/// A window looks for overdue requests this many times within one time-out.
const LOOKS_PER_TIMEOUT: u32 = 4;

/// Why one request of a window has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// The time-out passed.
    TimedOut,
    /// The connection was lost while the request was under way.
    Lost,
}

/// One request under way.
struct Flight<T> {
    id: u64,
    tag: T,
    sent: Instant,
}

/// Up to `limit` requests in flight on one session.
pub struct Window<'a> {
    /// The conversation.
    pub session: &'a mut Session,
    /// Most requests in flight; one at least.
    pub limit: usize,
    /// How long one request may take.
    pub timeout: Duration,
}

impl Window<'_> {
    /// Keeps the window full from `next` until it has no more, and hands every answer to `done`
    /// with the time that it took. Every request that `next` gave is handed to `done` once.
    ///
    /// # Errors
    /// When the connection is lost; the requests then in flight are handed out as missed.
    pub async fn run<T>(
        self,
        mut next: impl FnMut() -> Option<(T, ControlBody)>,
        mut done: impl FnMut(T, Result<ReplyBody, Missed>, Duration),
    ) -> Result<(), ClientError> {
        let limit = self.limit.max(1);
        let mut slots: Vec<Option<Flight<T>>> =
            std::iter::repeat_with(|| None).take(limit).collect();
        let mut free: Vec<usize> = (0..limit).rev().collect();
        let mut serial = 0u64;
        let mut replies = Vec::with_capacity(limit);
        let look_every = self.timeout / LOOKS_PER_TIMEOUT;
        let look = tokio::time::sleep(look_every);
        tokio::pin!(look);
        loop {
            while !free.is_empty() {
                let Some((tag, body)) = next() else { break };
                let Some(slot) = free.pop() else { break };
                let id = serial * limit as u64 + slot as u64;
                serial += 1;
                self.session.queue(id, body);
                slots[slot] = Some(Flight {
                    id,
                    tag,
                    sent: Instant::now(),
                });
            }
            if free.len() == limit {
                return Ok(());
            }
            let result = tokio::select! {
                biased;
                result = self.session.exchange(&mut replies) => result,
                () = &mut look => {
                    look.as_mut().reset(Instant::now() + look_every);
                    give_up(&mut slots, &mut free, Missed::TimedOut, self.timeout, &mut done);
                    continue;
                }
            };
            let now = Instant::now();
            for reply in replies.drain(..) {
                let slot = (reply.id % limit as u64) as usize;
                // A late answer, to a request that was given up, meets another id or nothing.
                if let Some(flight) = slots[slot].take_if(|flight| flight.id == reply.id) {
                    free.push(slot);
                    done(flight.tag, Ok(reply.body), now - flight.sent);
                }
            }
            if let Err(error) = result {
                give_up(
                    &mut slots,
                    &mut free,
                    Missed::Lost,
                    Duration::ZERO,
                    &mut done,
                );
                return Err(error);
            }
        }
    }
}

fn give_up<T>(
    slots: &mut [Option<Flight<T>>],
    free: &mut Vec<usize>,
    why: Missed,
    older_than: Duration,
    done: &mut impl FnMut(T, Result<ReplyBody, Missed>, Duration),
) {
    let now = Instant::now();
    for (slot, held) in slots.iter_mut().enumerate() {
        if let Some(flight) = held.take_if(|flight| now - flight.sent >= older_than) {
            free.push(slot);
            done(flight.tag, Err(why), now - flight.sent);
        }
    }
}
