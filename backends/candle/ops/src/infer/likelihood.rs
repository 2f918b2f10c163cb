//! Log-likelihoods from logits.

use candle_core::{Result, bail};

use super::reduce;
use super::simd::{Isa, Kernel, Simd};
use crate::math::exp;

/// The natural logarithm of the probability that `logits` give to `target`, and whether greedy
/// decoding picks it: it is the first of the greatest logits.
///
/// # Errors
///
/// If `target` is not an index of `logits`.
pub fn log_softmax_pick(logits: &[f32], target: usize) -> Result<(f32, bool)> {
    let Some(&logit) = logits.get(target) else {
        bail!("log_softmax_pick: target {target} of {} logits", logits.len());
    };
    let (greatest, sum) = Isa::detect().run(SumOfExponentials { logits });
    let first = logit == greatest && !logits[..target].contains(&greatest);
    Ok((logit - greatest - sum.ln(), first))
}

/// The greatest logit, and the sum of `exp(logit - greatest)`.
struct SumOfExponentials<'a> {
    logits: &'a [f32],
}

impl Kernel for SumOfExponentials<'_> {
    type Output = (f32, f32);

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> (f32, f32) {
        let greatest = reduce::max(self.logits);
        (greatest, reduce::sum(self.logits, |logit| exp(logit - greatest)))
    }
}
