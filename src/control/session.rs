//! One pipelined conversation with a node: frames out, frames in, nothing copied twice.
//!
//! A [`Session`] keeps every byte that is under way in itself, so all of its futures may be
//! dropped and taken up again. It gathers what is queued into one write and hands out all answers
//! that arrived together: a load generator wakes up once for many answers.

use super::client::ClientError;
use super::{ControlBody, ControlReply, ControlRequest, MAX_CONTROL_FRAME_BYTES, ReplyBody};
use crate::tls;
use overlay::{Id, wire};
use quinn::{Connection, ConnectionError, ReadError, RecvStream, SendStream, WriteError};
use std::net::SocketAddr;

/// Bytes of the length in front of each frame.
const LENGTH_BYTES: usize = 4;
/// What one read takes at most: about a hundred small answers, or a piece of a large one.
const READ_BYTES: usize = 64 << 10;
/// An emptied buffer larger than this is given back, so that one large value does not pin memory.
const KEPT_BYTES: usize = 256 << 10;

/// A conversation on one bidirectional stream.
#[derive(Debug)]
pub struct Session {
    connection: Connection,
    addr: SocketAddr,
    send: SendStream,
    recv: RecvStream,
    next_id: u64,
    out: Vec<u8>,
    out_at: usize,
    inbox: Vec<u8>,
    scratch: Box<[u8]>,
}

impl Session {
    pub(super) async fn open(connection: Connection) -> Result<Self, ClientError> {
        let addr = connection.remote_address();
        let (send, recv) = connection
            .open_bi()
            .await
            .map_err(|error| ClientError::lost(addr, &error))?;
        Ok(Self {
            connection,
            addr,
            send,
            recv,
            next_id: 0,
            out: Vec::new(),
            out_at: 0,
            inbox: Vec::new(),
            scratch: vec![0; READ_BYTES].into_boxed_slice(),
        })
    }

    /// The node's address as it was dialled.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The id that the node proved.
    #[must_use]
    pub fn proven_id(&self) -> Option<Id> {
        tls::proven_id(&self.connection)
    }

    /// Queues a request under an id of the caller's choice; [`exchange`](Self::exchange) sends it.
    pub fn queue(&mut self, id: u64, body: ControlBody) {
        let start = self.out.len();
        self.out.extend_from_slice(&[0; LENGTH_BYTES]);
        wire::encode_into(&ControlRequest { id, body }, &mut self.out);
        let length = u32::try_from(self.out.len() - start - LENGTH_BYTES).unwrap_or(u32::MAX);
        if let Some(field) = self.out.get_mut(start..start + LENGTH_BYTES) {
            field.copy_from_slice(&length.to_le_bytes());
        }
    }

    /// Sends what is queued and waits until one answer at least is there; appends all that are.
    /// Cancel-safe.
    ///
    /// # Errors
    /// When the connection is lost or the node speaks nonsense.
    pub async fn exchange(&mut self, replies: &mut Vec<ControlReply>) -> Result<(), ClientError> {
        loop {
            self.take_frames(replies)?;
            if !replies.is_empty() && self.out_at == self.out.len() {
                return Ok(());
            }
            let pending = self.out.get(self.out_at..).unwrap_or_default();
            tokio::select! {
                biased;
                written = self.send.write(pending), if !pending.is_empty() => {
                    self.out_at += written.map_err(|error| self.write_failed(&error))?;
                    self.trim_out();
                }
                read = self.recv.read(&mut self.scratch) => match read {
                    Ok(Some(count)) => {
                        self.inbox.extend_from_slice(self.scratch.get(..count).unwrap_or_default());
                    }
                    Ok(None) => return Err(self.ended()),
                    Err(error) => return Err(self.read_failed(&error)),
                },
            }
        }
    }

    /// Asks one question and waits for its answer; answers to others are passed over.
    ///
    /// # Errors
    /// As [`exchange`](Self::exchange).
    pub async fn call(&mut self, body: ControlBody) -> Result<ReplyBody, ClientError> {
        let id = self.next_id;
        self.next_id += 1;
        self.queue(id, body);
        let mut replies = Vec::new();
        loop {
            self.exchange(&mut replies).await?;
            if let Some(reply) = replies.drain(..).find(|reply| reply.id == id) {
                return Ok(reply.body);
            }
        }
    }

    /// Says goodbye, so that the node need not wait for the idle time-out.
    pub async fn close(self) {
        self.connection.close(0u32.into(), b"done");
        // The farewell leaves with the driver's next turn; a lost one costs the node a time-out.
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }

    fn take_frames(&mut self, replies: &mut Vec<ControlReply>) -> Result<(), ClientError> {
        let mut at = 0;
        while let Some(length) = frame_length(self.inbox.get(at..).unwrap_or_default()) {
            if length > MAX_CONTROL_FRAME_BYTES {
                return Err(self.nonsense(&format!("an answer of {length} bytes")));
            }
            let start = at + LENGTH_BYTES;
            let Some(frame) = self.inbox.get(start..start + length) else {
                break;
            };
            let reply = wire::decode(frame).map_err(|error| self.nonsense(&error.to_string()))?;
            replies.push(reply);
            at = start + length;
        }
        if at == self.inbox.len() {
            self.inbox.clear();
            self.inbox.shrink_to(KEPT_BYTES);
        } else if at > 0 {
            self.inbox.drain(..at);
        }
        Ok(())
    }

    fn trim_out(&mut self) {
        if self.out_at == self.out.len() {
            self.out.clear();
            self.out.shrink_to(KEPT_BYTES);
            self.out_at = 0;
        }
    }

    fn nonsense(&self, what: &str) -> ClientError {
        ClientError::Nonsense {
            addr: self.addr,
            what: what.to_owned(),
        }
    }

    fn ended(&self) -> ClientError {
        match self.connection.close_reason() {
            Some(error) => ClientError::lost(self.addr, &error),
            None => ClientError::Lost {
                addr: self.addr,
                why: "it ended the stream".to_owned(),
            },
        }
    }

    fn read_failed(&self, error: &ReadError) -> ClientError {
        match error {
            ReadError::ConnectionLost(error) => ClientError::lost(self.addr, error),
            other => ClientError::Lost {
                addr: self.addr,
                why: other.to_string(),
            },
        }
    }

    fn write_failed(&self, error: &WriteError) -> ClientError {
        match error {
            WriteError::ConnectionLost(error) => ClientError::lost(self.addr, error),
            other => ClientError::Lost {
                addr: self.addr,
                why: other.to_string(),
            },
        }
    }
}

/// The length of the frame that `bytes` begin with, when they hold that much.
fn frame_length(bytes: &[u8]) -> Option<usize> {
    let field: [u8; LENGTH_BYTES] = bytes.get(..LENGTH_BYTES)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(field)).ok()
}

/// Why a connection broke, in words for a person.
pub(super) fn why_lost(error: &ConnectionError) -> String {
    match error {
        ConnectionError::TimedOut => "it fell silent; it died or is cut off".to_owned(),
        ConnectionError::ApplicationClosed(close) if !close.reason.is_empty() => {
            format!(
                "it closed the connection: {}",
                String::from_utf8_lossy(&close.reason)
            )
        }
        ConnectionError::ApplicationClosed(_) => "it closed the connection".to_owned(),
        ConnectionError::Reset => "it was restarted".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_frame_needs_four_bytes() {
        assert_eq!(frame_length(&[]), None);
        assert_eq!(frame_length(&[1, 0, 0]), None);
        assert_eq!(frame_length(&[1, 2, 0, 0, 9]), Some(513));
    }
}
