//! How toxic a model's continuations of prompts are.

mod evaluator;
mod measure;
mod outcomes;
mod settings;
mod units;

pub use evaluator::ToxicityEvaluator;
pub use outcomes::{Slice, ToxicityOutcomes, ToxicityPreset, ToxicityStatistic};
pub use settings::ToxicitySettings;
