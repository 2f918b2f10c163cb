//! The same operations composed of candle's primitives.
//!
//! They serve devices and dtypes that the fused kernels do not, and are what those are tested
//! against. Differentiable throughout, on any device, in any float dtype that candle multiplies.
//! Arguments, results and errors are those of the operations of the same names in the crate's root,
//! but what does not fit is reported by whichever primitive meets it.

use candle_core::{D, DType, Device, Result, Tensor};

use crate::convolution::{TextConvolutions, before};
use crate::cross_entropy::counted_rows;
use crate::dropout::factors;
use crate::{AttentionShape, Rope, WeightLayout};

/// Composed [`layer_norm`](crate::layer_norm).
///
/// # Errors
/// If a primitive refuses its arguments.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    normalise(&centred, eps)?.broadcast_mul(weight)?.broadcast_add(bias)
}

/// Composed [`rms_norm`](crate::rms_norm).
///
/// # Errors
/// If a primitive refuses its arguments.
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    normalise(x, eps)?.broadcast_mul(weight)
}

/// `x / sqrt(mean(x^2) + eps)` over the last dimension.
fn normalise(x: &Tensor, eps: f64) -> Result<Tensor> {
    x.broadcast_div(&(x.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?)
}

/// Composed [`linear`](crate::linear).
///
/// # Errors
/// If a primitive refuses its arguments.
pub fn linear(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    layout: WeightLayout,
) -> Result<Tensor> {
    let product = match layout {
        WeightLayout::InOut => x.matmul(weight)?,
        WeightLayout::OutIn => x.matmul(&weight.t()?)?,
    };
    match bias {
        Some(bias) => product.broadcast_add(bias),
        None => Ok(product),
    }
}

/// Composed [`frozen_linear`](crate::frozen_linear).
///
/// # Errors
/// If a primitive refuses its arguments.
pub fn frozen_linear(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    layout: WeightLayout,
) -> Result<Tensor> {
    linear(x, &weight.detach(), bias.map(Tensor::detach).as_ref(), layout)
}

/// Composed [`gelu_tanh`](crate::gelu_tanh).
///
/// # Errors
/// If a primitive refuses its arguments.
pub fn gelu_tanh(x: &Tensor) -> Result<Tensor> {
    x.gelu()
}

/// Composed [`gelu_erf`](crate::gelu_erf).
///
/// # Errors
/// If a primitive refuses its arguments.
pub fn gelu_erf(x: &Tensor) -> Result<Tensor> {
    x.gelu_erf()
}

/// Composed [`relu`](crate::relu).
///
/// # Errors
/// If a primitive refuses its arguments.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    x.relu()
}

/// Composed [`silu`](crate::silu).
///
/// # Errors
/// If a primitive refuses its arguments.
pub fn silu(x: &Tensor) -> Result<Tensor> {
    x.silu()
}

/// Composed [`swiglu`](crate::swiglu).
///
/// # Errors
/// If a primitive refuses its arguments.
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    gate.silu()?.mul(up)
}

/// Composed [`add`](crate::add).
///
/// # Errors
/// If a primitive refuses its arguments.
pub fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.add(b)
}

/// Composed [`scaled_add`](crate::scaled_add).
///
/// # Errors
/// If a primitive refuses its arguments.
pub fn scaled_add(x: &Tensor, update: &Tensor, scale: f32) -> Result<Tensor> {
    x.add(&(update * f64::from(scale))?)
}

/// Composed [`dropout`](crate::dropout), for a probability that it takes; the factors are made on the
/// CPU.
///
/// # Errors
/// If a primitive refuses its arguments.
pub fn dropout(x: &Tensor, probability: f64, seed: u64) -> Result<Tensor> {
    let factors = factors(probability, seed, x.elem_count());
    let factors = Tensor::from_vec(factors, x.shape(), &Device::Cpu)?.to_dtype(x.dtype())?;
    x.mul(&factors.to_device(x.device())?)
}

/// Composed [`embedding`](crate::embedding).
///
/// # Errors
/// If a primitive refuses its arguments.
pub fn embedding(weight: &Tensor, ids: &[u32]) -> Result<Tensor> {
    weight.index_select(&Tensor::new(ids, weight.device())?, 0)
}

/// Composed [`linear_cross_entropy`](crate::linear_cross_entropy); materialises the logits of the
/// rows that count.
///
/// # Errors
/// If a primitive refuses its arguments.
pub fn linear_cross_entropy(
    hidden: &Tensor,
    weight: &Tensor,
    targets: &[u32],
    ignore: Option<u32>,
) -> Result<Tensor> {
    let device = hidden.device();
    let rows = counted_rows(targets, ignore);
    let targets: Vec<u32> = rows.iter().map(|&row| targets[row]).collect();
    let rows: Vec<u32> = rows.into_iter().map(|row| row as u32).collect();
    let hidden = hidden.index_select(&Tensor::new(rows, device)?, 0)?;
    let logits = hidden.matmul(&weight.t()?)?;
    let target_logits = logits.gather(&Tensor::new(targets, device)?.unsqueeze(1)?, 1)?;
    (logits.log_sum_exp(D::Minus1)? - target_logits.squeeze(1)?)?.mean_all()
}

/// Composed [`causal_attention`](crate::causal_attention).
///
/// # Errors
/// If a primitive refuses its arguments.
pub fn causal_attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    shape: &AttentionShape,
) -> Result<Tensor> {
    attend([q, k, v], None, shape)
}

/// Composed [`causal_attention_fused`](crate::causal_attention_fused).
///
/// # Errors
/// If a primitive refuses its arguments.
pub fn causal_attention_fused(qkv: &Tensor, shape: &AttentionShape) -> Result<Tensor> {
    let [q, k, v] = parted(qkv, shape)?;
    attend([&q, &k, &v], None, shape)
}

/// Composed [`causal_attention_with_prefix`](crate::causal_attention_with_prefix).
///
/// # Errors
/// If a primitive refuses its arguments.
pub fn causal_attention_with_prefix(
    qkv: &Tensor,
    prefix: &Tensor,
    shape: &AttentionShape,
) -> Result<Tensor> {
    let [q, k, v] = parted(qkv, shape)?;
    attend([&q, &k, &v], Some(prefix), shape)
}

/// Queries, keys and values that lie side by side.
fn parted(qkv: &Tensor, shape: &AttentionShape) -> Result<[Tensor; 3]> {
    let (query_width, key_width) = (shape.query_width(), shape.key_width());
    Ok([
        qkv.narrow(1, 0, query_width)?,
        qkv.narrow(1, query_width, key_width)?,
        qkv.narrow(1, query_width + key_width, key_width)?,
    ])
}

fn attend(
    [q, k, v]: [&Tensor; 3],
    prefix: Option<&Tensor>,
    shape: &AttentionShape,
) -> Result<Tensor> {
    let AttentionShape { batch, time, heads, kv_heads, head_dim, .. } = *shape;
    let split = |tensor: &Tensor, heads: usize| {
        tensor.reshape((batch, time, heads, head_dim))?.transpose(1, 2)?.contiguous()
    };
    let (mut q, mut k, mut v) = (split(q, heads)?, split(k, kv_heads)?, split(v, kv_heads)?);
    let first = prefix.map_or(Ok(0), |prefix| prefix.dim(0))?;
    if let Some(rope) = &shape.rope {
        (q, k) = (rotate(&q, rope, first)?, rotate(&k, rope, first)?);
    }
    if let Some(prefix) = prefix {
        let before = |part: usize, own: Tensor| {
            let rows = prefix.narrow(1, part * shape.key_width(), shape.key_width())?;
            let rows = rows.reshape((first, kv_heads, head_dim))?.transpose(0, 1)?.unsqueeze(0)?;
            Tensor::cat(&[rows.broadcast_as((batch, kv_heads, first, head_dim))?, own], 2)
        };
        (k, v) = (before(0, k)?, before(1, v)?);
    }
    let share = |tensor: Tensor| {
        tensor
            .unsqueeze(2)?
            .broadcast_as((batch, kv_heads, shape.group(), first + time, head_dim))?
            .reshape((batch, heads, first + time, head_dim))
    };
    let (k, v) = (share(k)?, share(v)?);
    let scores = (q.matmul(&k.t()?)? * f64::from(shape.scale))?;
    let scores = scores.broadcast_add(&mask(first, time, scores.dtype(), scores.device())?)?;
    let weights = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?.detach())?.exp()?;
    let weights = weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?;
    weights.matmul(&v)?.transpose(1, 2)?.reshape((batch * time, heads * head_dim))
}

/// 0 where a query, the first of them at position `first`, sees a key, negative infinity where it
/// does not.
fn mask(first: usize, time: usize, dtype: DType, device: &Device) -> Result<Tensor> {
    let keys = first + time;
    let values: Vec<f32> = (0..time * keys)
        .map(|index| if index % keys > first + index / keys { f32::NEG_INFINITY } else { 0.0 })
        .collect();
    Tensor::from_vec(values, (time, keys), device)?.to_dtype(dtype)
}

/// Rotates `x`, `(batch, heads, time, head_dim)`, to the positions from `first` on.
fn rotate(x: &Tensor, rope: &Rope, first: usize) -> Result<Tensor> {
    let (_, _, time, head_dim) = x.dims4()?;
    let half = rope.rotary_dim() / 2;
    let table = |values: &[f32]| {
        let rows = &values[first * half..(first + time) * half];
        Tensor::from_slice(rows, (time, half), x.device())?.to_dtype(x.dtype())
    };
    let (cos, sin) = (table(rope.cos())?, table(rope.sin())?);
    let (a, b) = (x.narrow(3, 0, half)?, x.narrow(3, half, half)?);
    let mut parts = vec![
        (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?,
        (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?,
    ];
    if head_dim > rope.rotary_dim() {
        parts.push(x.narrow(3, rope.rotary_dim(), head_dim - rope.rotary_dim())?);
    }
    Tensor::cat(&parts, 3)
}

/// Composed [`convolve_and_pool`](crate::convolve_and_pool).
///
/// # Errors
/// If a primitive refuses its arguments.
pub fn convolve_and_pool(
    products: &Tensor,
    bias: &Tensor,
    convolutions: &TextConvolutions,
) -> Result<Tensor> {
    let TextConvolutions { lengths, sizes } = convolutions;
    let mut texts = Vec::with_capacity(lengths.len());
    let mut start = 0;
    for &tokens in lengths {
        let text = products.narrow(0, start, tokens)?;
        start += tokens;
        let (mut tap, mut channel) = (0, 0);
        let mut pooled = Vec::with_capacity(2 * sizes.len());
        for &(width, channels) in sizes {
            let (ahead, behind) = (before(width), width - 1 - before(width));
            let mut sum = bias.narrow(0, channel, channels)?.broadcast_as((tokens, channels))?;
            for j in 0..width {
                let block = text.narrow(1, tap + j * channels, channels)?;
                let padded = block.pad_with_zeros(0, ahead, behind)?;
                sum = (sum + padded.narrow(0, j, tokens)?)?;
            }
            let values = sum.relu()?;
            pooled.extend([values.max(0)?, values.mean(0)?]);
            tap += width * channels;
            channel += channels;
        }
        texts.push(Tensor::cat(&pooled, 0)?);
    }
    Tensor::stack(&texts, 0)
}
