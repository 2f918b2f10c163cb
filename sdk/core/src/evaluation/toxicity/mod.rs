//! How toxic a model's continuations of prompts are.

mod continuations;
mod evaluator;
mod judged;
mod measure;
mod outcomes;
mod preset;
mod settings;
mod slice;
mod stored;

pub(super) use continuations::{Appraiser, Continuations};
pub(crate) use continuations::{Continued, GENERATIONS};
pub use evaluator::ToxicityEvaluator;
pub(super) use judged::{Judge, judged};
pub(crate) use judged::{Judged, SCORES};
pub use outcomes::{ToxicityOutcomes, ToxicityStatistic};
pub use preset::{Deviation, Over, PresetRules, ToxicityPreset, UnscoredPrompts};
pub(super) use settings::GivenSampling;
pub use settings::ToxicitySettings;
pub use slice::Slice;
pub(super) use slice::members;
pub use stored::{ExportShape, StoredPrompt, StoredScores, StoredToxicity, export_continuations};
