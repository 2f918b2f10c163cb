//! libtorch's tensors, as what computes with them wants them.

use detoxlm_core::Precision;
use detoxlm_transformer::architecture::WeightLayout;
use detoxlm_transformer::eager::{AdamWStep, Heads, Made, Moments, Sight, Tensor, attend};
use tch::{Kind, Reduction, TchError, no_grad};

use crate::dropout::dropout;

/// A tensor of libtorch.
#[derive(Debug)]
pub(crate) struct TchTensor(pub(crate) tch::Tensor);

// SAFETY: libtorch's operations may read one tensor on several threads. `tch::Tensor` itself is not `Sync`
// because it can be changed in place, which here wants it borrowed mutably; whoever changes what others share
// is alone with it: a decode session with its cache, a training with its parameters.
unsafe impl Sync for TchTensor {}

impl Clone for TchTensor {
    fn clone(&self) -> Self {
        Self(self.0.shallow_clone())
    }
}

impl From<tch::Tensor> for TchTensor {
    fn from(tensor: tch::Tensor) -> Self {
        Self(tensor)
    }
}

/// A number as libtorch wants it. No tensor that fits a memory has a larger one.
pub(crate) fn size(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Numbers as libtorch wants them.
pub(crate) fn sizes(shape: &[usize]) -> Vec<i64> {
    shape.iter().map(|&number| size(number)).collect()
}

pub(crate) const fn kind(precision: Precision) -> Kind {
    match precision {
        Precision::Bf16 => Kind::BFloat16,
        _ => Kind::Float,
    }
}

/// Tensors as libtorch's functions of several want them.
fn bare(tensors: &[TchTensor]) -> Vec<&tch::Tensor> {
    tensors.iter().map(|TchTensor(tensor)| tensor).collect()
}

type Computed<V> = Made<V, TchTensor>;

fn made(tensor: Result<tch::Tensor, TchError>) -> Computed<TchTensor> {
    tensor.map(TchTensor)
}

impl Tensor for TchTensor {
    type Error = TchError;
    /// They are kept in the leaves.
    type Gradients = ();

    fn shape(&self) -> Vec<usize> {
        // libtorch's sizes are never negative.
        self.0.size().into_iter().map(|size| usize::try_from(size).unwrap_or(0)).collect()
    }

    fn precision(&self) -> Precision {
        if self.0.kind() == Kind::BFloat16 { Precision::Bf16 } else { Precision::F32 }
    }

    fn to(&self, precision: Precision) -> Computed<Self> {
        made(self.0.f_totype(kind(precision)))
    }

    fn reshape(&self, shape: &[usize]) -> Computed<Self> {
        made(self.0.f_reshape(sizes(shape)))
    }

    fn broadcast(&self, shape: &[usize]) -> Computed<Self> {
        made(self.0.f_expand(sizes(shape), false))
    }

    fn narrow(&self, dimension: usize, start: usize, length: usize) -> Computed<Self> {
        made(self.0.f_narrow(size(dimension), size(start), size(length)))
    }

    fn transpose(&self, one: usize, other: usize) -> Computed<Self> {
        made(self.0.f_transpose(size(one), size(other)))
    }

    fn cat(parts: &[Self], dimension: usize) -> Computed<Self> {
        made(tch::Tensor::f_cat(&bare(parts), size(dimension)))
    }

    fn rows(&self, ids: &Self) -> Computed<Self> {
        made(self.0.f_index_select(0, &ids.0))
    }

    fn add(&self, other: &Self) -> Computed<Self> {
        made(self.0.f_add(&other.0))
    }

    fn sub(&self, other: &Self) -> Computed<Self> {
        made(self.0.f_sub(&other.0))
    }

    fn mul(&self, other: &Self) -> Computed<Self> {
        made(self.0.f_mul(&other.0))
    }

    fn scale(&self, factor: f64) -> Computed<Self> {
        made(self.0.f_mul_scalar(factor))
    }

    fn matmul(&self, other: &Self) -> Computed<Self> {
        made(self.0.f_matmul(&other.0))
    }

    fn linear(&self, weight: &Self, bias: Option<&Self>, layout: WeightLayout) -> Computed<Self> {
        let bias = bias.map(|bias| &bias.0);
        made(match layout {
            WeightLayout::InOut => self.0.f_linear(&weight.0.f_tr()?, bias),
            WeightLayout::OutIn => self.0.f_linear(&weight.0, bias),
        })
    }

    fn tanh(&self) -> Computed<Self> {
        made(self.0.f_tanh())
    }

    fn relu(&self) -> Computed<Self> {
        made(self.0.f_relu())
    }

    fn silu(&self) -> Computed<Self> {
        made(self.0.f_silu())
    }

    fn gelu_erf(&self) -> Computed<Self> {
        made(self.0.f_gelu("none"))
    }

    fn gelu_tanh(&self) -> Computed<Self> {
        made(self.0.f_gelu("tanh"))
    }

    fn embedding(&self, ids: &Self) -> Computed<Self> {
        made(tch::Tensor::f_embedding(&self.0, &ids.0, -1, false, false))
    }

    fn layer_norm(&self, weight: &Self, bias: &Self, epsilon: f64) -> Computed<Self> {
        let (width, weight, bias) = (weight.0.size(), Some(&weight.0), Some(&bias.0));
        made(self.0.f_layer_norm(width, weight, bias, epsilon, true))
    }

    fn rms_norm(&self, weight: &Self, epsilon: f64) -> Computed<Self> {
        made(self.0.f_rms_norm(weight.0.size(), Some(&weight.0), epsilon))
    }

    fn masked_softmax(&self, mask: Option<&Self>) -> Computed<Self> {
        let kind = self.0.f_kind()?;
        let softmax = |scores: &tch::Tensor| scores.f_softmax(-1, Kind::Float)?.f_totype(kind);
        made(match mask {
            None => softmax(&self.0),
            Some(mask) => {
                let hidden = mask.0.f_logical_not()?;
                softmax(&self.0.f_masked_fill(&hidden, f64::NEG_INFINITY)?)
            }
        })
    }

    fn attend(heads: &Heads<Self>, sight: &Sight<'_, Self>, scale: f64) -> Computed<Self> {
        let Heads { query, key, value } = heads;
        let (query, key, value) = (&query.0, &key.0, &value.0);
        let (queries, keys) = (query.size4()?.2, key.size4()?.2);
        let (mask, is_causal) = match sight {
            // The kernels' own rule is another where there are more keys than queries.
            Sight::Causal if queries != keys => return attend(heads, sight, scale),
            Sight::Causal => (None, true),
            Sight::All => (None, false),
            Sight::Masked(mask) => (Some(&mask.0), false),
        };
        let is_grouped = query.size4()?.1 != key.size4()?.1;
        made(tch::Tensor::f_scaled_dot_product_attention(
            query, key, value, mask, 0.0, is_causal, scale, is_grouped,
        ))
    }

    fn dropout(&self, probability: f64, seed: u64) -> Computed<Self> {
        made(dropout(&self.0, probability, seed))
    }

    fn cross_entropy(&self, targets: &Self) -> Computed<Self> {
        let weight = None::<&tch::Tensor>;
        made(self.0.f_cross_entropy_loss(&targets.0, weight, Reduction::Sum, -100, 0.0))
    }

    fn causal_mask(&self, queries: usize, keys: usize) -> Computed<Self> {
        let ones = tch::Tensor::f_ones([size(queries), size(keys)], (Kind::Bool, self.0.device()))?;
        made(ones.f_tril(size(keys) - size(queries)))
    }

    fn up_to(&self, keys: usize) -> Computed<Self> {
        let keys = tch::Tensor::f_arange(size(keys), (Kind::Int64, self.0.device()))?;
        made(keys.f_le_tensor(&self.0.f_unsqueeze(-1)?))
    }

    fn likelihoods(&self, targets: &Self) -> Computed<(Vec<f32>, Vec<bool>)> {
        let targets = targets.0.f_unsqueeze(-1)?;
        let own = self.0.f_gather(-1, &targets, false)?;
        let log_probs = own.f_sub(&self.0.f_logsumexp([-1_i64], true)?)?;
        let ids = tch::Tensor::f_arange(self.0.size2()?.1, (Kind::Int64, self.0.device()))?;
        let equal_before = self.0.f_eq_tensor(&own)?.f_logical_and(&ids.f_lt_tensor(&targets)?)?;
        let beaten = self.0.f_gt_tensor(&own)?.f_logical_or(&equal_before)?.f_any_dim(-1, false)?;
        let greedy = Self(beaten.f_logical_not()?.f_totype(Kind::Float)?).values()?;
        Ok((Self(log_probs).values()?, greedy.into_iter().map(|yes| yes > 0.5).collect()))
    }

    fn values_into(&self, values: &mut [f32]) -> Computed<()> {
        let shape = self.0.size();
        let strides: Vec<i64> =
            (0..shape.len()).map(|index| shape[index + 1..].iter().product()).collect();
        if self.0.numel() != values.len() {
            return Err(TchError::Shape(format!("{shape:?} is not {} values", values.len())));
        }
        // SAFETY: the buffer holds as many values as the shape says, is borrowed alone and outlives the
        // tensor over it, which nobody else sees.
        let mut buffer = unsafe {
            let start = values.as_mut_ptr().cast_const().cast::<u8>();
            tch::Tensor::f_from_blob(start, &shape, &strides, Kind::Float, tch::Device::Cpu)?
        };
        buffer.f_copy_(&self.0.f_detach()?)
    }

    fn sum_of_squares(&self) -> Computed<f64> {
        self.0.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])
    }

    fn detach(&self) -> Self {
        Self(self.0.detach())
    }

    fn leaf(&self) -> Computed<Self> {
        made(self.0.f_detach()?.f_set_requires_grad(true))
    }

    fn has_gradient(&self) -> bool {
        self.0.requires_grad()
    }

    fn backward(
        &self,
        slope: Option<&Self>,
        _leaves: &[&Self],
        (): &mut Self::Gradients,
    ) -> Computed<()> {
        match slope {
            Some(slope) => self.0.f_mul(&slope.0)?.f_sum(None)?.f_backward(),
            None => self.0.f_backward(),
        }
    }

    fn is_reached(&self, (): &Self::Gradients) -> bool {
        self.0.f_grad().is_ok_and(|gradient| gradient.defined())
    }

    fn gradient(&self, (): &mut Self::Gradients) -> Computed<Option<Self>> {
        let gradient = self.0.f_grad()?;
        Ok(gradient.defined().then_some(Self(gradient)))
    }

    fn set_rows(&mut self, start: usize, rows: &Self) -> Computed<()> {
        let count = rows.0.size().first().copied().unwrap_or(0);
        self.0.f_narrow(0, size(start), count)?.f_copy_(&rows.0)
    }

    fn scatter_rows(&mut self, ids: &Self, rows: &Self) -> Computed<()> {
        self.0.f_index_copy_(0, &ids.0, &rows.0).map(drop)
    }

    fn adamw(moments: &mut Moments<Self>, gradient: &Self, step: &AdamWStep) -> Computed<()> {
        let Moments { weights: Self(weights), first: Self(first), second: Self(second) } = moments;
        no_grad(|| {
            let mut gradient = gradient.0.f_mul_scalar(step.clip)?;
            let _ = first.f_lerp_(&gradient, 1.0 - step.beta1)?;
            let _ = second.f_lerp_(&gradient.f_square_()?, 1.0 - step.beta2)?;
            let mut root = second.f_sqrt()?;
            let _ = root.f_mul_scalar_(step.root_correction)?.f_add_scalar_(step.epsilon)?;
            let _ = weights.f_mul_scalar_(step.decay)?;
            let _ = weights.f_sub_(&first.f_div(&root)?.f_mul_scalar_(step.size)?)?;
            Ok(())
        })
    }
}
