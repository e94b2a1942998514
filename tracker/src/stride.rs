//! Drawing places of a slice without repeating and without remembering what was drawn.
//!
//! A walk begins anywhere and takes steps of one random size that has no divisor in common with the
//! length, so that it comes to every element exactly once. Each element is equally likely at each
//! step; that two elements are drawn together is not quite independent, which nobody here minds.
//!
//! A prime that is longer than the walk has no divisor in common with it. Walks begin three times for
//! each answer, so they are not looked for: there is a list.

use rand_core::Rng;

/// Sizes of steps: primes, the largest of 32 bits. Two walks of one length that begin together differ
/// with a probability of 255 in 256.
const PRIMES: [u32; 256] = largest_primes();

/// The walk, as places below a count.
#[derive(Clone, Debug)]
pub(crate) struct Stride {
    count: usize,
    at: usize,
    step: usize,
    left: usize,
}

impl Stride {
    /// A walk over all places below `count`.
    pub(crate) fn below(count: usize, rng: &mut dyn Rng) -> Self {
        let dice = rng.next_u64();
        Self {
            count,
            at: below(dice as u32, count),
            step: step((dice >> 32) as u8, count),
            left: count,
        }
    }
}

impl Iterator for Stride {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let place = self.at;
        self.at += self.step;
        if self.at >= self.count {
            self.at -= self.count;
        }
        Some(place)
    }
}

/// A number below `count`, by 32 random bits.
fn below(dice: u32, count: usize) -> usize {
    ((u128::from(dice) * count as u128) >> 32) as usize
}

/// A step by a number below 256. A slice that is too long for the list of primes is walked in order.
fn step(dice: u8, count: usize) -> usize {
    let prime = PRIMES.get(usize::from(dice)).copied().unwrap_or(1);
    match u32::try_from(count) {
        Ok(count) if 1 < count && count < prime => (prime % count) as usize,
        _ => 1,
    }
}

const fn largest_primes<const COUNT: usize>() -> [u32; COUNT] {
    let mut primes = [0; COUNT];
    let (mut found, mut candidate) = (0, u32::MAX);
    while found < COUNT {
        if is_prime(candidate) {
            primes[found] = candidate;
            found += 1;
        }
        candidate -= 2;
    }
    primes
}

/// The test of Miller and Rabin for odd numbers beyond 61: of 32 bits these bases leave nothing to
/// chance (Jaeschke 1993).
const fn is_prime(number: u32) -> bool {
    let twos = (number - 1).trailing_zeros();
    let bases = [2, 7, 61];
    let mut place = 0;
    while place < bases.len() {
        if !passes(number, bases[place], twos) {
            return false;
        }
        place += 1;
    }
    true
}

const fn passes(number: u32, base: u64, twos: u32) -> bool {
    let modulus = number as u64;
    let (mut power, mut square, mut left) = (1, base, (number - 1) >> twos);
    while left > 0 {
        if left & 1 == 1 {
            power = power * square % modulus;
        }
        square = square * square % modulus;
        left >>= 1;
    }
    if power == 1 {
        return true;
    }
    let mut round = 0;
    while round < twos {
        if power == modulus - 1 {
            return true;
        }
        power = power * power % modulus;
        round += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64Mcg;

    #[test]
    fn a_walk_comes_to_everything_once() {
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        for count in 0..200_usize {
            let items: Vec<usize> = (0..count).collect();
            let mut walked: Vec<usize> = Stride::below(count, &mut rng).collect();
            walked.sort_unstable();
            assert_eq!(walked, items);
        }
    }

    #[test]
    fn the_steps_are_the_largest_primes() {
        // As listed by C. Caldwell, "Primes just less than a power of two".
        let less = [5, 17, 65, 99, 107, 135, 153, 185, 209, 267];
        assert_eq!(PRIMES[..10], less.map(|less| u32::MAX - (less - 1)));
        let has_divisor = |prime: u32| (3..65_536).step_by(2).any(|it| prime.is_multiple_of(it));
        assert!(!PRIMES.into_iter().any(has_divisor));
    }

    #[test]
    fn everything_is_equally_likely_to_be_drawn() {
        let mut rng = Pcg64Mcg::seed_from_u64(2);
        let mut drawn = [0_u32; 60];
        for _ in 0..20_000 {
            for item in Stride::below(60, &mut rng).take(6) {
                drawn[item] += 1;
            }
        }
        // 2,000 each on average, with a standard deviation of some 42.
        assert!(
            drawn.iter().all(|count| (1_800..2_200).contains(count)),
            "{drawn:?}"
        );
    }
}
