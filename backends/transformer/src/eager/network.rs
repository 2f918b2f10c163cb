//! The forward pass, in segments: embedding, blocks, head. Training, decoding and rating differ only
//! in what a position attends to.

use detoxlm_core::Precision;
use detoxlm_core::training::BottleneckActivation;

use super::attention::Heads;
use super::place::Place;
use super::tensor::{Computed, Tensor};
use crate::adapters::{Adaptation, BottleneckInput, BottleneckNetwork, Prefix, PrefixSource};
use crate::architecture::{
    Activation, Affine, Architecture, Block, FeedForward, Norm, Parameter, Projections,
    WeightLayout,
};

/// A transformer, and what is added to it, over parameters that are kept elsewhere.
#[derive(Clone, Debug)]
pub(super) struct Network<P: Place> {
    pub(super) architecture: Architecture,
    pub(super) adaptation: Adaptation,
    pub(super) place: P,
    /// Cosines and sines of every position: (context, half a head), in `f32`.
    rotary: Option<(P::Tensor, P::Tensor)>,
}

impl<P: Place> Network<P> {
    pub(super) fn new(
        architecture: Architecture,
        adaptation: Adaptation,
        place: P,
    ) -> Computed<Self, P> {
        let rotary = match architecture.rotary {
            None => None,
            Some(rotary) => {
                let (positions, width) = (architecture.context_length, architecture.head_width);
                let (cos, sin) = rotary.tables(width, positions);
                let table =
                    |values: &[f32]| place.numbers(values, &[positions, width / 2], Precision::F32);
                Some((table(&cos)?, table(&sin)?))
            }
        };
        Ok(Self { architecture, adaptation, place, rotary })
    }

    /// The same base with other additions.
    pub(super) fn adapted(&self, adaptation: Adaptation) -> Self {
        Self { adaptation, ..self.clone() }
    }

    /// Tokens that a sequence may have.
    pub(super) fn context_length(&self) -> usize {
        self.architecture.context_length - self.adaptation.prefix_length()
    }

    /// The (length, layers * 2 * key width) matrix of the prefix, if there is one.
    pub(super) fn prefix(&self, parameters: &[P::Tensor]) -> Computed<Option<P::Tensor>, P> {
        let Some(Prefix { source, .. }) = self.adaptation.prefix else { return Ok(None) };
        Ok(Some(match source {
            PrefixSource::Stored(stored) => parameters[stored.0].clone(),
            PrefixSource::Projected { embedding, down, up } => {
                // It is stored, so that what is trained has to be what is read: in its own numbers.
                let precision = Precision::F32;
                let embedding = &parameters[embedding.0];
                let inner = added_affine(parameters, down, embedding, precision)?.tanh()?;
                added_affine(parameters, up, &inner, precision)?
            }
        }))
    }

    /// A layer's keys and values in the prefix, each (kv heads, length, head width).
    pub(super) fn layer_of(
        &self,
        prefix: &P::Tensor,
        index: usize,
    ) -> Computed<(P::Tensor, P::Tensor), P> {
        let Architecture { kv_heads, head_width, .. } = self.architecture;
        let width = self.architecture.key_width();
        let length = self.adaptation.prefix_length();
        let part = |part: usize| {
            let columns = prefix.narrow(1, (2 * index + part) * width, width)?;
            columns.reshape(&[length, kv_heads, head_width])?.transpose(0, 1)
        };
        Ok((part(0)?, part(1)?))
    }

    /// A pass with these parameters: the architecture's and then the adaptation's, of tokens with these
    /// positions, both (sequences or 1, tokens). With a seed, what is dropped in training is dropped by
    /// it; without one nothing is.
    pub(super) fn pass<'a>(
        &'a self,
        parameters: &'a [P::Tensor],
        positions: &P::Tensor,
        dropout_seed: Option<u64>,
    ) -> Computed<Pass<'a, P>, P> {
        let row = |table: &P::Tensor| -> Computed<P::Tensor, P> {
            let mut shape = positions.shape();
            shape.extend([self.architecture.head_width / 2]);
            shape.insert(1, 1);
            table.embedding(positions)?.reshape(&shape)
        };
        let rotation = match &self.rotary {
            None => None,
            Some((cos, sin)) => Some((row(cos)?, row(sin)?)),
        };
        let positions = positions.clone();
        Ok(Pass { network: self, parameters, positions, rotation, dropout_seed })
    }
}

/// What the heads of a layer have read, from their queries, keys and values.
pub(super) type Attend<'a, P> =
    dyn FnMut(&Heads<<P as Place>::Tensor>) -> Computed<<P as Place>::Tensor, P> + 'a;

/// One forward pass.
///
/// The residual stream is (sequences, tokens, width), in the numbers of the embedding.
pub(super) struct Pass<'a, P: Place> {
    network: &'a Network<P>,
    parameters: &'a [P::Tensor],
    positions: P::Tensor,
    rotation: Option<(P::Tensor, P::Tensor)>,
    dropout_seed: Option<u64>,
}

impl<P: Place> Pass<'_, P> {
    /// What the first block reads.
    pub(super) fn embed(&self, tokens: &P::Tensor) -> Computed<P::Tensor, P> {
        let architecture = &self.network.architecture;
        let x = self.get(architecture.embedding).embedding(tokens)?;
        let Some(table) = architecture.position_embedding else { return Ok(x) };
        x.add(&self.get(table).embedding(&self.positions)?)
    }

    /// What a block makes of the residual stream; `attend` gives what its heads have read:
    /// (sequences, heads, tokens, head width).
    pub(super) fn block(
        &self,
        index: usize,
        x: &P::Tensor,
        attend: &mut Attend<'_, P>,
    ) -> Computed<P::Tensor, P> {
        let Architecture { blocks, heads, head_width, .. } = &self.network.architecture;
        let block = &blocks[index];
        let bottlenecks = self.network.adaptation.bottlenecks(index);
        let normed = self.norm(block.attention_norm, x)?;
        let attended = attend(&self.heads(block, &normed)?)?.transpose(1, 2)?;
        let (sequences, tokens) = (x.shape()[0], x.shape()[1]);
        let attended = attended.reshape(&[sequences, tokens, heads * head_width])?;
        let update = self.affine(block.attention_output, &attended)?;
        let x = self.add_update(x, &update, bottlenecks.after_attention)?;
        let normed = self.norm(block.feed_forward_norm, &x)?;
        let update = self.feed_forward(&block.feed_forward, &normed)?;
        self.add_update(&x, &update, bottlenecks.after_feed_forward)
    }

    /// The logits, in `f32`, from what the last block has made.
    pub(super) fn logits(&self, x: &P::Tensor) -> Computed<P::Tensor, P> {
        let architecture = &self.network.architecture;
        let normed = self.norm(architecture.final_norm, x)?;
        let head = self.get(architecture.head).to(self.precision())?;
        normed.linear(&head, None, WeightLayout::OutIn)?.to(Precision::F32)
    }

    fn get(&self, parameter: Parameter) -> &P::Tensor {
        &self.parameters[parameter.0]
    }

    fn precision(&self) -> Precision {
        self.network.place.precision()
    }

    /// In the numbers in which it will be multiplied.
    fn norm(&self, norm: Norm, x: &P::Tensor) -> Computed<P::Tensor, P> {
        let epsilon = self.network.architecture.epsilon;
        let normed = match norm {
            Norm::Layer { weight, bias } => {
                x.layer_norm(self.get(weight), self.get(bias), epsilon)?
            }
            Norm::Rms { weight } => x.rms_norm(self.get(weight), epsilon)?,
        };
        normed.to(self.precision())
    }

    /// A linear layer of the base with its low-rank update.
    fn affine(&self, affine: Affine, x: &P::Tensor) -> Computed<P::Tensor, P> {
        let get = |parameter| self.get(parameter).to(self.precision());
        let bias = affine.bias.map(get).transpose()?;
        let layout = self.network.architecture.layout;
        let y = x.linear(&get(affine.weight)?, bias.as_ref(), layout)?;
        let Some(update) = self.network.adaptation.low_rank(affine.weight) else { return Ok(y) };
        let x = match self.dropout_seed {
            // Every matrix has a mask of its own.
            Some(seed) if update.dropout > 0.0 => {
                x.dropout(update.dropout, seed ^ (affine.weight.0 as u64) << 48)?
            }
            _ => x.clone(),
        };
        let down = x.linear(&get(update.down)?, None, WeightLayout::OutIn)?;
        let up = down.linear(&get(update.up)?, None, WeightLayout::OutIn)?;
        y.add(&up.scale(update.scale)?)
    }

    fn heads(&self, block: &Block, x: &P::Tensor) -> Computed<Heads<P::Tensor>, P> {
        let Architecture { heads, kv_heads, head_width, .. } = self.network.architecture;
        let (queries, keys) = (heads * head_width, kv_heads * head_width);
        let [query, key, value] = match block.projections {
            Projections::Fused(all) => {
                let all = self.affine(all, x)?;
                let part = |start, width| all.narrow(2, start, width);
                [part(0, queries)?, part(queries, keys)?, part(queries + keys, keys)?]
            }
            Projections::Separate { query, key, value } => {
                [self.affine(query, x)?, self.affine(key, x)?, self.affine(value, x)?]
            }
        };
        let (sequences, tokens) = (x.shape()[0], x.shape()[1]);
        let apart = |x: P::Tensor, heads: usize| -> Computed<P::Tensor, P> {
            x.reshape(&[sequences, tokens, heads, head_width])?.transpose(1, 2)
        };
        Ok(Heads {
            query: self.rotated(apart(query, heads)?)?,
            key: self.rotated(apart(key, kv_heads)?)?,
            value: apart(value, kv_heads)?,
        })
    }

    /// Turns each pair of dimensions, half a head apart, by its position's angle (Su et al. 2021).
    fn rotated(&self, x: P::Tensor) -> Computed<P::Tensor, P> {
        let Some((cos, sin)) = &self.rotation else { return Ok(x) };
        let half = self.network.architecture.head_width / 2;
        let exact = x.to(Precision::F32)?;
        let (first, second) = (exact.narrow(3, 0, half)?, exact.narrow(3, half, half)?);
        let turned =
            [first.mul(cos)?.sub(&second.mul(sin)?)?, second.mul(cos)?.add(&first.mul(sin)?)?];
        P::Tensor::cat(&turned, 3)?.to(x.precision())
    }

    /// Adds what a sublayer has computed to the residual stream, through the bottleneck after it.
    fn add_update(
        &self,
        x: &P::Tensor,
        update: &P::Tensor,
        bottleneck: Option<BottleneckNetwork>,
    ) -> Computed<P::Tensor, P> {
        let stream = x.add(&update.to(x.precision())?)?;
        let Some(BottleneckNetwork { input, down, activation, up, scale }) = bottleneck else {
            return Ok(stream);
        };
        let precision = self.precision();
        let input = match input {
            BottleneckInput::Update => update,
            BottleneckInput::Stream => &stream,
        };
        let inner = added_affine(self.parameters, down, input, precision)?;
        let inner = match activation {
            BottleneckActivation::Relu => inner.relu()?,
            BottleneckActivation::Swish => inner.silu()?,
            BottleneckActivation::Gelu => inner.gelu_erf()?,
            BottleneckActivation::GeluNew => inner.gelu_tanh()?,
        };
        let outer = added_affine(self.parameters, up, &inner, precision)?;
        stream.add(&outer.scale(scale)?.to(stream.precision())?)
    }

    fn feed_forward(&self, feed_forward: &FeedForward, x: &P::Tensor) -> Computed<P::Tensor, P> {
        match *feed_forward {
            FeedForward::Plain { up, activation, down } => {
                let inner = self.affine(up, x)?;
                let inner = match activation {
                    Activation::GeluTanh => inner.gelu_tanh()?,
                    Activation::GeluErf => inner.gelu_erf()?,
                };
                self.affine(down, &inner)
            }
            FeedForward::SwiGlu { gate, up, down } => {
                let gated = self.affine(gate, x)?.silu()?.mul(&self.affine(up, x)?)?;
                self.affine(down, &gated)
            }
        }
    }
}

/// A linear layer of the adaptation, which is stored (out, in).
fn added_affine<T: Tensor>(
    parameters: &[T],
    affine: Affine,
    x: &T,
    precision: Precision,
) -> Result<T, T::Error> {
    let get = |parameter: Parameter| parameters[parameter.0].to(precision);
    let bias = affine.bias.map(get).transpose()?;
    x.to(precision)?.linear(&get(affine.weight)?, bias.as_ref(), WeightLayout::OutIn)
}
