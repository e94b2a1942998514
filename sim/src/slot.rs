//! One place in the world: a machine with its address, its entropy, its clock and its disk.

use crate::EPOCH;
use overlay::{Contact, Duration, LoadSeq, Time, WallMs, WriteSeq};
use rand_pcg::Pcg64Mcg;

/// How a node's clocks differ from the world's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// How much faster its clock runs, in parts of a million; negative is slower.
    pub drift_ppm: i32,
    /// How far its wall clock is ahead, in milliseconds; negative is behind.
    pub wall_ahead_ms: i64,
}

impl Clock {
    const MILLION: i128 = 1_000_000;

    /// The node's time at an instant of the world.
    #[must_use]
    pub fn local(self, world: Time) -> Time {
        let scaled = i128::from(world.0) * (Self::MILLION + i128::from(self.drift_ppm));
        Time((scaled / Self::MILLION).clamp(0, i128::from(u64::MAX)) as u64)
    }

    /// The first instant of the world at which the node's time is `local` or later.
    #[must_use]
    pub fn world(self, local: Time) -> Time {
        if self.drift_ppm == 0 {
            return local;
        }
        let rate = (Self::MILLION + i128::from(self.drift_ppm)).max(1);
        let scaled = i128::from(local.0) * Self::MILLION;
        Time(((scaled + rate - 1) / rate).min(i128::from(u64::MAX)) as u64)
    }

    /// The node's wall clock at an instant of the world.
    #[must_use]
    pub fn wall(self, world: Time) -> WallMs {
        let true_ms = EPOCH.0.saturating_add(self.local(world).0 / 1_000);
        WallMs(true_ms.saturating_add_signed(self.wall_ahead_ms))
    }
}

/// What passed between a node and the network, over all its lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Messages that it sent and that arrived.
    pub sent: u64,
    /// Their bytes; zero unless the trace is [`Full`](crate::Trace::Full).
    pub sent_bytes: u64,
    /// Messages that arrived at it.
    pub received: u64,
    /// Their bytes, likewise.
    pub received_bytes: u64,
}

impl Load {
    /// Messages of both directions.
    #[must_use]
    pub const fn messages(self) -> u64 {
        self.sent + self.received
    }

    /// Bytes of both directions.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.sent_bytes + self.received_bytes
    }
}

pub(crate) struct Slot<M> {
    /// None while the node is down.
    pub(crate) machine: Option<M>,
    pub(crate) contact: Contact,
    pub(crate) rng: Pcg64Mcg,
    pub(crate) load: Load,
    /// Counts the nodes that have lived here.
    pub(crate) life: u32,
    pub(crate) clock: Clock,
    /// Added to the delay of everything that reaches the node.
    pub(crate) slow_by: Duration,
    /// Added to the time that its disk takes for anything.
    pub(crate) disk_slow_by: Duration,
    /// Writes up to here are on stable storage.
    pub(crate) durable: WriteSeq,
    /// A group of writes is on its way to stable storage.
    pub(crate) syncing: bool,
    /// The disk fails to synchronise what is written from now on.
    pub(crate) sync_fails: bool,
    /// The last bodies that were asked for, and when the disk is done with them: loads are
    /// answered in their order.
    pub(crate) loading: LoadSeq,
    pub(crate) load_free: Time,
}
