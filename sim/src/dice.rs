//! Entropy: named generators only, all derived from one seed.

use overlay::{Duration, Id};
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// A stream of random choices. The algorithm is PCG XSL 128/64 (MCG) and every choice is computed
/// with integers, or with the portable logarithm of the crate `libm`, so that a seed means the
/// same on every platform.
#[derive(Clone, Debug)]
pub struct Dice {
    generator: Pcg64Mcg,
}

impl Dice {
    /// The stream number `stream` of a seed. Streams of one seed are independent of each other:
    /// drawing more from one does not change another.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Self {
        Self {
            generator: generator(seed, stream),
        }
    }

    /// Any 64 bits.
    pub fn word(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// A number below `limit`; zero when the limit is zero.
    pub fn below(&mut self, limit: u64) -> u64 {
        // Multiply-shift: the bias is below limit / 2^64.
        ((u128::from(self.word()) * u128::from(limit)) >> 64) as u64
    }

    /// An index into something of `length` elements.
    pub fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// One element, or none of an empty slice.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.index(from.len()))
    }

    /// True `parts` times in a million.
    pub fn in_a_million(&mut self, parts: u32) -> bool {
        parts > 0 && self.below(1_000_000) < u64::from(parts)
    }

    /// A span from `low` to `high`, both included.
    pub fn span(&mut self, low: Duration, high: Duration) -> Duration {
        Duration(low.0 + self.below(high.0.saturating_sub(low.0).saturating_add(1)))
    }

    /// The waiting time until the next event of a Poisson process with this mean.
    pub fn exponential(&mut self, mean: Duration) -> Duration {
        // 53 bits, never zero: the logarithm is finite.
        let uniform = ((self.word() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        Duration((-libm::log(uniform) * mean.0 as f64) as u64)
    }

    /// Any point of the circle.
    pub fn id(&mut self) -> Id {
        let mut id = Id::ZERO;
        self.generator.fill_bytes(&mut id.0);
        id
    }

    /// Brings a slice into random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

/// The generator of one stream.
pub(crate) fn generator(seed: u64, stream: u64) -> Pcg64Mcg {
    Pcg64Mcg::seed_from_u64(mix(seed ^ mix(stream)))
}

/// SplitMix64's finaliser (Steele, Lea and Flood, OOPSLA 2014): every input bit reaches every
/// output bit.
pub(crate) const fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
