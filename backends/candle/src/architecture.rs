//! What a decoder-only transformer is made of, whichever family it comes from.
//!
//! A family turns its `config.json` into an [`Architecture`]; the training forward and the decode
//! engine know nothing else about it.

use candle_fused_ops::WeightLayout;

use crate::rotary::Rotary;

/// A parameter, as its index in [`Architecture::parameters`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parameter(pub(crate) usize);

/// Name and shape of a parameter in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParameterSpec {
    /// Without the prefix that a checkpoint may leave out.
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    /// Whether the family's prefix belongs in front: to everything but the output head.
    pub(crate) prefixed: bool,
    pub(crate) role: Role,
}

impl ParameterSpec {
    /// How many numbers it is.
    pub(crate) fn size(&self) -> u64 {
        self.shape.iter().product::<usize>() as u64
    }
}

/// What a parameter does, which decides how it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A matrix, an embedding or the head.
    Weight,
    /// What a norm multiplies by.
    Scale,
    /// What a projection or a norm adds.
    Bias,
}

/// `x W + b`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Affine {
    pub(crate) weight: Parameter,
    pub(crate) bias: Option<Parameter>,
    pub(crate) input: usize,
    pub(crate) output: usize,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Norm {
    Layer { weight: Parameter, bias: Parameter },
    Rms { weight: Parameter },
}

/// How query, key and value are projected.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Projections {
    /// By one matrix, its outputs side by side.
    Fused(Affine),
    Separate {
        query: Affine,
        key: Affine,
        value: Affine,
    },
}

/// An element-wise non-linearity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activation {
    GeluTanh,
    GeluErf,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum FeedForward {
    Plain {
        up: Affine,
        activation: Activation,
        down: Affine,
    },
    /// `down(silu(gate(x)) * up(x))` (Shazeer 2020).
    SwiGlu {
        gate: Affine,
        up: Affine,
        down: Affine,
    },
}

/// `x + attention(norm(x))`, then `x + feed_forward(norm(x))`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub(crate) attention_norm: Norm,
    pub(crate) projections: Projections,
    pub(crate) attention_output: Affine,
    pub(crate) feed_forward_norm: Norm,
    pub(crate) feed_forward: FeedForward,
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
pub(crate) struct LinearModule {
    /// Such as `h.0.attn.c_attn`.
    pub(crate) name: String,
    pub(crate) affine: Affine,
}

/// A pre-norm, decoder-only transformer.
#[derive(Clone, Debug)]
pub(crate) struct Architecture {
    /// `model_type` of the configuration.
    pub(crate) family: &'static str,
    /// What a checkpoint puts, or leaves out, before the name of every parameter but the head's.
    pub(crate) prefix: &'static str,
    /// What a checkpoint calls the list of blocks.
    pub(crate) block_list: &'static str,
    /// Ends of the names of buffers that old checkpoints hold and nobody reads.
    pub(crate) ignored: &'static [&'static str],
    pub(crate) vocabulary: usize,
    pub(crate) context_length: usize,
    pub(crate) width: usize,
    pub(crate) heads: usize,
    /// Heads of keys and values; each serves `heads / kv_heads` query heads (Ainslie et al. 2023).
    pub(crate) kv_heads: usize,
    pub(crate) head_width: usize,
    pub(crate) inner_width: usize,
    /// Added to the variance in every norm.
    pub(crate) epsilon: f64,
    /// Of all matrices but the embeddings, which are (rows, width), and the head, which is (out, in).
    pub(crate) layout: WeightLayout,
    pub(crate) rotary: Option<Rotary>,
    pub(crate) parameters: Vec<ParameterSpec>,
    pub(crate) embedding: Parameter,
    pub(crate) position_embedding: Option<Parameter>,
    pub(crate) blocks: Vec<Block>,
    pub(crate) final_norm: Norm,
    /// The embedding again when they are tied.
    pub(crate) head: Parameter,
}

impl Architecture {
    /// Whether the output head is the token embedding.
    pub(crate) fn is_tied(&self) -> bool {
        self.head == self.embedding
    }

    /// How many numbers all parameters are.
    pub(crate) fn size(&self) -> u64 {
        self.parameters.iter().map(ParameterSpec::size).sum()
    }

    /// Columns of a token's keys, and of its values.
    pub(crate) fn key_width(&self) -> usize {
        self.kv_heads * self.head_width
    }

    /// The matrices of all blocks, in order.
    pub(crate) fn linear_modules(&self) -> Vec<LinearModule> {
        let module = |affine: Affine| {
            let spec = &self.parameters[affine.weight.0];
            LinearModule { name: spec.name.trim_end_matches(".weight").to_owned(), affine }
        };
        self.blocks.iter().flat_map(Block::affines).map(module).collect()
    }

    /// The parameters' names in a checkpoint whose transformer is called `prefix`.
    pub(crate) fn names(&self, prefix: &str) -> Vec<String> {
        let prefix_of = |spec: &ParameterSpec| if spec.prefixed { prefix } else { "" };
        self.parameters.iter().map(|spec| format!("{}{}", prefix_of(spec), spec.name)).collect()
    }

    /// The matrices that write into the residual stream: two per block.
    pub(crate) fn residual_writers(&self) -> impl Iterator<Item = Parameter> {
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
    pub(crate) const fn new(layout: WeightLayout) -> Self {
        Self { layout, specs: Vec::new() }
    }

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

    pub(crate) fn affine(&mut self, name: &str, input: usize, output: usize, bias: bool) -> Affine {
        let shape = match self.layout {
            WeightLayout::InOut => [input, output],
            WeightLayout::OutIn => [output, input],
        };
        let weight = self.add(format!("{name}.weight"), &shape);
        let bias = bias.then(|| self.bias(name, output));
        Affine { weight, bias, input, output }
    }

    pub(crate) fn layer_norm(&mut self, name: &str, width: usize) -> Norm {
        Norm::Layer { weight: self.scale(name, width), bias: self.bias(name, width) }
    }

    pub(crate) fn rms_norm(&mut self, name: &str, width: usize) -> Norm {
        Norm::Rms { weight: self.scale(name, width) }
    }

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
pub(crate) const HEAD: &str = "lm_head.weight";
