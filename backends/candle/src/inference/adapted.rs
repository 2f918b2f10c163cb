//! What is added to a model, in the form in which the kernels read it.

use candle_core::{Device, Result as CandleResult, Tensor};
use candle_fused_ops::infer::{
    KvCache, PackedLinear, WeightLayout, add_assign, add_scaled_columns, gelu_erf, gelu_tanh, relu,
    silu,
};
use detoxlm_core::training::BottleneckActivation;
use detoxlm_core::{ErrorKind, Result};

use super::scratch::room;
use crate::adapters::{AdaptationValues, BottleneckInput, BottleneckNetwork, Prefix, PrefixSource};
use crate::architecture::{Affine, Architecture, Block, FeedForward, Projections};
use crate::error::{error, internal};

const OPERATION: &str = "pack the adapter";

/// Buffers of the additions, reused from pass to pass.
#[derive(Default)]
pub(super) struct AdditionScratch {
    /// (tokens, inner width).
    inner: Vec<f32>,
    /// (tokens, outer width).
    outer: Vec<f32>,
    /// What a bottleneck reads, where that is not there already: (tokens, width).
    stream: Vec<f32>,
}

/// The low-rank update of some columns of a linear layer's output.
struct PackedUpdate {
    down: PackedLinear,
    up: PackedLinear,
    offset: usize,
    scale: f32,
}

/// The low-rank updates of matrices that are multiplied as one.
#[derive(Default)]
pub(super) struct PackedUpdates {
    parts: Vec<PackedUpdate>,
    /// Columns of the matrices together.
    stride: usize,
}

impl PackedUpdates {
    /// Adds to `y`, the layer's output, the updates for its input `x`.
    pub(super) fn add(
        &self,
        x: &[f32],
        y: &mut [f32],
        size: usize,
        scratch: &mut AdditionScratch,
    ) -> CandleResult<()> {
        for PackedUpdate { down, up, offset, scale } in &self.parts {
            let inner = room(&mut scratch.inner, size * down.out_features());
            down.forward_into(x, size, inner)?;
            let outer = room(&mut scratch.outer, size * up.out_features());
            up.forward_into(inner, size, outer)?;
            add_scaled_columns(y, self.stride, *offset, outer, up.out_features(), *scale)?;
        }
        Ok(())
    }
}

/// A network after a sublayer.
pub(super) struct PackedBottleneck {
    input: BottleneckInput,
    down: PackedLinear,
    activation: BottleneckActivation,
    up: PackedLinear,
    scale: f32,
}

impl PackedBottleneck {
    /// Changes what the sublayer is about to add to the residual stream `hidden`.
    pub(super) fn change(
        &self,
        hidden: &[f32],
        update: &mut [f32],
        size: usize,
        scratch: &mut AdditionScratch,
    ) -> CandleResult<()> {
        let inner = room(&mut scratch.inner, size * self.down.out_features());
        match self.input {
            BottleneckInput::Update => self.down.forward_into(update, size, inner)?,
            BottleneckInput::Stream => {
                let stream = room(&mut scratch.stream, update.len());
                stream.copy_from_slice(hidden);
                add_assign(stream, update)?;
                self.down.forward_into(stream, size, inner)?;
            }
        }
        match self.activation {
            BottleneckActivation::Relu => relu(inner),
            BottleneckActivation::Swish => silu(inner),
            BottleneckActivation::Gelu => gelu_erf(inner),
            BottleneckActivation::GeluNew => gelu_tanh(inner),
        }
        let width = self.up.out_features();
        let outer = room(&mut scratch.outer, size * width);
        self.up.forward_into(inner, size, outer)?;
        add_scaled_columns(update, width, 0, outer, width, self.scale)
    }
}

/// What is added to a block.
#[derive(Default)]
pub(super) struct BlockAdditions {
    pub(super) projections: PackedUpdates,
    pub(super) attention_output: PackedUpdates,
    pub(super) after_attention: Option<PackedBottleneck>,
    /// Of the feed-forward network's first matrix, or of gate and up projection.
    pub(super) feed_forward_in: PackedUpdates,
    pub(super) feed_forward_out: PackedUpdates,
    pub(super) after_feed_forward: Option<PackedBottleneck>,
}

/// Keys and values in front of the text.
struct PackedPrefix {
    length: usize,
    /// Of every layer, (length, key width) each.
    layers: Vec<LayerPrefix>,
}

struct LayerPrefix {
    keys: Vec<f32>,
    values: Vec<f32>,
}

/// What is added to a model.
pub(super) struct Additions {
    pub(super) blocks: Vec<BlockAdditions>,
    prefix: Option<PackedPrefix>,
}

impl Additions {
    /// Nothing.
    pub(super) fn none(architecture: &Architecture) -> Self {
        Self {
            blocks: architecture.blocks.iter().map(|_| BlockAdditions::default()).collect(),
            prefix: None,
        }
    }

    /// Packs an adaptation.
    pub(super) fn pack(architecture: &Architecture, added: &AdaptationValues) -> Result<Self> {
        let packer = Packer { added };
        let block = |(index, block)| packer.block(index, block);
        Ok(Self {
            blocks: architecture.blocks.iter().enumerate().map(block).collect::<Result<_>>()?,
            prefix: added
                .adaptation
                .prefix
                .map(|prefix| pack_prefix(prefix, added, architecture.key_width()))
                .transpose()?,
        })
    }

    /// Positions that the prefix takes in front of every sequence.
    pub(super) fn prefix_length(&self) -> usize {
        self.prefix.as_ref().map_or(0, |prefix| prefix.length)
    }

    /// Makes the prefix the content of a slot in every layer's cache.
    pub(super) fn write_prefix(&self, caches: &mut [KvCache], slot: usize) -> CandleResult<()> {
        let layers = self.prefix.iter().flat_map(|prefix| &prefix.layers);
        for (cache, LayerPrefix { keys, values }) in caches.iter_mut().zip(layers) {
            cache.append(slot, 0, keys, values)?;
        }
        Ok(())
    }
}

fn pack_prefix(
    Prefix { length, source }: Prefix,
    added: &AdaptationValues,
    width: usize,
) -> Result<PackedPrefix> {
    let PrefixSource::Stored(stored) = source else {
        return Err(error(ErrorKind::Internal, OPERATION, "its projection is not folded"));
    };
    let rows = added.values(stored);
    // A row holds the keys and then the values of every layer.
    let cells = rows.len() / (length * width);
    let part = |index: usize| -> Vec<f32> {
        rows.chunks_exact(width).skip(index).step_by(cells).flatten().copied().collect()
    };
    let layer = |layer| LayerPrefix { keys: part(2 * layer), values: part(2 * layer + 1) };
    Ok(PackedPrefix { length, layers: (0..cells / 2).map(layer).collect() })
}

struct Packer<'a> {
    added: &'a AdaptationValues,
}

impl Packer<'_> {
    fn block(&self, index: usize, block: &Block) -> Result<BlockAdditions> {
        let bottlenecks = self.added.adaptation.bottlenecks(index);
        let bottleneck = |network: Option<BottleneckNetwork>| {
            network.map(|network| self.bottleneck(network)).transpose()
        };
        Ok(BlockAdditions {
            projections: match block.projections {
                Projections::Fused(all) => self.updates(&[all])?,
                Projections::Separate { query, key, value } => {
                    self.updates(&[query, key, value])?
                }
            },
            attention_output: self.updates(&[block.attention_output])?,
            after_attention: bottleneck(bottlenecks.after_attention)?,
            feed_forward_in: match block.feed_forward {
                FeedForward::Plain { up, .. } => self.updates(&[up])?,
                FeedForward::SwiGlu { gate, up, .. } => self.updates(&[gate, up])?,
            },
            feed_forward_out: match block.feed_forward {
                FeedForward::Plain { down, .. } | FeedForward::SwiGlu { down, .. } => {
                    self.updates(&[down])?
                }
            },
            after_feed_forward: bottleneck(bottlenecks.after_feed_forward)?,
        })
    }

    /// The updates of matrices whose outputs stand side by side.
    fn updates(&self, matrices: &[Affine]) -> Result<PackedUpdates> {
        let mut updates = PackedUpdates::default();
        for matrix in matrices {
            if let Some(update) = self.added.adaptation.low_rank(matrix.weight) {
                let down = Affine {
                    weight: update.down,
                    bias: None,
                    input: matrix.input,
                    output: update.rank,
                };
                let up = Affine {
                    weight: update.up,
                    bias: None,
                    input: update.rank,
                    output: matrix.output,
                };
                updates.parts.push(PackedUpdate {
                    down: self.linear(down)?,
                    up: self.linear(up)?,
                    offset: updates.stride,
                    scale: update.scale as f32,
                });
            }
            updates.stride += matrix.output;
        }
        Ok(updates)
    }

    fn bottleneck(&self, network: BottleneckNetwork) -> Result<PackedBottleneck> {
        let BottleneckNetwork { input, down, activation, up, scale } = network;
        let (down, up) = (self.linear(down)?, self.linear(up)?);
        Ok(PackedBottleneck { input, down, activation, up, scale: scale as f32 })
    }

    /// A layer of the adaptation, which is stored (out, in).
    fn linear(&self, affine: Affine) -> Result<PackedLinear> {
        let tensor = |values: &[f32], shape: &[usize]| {
            Tensor::from_slice(values, shape, &Device::Cpu).map_err(internal(OPERATION))
        };
        let weight = tensor(self.added.values(affine.weight), &[affine.output, affine.input])?;
        let bias = affine
            .bias
            .map(|bias| tensor(self.added.values(bias), &[affine.output]))
            .transpose()?;
        PackedLinear::new(&weight, bias.as_ref(), WeightLayout::OutIn).map_err(internal(OPERATION))
    }
}
