//! The loss of a language model, without its logits.

use candle_core::{CpuStorage, CustomOp2, Error, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use crate::floats::{fusable, read};
use crate::math::exp;
use crate::matmul::{Matrix, Old, Threads, multiply};
use crate::simd::{self, vectorised};
use crate::{check, composed};

/// Logits held at a time, 16 MiB: about what stays in a last-level cache between the two products.
const CHUNK_LOGITS: usize = 1 << 22;

/// Rows at a time at least, however large the vocabulary: every chunk reads and writes the whole
/// gradient of the weight, which fewer rows would not pay for.
const CHUNK_ROWS: usize = 256;

/// Mean cross-entropy, in nats, of the next-token distribution `softmax(hidden weight^T)` against
/// `targets`.
///
/// `hidden` is `(N, d)`, `weight` is `(V, d)` (PyTorch's `lm_head`, or the tied embedding),
/// `targets` has one id per row of `hidden`; the result is a scalar. Rows whose target is `ignore`
/// count neither in the loss nor in the mean, and cost nothing.
///
/// The logits are computed some rows at a time and never kept. Where a gradient will be wanted, it
/// is computed there and then, while the logits are at hand, as Liger Kernel does (Hsu et al.
/// 2024): the forward pass is the expensive one.
///
/// # Errors
/// If the shapes do not fit, a target is not below `V`, every target is ignored, or the devices or
/// dtypes differ.
pub fn linear_cross_entropy(
    hidden: &Tensor,
    weight: &Tensor,
    targets: &[u32],
    ignore: Option<u32>,
) -> Result<Tensor> {
    let op = "linear_cross_entropy";
    let (count, width) = check::matrix(op, "hidden", hidden)?;
    let (vocabulary, weight_width) = check::matrix(op, "weight", weight)?;
    if width != weight_width {
        candle_core::bail!(
            "{op}: hidden of shape {:?} does not fit weight of shape {:?}: they must have the same \
             number of columns",
            hidden.dims(),
            weight.dims(),
        )
    }
    if count != targets.len() {
        candle_core::bail!(
            "{op}: hidden of shape {:?} needs a target per row, but there are {}",
            hidden.dims(),
            targets.len(),
        )
    }
    let rows = counted_rows(targets, ignore);
    check::ids(op, "target", rows.iter().map(|&row| (row, targets[row])), vocabulary)?;
    if rows.is_empty() {
        candle_core::bail!("{op}: no target counts: all {count} are the ignored id")
    }
    if !fusable(&[hidden, weight]) {
        return composed::linear_cross_entropy(hidden, weight, targets, ignore);
    }
    let (hidden, weight) = (hidden.contiguous()?, weight.contiguous()?);
    let wanted = Wanted { hidden: hidden.track_op(), weight: weight.track_op() };
    let result = {
        let (hidden, weight) = (read(&hidden)?, read(&weight)?);
        evaluate(&hidden, &weight, width, targets, &rows, wanted)
    };
    let tensor = |values: Option<Vec<f32>>, like: &Tensor| {
        values.map(|values| Tensor::from_vec(values, like.shape(), like.device())).transpose()
    };
    let op = Evaluated {
        loss: result.loss,
        to_hidden: tensor(result.to_hidden, &hidden)?,
        to_weight: tensor(result.to_weight, &weight)?,
    };
    hidden.apply_op2(&weight, op)
}

/// The rows whose target is not the ignored one.
pub(crate) fn counted_rows(targets: &[u32], ignore: Option<u32>) -> Vec<usize> {
    (0..targets.len()).filter(|&row| Some(targets[row]) != ignore).collect()
}

#[derive(Clone, Copy)]
struct Wanted {
    hidden: bool,
    weight: bool,
}

struct Evaluation {
    loss: f32,
    to_hidden: Option<Vec<f32>>,
    to_weight: Option<Vec<f32>>,
}

fn evaluate(
    hidden: &[f32],
    weight: &[f32],
    width: usize,
    targets: &[u32],
    rows: &[usize],
    wanted: Wanted,
) -> Evaluation {
    let vocabulary = weight.len() / width.max(1);
    let weight = Matrix::new(weight, vocabulary, width);
    let chunk = (CHUNK_LOGITS / vocabulary.max(1)).max(CHUNK_ROWS).min(rows.len());
    let gradient_scale = 1.0 / rows.len() as f32;
    let mut to_hidden = wanted.hidden.then(|| vec![0f32; hidden.len()]);
    let mut to_weight = wanted.weight.then(|| vec![0f32; vocabulary * width]);
    let (mut states, mut to_states) = (vec![0f32; chunk * width], vec![0f32; chunk * width]);
    let mut logits = vec![0f32; chunk * vocabulary];
    let mut total = 0f64;
    for rows in rows.chunks(chunk) {
        for (state, &row) in states.chunks_exact_mut(width.max(1)).zip(rows) {
            state.copy_from_slice(&hidden[row * width..][..width]);
        }
        let states = Matrix::new(&states, rows.len(), width);
        let logits = &mut logits[..rows.len() * vocabulary];
        multiply(logits, Old::Overwrite, 1.0, states, weight.t(), Threads::Pool);
        let losses: Vec<f32> = logits
            .par_chunks_exact_mut(vocabulary)
            .zip(rows)
            .map(|(logits, &row)| {
                let target = targets[row] as usize;
                if wanted.hidden || wanted.weight {
                    row_loss_and_gradient(logits, target, gradient_scale)
                } else {
                    row_loss(logits, target)
                }
            })
            .collect();
        total += losses.iter().map(|&loss| f64::from(loss)).sum::<f64>();
        let gradients = Matrix::new(logits, rows.len(), vocabulary);
        if let Some(to_hidden) = &mut to_hidden {
            multiply(&mut to_states, Old::Overwrite, 1.0, gradients, weight, Threads::Pool);
            for (state, &row) in to_states.chunks_exact(width.max(1)).zip(rows) {
                to_hidden[row * width..][..width].copy_from_slice(state);
            }
        }
        if let Some(to_weight) = &mut to_weight {
            multiply(to_weight, Old::Keep, 1.0, gradients.t(), states, Threads::Pool);
        }
    }
    Evaluation { loss: (total / rows.len() as f64) as f32, to_hidden, to_weight }
}

vectorised! {
    /// `log(sum(exp(logits))) - logits[target]`.
    fn row_loss(logits: &[f32], target: usize) -> f32 {
        let max = simd::max(logits);
        let sum = simd::sum_of(logits, |logit| exp(logit - max));
        sum.ln() + (max - logits[target])
    }
}

vectorised! {
    /// The loss; leaves `scale (softmax(logits) - onehot(target))`, its gradient, in `logits`.
    fn row_loss_and_gradient(logits: &mut [f32], target: usize, scale: f32) -> f32 {
        let max = simd::max(logits);
        let distance = max - logits[target];
        for logit in logits.iter_mut() {
            *logit = exp(*logit - max);
        }
        let sum = simd::sum_of(logits, |exponential| exponential);
        let factor = scale / sum;
        for logit in logits.iter_mut() {
            *logit *= factor;
        }
        logits[target] -= scale;
        sum.ln() + distance
    }
}

/// A loss with its gradients already known.
struct Evaluated {
    loss: f32,
    to_hidden: Option<Tensor>,
    to_weight: Option<Tensor>,
}

impl CustomOp2 for Evaluated {
    fn name(&self) -> &'static str {
        "linear_cross_entropy"
    }

    fn cpu_fwd(
        &self,
        _hidden: &CpuStorage,
        _hidden_layout: &Layout,
        _weight: &CpuStorage,
        _weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(vec![self.loss]), Shape::from(())))
    }

    fn bwd(
        &self,
        _hidden: &Tensor,
        _weight: &Tensor,
        _loss: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let scale = gradient.to_scalar::<f32>()?;
        let scaled = |known: &Option<Tensor>| match known {
            // The usual case: the loss is what `backward` was called on.
            Some(known) if scale == 1.0 => Ok(Some(known.clone())),
            Some(known) => known.affine(f64::from(scale), 0.0).map(Some),
            None => Ok::<_, Error>(None),
        };
        Ok((scaled(&self.to_hidden)?, scaled(&self.to_weight)?))
    }
}
