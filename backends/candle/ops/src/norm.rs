//! Layer norm and RMS norm.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};

use crate::buffer::{ROWS, build, build_with, sum_in_order};
use crate::floats::{fusable, gradient_of, read, slice};
use crate::simd::{self, vectorised};
use crate::{check, composed};

/// `(x - mean) / sqrt(variance + eps) * weight + bias` over each row of `x` (Ba et al. 2016), with
/// the biased variance.
///
/// `x` is `(N, d)`, `weight` and `bias` are `(d)`, the result `(N, d)`.
///
/// # Errors
/// If the shapes do not fit, or the devices or dtypes differ.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let (_, width) = check::matrix("layer_norm", "x", x)?;
    check::vector("layer_norm", "weight", weight, width, ("x", x))?;
    check::vector("layer_norm", "bias", bias, width, ("x", x))?;
    if !fusable(&[x, weight, bias]) {
        return composed::layer_norm(x, weight, bias, eps);
    }
    let op = LayerNorm { eps: eps as f32 };
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, op)
}

/// `x / sqrt(mean(x^2) + eps) * weight` over each row of `x` (Zhang and Sennrich 2019).
///
/// `x` is `(N, d)`, `weight` is `(d)`, the result `(N, d)`.
///
/// # Errors
/// If the shapes do not fit, or the devices or dtypes differ.
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let (_, width) = check::matrix("rms_norm", "x", x)?;
    check::vector("rms_norm", "weight", weight, width, ("x", x))?;
    if !fusable(&[x, weight]) {
        return composed::rms_norm(x, weight, eps);
    }
    x.contiguous()?.apply_op2(&weight.contiguous()?, RmsNorm { eps: eps as f32 })
}

struct LayerNorm {
    eps: f32,
}

/// The mean of a row and the reciprocal of its standard deviation.
#[inline(always)]
fn moments(x: &[f32], eps: f32) -> (f32, f32) {
    let count = x.len() as f32;
    let mean = simd::sum_of(x, |x| x) / count;
    let variance = simd::sum_of(x, |x| (x - mean) * (x - mean)) / count;
    (mean, 1.0 / (variance + eps).sqrt())
}

/// The reciprocal of the root of the mean square of a row.
#[inline(always)]
fn reciprocal_rms(x: &[f32], eps: f32) -> f32 {
    1.0 / (simd::dot(x, x) / x.len() as f32 + eps).sqrt()
}

vectorised! {
    fn layer_norm_rows(output: &mut [f32], x: &[f32], weight: &[f32], bias: &[f32], eps: f32) {
        let width = weight.len();
        for (output, x) in output.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            let (mean, scale) = moments(x, eps);
            for (((output, &x), &weight), &bias) in
                output.iter_mut().zip(x).zip(weight).zip(bias)
            {
                *output = (x - mean) * scale * weight + bias;
            }
        }
    }
}

vectorised! {
    /// Writes the gradient of `x`; returns those of the weight and, after it, of the bias.
    fn layer_norm_gradients(
        output: &mut [f32],
        x: &[f32],
        weight: &[f32],
        gradient: &[f32],
        eps: f32,
    ) -> Vec<f32> {
        let width = weight.len();
        let mut sums = vec![0f32; 2 * width];
        let (to_weight, to_bias) = sums.split_at_mut(width);
        let rows = output.chunks_exact_mut(width).zip(x.chunks_exact(width));
        for ((output, x), gradient) in rows.zip(gradient.chunks_exact(width)) {
            let (mean, scale) = moments(x, eps);
            for i in 0..width {
                to_weight[i] += gradient[i] * ((x[i] - mean) * scale);
                to_bias[i] += gradient[i];
                output[i] = gradient[i] * weight[i];
            }
            let shift = simd::sum_of(output, |g| g) / width as f32;
            let slope =
                simd::sum_of_pairs(output, x, |g, x| g * ((x - mean) * scale)) / width as f32;
            for (output, &x) in output.iter_mut().zip(x) {
                *output = scale * (*output - shift - (x - mean) * scale * slope);
            }
        }
        sums
    }
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, weight, bias) =
            (slice(x, x_layout)?, slice(weight, weight_layout)?, slice(bias, bias_layout)?);
        let piece = ROWS * weight.len();
        let output = build(x.len(), piece, |index, output| {
            layer_norm_rows(output, &x[index * piece..], weight, bias, self.eps);
        });
        Ok((CpuStorage::F32(output), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let width = weight.elem_count();
        let (to_x, partials) = gradients(x, weight, gradient, |output, x, weight, gradient| {
            layer_norm_gradients(output, x, weight, gradient, self.eps)
        })?;
        let mut to_weight = sum_in_order(&partials, 2 * width);
        let to_bias = to_weight.split_off(width);
        Ok((to_x, gradient_of(weight, to_weight)?, gradient_of(bias, to_bias)?))
    }
}

/// Runs a kernel of gradients over fixed pieces of the rows: the gradient of `x`, and what the
/// kernel returned for each piece.
fn gradients(
    x: &Tensor,
    weight: &Tensor,
    gradient: &Tensor,
    kernel: impl Fn(&mut [f32], &[f32], &[f32], &[f32]) -> Vec<f32> + Sync,
) -> Result<(Option<Tensor>, Vec<Vec<f32>>)> {
    let gradient = gradient.contiguous()?;
    let (x_guard, weight_guard, gradient_guard) = (read(x)?, read(weight)?, read(&gradient)?);
    let (x_values, weight, gradient) = (&*x_guard, &*weight_guard, &*gradient_guard);
    let piece = ROWS * weight.len();
    let (to_x, partials) = build_with(x_values.len(), piece, |index, output| {
        let start = index * piece;
        kernel(output, &x_values[start..], weight, &gradient[start..])
    });
    Ok((gradient_of(x, to_x)?, partials))
}

struct RmsNorm {
    eps: f32,
}

vectorised! {
    fn rms_norm_rows(output: &mut [f32], x: &[f32], weight: &[f32], eps: f32) {
        let width = weight.len();
        for (output, x) in output.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            let scale = reciprocal_rms(x, eps);
            for ((output, &x), &weight) in output.iter_mut().zip(x).zip(weight) {
                *output = x * scale * weight;
            }
        }
    }
}

vectorised! {
    /// Writes the gradient of `x`; returns that of the weight.
    fn rms_norm_gradients(
        output: &mut [f32],
        x: &[f32],
        weight: &[f32],
        gradient: &[f32],
        eps: f32,
    ) -> Vec<f32> {
        let width = weight.len();
        let mut to_weight = vec![0f32; width];
        let rows = output.chunks_exact_mut(width).zip(x.chunks_exact(width));
        for ((output, x), gradient) in rows.zip(gradient.chunks_exact(width)) {
            let scale = reciprocal_rms(x, eps);
            for i in 0..width {
                to_weight[i] += gradient[i] * (x[i] * scale);
                output[i] = gradient[i] * weight[i];
            }
            let slope = simd::dot(output, x) * scale / width as f32;
            for (output, &x) in output.iter_mut().zip(x) {
                *output = scale * (*output - x * scale * slope);
            }
        }
        to_weight
    }
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms_norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, weight) = (slice(x, x_layout)?, slice(weight, weight_layout)?);
        let piece = ROWS * weight.len();
        let output = build(x.len(), piece, |index, output| {
            rms_norm_rows(output, &x[index * piece..], weight, self.eps);
        });
        Ok((CpuStorage::F32(output), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (to_x, partials) = gradients(x, weight, gradient, |output, x, weight, gradient| {
            rms_norm_gradients(output, x, weight, gradient, self.eps)
        })?;
        let to_weight = sum_in_order(&partials, weight.elem_count());
        Ok((to_x, gradient_of(weight, to_weight)?))
    }
}
