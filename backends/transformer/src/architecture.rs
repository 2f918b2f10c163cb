//! What a decoder-only transformer is made of, whichever family it comes from.
//!
//! A family turns its `config.json` into an [`Architecture`]; the training forward and the decode
//! engine know nothing else about it.

use crate::rotary::Rotary;

/// How a matrix is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightLayout {
    /// (in, out), as GPT-2's: `x W`.
    InOut,
    /// (out, in), as PyTorch's linear layers: `x W^T`.
    OutIn,
}

/// A parameter, as its index in [`Architecture::parameters`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter(
    /// The index.
    pub usize,
);

/// Name and shape of a parameter in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterSpec {
    /// Without the prefix that a checkpoint may leave out.
    pub name: String,
    /// As stored.
    pub shape: Vec<usize>,
    /// Whether the family's prefix belongs in front: to everything but the output head.
    pub prefixed: bool,
    /// What it does.
    pub role: Role,
}

impl ParameterSpec {
    /// How many numbers it is.
    pub fn size(&self) -> u64 {
        self.shape.iter().product::<usize>() as u64
    }
}

/// What a parameter does, which decides how it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A matrix, an embedding or the head.
    Weight,
    /// What a norm multiplies by.
    Scale,
    /// What a projection or a norm adds.
    Bias,
}

/// `x W + b`.
#[derive(Clone, Copy, Debug)]
pub struct Affine {
    /// `W`.
    pub weight: Parameter,
    /// `b`.
    pub bias: Option<Parameter>,
    /// Columns of `x`.
    pub input: usize,
    /// Columns of the result.
    pub output: usize,
}

/// How a vector is normalised.
#[derive(Clone, Copy, Debug)]
pub enum Norm {
    /// To mean 0 and variance 1 (Ba et al. 2016).
    Layer {
        /// What the result is multiplied by.
        weight: Parameter,
        /// What is added to it.
        bias: Parameter,
    },
    /// To a mean square of 1 (Zhang and Sennrich 2019).
    Rms {
        /// What the result is multiplied by.
        weight: Parameter,
    },
}

/// How query, key and value are projected.
#[derive(Clone, Copy, Debug)]
pub enum Projections {
    /// By one matrix, its outputs side by side.
    Fused(Affine),
    /// By a matrix each.
    Separate {
        /// Of the queries.
        query: Affine,
        /// Of the keys.
        key: Affine,
        /// Of the values.
        value: Affine,
    },
}

/// An element-wise non-linearity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// GELU by its approximation with `tanh` (Hendrycks and Gimpel 2016).
    GeluTanh,
    /// GELU by the error function.
    GeluErf,
}

/// The network after attention.
#[derive(Clone, Copy, Debug)]
pub enum FeedForward {
    /// `down(activation(up(x)))`.
    Plain {
        /// To the inner width.
        up: Affine,
        /// What is applied there.
        activation: Activation,
        /// Back to the width.
        down: Affine,
    },
    /// `down(silu(gate(x)) * up(x))` (Shazeer 2020).
    SwiGlu {
        /// To the inner width, through `silu`.
        gate: Affine,
        /// To the inner width.
        up: Affine,
        /// Back to the width.
        down: Affine,
    },
}

/// `x + attention(norm(x))`, then `x + feed_forward(norm(x))`.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// Before attention.
    pub attention_norm: Norm,
    /// Of queries, keys and values.
    pub projections: Projections,
    /// From the heads to the residual stream.
    pub attention_output: Affine,
    /// Before the feed-forward network.
    pub feed_forward_norm: Norm,
    /// The feed-forward network.
    pub feed_forward: FeedForward,
}

impl Block {
    /// Its matrices.
    fn affines(&self) -> Vec<Affine> {
        let mut affines = match self.projections {
            Projections::Fused(all) => vec![all],
            Projections::Separate { query, key, value } => vec![query, key, value],
        };
        affines.push(self.attention_output);
        match self.feed_forward {
            FeedForward::Plain { up, down, .. } => affines.extend([up, down]),
            FeedForward::SwiGlu { gate, up, down } => affines.extend([gate, up, down]),
        }
        affines
    }
}

/// A matrix of a block under the name of its module.
#[derive(Clone, Debug)]
pub struct LinearModule {
    /// Such as `h.0.attn.c_attn`.
    pub name: String,
    /// The matrix.
    pub affine: Affine,
}

/// A pre-norm, decoder-only transformer.
#[derive(Clone, Debug)]
pub struct Architecture {
    /// `model_type` of the configuration.
    pub family: &'static str,
    /// What a checkpoint puts, or leaves out, before the name of every parameter but the head's.
    pub prefix: &'static str,
    /// What a checkpoint calls the list of blocks.
    pub block_list: &'static str,
    /// Ends of the names of buffers that old checkpoints hold and nobody reads.
    pub ignored: &'static [&'static str],
    /// Rows of the embedding, and logits of a position.
    pub vocabulary: usize,
    /// The most tokens of a sequence.
    pub context_length: usize,
    /// Columns of the residual stream.
    pub width: usize,
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values; each serves `heads / kv_heads` query heads (Ainslie et al. 2023).
    pub kv_heads: usize,
    /// Columns of a head.
    pub head_width: usize,
    /// Columns inside the feed-forward network.
    pub inner_width: usize,
    /// Added to the variance in every norm.
    pub epsilon: f64,
    /// Of all matrices but the embeddings, which are (rows, width), and the head, which is (out, in).
    pub layout: WeightLayout,
    /// Where positions are angles.
    pub rotary: Option<Rotary>,
    /// Every parameter, in the order of their indices.
    pub parameters: Vec<ParameterSpec>,
    /// Of tokens: (vocabulary, width).
    pub embedding: Parameter,
    /// Where positions are learned: (context length, width).
    pub position_embedding: Option<Parameter>,
    /// From the first to the last.
    pub blocks: Vec<Block>,
    /// Before the head.
    pub final_norm: Norm,
    /// The embedding again when they are tied.
    pub head: Parameter,
}

impl Architecture {
    /// Whether the output head is the token embedding.
    pub fn is_tied(&self) -> bool {
        self.head == self.embedding
    }

    /// How many numbers all parameters are.
    pub fn size(&self) -> u64 {
        self.parameters.iter().map(ParameterSpec::size).sum()
    }

    /// What the products of queries and keys are multiplied by: `1 / sqrt(head_width)` (Vaswani et al.
    /// 2017).
    #[must_use]
    pub fn attention_scale(&self) -> f32 {
        1.0 / (self.head_width as f32).sqrt()
    }

    /// Columns of a token's keys, and of its values.
    pub fn key_width(&self) -> usize {
        self.kv_heads * self.head_width
    }

    /// The matrices of all blocks, in order.
    pub fn linear_modules(&self) -> Vec<LinearModule> {
        let module = |affine: Affine| {
            let spec = &self.parameters[affine.weight.0];
            LinearModule { name: spec.name.trim_end_matches(".weight").to_owned(), affine }
        };
        self.blocks.iter().flat_map(Block::affines).map(module).collect()
    }

    /// The parameters' names in a checkpoint whose transformer is called `prefix`.
    pub fn names(&self, prefix: &str) -> Vec<String> {
        let prefix_of = |spec: &ParameterSpec| if spec.prefixed { prefix } else { "" };
        self.parameters.iter().map(|spec| format!("{}{}", prefix_of(spec), spec.name)).collect()
    }

    /// The matrices that write into the residual stream: two per block.
    pub fn residual_writers(&self) -> impl Iterator<Item = Parameter> {
        self.blocks.iter().flat_map(|block| {
            let (FeedForward::Plain { down, .. } | FeedForward::SwiGlu { down, .. }) =
                block.feed_forward;
            [block.attention_output.weight, down.weight]
        })
    }
}

/// Collects a family's parameters while it lays out its blocks.
#[derive(Debug)]
pub(crate) struct ParameterList {
    layout: WeightLayout,
    specs: Vec<ParameterSpec>,
}

impl ParameterList {
    /// None yet.
    pub(crate) const fn new(layout: WeightLayout) -> Self {
        Self { layout, specs: Vec::new() }
    }

    /// Adds a matrix or an embedding.
    pub(crate) fn add(&mut self, name: impl Into<String>, shape: &[usize]) -> Parameter {
        self.push(name.into(), shape, true, Role::Weight)
    }

    /// The output head, whose name never has the prefix; tied, it is the embedding.
    pub(crate) fn head(
        &mut self,
        tied: bool,
        embedding: Parameter,
        shape: [usize; 2],
    ) -> Parameter {
        if tied { embedding } else { self.push(HEAD.into(), &shape, false, Role::Weight) }
    }

    /// Adds a linear layer's parameters, in this list's layout.
    pub(crate) fn affine(&mut self, name: &str, input: usize, output: usize, bias: bool) -> Affine {
        let shape = match self.layout {
            WeightLayout::InOut => [input, output],
            WeightLayout::OutIn => [output, input],
        };
        let weight = self.add(format!("{name}.weight"), &shape);
        let bias = bias.then(|| self.bias(name, output));
        Affine { weight, bias, input, output }
    }

    /// Adds those of a layer norm.
    pub(crate) fn layer_norm(&mut self, name: &str, width: usize) -> Norm {
        Norm::Layer { weight: self.scale(name, width), bias: self.bias(name, width) }
    }

    /// Adds those of an RMS norm.
    pub(crate) fn rms_norm(&mut self, name: &str, width: usize) -> Norm {
        Norm::Rms { weight: self.scale(name, width) }
    }

    /// All of them.
    pub(crate) fn finish(self) -> Vec<ParameterSpec> {
        self.specs
    }

    fn scale(&mut self, name: &str, width: usize) -> Parameter {
        self.push(format!("{name}.weight"), &[width], true, Role::Scale)
    }

    fn bias(&mut self, name: &str, width: usize) -> Parameter {
        self.push(format!("{name}.bias"), &[width], true, Role::Bias)
    }

    fn push(&mut self, name: String, shape: &[usize], prefixed: bool, role: Role) -> Parameter {
        self.specs.push(ParameterSpec { name, shape: shape.to_vec(), prefixed, role });
        Parameter(self.specs.len() - 1)
    }
}

/// The output head's name in every family here.
pub const HEAD: &str = "lm_head.weight";
