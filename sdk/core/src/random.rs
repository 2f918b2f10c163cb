//! Random numbers that depend on their coordinates and on nothing drawn before.

/// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): a keyed
/// bijection of a 128-bit counter.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    const MULTIPLIERS: [u64; 2] = [0xD251_1F53, 0xCD9E_8D57];
    const KEY_STEPS: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
    for _ in 0..10 {
        let [a, b] =
            [MULTIPLIERS[0] * u64::from(counter[0]), MULTIPLIERS[1] * u64::from(counter[2])];
        let (high, low) = (|x: u64| (x >> 32) as u32, |x: u64| x as u32);
        counter = [high(b) ^ counter[1] ^ key[0], low(b), high(a) ^ counter[3] ^ key[1], low(a)];
        key = [key[0].wrapping_add(KEY_STEPS[0]), key[1].wrapping_add(KEY_STEPS[1])];
    }
    counter
}

/// What a stream of random numbers is for: equal coordinates in two domains share nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Domain {
    /// Token draws: (request, sample, draw).
    Decoding = 1,
    /// Order of documents in training: (epoch, round, half).
    Shuffling = 2,
    /// Values of new parameters: (parameter, half of the index, the other half).
    Initialisation = 3,
    /// Which of many texts are taken: (text).
    Sampling = 4,
    /// Pauses between tries: (pause).
    Jitter = 5,
}

/// Random numbers of one seed and purpose, addressed by three coordinates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CounterRng {
    key: [u32; 2],
}

impl CounterRng {
    pub(crate) const fn new(seed: u64, domain: Domain) -> Self {
        // The domain perturbs the key by an odd multiple, so that neighbouring seeds stay apart.
        let key = seed.wrapping_add((domain as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Self { key: [key as u32, (key >> 32) as u32] }
    }

    /// 64 random bits.
    pub(crate) fn bits(self, a: u64, b: u32, c: u32) -> u64 {
        let words = philox([c, b, a as u32, (a >> 32) as u32], self.key);
        u64::from(words[0]) | u64::from(words[1]) << 32
    }

    /// A number in [0, 1) with 53 random bits.
    pub(crate) fn uniform(self, a: u64, b: u32, c: u32) -> f64 {
        (self.bits(a, b, c) >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers published with Random123.
    #[test]
    fn philox_gives_the_published_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(
            philox([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
    }

    #[test]
    fn uniform_fills_the_unit_interval_and_domains_differ() {
        let decoding = CounterRng::new(7, Domain::Decoding);
        let draws: Vec<f64> = (0..10_000).map(|i| decoding.uniform(3, 1, i)).collect();
        assert!(draws.iter().all(|u| (0.0..1.0).contains(u)));
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
        assert_ne!(decoding.bits(3, 1, 0), CounterRng::new(7, Domain::Shuffling).bits(3, 1, 0));
        assert_ne!(decoding.bits(3, 1, 0), CounterRng::new(8, Domain::Decoding).bits(3, 1, 0));
    }
}
