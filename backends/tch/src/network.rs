//! The forward pass, in segments: embedding, blocks, head. Training, decoding and rating differ only
//! in what a position attends to.

use detoxlm_core::training::BottleneckActivation;
use detoxlm_transformer::adapters::{
    Adaptation, BottleneckInput, BottleneckNetwork, Prefix, PrefixSource,
};
use detoxlm_transformer::architecture::{
    Activation, Affine, Architecture, Block, FeedForward, Norm, Parameter, Projections,
    WeightLayout,
};
use tch::{Kind, Tensor};

use crate::dropout::dropout;
use crate::error::Computed;
use crate::place::Place;
use crate::tensors::{size, upload};

/// A transformer, and what is added to it, over parameters that are kept elsewhere.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) architecture: Architecture,
    pub(crate) adaptation: Adaptation,
    pub(crate) place: Place,
    /// Cosines and sines of every position: (context, half a head), in `f32`.
    rotary: Option<(Tensor, Tensor)>,
}

/// Queries, keys and values of a layer: (sequences, heads, tokens, head width), rotated.
pub(crate) struct Heads {
    pub(crate) query: Tensor,
    /// Of the heads of keys and values.
    pub(crate) key: Tensor,
    pub(crate) value: Tensor,
}

impl Network {
    pub(crate) fn new(
        architecture: Architecture,
        adaptation: Adaptation,
        place: Place,
    ) -> Computed<Self> {
        let rotary = match architecture.rotary {
            None => None,
            Some(rotary) => {
                let (positions, width) = (architecture.context_length, architecture.head_width);
                let (cos, sin) = rotary.tables(width, positions);
                let table =
                    |values: &[f32]| upload(values, &[positions, width / 2], place, Kind::Float);
                Some((table(&cos)?, table(&sin)?))
            }
        };
        Ok(Self { architecture, adaptation, place, rotary })
    }

    /// The same base with other additions.
    pub(crate) fn adapted(&self, adaptation: Adaptation) -> Self {
        let share = |(cos, sin): &(Tensor, Tensor)| (cos.shallow_clone(), sin.shallow_clone());
        Self {
            architecture: self.architecture.clone(),
            adaptation,
            place: self.place,
            rotary: self.rotary.as_ref().map(share),
        }
    }

    /// Tokens that a sequence may have.
    pub(crate) fn context_length(&self) -> usize {
        self.architecture.context_length - self.adaptation.prefix_length()
    }

    /// The (length, layers * 2 * key width) matrix of the prefix, if there is one.
    pub(crate) fn prefix(&self, parameters: &[Tensor]) -> Computed<Option<Tensor>> {
        let Some(Prefix { source, .. }) = self.adaptation.prefix else { return Ok(None) };
        Ok(Some(match source {
            PrefixSource::Stored(stored) => parameters[stored.0].shallow_clone(),
            PrefixSource::Projected { embedding, down, up } => {
                // It is stored, so that what is trained has to be what is read: in its own numbers.
                let kind = Kind::Float;
                let embedding = &parameters[embedding.0];
                let inner = added_affine(parameters, down, embedding, kind)?.f_tanh()?;
                added_affine(parameters, up, &inner, kind)?
            }
        }))
    }

    /// A layer's keys and values in the prefix, each (kv heads, length, head width).
    pub(crate) fn layer_of(&self, prefix: &Tensor, index: usize) -> Computed<(Tensor, Tensor)> {
        let Architecture { kv_heads, head_width, .. } = self.architecture;
        let width = size(self.architecture.key_width());
        let part = |part: usize| {
            let columns = prefix.f_narrow(1, size(2 * index + part) * width, width)?;
            columns.f_reshape([-1, size(kv_heads), size(head_width)])?.f_transpose(0, 1)
        };
        Ok((part(0)?, part(1)?))
    }

    /// A pass with these parameters: the architecture's and then the adaptation's, of tokens with these
    /// positions, both (sequences or 1, tokens). With a seed, what is dropped in training is dropped by
    /// it; without one nothing is.
    pub(crate) fn pass<'a>(
        &'a self,
        parameters: &'a [Tensor],
        positions: &Tensor,
        dropout_seed: Option<u64>,
    ) -> Computed<Pass<'a>> {
        let row = |table: &Tensor| -> Computed<Tensor> {
            Tensor::f_embedding(table, positions, -1, false, false)?.f_unsqueeze(1)
        };
        let rotation = match &self.rotary {
            None => None,
            Some((cos, sin)) => Some((row(cos)?, row(sin)?)),
        };
        let positions = positions.shallow_clone();
        Ok(Pass { network: self, parameters, positions, rotation, dropout_seed })
    }
}

/// One forward pass.
///
/// The residual stream is (sequences, tokens, width), in the numbers of the embedding.
pub(crate) struct Pass<'a> {
    network: &'a Network,
    parameters: &'a [Tensor],
    positions: Tensor,
    rotation: Option<(Tensor, Tensor)>,
    dropout_seed: Option<u64>,
}

impl Pass<'_> {
    /// What the first block reads.
    pub(crate) fn embed(&self, tokens: &Tensor) -> Computed<Tensor> {
        let architecture = &self.network.architecture;
        let embedding = self.get(architecture.embedding);
        let x = Tensor::f_embedding(embedding, tokens, -1, false, false)?;
        let Some(table) = architecture.position_embedding else { return Ok(x) };
        x.f_add(&Tensor::f_embedding(self.get(table), &self.positions, -1, false, false)?)
    }

    /// What a block makes of the residual stream; `attend` gives what its heads have read:
    /// (sequences, heads, tokens, head width).
    pub(crate) fn block(
        &self,
        index: usize,
        x: &Tensor,
        attend: &mut dyn FnMut(&Heads) -> Computed<Tensor>,
    ) -> Computed<Tensor> {
        let block = &self.network.architecture.blocks[index];
        let bottlenecks = self.network.adaptation.bottlenecks(index);
        let normed = self.norm(block.attention_norm, x)?;
        let attended = attend(&self.heads(block, &normed)?)?.f_transpose(1, 2)?.f_flatten(2, 3)?;
        let update = self.affine(block.attention_output, &attended)?;
        let x = self.add_update(x, &update, bottlenecks.after_attention)?;
        let normed = self.norm(block.feed_forward_norm, &x)?;
        let update = self.feed_forward(&block.feed_forward, &normed)?;
        self.add_update(&x, &update, bottlenecks.after_feed_forward)
    }

    /// The logits, in `f32`, from what the last block has made.
    pub(crate) fn logits(&self, x: &Tensor) -> Computed<Tensor> {
        let architecture = &self.network.architecture;
        let normed = self.norm(architecture.final_norm, x)?;
        let head = self.get(architecture.head).f_totype(self.network.place.kind)?;
        normed.f_linear(&head, None::<&Tensor>)?.f_totype(Kind::Float)
    }

    fn get(&self, parameter: Parameter) -> &Tensor {
        &self.parameters[parameter.0]
    }

    /// In the numbers in which it will be multiplied.
    fn norm(&self, norm: Norm, x: &Tensor) -> Computed<Tensor> {
        let Architecture { width, epsilon, .. } = self.network.architecture;
        let width = [size(width)];
        let normed = match norm {
            Norm::Layer { weight, bias } => {
                let (weight, bias) = (Some(self.get(weight)), Some(self.get(bias)));
                x.f_layer_norm(width, weight, bias, epsilon, true)?
            }
            Norm::Rms { weight } => x.f_rms_norm(width, Some(self.get(weight)), epsilon)?,
        };
        normed.f_totype(self.network.place.kind)
    }

    /// A linear layer of the base with its low-rank update.
    fn affine(&self, affine: Affine, x: &Tensor) -> Computed<Tensor> {
        let kind = self.network.place.kind;
        let stored = self.get(affine.weight).f_totype(kind)?;
        let weight = match self.network.architecture.layout {
            WeightLayout::InOut => stored.f_tr()?,
            WeightLayout::OutIn => stored,
        };
        let bias = affine.bias.map(|bias| self.get(bias).f_totype(kind)).transpose()?;
        let y = x.f_linear(&weight, bias.as_ref())?;
        let Some(update) = self.network.adaptation.low_rank(affine.weight) else { return Ok(y) };
        let x = match self.dropout_seed {
            // Every matrix has a mask of its own.
            Some(seed) => dropout(x, update.dropout, seed ^ (affine.weight.0 as u64) << 48)?,
            None => x.shallow_clone(),
        };
        let factor = |parameter| self.get(parameter).f_totype(kind);
        let down = x.f_linear(&factor(update.down)?, None::<&Tensor>)?;
        let up = down.f_linear(&factor(update.up)?, None::<&Tensor>)?;
        y.f_add(&up.f_mul_scalar(update.scale)?)
    }

    fn heads(&self, block: &Block, x: &Tensor) -> Computed<Heads> {
        let Architecture { heads, kv_heads, head_width, .. } = self.network.architecture;
        let (queries, keys) = (size(heads * head_width), size(kv_heads * head_width));
        let [query, key, value] = match block.projections {
            Projections::Fused(all) => {
                let all = self.affine(all, x)?;
                let part = |start, width| all.f_narrow(-1, start, width);
                [part(0, queries)?, part(queries, keys)?, part(queries + keys, keys)?]
            }
            Projections::Separate { query, key, value } => {
                [self.affine(query, x)?, self.affine(key, x)?, self.affine(value, x)?]
            }
        };
        let apart = |x: Tensor, heads: usize| -> Computed<Tensor> {
            let (sequences, tokens, _) = x.size3()?;
            x.f_reshape([sequences, tokens, size(heads), size(head_width)])?.f_transpose(1, 2)
        };
        Ok(Heads {
            query: self.rotated(apart(query, heads)?)?,
            key: self.rotated(apart(key, kv_heads)?)?,
            value: apart(value, kv_heads)?,
        })
    }

    /// Turns each pair of dimensions, half a head apart, by its position's angle (Su et al. 2021).
    fn rotated(&self, x: Tensor) -> Computed<Tensor> {
        let Some((cos, sin)) = &self.rotation else { return Ok(x) };
        let half = size(self.network.architecture.head_width / 2);
        let (first, second) = (x.f_narrow(-1, 0, half)?, x.f_narrow(-1, half, half)?);
        let turned = [
            first.f_mul(cos)?.f_sub(&second.f_mul(sin)?)?,
            second.f_mul(cos)?.f_add(&first.f_mul(sin)?)?,
        ];
        Tensor::f_cat(&turned, -1)?.f_totype(x.f_kind()?)
    }

    /// Adds what a sublayer has computed to the residual stream, through the bottleneck after it.
    fn add_update(
        &self,
        x: &Tensor,
        update: &Tensor,
        bottleneck: Option<BottleneckNetwork>,
    ) -> Computed<Tensor> {
        let stream = x.f_add(update)?;
        let Some(BottleneckNetwork { input, down, activation, up, scale }) = bottleneck else {
            return Ok(stream);
        };
        let kind = self.network.place.kind;
        let input = match input {
            BottleneckInput::Update => update,
            BottleneckInput::Stream => &stream,
        };
        let inner = added_affine(self.parameters, down, input, kind)?;
        let inner = match activation {
            BottleneckActivation::Relu => inner.f_relu()?,
            BottleneckActivation::Swish => inner.f_silu()?,
            BottleneckActivation::Gelu => inner.f_gelu("none")?,
            BottleneckActivation::GeluNew => inner.f_gelu("tanh")?,
        };
        let outer = added_affine(self.parameters, up, &inner, kind)?;
        stream.f_add(&outer.f_mul_scalar(scale)?)
    }

    fn feed_forward(&self, feed_forward: &FeedForward, x: &Tensor) -> Computed<Tensor> {
        match *feed_forward {
            FeedForward::Plain { up, activation, down } => {
                let approximate = match activation {
                    Activation::GeluTanh => "tanh",
                    Activation::GeluErf => "none",
                };
                self.affine(down, &self.affine(up, x)?.f_gelu(approximate)?)
            }
            FeedForward::SwiGlu { gate, up, down } => {
                let gated = self.affine(gate, x)?.f_silu()?.f_mul(&self.affine(up, x)?)?;
                self.affine(down, &gated)
            }
        }
    }
}

/// A linear layer of the adaptation, which is stored (out, in).
fn added_affine(parameters: &[Tensor], affine: Affine, x: &Tensor, kind: Kind) -> Computed<Tensor> {
    let get = |parameter: Parameter| parameters[parameter.0].f_totype(kind);
    let bias = affine.bias.map(get).transpose()?;
    x.f_totype(kind)?.f_linear(&get(affine.weight)?, bias.as_ref())
}
