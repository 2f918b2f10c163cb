//! A subject in, measurements out, each with what it is made of.

mod agreement;
mod bootstrap;
mod cell;
mod data;
mod diversity;
mod evaluator;
mod fluency;
mod glossary;
mod paired_test;
mod perplexity;
mod random;
mod ranking;
mod sampling_plan;
mod summary;
mod table;
#[cfg(test)]
mod test_values;
mod toxicity;
mod work;

pub use agreement::{pearson, roc_auc};
pub use bootstrap::{Bootstrap, Ratio};
pub(crate) use cell::{MISSING, change, escaped, plain, value};
pub use data::{EvaluationPrompt, PromptSet, TextSet};
pub use diversity::{distinct_ngrams, ends_in_repetition, self_bleu};
pub use evaluator::{
    Changes, Evaluation, EvaluationContext, Evaluator, Interval, Measurement, Provenance, Subject,
};
pub use fluency::{FluencyEvaluator, FluencySettings};
pub use glossary::{Entry as GlossaryEntry, glossary};
pub use paired_test::PairedTest;
pub use perplexity::{Likelihoods, PerplexityEvaluator, PerplexitySettings, count_words};
pub use ranking::Ranking;
pub use sampling_plan::{SamplingPlan, standard_deviation_of, standard_deviation_of_differences};
pub use summary::summary_table;
pub use table::comparison_tables;
pub use toxicity::{
    Deviation, ExportShape, Over, PresetRules, Slice, StoredPrompt, StoredScores, StoredToxicity,
    ToxicityEvaluator, ToxicityOutcomes, ToxicityPreset, ToxicitySettings, ToxicityStatistic,
    UnscoredPrompts, export_continuations,
};

const COMPONENT: &str = "evaluation";
