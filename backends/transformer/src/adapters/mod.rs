//! What is added to a model without changing it.
//!
//! Each method describes itself in a file of its own; the training forward and the decode engine know
//! only the [`Adaptation`] that comes of it.

mod bottleneck;
mod lora;
mod method;
mod open;
mod prefix;

use std::collections::BTreeMap;

use detoxlm_core::training::{BottleneckActivation, normal_values};

pub use method::AddedMethod;
pub use open::open;
pub use prefix::STORED as STORED_PREFIX;

use crate::architecture::{Affine, Architecture, Parameter, ParameterSpec, Role};

/// The low-rank update of one matrix: `dropout(x) down^T up^T * scale` is added to its output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LowRank {
    /// (rank, in).
    pub down: Parameter,
    /// (out, rank).
    pub up: Parameter,
    /// Columns between the two.
    pub rank: usize,
    /// What the update is multiplied by.
    pub scale: f64,
    /// The share of `x` that is set to 0, in training alone.
    pub dropout: f64,
}

/// What a bottleneck reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BottleneckInput {
    /// What the sublayer adds to the residual stream.
    Update,
    /// The residual stream with that update.
    Stream,
}

/// A network that changes what a sublayer adds to the residual stream:
/// `update + scale * up(activation(down(input)))`.
#[derive(Clone, Copy, Debug)]
pub struct BottleneckNetwork {
    /// What it reads.
    pub input: BottleneckInput,
    /// Both stored (out, in), whatever the base's layout.
    pub down: Affine,
    /// Between the two.
    pub activation: BottleneckActivation,
    /// Back to the model's width.
    pub up: Affine,
    /// What the result is multiplied by.
    pub scale: f64,
}

/// The bottlenecks of a block.
#[derive(Clone, Copy, Debug, Default)]
pub struct BlockBottlenecks {
    /// After the first sublayer.
    pub after_attention: Option<BottleneckNetwork>,
    /// After the second.
    pub after_feed_forward: Option<BottleneckNetwork>,
}

/// Keys and values in front of those of the text, in every layer.
#[derive(Clone, Copy, Debug)]
pub struct Prefix {
    /// Positions that it takes.
    pub length: usize,
    /// Where it comes from.
    pub source: PrefixSource,
}

/// Where the (length, layers * 2 * key width) matrix of a prefix comes from: a layer's keys, then its
/// values, layer by layer.
#[derive(Clone, Copy, Debug)]
pub enum PrefixSource {
    /// It is a parameter.
    Stored(Parameter),
    /// `up(tanh(down(embedding)))`, both stored (out, in).
    Projected {
        /// (length, key width).
        embedding: Parameter,
        /// To the width of the projection.
        down: Affine,
        /// To the columns of the prefix.
        up: Affine,
    },
}

/// What is added to an architecture. Its parameters are numbered on from the architecture's.
#[derive(Clone, Debug, Default)]
pub struct Adaptation {
    /// In the order of their numbers.
    pub parameters: Vec<ParameterSpec>,
    /// By the index of the adapted weight.
    low_rank: BTreeMap<usize, LowRank>,
    /// One per block, or none at all.
    bottlenecks: Vec<BlockBottlenecks>,
    /// In front of the text.
    pub prefix: Option<Prefix>,
}

impl Adaptation {
    /// The update of the matrix with this weight.
    pub fn low_rank(&self, weight: Parameter) -> Option<&LowRank> {
        self.low_rank.get(&weight.0)
    }

    /// The bottlenecks of a block.
    pub fn bottlenecks(&self, block: usize) -> BlockBottlenecks {
        self.bottlenecks.get(block).copied().unwrap_or_default()
    }

    /// Whether it consists of low-rank updates alone.
    pub fn is_low_rank(&self) -> bool {
        self.bottlenecks.is_empty() && self.prefix.is_none()
    }

    /// Positions that the prefix takes.
    pub fn prefix_length(&self) -> usize {
        self.prefix.map_or(0, |prefix| prefix.length)
    }

    /// First values of every parameter, as `begins` says of each; the same seed gives the same.
    fn initial_values(
        &self,
        seed: u64,
        begins: impl Fn(&ParameterSpec) -> Beginning,
    ) -> Vec<Vec<f32>> {
        let parameters = self.parameters.iter().zip(0..);
        let values = parameters.map(|(spec, number)| {
            let count = spec.shape.iter().product();
            match begins(spec) {
                Beginning::Zero => vec![0.0; count],
                Beginning::Normal(spread) => {
                    normal_values(seed, number, spread).take(count).collect()
                }
                Beginning::At(values) => values,
            }
        });
        values.collect()
    }

    /// How many numbers its parameters are.
    pub fn size(&self) -> u64 {
        self.parameters.iter().map(ParameterSpec::size).sum()
    }
}

/// How a parameter begins.
enum Beginning {
    Zero,
    /// Normally distributed around 0, with this standard deviation.
    Normal(f64),
    At(Vec<f32>),
}

/// An adaptation with the values of its parameters.
#[derive(Debug)]
pub struct AdaptationValues {
    /// What the values are of.
    pub adaptation: Adaptation,
    /// Number of its first parameter.
    first: usize,
    values: Vec<Vec<f32>>,
}

impl AdaptationValues {
    /// The values of one of its parameters, row-major.
    pub fn values(&self, parameter: Parameter) -> &[f32] {
        &self.values[parameter.0 - self.first]
    }
}

/// Collects an adaptation's parameters.
#[derive(Debug)]
struct AddedParameters {
    first: usize,
    specs: Vec<ParameterSpec>,
}

impl AddedParameters {
    const fn to(architecture: &Architecture) -> Self {
        Self { first: architecture.parameters.len(), specs: Vec::new() }
    }

    fn add(&mut self, name: String, shape: &[usize], role: Role) -> Parameter {
        self.specs.push(ParameterSpec { name, shape: shape.to_vec(), prefixed: false, role });
        Parameter(self.first + self.specs.len() - 1)
    }

    /// A linear layer stored (out, in), with a bias.
    fn affine(&mut self, name: &str, input: usize, output: usize) -> Affine {
        let weight = self.add(format!("{name}.weight"), &[output, input], Role::Weight);
        let bias = self.add(format!("{name}.bias"), &[output], Role::Bias);
        Affine { weight, bias: Some(bias), input, output }
    }
}
