//! How fluent a second model finds a model's continuations.

mod evaluator;
mod rated;
mod ratings;
mod settings;

pub use evaluator::FluencyEvaluator;
pub use settings::FluencySettings;
