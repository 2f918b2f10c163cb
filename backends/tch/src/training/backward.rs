//! From a batch to gradients: through one graph, or layer by layer.

use detoxlm_core::training::TokenBatch;
use tch::{Kind, Reduction, Tensor, no_grad};

use crate::attention::attend_differentiably;
use crate::error::Computed;
use crate::network::{Network, Pass};
use crate::place::Place;
use crate::tensors::{size, upload_ids};

/// Logits held at a time, each with its gradient: on the processor, where 64 MiB stay near it, and on a
/// GPU, which is idle between small pieces of work.
const CHUNK_LOGITS: usize = 1 << 24;
const CHUNK_LOGITS_GPU: usize = 1 << 28;

/// A batch on the device.
pub(super) struct Batch {
    /// (sequences, tokens).
    inputs: Tensor,
    /// (sequences * tokens).
    targets: Tensor,
    /// (1, tokens).
    pub(super) positions: Tensor,
}

impl Batch {
    pub(super) fn upload(batch: &TokenBatch, network: &Network) -> Computed<Self> {
        let place = network.place;
        let first = size(network.adaptation.prefix_length());
        let end = first + size(batch.length);
        let positions = Tensor::f_arange_start(first, end, (Kind::Int64, place.device))?;
        Ok(Self {
            inputs: upload_ids(&batch.inputs, &[batch.sequences, batch.length], place)?,
            targets: upload_ids(&batch.targets, &[batch.targets.len()], place)?,
            positions: positions.f_unsqueeze(0)?,
        })
    }
}

/// A pass over a batch for training.
pub(super) struct Trainee<'a> {
    pub(super) network: &'a Network,
    pub(super) parameters: &'a [Tensor],
    pub(super) pass: Pass<'a>,
    pub(super) batch: &'a Batch,
}

impl Trainee<'_> {
    /// The mean next-token loss, in nats.
    pub(super) fn loss(&self) -> Computed<f64> {
        let prefix = self.prefix()?;
        let mut x = self.embed()?;
        for index in 0..self.blocks() {
            x = self.block(index, &x, prefix.as_ref())?;
        }
        Ok(self.head(&x, None)?.0)
    }

    /// Adds the gradients of `weight * loss` through one graph of all blocks; gives the loss.
    pub(super) fn through_one_graph(&self, weight: f64) -> Computed<f64> {
        let prefix = self.prefix()?;
        let mut x = self.embed()?;
        for index in 0..self.blocks() {
            x = self.block(index, &x, prefix.as_ref())?;
        }
        let (loss, slope) = self.head(&x, Some(weight))?;
        backward(&x, &slope)?;
        Ok(loss)
    }

    /// The same layer by layer (Chen et al. 2016): a first pass without a graph leaves the input of every
    /// block; from the last to the first, each is computed again with a graph of its own. Only one
    /// block's activations are held at a time.
    pub(super) fn layer_by_layer(&self, weight: f64) -> Computed<f64> {
        let whole = self.prefix()?;
        let prefix = whole.as_ref().map(leaf).transpose()?;
        let mut inputs = no_grad(|| -> Computed<Vec<Tensor>> {
            let mut inputs = vec![self.embed()?];
            for index in 0..self.blocks() {
                inputs.push(self.block(index, &inputs[index], prefix.as_ref())?);
            }
            Ok(inputs)
        })?;
        let last = inputs.pop().unwrap_or_default();
        let (loss, mut slope) = self.head(&last, Some(weight))?;
        for (index, input) in inputs.iter().enumerate().rev() {
            let input = leaf(input)?;
            backward(&self.block(index, &input, prefix.as_ref())?, &slope)?;
            slope = input.f_grad()?;
        }
        let embedded = self.embed()?;
        if embedded.requires_grad() {
            backward(&embedded, &slope)?;
        }
        if let (Some(whole), Some(prefix)) = (whole, prefix) {
            backward(&whole, &prefix.f_grad()?)?;
        }
        Ok(loss)
    }

    fn blocks(&self) -> usize {
        self.network.architecture.blocks.len()
    }

    fn embed(&self) -> Computed<Tensor> {
        self.pass.embed(&self.batch.inputs)
    }

    fn prefix(&self) -> Computed<Option<Tensor>> {
        self.network.prefix(self.parameters)
    }

    fn block(&self, index: usize, x: &Tensor, prefix: Option<&Tensor>) -> Computed<Tensor> {
        let layer = prefix.map(|prefix| self.network.layer_of(prefix, index)).transpose()?;
        self.pass.block(index, x, &mut |heads| {
            attend_differentiably(&self.network.architecture, heads, layer.as_ref())
        })
    }

    /// The mean loss from what the last block has made and, with a weight, the gradient of
    /// `weight * loss` for it. The logits of a few positions are held at a time, and gone with their
    /// gradients before the next.
    fn head(&self, x: &Tensor, weight: Option<f64>) -> Computed<(f64, Tensor)> {
        let count = self.batch.targets.size1()?;
        let chunk = chunk(self.network.place, self.network.architecture.vocabulary);
        let states = x.f_detach()?.f_flatten(0, -2)?;
        let mut total = Tensor::f_zeros([0_i64; 0], (Kind::Double, x.device()))?;
        let mut slopes = Vec::new();
        let mut start = 0;
        while start < count {
            let length = chunk.min(count - start);
            let part = leaf(&states.f_narrow(0, start, length)?)?;
            let targets = self.batch.targets.f_narrow(0, start, length)?;
            let sum = self.pass.logits(&part)?.f_cross_entropy_loss(
                &targets,
                None::<&Tensor>,
                Reduction::Sum,
                -100,
                0.0,
            )?;
            total = total.f_add(&sum.f_detach()?)?;
            if let Some(weight) = weight {
                sum.f_mul_scalar(weight / count as f64)?.f_backward()?;
                slopes.push(part.f_grad()?);
            }
            start += length;
        }
        let slope = match slopes.is_empty() {
            true => Tensor::new(),
            false => Tensor::f_cat(&slopes, 0)?.f_reshape(x.size())?,
        };
        Ok((total.f_double_value(&[])? / count as f64, slope))
    }
}

/// Positions whose logits are held at a time.
fn chunk(place: Place, vocabulary: usize) -> i64 {
    let held = if place.is_gpu() { CHUNK_LOGITS_GPU } else { CHUNK_LOGITS };
    size((held / vocabulary).max(16))
}

/// The same numbers at the beginning of a graph.
fn leaf(tensor: &Tensor) -> Computed<Tensor> {
    tensor.f_detach()?.f_set_requires_grad(true)
}

/// The backward pass from a tensor whose own gradient is known.
fn backward(output: &Tensor, slope: &Tensor) -> Computed<()> {
    output.f_mul(slope)?.f_sum(None)?.f_backward()
}
