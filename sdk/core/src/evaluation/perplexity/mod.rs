//! How well a model predicts text.

mod evaluator;
mod likelihoods;

pub use evaluator::{PerplexityEvaluator, PerplexitySettings};
pub use likelihoods::{Likelihoods, count_words};
