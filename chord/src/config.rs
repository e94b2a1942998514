//! How a Chord node behaves: every period, bound and mode, with its default.

use overlay::Duration;
use rand_core::Rng;

/// Longest successor list that is configured or accepted from a peer. Our choice: three times the
/// list that survives half of a large network dying at once (ToN 2003, section 6.1, uses 20).
pub const MAX_SUCCESSORS: usize = 64;

/// A span drawn uniformly from `min..=max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Shortest.
    pub min: Duration,
    /// Longest.
    pub max: Duration,
}

impl Period {
    /// The period from `min` to `max`.
    #[must_use]
    pub const fn new(min: Duration, max: Duration) -> Self {
        Self { min, max }
    }

    /// Draws one span.
    pub fn draw(&self, rng: &mut dyn Rng) -> Duration {
        let width = self.max.as_micros().saturating_sub(self.min.as_micros());
        let offset = if width == 0 {
            0
        } else {
            rng.next_u64() % width.saturating_add(1).max(1)
        };
        Duration(self.min.as_micros().saturating_add(offset))
    }
}

/// How a Chord node behaves.
#[derive(Clone, Debug)]
pub struct ChordConfig {
    /// Length r of the successor list, 1 to [`MAX_SUCCESSORS`]. Default 8: with half of the
    /// neighbours dying at once a member is cut off with probability 1/256.
    pub successors: usize,
    /// The stabilisation period. Default 75 ms to 10 s.
    ///
    /// Adaptive: the shortest after a change of the ring state, doubled up to the longest while
    /// nothing changes, with a jitter of a quarter. Otherwise: drawn uniformly each time.
    pub stabilize: Period,
    /// Whether the period follows the changes, and news of a silent neighbour brings the next
    /// stabilisation forward. Default true. `false` with 15 to 45 s is the paper's experiment on
    /// churn (ToN 2003, section 6.4).
    pub adaptive: bool,
    /// One finger is looked up again every so many stabilisations, once the table is filled, where
    /// fingers are not chosen by proximity or the period is not adaptive (otherwise see the module
    /// `tend`). Default 3: a wrong finger costs hops, never correctness.
    pub fix_fingers_every: u32,
    /// Whether fingers are chosen by round-trip time, [`PARTS`](crate::PARTS) in each octave, and
    /// not the paper's single ones. Default true.
    pub proximity: bool,
    /// How often a query is sent before its receiver is taken for dead. Default 5: with a fifth of
    /// all messages lost, three tries would take a live neighbour for dead once in 21 steps, five
    /// once in 165; and two owners of one part are what a store cannot always mend.
    pub tries: u32,
    /// Shortest wait for the first answer; doubled with every second try. Default 100 ms, so a
    /// neighbour killed on the same machine is found dead 1 s after the first doubt, while a busy
    /// processor may hold a live one up for that long.
    pub min_timeout: Duration,
    /// Whether the ring is maintained at all. `false`: no timer is ever armed, and silence of a
    /// peer changes nothing (the paper's experiment with stabilisation stopped). Default true.
    pub maintain: bool,
    /// A bug to be found by a test. Default none.
    #[cfg(feature = "planted-bugs")]
    pub planted: Option<crate::PlantedBug>,
}

impl Default for ChordConfig {
    fn default() -> Self {
        Self {
            successors: 8,
            stabilize: Period::new(Duration::from_millis(75), Duration::from_secs(10)),
            adaptive: true,
            fix_fingers_every: 3,
            proximity: true,
            tries: 5,
            min_timeout: Duration::from_millis(100),
            maintain: true,
            #[cfg(feature = "planted-bugs")]
            planted: None,
        }
    }
}

impl ChordConfig {
    /// Fingers of an octave.
    pub(crate) const fn parts(&self) -> u16 {
        if self.proximity { crate::PARTS } else { 1 }
    }

    /// The length of the successor list, within its bounds.
    #[must_use]
    pub fn list_length(&self) -> usize {
        self.successors.clamp(1, MAX_SUCCESSORS)
    }
}
