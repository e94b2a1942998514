//! What happened, counted.

/// Most kinds of message that are told apart.
pub const MAX_KINDS: usize = 16;

/// Counts since the world began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages that machines sent.
    pub sent: u64,
    /// Messages that arrived, copies included.
    pub delivered: u64,
    /// Bytes of the messages that arrived; zero unless the trace is [`Full`](crate::Trace::Full).
    pub delivered_bytes: u64,
    /// Messages lost at random.
    pub lost: u64,
    /// Extra copies made at random.
    pub duplicated: u64,
    /// Messages that a partition swallowed.
    pub partitioned: u64,
    /// Messages to a node that is down.
    pub to_dead: u64,
    /// Messages to an address at which another id lives now, or that never existed.
    pub to_stranger: u64,
    /// Timers that fired.
    pub timers: u64,
    /// Calls that were made.
    pub calls: u64,
    /// Groups of writes that a disk failed to synchronise.
    pub failed_syncs: u64,
    /// Times that a machine broke with a peer.
    pub hang_ups: u64,
    /// Events that machines told their users.
    pub events: u64,
    /// Everything that was handled by a machine.
    pub inputs: u64,
    /// Messages sent by kind, as the world's classifier names them.
    pub sent_by_kind: [u64; MAX_KINDS],
    /// Bytes of the messages that arrived, by kind; zero unless the trace is
    /// [`Full`](crate::Trace::Full) and there is a classifier.
    pub delivered_bytes_by_kind: [u64; MAX_KINDS],
}
