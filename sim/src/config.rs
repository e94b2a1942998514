//! What a world is made of before anything happens in it.

use crate::{Latency, Trace};
use overlay::{Duration, WallMs};

/// The wall clock at the start of every world: 2026-01-01T00:00:00Z. Any fixed instant would do.
pub const EPOCH: WallMs = WallMs(1_767_225_600_000);

/// The settings of a world.
#[derive(Clone, Debug)]
pub struct Config {
    /// Decides everything that is random.
    pub seed: u64,
    /// How long messages travel.
    pub latency: Latency,
    /// Whether the sender of a message to a crashed node learns, one more delay later, that the
    /// peer is down. Otherwise the message is silently lost, as behind a dead router.
    pub detect_down: bool,
    /// Shortest and longest time that a store takes to make a group of writes durable.
    pub fsync: (Duration, Duration),
    /// What goes into the trace hash.
    pub trace: Trace,
    /// Most messages, timers and other things that may be due at a time, if there is a limit.
    /// Machines that answer each message with more than one, for ever, end as a violation rather
    /// than in a run without end.
    pub max_due: Option<usize>,
}

impl Config {
    /// A world with a constant delay of 50 ms, crashes that nobody is told of, and a disk that
    /// takes 0.5 to 10 ms.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            seed,
            latency: Latency::Constant(Duration::from_millis(50)),
            detect_down: false,
            fsync: (Duration::from_micros(500), Duration::from_millis(10)),
            trace: Trace::Full,
            max_due: None,
        }
    }
}
