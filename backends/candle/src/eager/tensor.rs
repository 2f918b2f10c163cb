//! candle's tensors, as what computes with them wants them.

use std::collections::HashMap;

use candle_core::{D, DType, Error, Result, Tensor as Candle, TensorId, Var, bail};
use detoxlm_core::Precision;
use detoxlm_transformer::architecture::WeightLayout;
use detoxlm_transformer::eager::{AdamWStep, Made, Moments, Tensor};

use super::slope::with_slopes;

/// Squares that are added up on the device before the sums are.
const SQUARES: usize = 4096;

/// A tensor of candle.
#[derive(Clone, Debug)]
pub(crate) struct CandleTensor(pub(super) Candle);

pub(super) const fn dtype(precision: Precision) -> DType {
    match precision {
        Precision::Bf16 => DType::BF16,
        _ => DType::F32,
    }
}

type Computed<V> = Made<V, CandleTensor>;

fn made(tensor: Result<Candle>) -> Computed<CandleTensor> {
    tensor.map(CandleTensor)
}

/// (rows, width) of what has its width last.
fn flat(x: &Candle) -> Result<Candle> {
    x.reshape(((), x.dim(D::Minus1)?))
}

/// A norm with a scale and, where it centres, a shift, computed in `f32`.
fn norm(x: &Candle, weight: &Candle, bias: Option<&Candle>, epsilon: f64) -> Result<Candle> {
    let exact = |x: &Candle| x.detach().to_dtype(DType::F32);
    let (input, scale) = (exact(&flat(x)?)?, exact(weight)?);
    let is_centred = bias.is_some();
    let input = match is_centred {
        true => input.broadcast_sub(&input.mean_keepdim(D::Minus1)?)?,
        false => input,
    };
    let inverse = (input.sqr()?.mean_keepdim(D::Minus1)? + epsilon)?.sqrt()?.recip()?;
    let value = input.broadcast_mul(&inverse)?;
    let mut output = value.broadcast_mul(&scale)?;
    if let Some(bias) = bias {
        output = output.broadcast_add(&exact(bias)?)?;
    }
    let output = output.reshape(x.shape())?.to_dtype(x.dtype())?;
    let shift = bias.unwrap_or(weight);
    let (shape, kinds) = (x.shape().clone(), [x.dtype(), weight.dtype(), shift.dtype()]);
    let [of_input, of_scale, of_shift] = [x, weight, shift].map(Candle::track_op);
    with_slopes(output, [x, weight, shift], move |slope| {
        let slope = flat(slope)?.to_dtype(DType::F32)?;
        let mut slopes = [None, None, None];
        if of_input {
            let inner = slope.broadcast_mul(&scale)?;
            let along = value.broadcast_mul(&inner.mul(&value)?.mean_keepdim(D::Minus1)?)?;
            let mut rest = inner.sub(&along)?;
            if is_centred {
                rest = rest.broadcast_sub(&inner.mean_keepdim(D::Minus1)?)?;
            }
            slopes[0] = Some(rest.broadcast_mul(&inverse)?.reshape(&shape)?.to_dtype(kinds[0])?);
        }
        if of_scale {
            slopes[1] = Some(slope.mul(&value)?.sum(0)?.to_dtype(kinds[1])?);
        }
        if is_centred && of_shift {
            slopes[2] = Some(slope.sum(0)?.to_dtype(kinds[2])?);
        }
        Ok(slopes)
    })
}

/// `exp(x - max(x))` over the last dimension, and its sums.
fn exponentials(x: &Candle) -> Result<(Candle, Candle)> {
    let powers = x.broadcast_sub(&x.max_keepdim(D::Minus1)?)?.exp()?;
    let sums = powers.sum_keepdim(D::Minus1)?;
    Ok((powers, sums))
}

/// `log(sum(exp(x)))` over the last dimension, (rows, 1).
fn log_sum_exp(x: &Candle) -> Result<Candle> {
    let most = x.max_keepdim(D::Minus1)?;
    x.broadcast_sub(&most)?.exp()?.sum_keepdim(D::Minus1)?.log()?.add(&most)
}

impl Tensor for CandleTensor {
    type Error = Error;
    type Gradients = HashMap<TensorId, Candle>;

    fn shape(&self) -> Vec<usize> {
        self.0.dims().to_vec()
    }

    fn precision(&self) -> Precision {
        if self.0.dtype() == DType::BF16 { Precision::Bf16 } else { Precision::F32 }
    }

    fn to(&self, precision: Precision) -> Computed<Self> {
        made(self.0.to_dtype(dtype(precision)))
    }

    fn reshape(&self, shape: &[usize]) -> Computed<Self> {
        made(self.0.reshape(shape))
    }

    fn broadcast(&self, shape: &[usize]) -> Computed<Self> {
        made(self.0.broadcast_as(shape))
    }

    fn narrow(&self, dimension: usize, start: usize, length: usize) -> Computed<Self> {
        made(self.0.narrow(dimension, start, length))
    }

    fn transpose(&self, one: usize, other: usize) -> Computed<Self> {
        made(self.0.transpose(one, other))
    }

    fn cat(parts: &[Self], dimension: usize) -> Computed<Self> {
        let parts: Vec<_> = parts.iter().map(|Self(part)| part).collect();
        made(Candle::cat(&parts, dimension))
    }

    fn rows(&self, ids: &Self) -> Computed<Self> {
        made(self.0.contiguous()?.index_select(&ids.0, 0))
    }

    fn add(&self, other: &Self) -> Computed<Self> {
        made(self.0.broadcast_add(&other.0))
    }

    fn sub(&self, other: &Self) -> Computed<Self> {
        made(self.0.broadcast_sub(&other.0))
    }

    fn mul(&self, other: &Self) -> Computed<Self> {
        made(self.0.broadcast_mul(&other.0))
    }

    fn scale(&self, factor: f64) -> Computed<Self> {
        made(self.0.affine(factor, 0.0))
    }

    fn matmul(&self, other: &Self) -> Computed<Self> {
        // What is only transposed is multiplied as it lies.
        let transposed = other.0.t()?;
        let other = match transposed.is_contiguous() {
            true => other.0.clone(),
            false => other.0.contiguous()?,
        };
        made(self.0.contiguous()?.matmul(&other))
    }

    fn linear(&self, weight: &Self, bias: Option<&Self>, layout: WeightLayout) -> Computed<Self> {
        let (x, weight) = (&self.0, &weight.0);
        let input = flat(&x.detach())?.contiguous()?;
        // (in, out).
        let matrix = match layout {
            WeightLayout::InOut => weight.detach(),
            WeightLayout::OutIn => weight.detach().t()?,
        };
        let mut output = input.matmul(&matrix)?;
        if let Some(Self(bias)) = bias {
            output = output.broadcast_add(&bias.detach())?;
        }
        let mut shape = x.dims().to_vec();
        if let Some(width) = shape.last_mut() {
            *width = output.dim(1)?;
        }
        let shift = bias.map_or(weight, |Self(bias)| bias);
        let is_shifted = bias.is_some();
        let of = [x, weight, shift].map(Candle::track_op);
        let dims = x.dims().to_vec();
        made(with_slopes(output.reshape(shape)?, [x, weight, shift], move |slope| {
            let slope = flat(slope)?.contiguous()?;
            let mut slopes = [None, None, None];
            if of[0] {
                slopes[0] = Some(slope.matmul(&matrix.t()?)?.reshape(dims.as_slice())?);
            }
            if of[1] {
                slopes[1] = Some(match layout {
                    WeightLayout::InOut => input.t()?.matmul(&slope)?,
                    WeightLayout::OutIn => slope.t()?.matmul(&input)?,
                });
            }
            if is_shifted && of[2] {
                slopes[2] = Some(slope.sum(0)?);
            }
            Ok(slopes)
        }))
    }

    fn tanh(&self) -> Computed<Self> {
        made(self.0.tanh())
    }

    fn relu(&self) -> Computed<Self> {
        made(self.0.relu())
    }

    fn silu(&self) -> Computed<Self> {
        made(self.0.silu())
    }

    fn gelu_erf(&self) -> Computed<Self> {
        made(self.0.gelu_erf())
    }

    fn gelu_tanh(&self) -> Computed<Self> {
        made(self.0.gelu())
    }

    fn embedding(&self, ids: &Self) -> Computed<Self> {
        let mut shape = ids.0.dims().to_vec();
        shape.push(self.0.dim(1)?);
        made(self.0.index_select(&ids.0.flatten_all()?, 0)?.reshape(shape))
    }

    fn layer_norm(&self, weight: &Self, bias: &Self, epsilon: f64) -> Computed<Self> {
        made(norm(&self.0, &weight.0, Some(&bias.0), epsilon))
    }

    fn rms_norm(&self, weight: &Self, epsilon: f64) -> Computed<Self> {
        made(norm(&self.0, &weight.0, None, epsilon))
    }

    fn masked_softmax(&self, mask: Option<&Self>) -> Computed<Self> {
        let scores = self.0.detach().to_dtype(DType::F32)?;
        let scores = match mask {
            None => scores,
            Some(Self(mask)) => {
                let hidden = Candle::new(f32::NEG_INFINITY, scores.device())?
                    .broadcast_as(scores.shape())?;
                mask.broadcast_as(scores.shape())?.where_cond(&scores, &hidden)?
            }
        };
        let (powers, sums) = exponentials(&scores)?;
        let weights = powers.broadcast_div(&sums)?;
        let kind = self.0.dtype();
        let output = weights.to_dtype(kind)?;
        made(with_slopes(output, [&self.0; 3], move |slope| {
            let slope = slope.to_dtype(DType::F32)?;
            let mean = slope.mul(&weights)?.sum_keepdim(D::Minus1)?;
            let slope = slope.broadcast_sub(&mean)?.mul(&weights)?.to_dtype(kind)?;
            Ok([Some(slope), None, None])
        }))
    }

    fn dropout(&self, probability: f64, seed: u64) -> Computed<Self> {
        made(candle_fused_ops::composed::dropout(&self.0, probability, seed))
    }

    fn cross_entropy(&self, targets: &Self) -> Computed<Self> {
        let logits = self.0.detach();
        let targets = targets.0.unsqueeze(1)?;
        let total = log_sum_exp(&logits)?.sub(&logits.gather(&targets, 1)?)?.sum_all()?;
        made(with_slopes(total, [&self.0; 3], move |slope| {
            let (powers, sums) = exponentials(&logits)?;
            let ones = targets.ones_like()?.to_dtype(DType::F32)?.neg()?;
            let slopes = powers.broadcast_div(&sums)?.scatter_add(&targets, &ones, 1)?;
            Ok([Some(slopes.broadcast_mul(slope)?), None, None])
        }))
    }

    fn causal_mask(&self, queries: usize, keys: usize) -> Computed<Self> {
        let first = u32::try_from(keys.saturating_sub(queries)).unwrap_or(u32::MAX);
        let end = u32::try_from(keys).unwrap_or(u32::MAX);
        Self(Candle::arange(first, end, self.0.device())?).up_to(keys)
    }

    fn up_to(&self, keys: usize) -> Computed<Self> {
        let end = u32::try_from(keys).unwrap_or(u32::MAX);
        let keys = Candle::arange(0, end, self.0.device())?;
        made(self.0.unsqueeze(D::Minus1)?.broadcast_ge(&keys))
    }

    fn likelihoods(&self, targets: &Self) -> Computed<(Vec<f32>, Vec<bool>)> {
        let logits = &self.0;
        let targets = targets.0.unsqueeze(1)?;
        let own = logits.gather(&targets, 1)?;
        let log_probs = own.sub(&log_sum_exp(logits)?)?;
        let ids =
            Candle::arange(0, u32::try_from(logits.dim(1)?).unwrap_or(u32::MAX), logits.device())?;
        let is_before = targets.broadcast_gt(&ids)?;
        let beaten =
            is_before.where_cond(&logits.broadcast_ge(&own)?, &logits.broadcast_gt(&own)?)?;
        let beaten = beaten.to_dtype(DType::F32)?.max(1)?.to_vec1::<f32>()?;
        let greedy = beaten.into_iter().map(|beaten| beaten < 0.5).collect();
        Ok((log_probs.flatten_all()?.to_vec1()?, greedy))
    }

    fn values_into(&self, values: &mut [f32]) -> Computed<()> {
        let found = self.0.flatten_all()?.to_vec1::<f32>()?;
        if found.len() != values.len() {
            bail!("{:?} is not {} values", self.0.dims(), values.len());
        }
        values.copy_from_slice(&found);
        Ok(())
    }

    fn sum_of_squares(&self) -> Computed<f64> {
        let squares = self.0.flatten_all()?.sqr()?;
        let count = squares.elem_count();
        let whole = count - count % SQUARES;
        let sum = |sums: Candle| -> Result<f64> {
            Ok(sums.to_vec1::<f32>()?.into_iter().map(f64::from).sum())
        };
        let of_whole = match whole {
            0 => 0.0,
            _ => sum(squares.narrow(0, 0, whole)?.reshape(((), SQUARES))?.sum(1)?)?,
        };
        Ok(of_whole + sum(squares.narrow(0, whole, count - whole)?)?)
    }

    fn detach(&self) -> Self {
        Self(self.0.detach())
    }

    fn leaf(&self) -> Computed<Self> {
        Ok(Self(Var::from_tensor(&self.0.detach())?.into_inner()))
    }

    fn has_gradient(&self) -> bool {
        self.0.track_op()
    }

    fn backward(
        &self,
        slope: Option<&Self>,
        leaves: &[&Self],
        gradients: &mut Self::Gradients,
    ) -> Computed<()> {
        let mut store = match slope {
            Some(slope) => self.0.mul(&slope.0)?.sum_all()?.backward()?,
            None => self.0.backward()?,
        };
        for Self(leaf) in leaves {
            let Some(gradient) = store.remove(leaf) else { continue };
            let sum = match gradients.remove(&leaf.id()) {
                Some(sum) => sum.add(&gradient)?,
                None => gradient,
            };
            gradients.insert(leaf.id(), sum.detach());
        }
        Ok(())
    }

    fn is_reached(&self, gradients: &Self::Gradients) -> bool {
        gradients.contains_key(&self.0.id())
    }

    fn gradient(&self, gradients: &mut Self::Gradients) -> Computed<Option<Self>> {
        Ok(gradients.remove(&self.0.id()).map(Self))
    }

    #[expect(clippy::disallowed_methods, reason = "a cache of keys and values is in no graph")]
    fn set_rows(&mut self, start: usize, rows: &Self) -> Computed<()> {
        // They may lie in this very memory.
        self.0.slice_set(&rows.0.force_contiguous()?, 0, start)
    }

    #[expect(clippy::disallowed_methods, reason = "a cache of keys and values is in no graph")]
    fn scatter_rows(&mut self, ids: &Self, rows: &Self) -> Computed<()> {
        let mut shape = vec![1; rows.0.rank()];
        shape[0] = ids.0.elem_count();
        let ids = ids.0.reshape(shape)?.broadcast_as(rows.0.shape())?.contiguous()?;
        self.0.scatter_set(&ids, &rows.0.contiguous()?, 0)
    }

    fn adamw(moments: &mut Moments<Self>, gradient: &Self, step: &AdamWStep) -> Computed<()> {
        let gradient = gradient.0.affine(step.clip, 0.0)?;
        let mean = |old: &Self, beta: f64, new: &Candle| {
            old.0.affine(beta, 0.0)?.add(&new.affine(1.0 - beta, 0.0)?)
        };
        let first = mean(&moments.first, step.beta1, &gradient)?;
        let second = mean(&moments.second, step.beta2, &gradient.sqr()?)?;
        let root = second.sqrt()?.affine(step.root_correction, step.epsilon)?;
        let weights = moments.weights.0.affine(step.decay, 0.0)?;
        let weights = weights.sub(&first.div(&root)?.affine(step.size, 0.0)?)?;
        *moments = Moments { weights: Self(weights), first: Self(first), second: Self(second) };
        Ok(())
    }
}
