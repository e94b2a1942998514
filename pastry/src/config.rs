//! How a Pastry node behaves: every size, period and mode, with its default.

use overlay::Duration;

/// Largest leaf set that is configured or accepted from a peer. Our choice: twice the paper's
/// larger setting, |L| = 32.
pub const MAX_LEAVES: usize = 64;
/// Most bits of a digit: a row of a table has 2^b - 1 slots.
pub const MAX_DIGIT_BITS: u32 = 8;
/// Largest neighbourhood set that is configured or accepted.
pub const MAX_NEIGHBOURHOOD: usize = 64;

/// How a Pastry node behaves.
#[derive(Clone, Debug)]
pub struct PastryConfig {
    /// Bits of a digit, b: 1, 2, 4 or 8. Default 4 (Middleware 2001, section 2.1).
    pub digit_bits: u32,
    /// Size of the leaf set, |L|: even, 2 to [`MAX_LEAVES`]. Default 16.
    pub leaves: usize,
    /// Size of the neighbourhood set, |M|. Default 32.
    pub neighbourhood: usize,
    /// Shortest time between two exchanges of leaf sets: after a change of a nearest neighbour.
    /// Default 100 ms.
    pub exchange_min: Duration,
    /// Longest time between two exchanges: while nothing changes. Default 15 s, the same as for
    /// Chord; with 10 s a quiet node sends a third more.
    pub exchange_max: Duration,
    /// How often a probe of a leaf is sent before it is taken for dead. Default 5, as for Chord.
    pub tries: u32,
    /// Shortest wait for the first answer; doubled with every second try. Default 100 ms.
    pub min_timeout: Duration,
    /// Time between two rounds of looking for nearer entries of the routing table. Default 60 s.
    pub upkeep: Duration,
    /// Share of the lookups that may meet a dead entry of a routing table; entries are probed as
    /// often as that needs at the measured rate of failures (MSPastry, section 4.1, which uses
    /// 5 %). Default 0.05.
    pub target_loss: f64,
    /// Whether entries are chosen by round-trip time. Default true.
    pub proximity: bool,
    /// Whether the tables are maintained at all. `false`: no timer is ever armed, and the silence
    /// of a peer changes nothing. Default true.
    pub maintain: bool,
    /// A bug to be found by a test. Default none.
    #[cfg(feature = "planted-bugs")]
    pub planted: Option<crate::PlantedBug>,
}

impl Default for PastryConfig {
    fn default() -> Self {
        Self {
            digit_bits: 4,
            leaves: 16,
            neighbourhood: 32,
            exchange_min: Duration::from_millis(100),
            exchange_max: Duration::from_secs(15),
            tries: 5,
            min_timeout: Duration::from_millis(100),
            upkeep: Duration::from_secs(60),
            target_loss: 0.05,
            proximity: true,
            maintain: true,
            #[cfg(feature = "planted-bugs")]
            planted: None,
        }
    }
}

impl PastryConfig {
    /// Members on one side of the leaf set, within its bounds.
    #[must_use]
    pub fn half(&self) -> usize {
        (self.leaves / 2).clamp(1, MAX_LEAVES / 2)
    }

    /// Bits of a digit, within their bounds and a divisor of 128.
    #[must_use]
    pub const fn bits(&self) -> u32 {
        match self.digit_bits {
            0 | 1 => 1,
            2 | 3 => 2,
            4..=7 => 4,
            _ => MAX_DIGIT_BITS,
        }
    }
}
