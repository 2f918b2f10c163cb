//! The differentiable forward pass.

use candle_core::{Result, Tensor};
use candle_fused_ops::{
    AttentionShape, Rope, WeightLayout, add, causal_attention, causal_attention_fused, embedding,
    gelu_erf, gelu_tanh, layer_norm, linear, linear_cross_entropy, rms_norm, swiglu,
};
use detoxlm_core::training::TokenBatch;

use crate::architecture::{
    Activation, Affine, Architecture, Block, FeedForward, Norm, Parameter, Projections,
};
use crate::inference::attention_scale;

/// A transformer over parameters that are kept elsewhere.
#[derive(Clone, Debug)]
pub(super) struct Network {
    architecture: Architecture,
    rope: Option<Rope>,
}

impl Network {
    pub(super) fn new(architecture: Architecture) -> Result<Self> {
        let rope = architecture
            .rotary
            .map(|rotary| {
                rotary.training_table(architecture.head_width, architecture.context_length)
            })
            .transpose()?;
        Ok(Self { architecture, rope })
    }

    pub(super) const fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// The mean next-token loss of a batch, a scalar in nats.
    ///
    /// Activations are `(sequences * length, width)` matrices throughout.
    pub(super) fn loss(&self, parameters: &[Tensor], batch: &TokenBatch) -> Result<Tensor> {
        let pass = Pass { network: self, parameters, batch };
        let hidden = pass.hidden()?;
        let head = pass.get(self.architecture.head);
        linear_cross_entropy(&hidden, head, &batch.targets, None)
    }
}

/// One forward pass over one batch.
struct Pass<'a> {
    network: &'a Network,
    parameters: &'a [Tensor],
    batch: &'a TokenBatch,
}

impl Pass<'_> {
    fn get(&self, parameter: Parameter) -> &Tensor {
        &self.parameters[parameter.0]
    }

    fn hidden(&self) -> Result<Tensor> {
        let architecture = &self.network.architecture;
        let mut x = embedding(self.get(architecture.embedding), &self.batch.inputs)?;
        if let Some(table) = architecture.position_embedding {
            let positions: Vec<_> =
                (0..self.batch.sequences).flat_map(|_| 0..self.batch.length as u32).collect();
            x = add(&x, &embedding(self.get(table), &positions)?)?;
        }
        for block in &architecture.blocks {
            x = add(&x, &self.attention(block, &self.norm(block.attention_norm, &x)?)?)?;
            let normed = self.norm(block.feed_forward_norm, &x)?;
            x = add(&x, &self.feed_forward(&block.feed_forward, &normed)?)?;
        }
        self.norm(architecture.final_norm, &x)
    }

    fn norm(&self, norm: Norm, x: &Tensor) -> Result<Tensor> {
        let eps = self.network.architecture.epsilon;
        match norm {
            Norm::Layer { weight, bias } => layer_norm(x, self.get(weight), self.get(bias), eps),
            Norm::Rms { weight } => rms_norm(x, self.get(weight), eps),
        }
    }

    fn affine(&self, affine: Affine, x: &Tensor) -> Result<Tensor> {
        let bias = affine.bias.map(|bias| self.get(bias));
        linear(x, self.get(affine.weight), bias, self.layout())
    }

    fn layout(&self) -> WeightLayout {
        self.network.architecture.layout
    }

    fn attention(&self, block: &Block, x: &Tensor) -> Result<Tensor> {
        let &Architecture { heads, kv_heads, head_width, .. } = &self.network.architecture;
        let shape = AttentionShape {
            batch: self.batch.sequences,
            time: self.batch.length,
            heads,
            kv_heads,
            head_dim: head_width,
            scale: attention_scale(head_width),
            rope: self.network.rope.clone(),
        };
        let attended = match block.projections {
            Projections::Fused(all) => causal_attention_fused(&self.affine(all, x)?, &shape)?,
            Projections::Separate { query, key, value } => {
                let (query, key) = (self.affine(query, x)?, self.affine(key, x)?);
                causal_attention(&query, &key, &self.affine(value, x)?, &shape)?
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
