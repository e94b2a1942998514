//! Drawing places of a slice without repeating and without remembering what was drawn.
//!
//! A walk begins anywhere and takes steps of one random size that has no divisor in common with the
//! length, so that it comes to every element exactly once. Each element is equally likely at each
//! step; that two elements are drawn together is not quite independent, which nobody here minds.

use rand_core::Rng;

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
            step: coprime(below((dice >> 32) as u32, count), count),
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

/// The first number from `step` on that has no divisor in common with `count`.
fn coprime(step: usize, count: usize) -> usize {
    let mut step = step.max(1);
    while gcd(step, count) > 1 {
        step += 1;
        if step >= count {
            return 1;
        }
    }
    step.min(count.max(1))
}

const fn gcd(mut one: usize, mut two: usize) -> usize {
    while two != 0 {
        (one, two) = (two, one % two);
    }
    one
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
