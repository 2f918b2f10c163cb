//! What the passes ask of a framework's tensors.

use std::fmt;

use detoxlm_core::Precision;

use super::attention::{Heads, Sight, attend};
use super::place::Place;
use crate::architecture::WeightLayout;

/// What an operation at a place gives, or what the framework says of it.
pub type Computed<V, P> = Result<V, <<P as Place>::Tensor as Tensor>::Error>;

/// The same of an operation on a tensor.
pub type Made<V, T> = Result<V, <T as Tensor>::Error>;

/// A framework's tensor; clones share what they point to.
///
/// # Contract
/// - Operations between two tensors stretch dimensions of 1, and are given the same kind of number.
/// - What has a gradient has one through every operation, but those under "Results" and "In place".
/// - Nothing is changed but what is borrowed mutably, and what shares memory with it: a view of a tensor that
///   is written to shows what was written.
/// - The same operations on the same values give the same bits on the same device.
///
/// Shapes are checked before: an error is a mistake of ours, or the device has run out of memory.
pub trait Tensor: Clone + fmt::Debug + Send + Sync + 'static {
    /// What the framework says when it cannot compute.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Where backward passes add up gradients.
    type Gradients: Default + Send + Sync;

    // -- Shape ------------------------------------------------------------------------------------

    /// Its dimensions.
    fn shape(&self) -> Vec<usize>;

    /// Its kind of number.
    fn precision(&self) -> Precision;

    /// Its values in another kind of number.
    fn to(&self, precision: Precision) -> Made<Self, Self>;

    /// The same values, row by row, in these dimensions.
    fn reshape(&self, shape: &[usize]) -> Made<Self, Self>;

    /// Dimensions of 1 stretched to these.
    fn broadcast(&self, shape: &[usize]) -> Made<Self, Self>;

    /// A piece of a dimension.
    fn narrow(&self, dimension: usize, start: usize, length: usize) -> Made<Self, Self>;

    /// Two dimensions, exchanged.
    fn transpose(&self, one: usize, other: usize) -> Made<Self, Self>;

    /// One behind another in a dimension.
    fn cat(parts: &[Self], dimension: usize) -> Made<Self, Self>;

    /// The pieces of the first dimension that a vector of ids names.
    fn rows(&self, ids: &Self) -> Made<Self, Self>;

    // -- Arithmetic -------------------------------------------------------------------------------

    /// Sum.
    fn add(&self, other: &Self) -> Made<Self, Self>;

    /// Difference.
    fn sub(&self, other: &Self) -> Made<Self, Self>;

    /// Product of elements.
    fn mul(&self, other: &Self) -> Made<Self, Self>;

    /// Every element times a factor.
    fn scale(&self, factor: f64) -> Made<Self, Self>;

    /// Products of the matrices in the last two dimensions.
    fn matmul(&self, other: &Self) -> Made<Self, Self>;

    /// A linear layer over the last dimension.
    fn linear(&self, weight: &Self, bias: Option<&Self>, layout: WeightLayout) -> Made<Self, Self>;

    // -- Activations ------------------------------------------------------------------------------

    /// Hyperbolic tangent.
    fn tanh(&self) -> Made<Self, Self>;

    /// Nothing below zero.
    fn relu(&self) -> Made<Self, Self>;

    /// `x * sigmoid(x)`.
    fn silu(&self) -> Made<Self, Self>;

    /// GELU (Hendrycks and Gimpel 2016) by its definition.
    fn gelu_erf(&self) -> Made<Self, Self>;

    /// GELU by the approximation with a hyperbolic tangent.
    fn gelu_tanh(&self) -> Made<Self, Self>;

    // -- Layers -----------------------------------------------------------------------------------

    /// The rows of a table that ids of any dimensions name: (ids.., width).
    fn embedding(&self, ids: &Self) -> Made<Self, Self>;

    /// Layer norm (Ba et al. 2016) over the last dimension.
    fn layer_norm(&self, weight: &Self, bias: &Self, epsilon: f64) -> Made<Self, Self>;

    /// The same without centring (Zhang and Sennrich 2019).
    fn rms_norm(&self, weight: &Self, epsilon: f64) -> Made<Self, Self>;

    /// Softmax over what a mask lets be read of the last dimension, computed in `f32`.
    fn masked_softmax(&self, mask: Option<&Self>) -> Made<Self, Self>;

    /// What heads read; by the fastest kernel that the framework has, which need not have a gradient.
    ///
    /// # Errors
    /// As [`Tensor`] says.
    fn attend(heads: &Heads<Self>, sight: &Sight<'_, Self>, scale: f64) -> Made<Self, Self> {
        attend(heads, sight, scale)
    }

    /// Sets each element to zero with the given probability, and divides the others by what is left of one
    /// (Srivastava et al. 2014). Which are kept follows from the seed and from an element's index alone, and
    /// is the same in every framework.
    fn dropout(&self, probability: f64, seed: u64) -> Made<Self, Self>;

    /// The sum of the cross-entropies of logits (rows, vocabulary), in `f32`, with target ids.
    fn cross_entropy(&self, targets: &Self) -> Made<Self, Self>;

    // -- Results ----------------------------------------------------------------------------------

    /// The mask (queries, keys), where this tensor lies, under which the last query reads all keys, and each
    /// before it one less.
    fn causal_mask(&self, queries: usize, keys: usize) -> Made<Self, Self>;

    /// The mask (ids.., keys) that lets be read as many keys as an id says, and one more.
    fn up_to(&self, keys: usize) -> Made<Self, Self>;

    /// Of logits (rows, vocabulary), in `f32`: the log-probabilities of target ids, and where no other is more
    /// probable (of equals, the lowest id counts).
    fn likelihoods(&self, targets: &Self) -> Made<(Vec<f32>, Vec<bool>), Self>;

    /// Its values, row-major.
    ///
    /// # Errors
    /// As [`Tensor`] says.
    fn values(&self) -> Made<Vec<f32>, Self> {
        let mut values = vec![0.0; self.shape().iter().product()];
        self.values_into(&mut values)?;
        Ok(values)
    }

    /// The same into a buffer of as many values.
    fn values_into(&self, values: &mut [f32]) -> Made<(), Self>;

    /// The sum of the squares of its values.
    fn sum_of_squares(&self) -> Made<f64, Self>;

    // -- Gradients --------------------------------------------------------------------------------

    /// The same values, of which no gradient is asked.
    #[must_use]
    fn detach(&self) -> Self;

    /// The same values at the beginning of a graph: gradients flow into it.
    fn leaf(&self) -> Made<Self, Self>;

    /// Whether a gradient is asked of it.
    fn has_gradient(&self) -> bool;

    /// The backward pass from a tensor of which the gradient is known, or from a scalar, of which it is 1: adds
    /// the gradients of these leaves.
    fn backward(
        &self,
        slope: Option<&Self>,
        leaves: &[&Self],
        gradients: &mut Self::Gradients,
    ) -> Made<(), Self>;

    /// Whether a backward pass has reached a leaf.
    fn is_reached(&self, gradients: &Self::Gradients) -> bool;

    /// What has been added up for a leaf, taken out; nothing where no backward pass has reached it.
    fn gradient(&self, gradients: &mut Self::Gradients) -> Made<Option<Self>, Self>;

    // -- In place ---------------------------------------------------------------------------------

    /// Writes pieces of the first dimension, from `start` on; they may come from this very tensor.
    fn set_rows(&mut self, start: usize, rows: &Self) -> Made<(), Self>;

    /// Writes pieces of the first dimension to where a vector of ids says.
    fn scatter_rows(&mut self, ids: &Self, rows: &Self) -> Made<(), Self>;

    /// A step of AdamW (Loshchilov and Hutter 2019) for weights with these moments and gradients, vectors of
    /// one length.
    fn adamw(moments: &mut Moments<Self>, gradient: &Self, step: &AdamWStep) -> Made<(), Self>;
}

/// Trained weights and the running means of their gradients and of the gradients' squares.
#[derive(Clone, Debug)]
pub struct Moments<T> {
    /// What is trained.
    pub weights: T,
    /// Of the gradients.
    pub first: T,
    /// Of their squares.
    pub second: T,
}

/// The numbers of a step of AdamW.
#[derive(Clone, Copy, Debug)]
pub struct AdamWStep {
    /// What gradients are multiplied by first.
    pub clip: f64,
    /// How much of the first moment stays.
    pub beta1: f64,
    /// How much of the second does.
    pub beta2: f64,
    /// What weights are multiplied by first.
    pub decay: f64,
    /// What the update is multiplied by.
    pub size: f64,
    /// What the root of the second moment is multiplied by.
    pub root_correction: f64,
    /// What is added to it then.
    pub epsilon: f64,
}
