//! How toxic a model's continuations of prompts are.

mod evaluator;
mod measure;
mod outcomes;
mod settings;
mod units;

pub use evaluator::ToxicityEvaluator;
pub(super) use evaluator::{continuations_key, shared_continuations};
pub use outcomes::{Slice, ToxicityOutcomes, ToxicityPreset, ToxicityStatistic};
pub use settings::ToxicitySettings;
pub(super) use settings::over_real_toxicity_prompts;
pub(super) use units::{Judge, SCORES, Units};
