//! Weights in the form in which the kernels read them.

use candle_core::{Device, Tensor};
use candle_fused_ops::infer::{self, PackedLinear, PackedPrecision};
use detoxlm_core::Result;

use crate::architecture::{
    Activation, Affine, Architecture, Block, FeedForward, Norm, Parameter, Projections,
    WeightLayout,
};
use crate::checkpoint::Checkpoint;
use crate::error::internal;

const OPERATION: &str = "pack the weights";

/// A norm with its weights.
pub(super) enum PackedNorm {
    Layer { weight: Vec<f32>, bias: Vec<f32> },
    Rms { weight: Vec<f32> },
}

impl PackedNorm {
    /// Normalises the rows of `x` into `out`.
    pub(super) fn apply(&self, x: &[f32], eps: f32, out: &mut [f32]) -> candle_core::Result<()> {
        match self {
            Self::Layer { weight, bias } => infer::layer_norm_rows(x, weight, Some(bias), eps, out),
            Self::Rms { weight } => infer::rms_norm_rows(x, weight, eps, out),
        }
    }
}

pub(super) enum PackedFeedForward {
    Plain {
        up: PackedLinear,
        activation: Activation,
        down: PackedLinear,
    },
    /// Gate and up projection side by side.
    SwiGlu {
        gate_up: PackedLinear,
        down: PackedLinear,
    },
}

pub(super) struct PackedBlock {
    pub(super) attention_norm: PackedNorm,
    /// Query, key and value side by side.
    pub(super) projections: PackedLinear,
    pub(super) attention_output: PackedLinear,
    pub(super) feed_forward_norm: PackedNorm,
    pub(super) feed_forward: PackedFeedForward,
}

/// Reads parameters and packs them, one matrix at a time.
pub(super) struct Packer<'a> {
    pub(super) architecture: &'a Architecture,
    pub(super) checkpoint: &'a Checkpoint,
}

impl Packer<'_> {
    pub(super) fn values(&self, parameter: Parameter) -> Result<Vec<f32>> {
        self.checkpoint.read(self.architecture, parameter)
    }

    pub(super) fn norm(&self, norm: Norm) -> Result<PackedNorm> {
        Ok(match norm {
            Norm::Layer { weight, bias } => {
                PackedNorm::Layer { weight: self.values(weight)?, bias: self.values(bias)? }
            }
            Norm::Rms { weight } => PackedNorm::Rms { weight: self.values(weight)? },
        })
    }

    pub(super) fn block(&self, block: &Block) -> Result<PackedBlock> {
        let projections = match block.projections {
            Projections::Fused(all) => self.linear(&[all])?,
            Projections::Separate { query, key, value } => self.linear(&[query, key, value])?,
        };
        let feed_forward = match block.feed_forward {
            FeedForward::Plain { up, activation, down } => PackedFeedForward::Plain {
                up: self.linear(&[up])?,
                activation,
                down: self.linear(&[down])?,
            },
            FeedForward::SwiGlu { gate, up, down } => PackedFeedForward::SwiGlu {
                gate_up: self.linear(&[gate, up])?,
                down: self.linear(&[down])?,
            },
        };
        Ok(PackedBlock {
            attention_norm: self.norm(block.attention_norm)?,
            projections,
            attention_output: self.linear(&[block.attention_output])?,
            feed_forward_norm: self.norm(block.feed_forward_norm)?,
            feed_forward,
        })
    }

    /// The output head, which is (vocabulary, width) in every family.
    pub(super) fn head(&self) -> Result<PackedLinear> {
        let weight = self.tensor(self.architecture.head)?;
        PackedLinear::new(&weight, None, infer::WeightLayout::OutIn).map_err(internal(OPERATION))
    }

    fn linear(&self, parts: &[Affine]) -> Result<PackedLinear> {
        let parts = parts
            .iter()
            .map(|part| {
                Ok((
                    self.tensor(part.weight)?,
                    part.bias.map(|bias| self.tensor(bias)).transpose()?,
                ))
            })
            .collect::<Result<Vec<_>>>()?;
        let parts: Vec<_> = parts.iter().map(|(weight, bias)| (weight, bias.as_ref())).collect();
        let layout = match self.architecture.layout {
            WeightLayout::InOut => infer::WeightLayout::InOut,
            WeightLayout::OutIn => infer::WeightLayout::OutIn,
        };
        PackedLinear::concat(&parts, layout, PackedPrecision::F32).map_err(internal(OPERATION))
    }

    fn tensor(&self, parameter: Parameter) -> Result<Tensor> {
        let shape = self.architecture.parameters[parameter.0].shape.as_slice();
        Tensor::from_vec(self.values(parameter)?, shape, &Device::Cpu).map_err(internal(OPERATION))
    }
}
