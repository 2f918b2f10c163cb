//! One token out of a row of logits.

use crate::{Error, ErrorKind, Result, Sampling};

/// Draws tokens; holds scratch space so that a draw allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    weights: Vec<f32>,
    mass: Vec<f64>,
    boundary: Vec<(f32, u32)>,
}

impl Sampler {
    /// The token that `uniform`, in [0, 1), selects from `logits` under `sampling`.
    ///
    /// Linear in the vocabulary: the nucleus is found by a histogram of the weights' leading bits,
    /// and only the bucket where its edge falls is sorted.
    ///
    /// # Errors
    /// When a logit is not a number or all are minus infinity.
    pub(super) fn draw(
        &mut self,
        logits: &[f32],
        sampling: &Sampling,
        uniform: f64,
    ) -> Result<u32> {
        let (best, highest) = argmax(logits)?;
        if sampling.temperature == 0.0 || sampling.top_k == Some(1) {
            return Ok(best);
        }
        let scale = 1.0 / sampling.temperature;
        self.weights.clear();
        self.weights.extend(logits.iter().map(|&logit| exp((logit - highest) * scale)));
        if let Some(k) = sampling.top_k.filter(|&k| k < logits.len()) {
            self.keep(|_, count| count >= k as u64);
        }
        if sampling.top_p < 1.0 {
            let total: f64 = self.weights.iter().map(|&weight| f64::from(weight)).sum();
            let nucleus = total * f64::from(sampling.top_p);
            self.keep(|mass, _| mass >= nucleus);
        }
        let total: f64 = self.weights.iter().map(|&weight| f64::from(weight)).sum();
        let aim = uniform * total;
        let mut reached = 0.0;
        for (token, &weight) in self.weights.iter().enumerate() {
            reached += f64::from(weight);
            if weight > 0.0 && reached > aim {
                return Ok(token as u32);
            }
        }
        // Only rounding of the last sum can lead here.
        Ok(best)
    }

    /// Keeps the heaviest tokens up to and including the first at which `enough(mass, count)`
    /// of all so far holds, lower ids first among equals; the others' weights become 0.
    fn keep(&mut self, enough: impl Fn(f64, u64) -> bool) {
        /// The sign bit of a weight is 0; its exponent and five bits of mantissa choose the bucket.
        const SHIFT: u32 = 18;
        const BUCKETS: usize = 1 << (31 - SHIFT);
        let bucket_of = |weight: f32| (weight.to_bits() >> SHIFT) as usize;

        self.mass.clear();
        self.mass.resize(2 * BUCKETS, 0.0);
        let (mass, counts) = self.mass.split_at_mut(BUCKETS);
        for &weight in &self.weights {
            let bucket = bucket_of(weight);
            mass[bucket] += f64::from(weight);
            counts[bucket] += 1.0;
        }
        let (mut above_mass, mut above_count, mut edge) = (0.0, 0_u64, 0);
        for bucket in (1..BUCKETS).rev() {
            if counts[bucket] == 0.0 {
                continue;
            }
            edge = bucket;
            let (next_mass, next_count) =
                (above_mass + mass[bucket], above_count + counts[bucket] as u64);
            if enough(next_mass, next_count) {
                break;
            }
            (above_mass, above_count) = (next_mass, next_count);
        }
        self.boundary.clear();
        for (token, weight) in self.weights.iter_mut().enumerate() {
            let bucket = bucket_of(*weight);
            if bucket == edge {
                self.boundary.push((*weight, token as u32));
            }
            if bucket <= edge {
                *weight = 0.0;
            }
        }
        self.boundary.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for &(weight, token) in &self.boundary {
            self.weights[token as usize] = weight;
            above_mass += f64::from(weight);
            above_count += 1;
            if enough(above_mass, above_count) {
                break;
            }
        }
    }
}

/// The most probable token, the lowest id among equals, and its logit.
fn argmax(logits: &[f32]) -> Result<(u32, f32)> {
    let mut best = (0, f32::NEG_INFINITY);
    let mut is_number = true;
    for (token, &logit) in logits.iter().enumerate() {
        is_number &= !logit.is_nan();
        if logit > best.1 {
            best = (token as u32, logit);
        }
    }
    if !is_number || !best.1.is_finite() {
        return Err(Error::new(
            ErrorKind::Diverged,
            "decoding",
            "draw a token",
            "the model's logits are not numbers",
        )
        .with_remedy("its weights are damaged, or its training diverged"));
    }
    Ok(best)
}

/// `e^x` for x <= 0, in a form that the compiler vectorises; relative error below 4e-7, and 0 below
/// -87, so that a token ruled out by minus infinity stays so.
#[inline]
fn exp(x: f32) -> f32 {
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    let is_zero = x < -87.0;
    let x = x.max(-87.0) * std::f32::consts::LOG2_E;
    let whole = (x + ROUND) - ROUND;
    let f = x - whole;
    let p = 1.0
        + f * (std::f32::consts::LN_2
            + f * (0.240_226_5
                + f * (0.055_504_1 + f * (0.009_618_13 + f * (0.001_333_36 + f * 0.000_154_6)))));
    let power = f32::from_bits(p.to_bits().wrapping_add(((whole as i32) << 23) as u32));
    if is_zero { 0.0 } else { power }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{CounterRng, Domain};

    /// Sorts everything: the definition, to compare with.
    fn kept_by_definition(logits: &[f32], sampling: &Sampling) -> Vec<u32> {
        let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut tokens: Vec<(f64, u32)> = (0..)
            .zip(logits)
            .map(|(id, &logit)| (f64::from(exp((logit - highest) / sampling.temperature)), id))
            .collect();
        tokens.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        tokens.truncate(sampling.top_k.unwrap_or(usize::MAX));
        let total: f64 = tokens.iter().map(|token| token.0).sum();
        let mut kept = Vec::new();
        let mut reached = 0.0;
        for (weight, id) in tokens {
            kept.push(id);
            reached += weight;
            if reached >= total * f64::from(sampling.top_p) {
                break;
            }
        }
        kept.sort_unstable();
        kept
    }

    fn noise(seed: u64, n: u32, spread: f64) -> Vec<f32> {
        let rng = CounterRng::new(seed, Domain::Shuffling);
        (0..n).map(|i| ((rng.uniform(0, 0, i) - 0.5) * spread) as f32).collect()
    }

    #[test]
    fn the_kept_set_is_the_definitions() {
        for seed in 0..20 {
            let mut logits = noise(seed, 500, if seed % 2 == 0 { 12.0 } else { 2.0 });
            // Ties at the edge must go to the lower id.
            for i in (0..500).step_by(7) {
                logits[i] = 0.5;
            }
            for sampling in [
                Sampling::default(),
                Sampling::default().with_top_p(0.3),
                Sampling::default().with_top_p(1.0).with_top_k(40),
                Sampling::default().with_top_k(17).with_temperature(0.7),
            ] {
                let mut sampler = Sampler::default();
                sampler.draw(&logits, &sampling, 0.5).unwrap();
                let kept: Vec<u32> = (0..)
                    .zip(&sampler.weights)
                    .filter(|(_, weight)| **weight > 0.0)
                    .map(|(id, _)| id)
                    .collect();
                assert_eq!(kept, kept_by_definition(&logits, &sampling), "{seed} {sampling:?}");
            }
        }
    }

    #[test]
    fn draws_follow_the_distribution() {
        let logits = [0.0_f32, 1.0, 2.0, -1.0];
        let sampling = Sampling::default().with_top_p(1.0);
        let rng = CounterRng::new(1, Domain::Decoding);
        let mut sampler = Sampler::default();
        let mut counts = [0_u32; 4];
        let n = 40_000;
        for i in 0..n {
            let token = sampler.draw(&logits, &sampling, rng.uniform(0, 0, i)).unwrap();
            counts[token as usize] += 1;
        }
        let total: f64 = logits.iter().map(|&logit| f64::from(logit).exp()).sum();
        for (count, &logit) in counts.iter().zip(&logits) {
            let expected = f64::from(logit).exp() / total;
            let seen = f64::from(*count) / f64::from(n);
            // Four standard deviations of a binomial share.
            let tolerance = 4.0 * (expected * (1.0 - expected) / f64::from(n)).sqrt();
            assert!((seen - expected).abs() < tolerance, "{seen} {expected}");
        }
    }

    #[test]
    fn greedy_takes_the_lowest_of_equals_and_nan_is_an_error() {
        let mut sampler = Sampler::default();
        let greedy = Sampling::greedy(1);
        assert_eq!(sampler.draw(&[1.0, 3.0, 3.0], &greedy, 0.9).unwrap(), 1);
        let error = sampler.draw(&[1.0, f32::NAN], &greedy, 0.0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Diverged);
        assert!(sampler.draw(&[f32::NEG_INFINITY; 3], &greedy, 0.0).is_err());
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        let sampling = Sampling::default();
        for i in 0..100 {
            let u = f64::from(i) / 100.0;
            assert_eq!(sampler.draw(&[f32::NEG_INFINITY, 0.0], &sampling, u).unwrap(), 1);
        }
    }
}
