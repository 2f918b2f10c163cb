//! Normalisation of rows.

use candle_core::{Result, bail};

use super::parallel::{self, Shared};
use super::reduce;
use super::rows::{check_dense, count};
use super::simd::{Isa, Kernel, Simd};

/// `(x - mean) / sqrt(variance + eps) * weight + bias`, row by row; without a bias, no bias.
///
/// Rows are as wide as `weight`; the variance is the mean of squared deviations. Ba et al. (2016),
/// <https://arxiv.org/abs/1607.06450>, eq. 4.
///
/// # Errors
///
/// If `x` and `out` are not rows of this width, or the bias is not of it.
pub fn layer_norm_rows(
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    eps: f32,
    out: &mut [f32],
) -> Result<()> {
    if let Some(bias) = bias.filter(|bias| bias.len() != weight.len()) {
        bail!("layer norm: a weight of ({}) and a bias of ({})", weight.len(), bias.len());
    }
    each_row("layer norm", x, weight, out, |x, out| LayerNorm { x, weight, bias, eps, out })
}

/// `x / sqrt(mean of squares + eps) * weight`, row by row.
///
/// Rows are as wide as `weight`. Zhang and Sennrich (2019), <https://arxiv.org/abs/1910.07467>,
/// eq. 4.
///
/// # Errors
///
/// If `x` and `out` are not rows of this width.
pub fn rms_norm_rows(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) -> Result<()> {
    each_row("rms norm", x, weight, out, |x, out| RmsNorm { x, weight, eps, out })
}

fn each_row<'a, K: Kernel>(
    what: &str,
    x: &'a [f32],
    weight: &[f32],
    out: &'a mut [f32],
    kernel: impl Fn(&'a [f32], &'a mut [f32]) -> K + Send + Sync,
) -> Result<()> {
    /// Work per element, in multiply-adds.
    const COST: usize = 2;
    let width = weight.len();
    let rows = count(what, x, width)?;
    check_dense(what, out, rows, width)?;
    let (isa, cost, out) = (Isa::detect(), COST * x.len(), Shared::new(out));
    parallel::for_each(rows, cost, |row| {
        // SAFETY: rows do not overlap, and each is one task's.
        let out = unsafe { out.part(row * width, width) };
        isa.run(kernel(&x[row * width..][..width], out));
    });
    Ok(())
}

struct LayerNorm<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    bias: Option<&'a [f32]>,
    eps: f32,
    out: &'a mut [f32],
}

impl Kernel for LayerNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let width = self.x.len() as f32;
        let mean = reduce::sum(self.x, |x| x) / width;
        let variance = reduce::sum(self.x, |x| (x - mean) * (x - mean)) / width;
        let scale = 1.0 / (variance + self.eps).sqrt();
        for ((out, x), weight) in self.out.iter_mut().zip(self.x).zip(self.weight) {
            *out = (x - mean) * scale * weight;
        }
        if let Some(bias) = self.bias {
            for (out, bias) in self.out.iter_mut().zip(bias) {
                *out += bias;
            }
        }
    }
}

struct RmsNorm<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    eps: f32,
    out: &'a mut [f32],
}

impl Kernel for RmsNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let square = reduce::sum(self.x, |x| x * x) / self.x.len() as f32;
        let scale = 1.0 / (square + self.eps).sqrt();
        for ((out, x), weight) in self.out.iter_mut().zip(self.x).zip(self.weight) {
            *out = x * scale * weight;
        }
    }
}
