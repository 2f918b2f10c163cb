//! Dropout that remembers nothing.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use crate::buffer::build;
use crate::composed;
use crate::floats::{fusable, gradient_of, read, slice};
use crate::simd::vectorised;

/// Sets each element of `x` to zero with the given probability, and divides the others by what is
/// left of one, so that the expected value stays (Srivastava et al. 2014, in the inverted form of
/// today's libraries).
///
/// Which elements are kept follows from the seed and from the element's index alone: the same on any
/// number of threads, and on any device. The backward pass works it out again. Calls with one seed
/// drop the same places, so a caller has a seed of its own for every call: neighbouring numbers do.
///
/// With a probability of 0, the result is `x` itself.
///
/// # Errors
/// If the probability is not in [0, 1).
pub fn dropout(x: &Tensor, probability: f64, seed: u64) -> Result<Tensor> {
    if !(0.0..1.0).contains(&probability) {
        bail!("dropout: the probability must be at least 0 and less than 1, but is {probability}")
    }
    if probability == 0.0 {
        return Ok(x.clone());
    }
    if !fusable(&[x]) {
        return composed::dropout(x, probability, seed);
    }
    x.contiguous()?.apply_op1(Dropout(Mask::new(probability, seed)))
}

/// Elements under one key, and of one task. Part of what a seed means: another number, other masks.
const PIECE: usize = 1 << 14;

/// What every element is multiplied by: a function of its index.
#[derive(Clone, Copy)]
struct Mask {
    seed: u64,
    /// Hashes below drop their element.
    threshold: u32,
    /// Of the elements that are kept.
    factor: f64,
}

impl Mask {
    fn new(probability: f64, seed: u64) -> Self {
        let threshold = (probability * 2f64.powi(32)) as u32;
        Self { seed, threshold, factor: 1.0 / (1.0 - probability) }
    }

    /// The key of a piece of [`PIECE`] elements.
    fn key(&self, piece: usize) -> u64 {
        // The seed is mixed by itself first: otherwise two seeds whose difference is the step would
        // have the same keys, one piece apart.
        mix(mix(self.seed).wrapping_add((piece as u64).wrapping_mul(STEP)))
    }

    /// Whether an element of a piece with this key is kept.
    #[inline(always)]
    fn keeps(&self, key: u64, element: u32) -> bool {
        hash(key, element) >= self.threshold
    }
}

/// 2^64 over the golden ratio, splitmix64's step.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// Output function of splitmix64 (Steele et al. 2014).
fn mix(state: u64) -> u64 {
    let state = state.wrapping_add(STEP);
    let state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}

/// Wellons' triple32, with a key. Unlike [`mix`], it has no products of 64 bits, for which AVX2 has
/// no instruction.
#[inline(always)]
fn hash(key: u64, element: u32) -> u32 {
    let x = element.wrapping_add(key as u32);
    let x = (x ^ (x >> 17)).wrapping_mul(0xED5A_D4BB);
    let x = x ^ (key >> 32) as u32;
    let x = (x ^ (x >> 11)).wrapping_mul(0xAC4C_1B51);
    let x = (x ^ (x >> 15)).wrapping_mul(0x3184_8BAB);
    x ^ (x >> 14)
}

/// The factors of so many elements, 0 or `1 / (1 - probability)`.
pub(crate) fn factors(probability: f64, seed: u64, len: usize) -> Vec<f64> {
    let mask = Mask::new(probability, seed);
    let factor = |index: usize| {
        let kept = mask.keeps(mask.key(index / PIECE), (index % PIECE) as u32);
        if kept { mask.factor } else { 0.0 }
    };
    (0..len).map(factor).collect()
}

vectorised! {
    /// The elements of the piece with this key.
    fn masked(output: &mut [f32], x: &[f32], key: u64, mask: Mask) {
        let factor = mask.factor as f32;
        for (element, (output, &x)) in output.iter_mut().zip(x).enumerate() {
            *output = if mask.keeps(key, element as u32) { x * factor } else { 0.0 };
        }
    }
}

struct Dropout(Mask);

impl Dropout {
    fn apply(&self, x: &[f32]) -> Vec<f32> {
        build(x.len(), PIECE, |piece, output| {
            masked(output, &x[piece * PIECE..], self.0.key(piece), self.0);
        })
    }
}

impl CustomOp1 for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(self.apply(slice(x, layout)?)), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let gradient = gradient.contiguous()?;
        gradient_of(x, self.apply(&read(&gradient)?))
    }
}
