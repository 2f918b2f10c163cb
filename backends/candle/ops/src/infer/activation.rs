//! Activation functions.

use std::f32::consts::FRAC_1_SQRT_2;

use candle_core::Result;

use super::parallel::{self, Shared};
use super::rows::{Rows, count};
use super::simd::{Isa, Kernel, Simd};
use crate::math::exp;

/// Work per element, in multiply-adds.
const COST: usize = 8;

/// GELU by its hyperbolic tangent approximation, in place: GPT-2's `gelu_new`, PyTorch's
/// `approximate="tanh"`. Hendrycks and Gimpel (2016), <https://arxiv.org/abs/1606.08415>, sec. 2.
pub fn gelu_tanh(x: &mut [f32]) {
    each(x, |values| GeluTanh { values });
}

/// GELU by the error function, `x * Phi(x)`, in place; absolute error below `3e-7 * |x|`.
pub fn gelu_erf(x: &mut [f32]) {
    each(x, |values| GeluErf { values });
}

/// `max(x, 0)`, in place. NaN stays NaN.
pub fn relu(x: &mut [f32]) {
    each(x, |values| Relu { values });
}

/// `x * sigmoid(x)`, in place; also called swish.
pub fn silu(x: &mut [f32]) {
    each(x, |values| Silu { values });
}

/// `out = silu(gate) * up` for rows of `width`: the gated unit of Llama and its descendants.
/// Shazeer (2020), <https://arxiv.org/abs/2002.05202>, eq. 6.
///
/// # Errors
///
/// If `out` is not rows of `width`, or the others do not have as many.
pub fn silu_mul(gate: Rows<'_>, up: Rows<'_>, width: usize, out: &mut [f32]) -> Result<()> {
    let rows = count("silu_mul: output", out, width)?;
    gate.check("silu_mul: gate", rows, width)?;
    up.check("silu_mul: up", rows, width)?;
    let (isa, cost, out) = (Isa::detect(), COST * out.len(), Shared::new(out));
    parallel::for_each(rows, cost, |row| {
        // SAFETY: rows do not overlap, and each is one task's.
        let out = unsafe { out.part(row * width, width) };
        isa.run(SiluMul { gate: gate.row(row, width), up: up.row(row, width), out });
    });
    Ok(())
}

/// Runs the kernel over all of `x`, in chunks.
fn each<'a, K: Kernel>(x: &'a mut [f32], kernel: impl Fn(&'a mut [f32]) -> K + Send + Sync) {
    /// Small enough for the first level cache.
    const CHUNK: usize = 4096;
    let (isa, len, x) = (Isa::detect(), x.len(), Shared::new(x));
    parallel::for_each(len.div_ceil(CHUNK), COST * len, |task| {
        let start = task * CHUNK;
        // SAFETY: chunks do not overlap, and each is one task's.
        isa.run(kernel(unsafe { x.part(start, CHUNK.min(len - start)) }));
    });
}

struct GeluTanh<'a> {
    values: &'a mut [f32],
}

impl Kernel for GeluTanh<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        /// `sqrt(2 / pi)`
        const SLOPE: f32 = 0.797_884_6;
        for x in self.values {
            // 1/2 (1 + tanh u) = 1 / (1 + e^-2u), without the cancellation near tanh u = -1.
            let u = SLOPE * (*x + 0.044_715 * *x * *x * *x);
            *x /= 1.0 + exp(-2.0 * u);
        }
    }
}

struct GeluErf<'a> {
    values: &'a mut [f32],
}

impl Kernel for GeluErf<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for x in self.values {
            let half = 0.5 * erfc((*x * FRAC_1_SQRT_2).abs());
            *x *= if *x < 0.0 { half } else { 1.0 - half };
        }
    }
}

struct Relu<'a> {
    values: &'a mut [f32],
}

impl Kernel for Relu<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for x in self.values {
            *x = if *x < 0.0 { 0.0 } else { *x };
        }
    }
}

struct Silu<'a> {
    values: &'a mut [f32],
}

impl Kernel for Silu<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for x in self.values {
            *x = swish(*x);
        }
    }
}

#[inline(always)]
fn swish(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

struct SiluMul<'a> {
    gate: &'a [f32],
    up: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for SiluMul<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for ((out, gate), up) in self.out.iter_mut().zip(self.gate).zip(self.up) {
            *out = swish(*gate) * up;
        }
    }
}

/// Complementary error function of a non-negative number by a Chebyshev fit; relative error of the
/// fit below 1.2e-7. Press et al., Numerical Recipes, sec. 6.2.
#[inline(always)]
fn erfc(a: f32) -> f32 {
    /// From the highest power down.
    const FIT: [f32; 10] = [
        0.170_872_77,
        -0.822_152_2,
        1.488_515_9,
        -1.135_204,
        0.278_868_07,
        -0.186_288_06,
        0.096_784_18,
        0.374_091_96,
        1.000_023_7,
        -1.265_512_2,
    ];
    let t = 1.0 / (1.0 + 0.5 * a);
    let mut power = FIT[0];
    for coefficient in &FIT[1..] {
        power = power * t + coefficient;
    }
    t * exp(power - a * a)
}
