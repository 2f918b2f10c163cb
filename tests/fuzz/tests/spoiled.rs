//! Every target with its seed, spoiled in many ways, the same ones each time.

use detoxlm_fuzz::TARGETS;

const TRIALS: u64 = 200;

#[test]
fn no_target_panics() {
    let trials = std::env::var("DETOXLM_FUZZ_TRIALS").ok().and_then(|text| text.parse().ok());
    // What is caught inside is not news.
    std::panic::set_hook(Box::new(|_| {}));
    let only = std::env::var("DETOXLM_FUZZ_TARGET").ok();
    for target in TARGETS.iter().filter(|t| only.as_deref().is_none_or(|only| only == t.name)) {
        let mut random = Random(7);
        for trial in 0..trials.unwrap_or(TRIALS) {
            let input = spoiled(target.seed, &mut random);
            let outcome = std::panic::catch_unwind(|| (target.run)(&input));
            assert!(outcome.is_ok(), "{} panics in trial {trial} at {input:?}", target.name);
        }
    }
}

/// Bytes changed, cut, doubled or added.
fn spoiled(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(8) {
        let at = random.below(bytes.len() as u64 + 1) as usize;
        match random.below(4) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.below(256) as u8),
            2 => bytes.extend_from_within(..at),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = random.below(256) as u8;
                }
            }
        }
    }
    bytes.truncate(1 << 16);
    bytes
}

/// A linear congruential generator (Knuth's MMIX).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}
