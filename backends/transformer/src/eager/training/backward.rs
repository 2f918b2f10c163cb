//! From a batch to gradients: through one graph, or layer by layer.

use detoxlm_core::training::TokenBatch;

use crate::eager::attention::{Sight, attend, behind};
use crate::eager::ids::id;
use crate::eager::network::{Network, Pass};
use crate::eager::place::Place;
use crate::eager::tensor::{Computed, Tensor};

/// Logits held at a time, each with its gradient: on the processor, where 64 MiB stay near it, and on a
/// GPU, which is idle between small pieces of work.
const CHUNK_LOGITS: usize = 1 << 24;
const CHUNK_LOGITS_GPU: usize = 1 << 28;

/// A batch on the device.
pub(super) struct Batch<P: Place> {
    /// (sequences, tokens).
    inputs: P::Tensor,
    /// (sequences * tokens).
    targets: P::Tensor,
    count: usize,
    /// (1, tokens).
    positions: P::Tensor,
}

impl<P: Place> Batch<P> {
    pub(super) fn upload(batch: &TokenBatch, network: &Network<P>) -> Computed<Self, P> {
        let place = &network.place;
        let first = id(network.adaptation.prefix_length());
        let positions: Vec<u32> = (first..).take(batch.length).collect();
        Ok(Self {
            inputs: place.ids(&batch.inputs, &[batch.sequences, batch.length])?,
            targets: place.ids(&batch.targets, &[batch.targets.len()])?,
            count: batch.targets.len(),
            positions: place.ids(&positions, &[1, batch.length])?,
        })
    }
}

/// A pass over a batch with some parameters.
pub(super) struct Trainee<'a, P: Place> {
    network: &'a Network<P>,
    parameters: &'a [P::Tensor],
    pass: Pass<'a, P>,
    batch: &'a Batch<P>,
}

impl<'a, P: Place> Trainee<'a, P> {
    /// With a seed, what is dropped is dropped by it.
    pub(super) fn new(
        network: &'a Network<P>,
        parameters: &'a [P::Tensor],
        batch: &'a Batch<P>,
        dropout_seed: Option<u64>,
    ) -> Computed<Self, P> {
        let pass = network.pass(parameters, &batch.positions, dropout_seed)?;
        Ok(Self { network, parameters, pass, batch })
    }

    /// The mean next-token loss, in nats.
    pub(super) fn loss(&self) -> Computed<f64, P> {
        let x = self.all_blocks(self.prefix()?.as_ref())?;
        Ok(self.head(&x, None)?.0)
    }

    /// Adds gradients through one graph of all blocks; gives the loss.
    pub(super) fn through_one_graph(&self, mut to: Gradient<'_, P>) -> Computed<f64, P> {
        let x = self.all_blocks(self.prefix()?.as_ref())?;
        let (loss, slope) = self.head(&x, Some(&mut to))?;
        to.add(&x, slope.as_ref(), &[])?;
        Ok(loss)
    }

    /// The same layer by layer (Chen et al. 2016): `detached`, the same pass over parameters that build no
    /// graph, leaves the input of every block; from the last to the first, each is computed again with a
    /// graph of its own. Only one block's activations are held at a time.
    pub(super) fn layer_by_layer(
        &self,
        detached: &Self,
        mut to: Gradient<'_, P>,
    ) -> Computed<f64, P> {
        let whole = self.prefix()?;
        let prefix = whole.as_ref().map(Tensor::leaf).transpose()?;
        let kept = prefix.as_ref().map(Tensor::detach);
        let mut x = detached.embed()?;
        let mut inputs = Vec::with_capacity(self.blocks());
        for index in 0..self.blocks() {
            let output = detached.block(index, &x, kept.as_ref())?;
            inputs.push(std::mem::replace(&mut x, output));
        }
        let (loss, mut slope) = self.head(&x, Some(&mut to))?;
        for (index, input) in inputs.iter().enumerate().rev() {
            let input = input.leaf()?;
            let output = self.block(index, &input, prefix.as_ref())?;
            let leaves: Vec<_> = prefix.iter().chain([&input]).collect();
            to.add(&output, slope.as_ref(), &leaves)?;
            slope = input.gradient(to.sums)?;
        }
        let embedded = self.embed()?;
        if embedded.has_gradient() {
            to.add(&embedded, slope.as_ref(), &[])?;
        }
        if let (Some(whole), Some(prefix)) = (whole, prefix) {
            let slope = prefix.gradient(to.sums)?;
            to.add(&whole, slope.as_ref(), &[])?;
        }
        Ok(loss)
    }

    fn blocks(&self) -> usize {
        self.network.architecture.blocks.len()
    }

    fn embed(&self) -> Computed<P::Tensor, P> {
        self.pass.embed(&self.batch.inputs)
    }

    fn prefix(&self) -> Computed<Option<P::Tensor>, P> {
        self.network.prefix(self.parameters)
    }

    /// What the last block makes.
    fn all_blocks(&self, prefix: Option<&P::Tensor>) -> Computed<P::Tensor, P> {
        let mut x = self.embed()?;
        for index in 0..self.blocks() {
            x = self.block(index, &x, prefix)?;
        }
        Ok(x)
    }

    fn block(
        &self,
        index: usize,
        x: &P::Tensor,
        prefix: Option<&P::Tensor>,
    ) -> Computed<P::Tensor, P> {
        let layer = prefix.map(|prefix| self.network.layer_of(prefix, index)).transpose()?;
        let scale = f64::from(self.network.architecture.attention_scale());
        self.pass.block(index, x, &mut |heads| {
            attend(&behind(heads, layer.as_ref())?, &Sight::Causal, scale)
        })
    }

    /// The mean loss from what the last block has made and, where gradients are wanted, that for what the
    /// last block has made. The logits of a few positions are held at a time, and gone with their gradients
    /// before the next.
    fn head(
        &self,
        x: &P::Tensor,
        mut to: Option<&mut Gradient<'_, P>>,
    ) -> Computed<(f64, Option<P::Tensor>), P> {
        let count = self.batch.count;
        let shape = x.shape();
        let chunk = chunk(&self.network.place, self.network.architecture.vocabulary);
        let states = x.detach().reshape(&[count, self.network.architecture.width])?;
        let mut sums = Vec::new();
        let mut slopes = Vec::new();
        for start in (0..count).step_by(chunk) {
            let length = chunk.min(count - start);
            let part = states.narrow(0, start, length)?;
            let targets = self.batch.targets.narrow(0, start, length)?;
            let Some(to) = &mut to else {
                sums.push(self.pass.logits(&part)?.cross_entropy(&targets)?);
                continue;
            };
            let part = part.leaf()?;
            let sum = self.pass.logits(&part)?.cross_entropy(&targets)?;
            sums.push(sum.detach());
            to.add(&sum.scale(to.weight / count as f64)?, None, &[&part])?;
            slopes.extend(part.gradient(to.sums)?);
        }
        let mut total = 0.0;
        for sum in sums {
            total += sum.values()?.into_iter().map(f64::from).sum::<f64>();
        }
        let slope = match slopes.is_empty() {
            true => None,
            false => Some(P::Tensor::cat(&slopes, 0)?.reshape(&shape)?),
        };
        Ok((total / count as f64, slope))
    }
}

/// Where gradients are added up.
pub(super) type Gradients<P> = <<P as Place>::Tensor as Tensor>::Gradients;

/// The gradients of `weight * loss` for the variables, on their way to the sums of them.
pub(super) struct Gradient<'a, P: Place> {
    pub(super) weight: f64,
    pub(super) variables: &'a [P::Tensor],
    pub(super) sums: &'a mut Gradients<P>,
}

impl<P: Place> Gradient<'_, P> {
    /// Adds those that come through a result, and those for other leaves of its graph.
    fn add(
        &mut self,
        result: &P::Tensor,
        slope: Option<&P::Tensor>,
        others: &[&P::Tensor],
    ) -> Computed<(), P> {
        let leaves: Vec<_> = self.variables.iter().chain(others.iter().copied()).collect();
        result.backward(slope, &leaves, self.sums)
    }
}

/// Positions whose logits are held at a time.
fn chunk(place: &impl Place, vocabulary: usize) -> usize {
    let held = if place.is_gpu() { CHUNK_LOGITS_GPU } else { CHUNK_LOGITS };
    (held / vocabulary).max(16)
}
