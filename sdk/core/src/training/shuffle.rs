//! A random order of any number of things in constant memory.

use crate::random::{CounterRng, Domain};

/// A permutation of `0..n`: a Feistel network over the next power of four, walked until it lands
/// inside (Black and Rogaway 2002, "Ciphers with arbitrary finite domains").
#[derive(Clone, Copy, Debug)]
pub struct Permutation {
    n: u64,
    half_bits: u32,
    rng: CounterRng,
    epoch: u64,
}

impl Permutation {
    const ROUNDS: u32 = 6;

    /// The order of `n` things in epoch `epoch`.
    #[must_use]
    pub fn new(n: u64, seed: u64, epoch: u64) -> Self {
        let bits = u64::BITS - n.saturating_sub(1).leading_zeros();
        Self {
            n,
            half_bits: bits.div_ceil(2),
            rng: CounterRng::new(seed, Domain::Shuffling),
            epoch,
        }
    }

    /// Which thing is at `position`, both below `n`.
    #[must_use]
    pub fn at(&self, position: u64) -> u64 {
        let mut value = position;
        loop {
            value = self.encrypt(value);
            if value < self.n {
                return value;
            }
        }
    }

    fn encrypt(&self, value: u64) -> u64 {
        let mask = (1_u64 << self.half_bits) - 1;
        let (mut left, mut right) = (value >> self.half_bits, value & mask);
        for round in 0..Self::ROUNDS {
            let noise = self.rng.bits(self.epoch, round, right as u32);
            (left, right) = (right, left ^ (noise & mask));
        }
        left << self.half_bits | right
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thing_comes_once_and_epochs_differ() {
        for n in [1, 2, 3, 7, 64, 65, 1000] {
            let order = |epoch| {
                let permutation = Permutation::new(n, 5, epoch);
                (0..n).map(|i| permutation.at(i)).collect::<Vec<_>>()
            };
            let first = order(0);
            let mut sorted = first.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..n).collect::<Vec<_>>());
            if n > 7 {
                assert_ne!(first, sorted);
                assert_ne!(first, order(1));
            }
        }
    }
}
