//! A subject in, measurements out, each with what it is made of.

mod agreement;
mod bootstrap;
mod data;
mod diversity;
mod evaluator;
mod perplexity;
mod random;
mod table;
mod toxicity;
mod work;

pub use agreement::{pearson, roc_auc};
pub use bootstrap::{Bootstrap, Ratio};
pub use data::{EvaluationPrompt, PromptSet, TextSet};
pub use diversity::distinct_ngrams;
pub use evaluator::{
    Evaluation, EvaluationContext, Evaluator, Interval, Measurement, Provenance, Subject,
};
pub use perplexity::{Likelihoods, PerplexityEvaluator, PerplexitySettings, count_words};
pub use table::{comparison_table, comparison_tables};
pub use toxicity::{
    Slice, ToxicityEvaluator, ToxicityOutcomes, ToxicityPreset, ToxicitySettings, ToxicityStatistic,
};

const COMPONENT: &str = "evaluation";
