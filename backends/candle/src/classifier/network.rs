//! The network: convolutions over token vectors, the strongest and the mean answer of each, two
//! layers (Kim 2014, "Convolutional Neural Networks for Sentence Classification").

use candle_core::{Result, Tensor};
use candle_fused_ops::{
    TextConvolutions, WeightLayout, convolve_and_pool, dropout, embedding, linear, relu,
};
use detoxlm_core::distillation::DistillationConfig;

/// The sizes of a classifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) vocabulary: usize,
    pub(crate) width: usize,
    /// Width and channels of each.
    pub(crate) convolutions: Vec<(usize, usize)>,
    pub(crate) hidden: usize,
    pub(crate) attributes: usize,
}

/// A parameter's name and shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
}

impl Spec {
    pub(crate) fn new(name: &str, shape: &[usize]) -> Self {
        Self { name: name.to_owned(), shape: shape.to_vec() }
    }

    pub(crate) fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Where parameters are in their list.
pub(crate) const VECTORS: usize = 0;
/// `(width, taps)`: for each convolution, one block of its channels for each tap.
pub(crate) const TAPS: usize = 1;
pub(crate) const TAP_BIAS: usize = 2;
/// `(hidden, 2 channels)`.
pub(crate) const HIDDEN: usize = 3;
pub(crate) const HIDDEN_BIAS: usize = 4;
/// `(attributes, hidden)`.
pub(crate) const LOGITS: usize = 5;
pub(crate) const LOGITS_BIAS: usize = 6;
/// How many there are.
pub(crate) const COUNT: usize = 7;

impl Sizes {
    pub(crate) fn of(config: &DistillationConfig, vocabulary: usize, attributes: usize) -> Self {
        let size = |one: &detoxlm_core::distillation::Convolution| (one.width, one.channels);
        Self {
            vocabulary,
            width: config.width,
            convolutions: config.convolutions.iter().map(size).collect(),
            hidden: config.hidden,
            attributes,
        }
    }

    pub(crate) fn channels(&self) -> usize {
        self.convolutions.iter().map(|(_, channels)| channels).sum()
    }

    fn taps(&self) -> usize {
        self.convolutions.iter().map(|(width, channels)| width * channels).sum()
    }

    /// The parameters, in their order.
    pub(crate) fn specs(&self) -> [Spec; COUNT] {
        let pooled = 2 * self.channels();
        [
            Spec::new("vectors", &[self.vocabulary, self.width]),
            Spec::new("convolutions.weight", &[self.width, self.taps()]),
            Spec::new("convolutions.bias", &[self.channels()]),
            Spec::new("hidden.weight", &[self.hidden, pooled]),
            Spec::new("hidden.bias", &[self.hidden]),
            Spec::new("logits.weight", &[self.attributes, self.hidden]),
            Spec::new("logits.bias", &[self.attributes]),
        ]
    }

    /// How many values feed one output of a parameter's layer; `None` for biases and vectors.
    pub(crate) fn inputs(&self, parameter: usize) -> Vec<usize> {
        match parameter {
            // Every column of the taps has the inputs of its whole convolution.
            TAPS => self
                .convolutions
                .iter()
                .flat_map(|&(width, channels)| {
                    std::iter::repeat_n(width * self.width, width * channels)
                })
                .collect(),
            HIDDEN => vec![2 * self.channels()],
            LOGITS => vec![self.hidden],
            _ => Vec::new(),
        }
    }
}

/// What is dropped in training, each with a seed of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drops {
    seed: u64,
}

/// The share of values that a layer drops.
const INPUT: f64 = 0.3;
const POOLED: f64 = 0.5;
const INNER: f64 = 0.3;
/// Whole tokens: no one word may decide alone.
const TOKEN: f64 = 0.1;

impl Drops {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed }
    }

    fn of(self, x: &Tensor, share: f64, layer: u64) -> Result<Tensor> {
        dropout(x, share, self.seed.wrapping_mul(8).wrapping_add(layer))
    }
}

/// Texts one behind the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Texts {
    pub(crate) tokens: Vec<u32>,
    pub(crate) lengths: Vec<usize>,
}

/// Logits `(texts, attributes)`, and the layer before them `(texts, hidden)`.
pub(crate) struct Judged {
    pub(crate) logits: Tensor,
    pub(crate) hidden: Tensor,
}

/// A pass over texts, with parameters in the order of [`Sizes::specs`].
pub(crate) fn judge(
    sizes: &Sizes,
    parameters: &[Tensor],
    texts: &Texts,
    drops: Option<Drops>,
) -> Result<Judged> {
    let drop = |x: Tensor, share: f64, layer: u64| match drops {
        Some(drops) => drops.of(&x, share, layer),
        None => Ok(x),
    };
    let mut x = embedding(&parameters[VECTORS], &texts.tokens)?;
    if let Some(drops) = drops {
        let kept = Tensor::ones((texts.tokens.len(), 1), x.dtype(), x.device())?;
        // Its size stays: the classifier, too, meets texts of few words that it knows.
        let kept = drops.of(&kept, TOKEN, 0)?.affine(1.0 - TOKEN, 0.0)?;
        x = x.broadcast_mul(&kept)?;
    }
    let x = drop(x, INPUT, 1)?;
    let products = linear(&x, &parameters[TAPS], None, WeightLayout::InOut)?;
    let convolutions =
        TextConvolutions { lengths: texts.lengths.clone(), sizes: sizes.convolutions.clone() };
    let pooled = convolve_and_pool(&products, &parameters[TAP_BIAS], &convolutions)?;
    let layer = |x: &Tensor, weight: usize, bias: usize| {
        linear(x, &parameters[weight], Some(&parameters[bias]), WeightLayout::OutIn)
    };
    let hidden = relu(&layer(&drop(pooled, POOLED, 2)?, HIDDEN, HIDDEN_BIAS)?)?;
    let hidden = drop(hidden, INNER, 3)?;
    Ok(Judged { logits: layer(&hidden, LOGITS, LOGITS_BIAS)?, hidden })
}
