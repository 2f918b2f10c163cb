/// SplitMix64 (Steele, Lea and Flood 2014): draw number i of a stream is a mix of key + i · γ, so
/// streams need no state in common and a draw depends on its key and number alone.
#[derive(Clone, Debug)]
pub(super) struct SplitMix64(u64);

impl SplitMix64 {
    /// The stream of a key.
    pub(super) const fn new(key: u64) -> Self {
        Self(key)
    }

    /// Stream number `stream` of a seed. The number is mixed first: streams of neighbouring keys
    /// would be the same one, shifted.
    pub(super) const fn stream(seed: u64, stream: u64) -> Self {
        let mut key = Self::new(stream);
        Self::new(seed ^ key.next())
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`, by the upper half of a product. Its bias is n / 2⁶⁴.
    pub(super) const fn below(&mut self, n: usize) -> usize {
        ((self.next() as u128 * n as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_those_of_the_reference_implementation() {
        let mut random = SplitMix64::new(1_234_567);
        let draws = [(); 3].map(|()| random.next());
        assert_eq!(
            draws,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn numbers_below_n_are_even() {
        let mut random = SplitMix64::stream(7, 3);
        let mut counts = [0; 5];
        for _ in 0..50_000 {
            counts[random.below(5)] += 1;
        }
        // Five standard deviations of a binomial count.
        assert!(counts.iter().all(|&count: &i32| (count - 10_000).abs() < 450), "{counts:?}");
        assert_eq!(SplitMix64::new(9).below(1), 0);
    }
}
