//! The differentiable forward pass, in segments: embedding, blocks, head.

use candle_core::{Result, Tensor};
use candle_fused_ops::{
    AttentionShape, Rope, WeightLayout, add, causal_attention, causal_attention_fused,
    causal_attention_with_prefix, dropout, embedding, gelu_erf, gelu_tanh, layer_norm, linear,
    linear_cross_entropy, relu, rms_norm, scaled_add, silu, swiglu,
};
use detoxlm_core::training::{BottleneckActivation, TokenBatch};

use crate::adapters::{Adaptation, BottleneckInput, BottleneckNetwork, Prefix, PrefixSource};
use crate::architecture::{
    Activation, Affine, Architecture, Block, FeedForward, Norm, Parameter, Projections,
    WeightLayout as StoredLayout,
};
use crate::rope;

/// A transformer, and what is added to it, over parameters that are kept elsewhere.
#[derive(Clone, Debug)]
pub(super) struct Network {
    architecture: Architecture,
    adaptation: Adaptation,
    rope: Option<Rope>,
}

impl Network {
    pub(super) fn new(architecture: Architecture, adaptation: Adaptation) -> Result<Self> {
        let rope = rope::training_table(&architecture)?;
        Ok(Self { architecture, adaptation, rope })
    }

    pub(super) const fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    pub(super) const fn adaptation(&self) -> &Adaptation {
        &self.adaptation
    }

    /// Tokens that a sequence may have.
    pub(super) fn context_length(&self) -> usize {
        self.architecture.context_length - self.adaptation.prefix_length()
    }

    /// The (length, layers * 2 * key width) matrix of the prefix, if there is one.
    pub(super) fn prefix(&self, parameters: &[Tensor]) -> Result<Option<Tensor>> {
        let Some(Prefix { source, .. }) = self.adaptation.prefix else { return Ok(None) };
        Ok(Some(match source {
            PrefixSource::Stored(stored) => parameters[stored.0].clone(),
            PrefixSource::Projected { embedding, down, up } => {
                let inner = added_affine(parameters, down, &parameters[embedding.0])?.tanh()?;
                added_affine(parameters, up, &inner)?
            }
        }))
    }

    /// A pass over a batch, with these parameters: the architecture's and then the adaptation's.
    ///
    /// With a seed, what is dropped in training is dropped by it; without one nothing is.
    pub(super) const fn pass<'a>(
        &'a self,
        parameters: &'a [Tensor],
        batch: &'a TokenBatch,
        dropout_seed: Option<u64>,
    ) -> Pass<'a> {
        Pass { network: self, parameters, batch, dropout_seed }
    }
}

/// One forward pass over one batch.
///
/// Activations are `(sequences * length, width)` matrices throughout.
pub(super) struct Pass<'a> {
    network: &'a Network,
    parameters: &'a [Tensor],
    batch: &'a TokenBatch,
    dropout_seed: Option<u64>,
}

impl Pass<'_> {
    /// The mean next-token loss, a scalar in nats.
    pub(super) fn loss(&self) -> Result<Tensor> {
        let prefix = self.prefix()?;
        let mut x = self.embed()?;
        for index in 0..self.network.architecture.blocks.len() {
            x = self.block(index, &x, prefix.as_ref())?;
        }
        self.head_loss(&x)
    }

    /// [`Network::prefix`] of this pass.
    pub(super) fn prefix(&self) -> Result<Option<Tensor>> {
        self.network.prefix(self.parameters)
    }

    /// What the first block reads.
    pub(super) fn embed(&self) -> Result<Tensor> {
        let architecture = &self.network.architecture;
        let x = embedding(self.get(architecture.embedding), &self.batch.inputs)?;
        let Some(table) = architecture.position_embedding else { return Ok(x) };
        let first = self.network.adaptation.prefix_length() as u32;
        let positions: Vec<_> = (0..self.batch.sequences)
            .flat_map(|_| first..first + self.batch.length as u32)
            .collect();
        add(&x, &embedding(self.get(table), &positions)?)
    }

    /// What a block makes of the residual stream.
    pub(super) fn block(
        &self,
        index: usize,
        x: &Tensor,
        prefix: Option<&Tensor>,
    ) -> Result<Tensor> {
        let block = &self.network.architecture.blocks[index];
        let bottlenecks = self.network.adaptation.bottlenecks(index);
        let prefix = prefix.map(|prefix| self.layer_of(prefix, index)).transpose()?;
        let update =
            self.attention(block, &self.norm(block.attention_norm, x)?, prefix.as_ref())?;
        let x = self.add_update(x, update, bottlenecks.after_attention)?;
        let normed = self.norm(block.feed_forward_norm, &x)?;
        let update = self.feed_forward(&block.feed_forward, &normed)?;
        self.add_update(&x, update, bottlenecks.after_feed_forward)
    }

    /// The mean next-token loss, from what the last block has made.
    pub(super) fn head_loss(&self, x: &Tensor) -> Result<Tensor> {
        let architecture = &self.network.architecture;
        let hidden = self.norm(architecture.final_norm, x)?;
        linear_cross_entropy(&hidden, self.get(architecture.head), &self.batch.targets, None)
    }

    fn get(&self, parameter: Parameter) -> &Tensor {
        &self.parameters[parameter.0]
    }

    /// A layer's keys and values in the prefix.
    fn layer_of(&self, prefix: &Tensor, index: usize) -> Result<Tensor> {
        let columns = 2 * self.network.architecture.key_width();
        prefix.narrow(1, index * columns, columns)
    }

    fn norm(&self, norm: Norm, x: &Tensor) -> Result<Tensor> {
        let eps = self.network.architecture.epsilon;
        match norm {
            Norm::Layer { weight, bias } => layer_norm(x, self.get(weight), self.get(bias), eps),
            Norm::Rms { weight } => rms_norm(x, self.get(weight), eps),
        }
    }

    /// A linear layer of the base with its low-rank update.
    fn affine(&self, affine: Affine, x: &Tensor) -> Result<Tensor> {
        let layout = match self.network.architecture.layout {
            StoredLayout::InOut => WeightLayout::InOut,
            StoredLayout::OutIn => WeightLayout::OutIn,
        };
        let bias = affine.bias.map(|bias| self.get(bias));
        let y = linear(x, self.get(affine.weight), bias, layout)?;
        let Some(update) = self.network.adaptation.low_rank(affine.weight) else { return Ok(y) };
        let x = match self.dropout_seed {
            // Every matrix has a mask of its own.
            Some(seed) => dropout(x, update.dropout, seed ^ (affine.weight.0 as u64) << 48)?,
            None => x.clone(),
        };
        let down = linear(&x, self.get(update.down), None, WeightLayout::OutIn)?;
        let up = linear(&down, self.get(update.up), None, WeightLayout::OutIn)?;
        scaled_add(&y, &up, update.scale as f32)
    }

    /// Adds what a sublayer has computed to the residual stream, through the bottleneck after it.
    fn add_update(
        &self,
        x: &Tensor,
        update: Tensor,
        bottleneck: Option<BottleneckNetwork>,
    ) -> Result<Tensor> {
        let Some(BottleneckNetwork { input, down, activation, up, scale }) = bottleneck else {
            return add(x, &update);
        };
        let stream = add(x, &update)?;
        let inner = added_affine(
            self.parameters,
            down,
            match input {
                BottleneckInput::Update => &update,
                BottleneckInput::Stream => &stream,
            },
        )?;
        let inner = match activation {
            BottleneckActivation::Relu => relu(&inner)?,
            BottleneckActivation::Swish => silu(&inner)?,
            BottleneckActivation::Gelu => gelu_erf(&inner)?,
            BottleneckActivation::GeluNew => gelu_tanh(&inner)?,
        };
        scaled_add(&stream, &added_affine(self.parameters, up, &inner)?, scale as f32)
    }

    fn attention(&self, block: &Block, x: &Tensor, prefix: Option<&Tensor>) -> Result<Tensor> {
        let &Architecture { heads, kv_heads, head_width, .. } = &self.network.architecture;
        let shape = AttentionShape {
            batch: self.batch.sequences,
            time: self.batch.length,
            heads,
            kv_heads,
            head_dim: head_width,
            scale: self.network.architecture.attention_scale(),
            rope: self.network.rope.clone(),
        };
        let attended = match (block.projections, prefix) {
            (Projections::Fused(all), None) => {
                causal_attention_fused(&self.affine(all, x)?, &shape)?
            }
            (Projections::Fused(all), Some(prefix)) => {
                causal_attention_with_prefix(&self.affine(all, x)?, prefix, &shape)?
            }
            (Projections::Separate { query, key, value }, prefix) => {
                let (query, key) = (self.affine(query, x)?, self.affine(key, x)?);
                let value = self.affine(value, x)?;
                match prefix {
                    None => causal_attention(&query, &key, &value, &shape)?,
                    Some(prefix) => {
                        let all = Tensor::cat(&[query, key, value], 1)?;
                        causal_attention_with_prefix(&all, prefix, &shape)?
                    }
                }
            }
        };
        self.affine(block.attention_output, &attended)
    }

    fn feed_forward(&self, feed_forward: &FeedForward, x: &Tensor) -> Result<Tensor> {
        match *feed_forward {
            FeedForward::Plain { up, activation, down } => {
                let inner = self.affine(up, x)?;
                let inner = match activation {
                    Activation::GeluTanh => gelu_tanh(&inner)?,
                    Activation::GeluErf => gelu_erf(&inner)?,
                };
                self.affine(down, &inner)
            }
            FeedForward::SwiGlu { gate, up, down } => {
                let inner = swiglu(&self.affine(gate, x)?, &self.affine(up, x)?)?;
                self.affine(down, &inner)
            }
        }
    }
}

/// A linear layer of the adaptation, which is stored (out, in).
fn added_affine(parameters: &[Tensor], affine: Affine, x: &Tensor) -> Result<Tensor> {
    let bias = affine.bias.map(|bias| &parameters[bias.0]);
    linear(x, &parameters[affine.weight.0], bias, WeightLayout::OutIn)
}
