//! A subject in, measurements out, each with what it is made of.

mod agreement;
mod bias;
mod bootstrap;
mod cell;
mod data;
mod diversity;
mod evaluator;
mod fluency;
mod glossary;
mod lm_eval_results;
mod paired_test;
mod perplexity;
mod random;
mod ranking;
mod sampling_plan;
mod suite;
mod summary;
mod table;
mod tasks;
#[cfg(test)]
mod test_values;
mod toxicity;
mod work;

pub use agreement::{pearson, roc_auc};
pub use bias::{
    BiasEvaluator, BiasJudges, BiasSettings, BoldGroup, BoldSet, IdentityFalsePositives,
};
pub use bootstrap::{Bootstrap, Ratio};
pub(crate) use cell::{MISSING, change, escaped, number, plain, signed, value};
pub use data::{EvaluationPrompt, PromptSet, TextSet};
pub use diversity::{distinct_ngrams, ends_in_repetition, self_bleu};
pub use evaluator::{
    Changes, Evaluation, EvaluationContext, Evaluator, Interval, Measurement, Provenance, Subject,
};
pub use fluency::{FluencyEvaluator, FluencySettings};
pub(crate) use glossary::label;
pub use glossary::{Entry as GlossaryEntry, glossary};
pub use lm_eval_results::lm_eval_results;
pub use paired_test::PairedTest;
pub use perplexity::{Likelihoods, PerplexityEvaluator, PerplexitySettings, count_words};
pub use ranking::Ranking;
pub use sampling_plan::{SamplingPlan, standard_deviation_of, standard_deviation_of_differences};
pub use suite::Suite;
pub(crate) use suite::evaluation_folder;
pub use summary::summary_table;
pub(crate) use summary::{shown, source, source_of, summary, told};
pub use table::comparison_tables;
pub(crate) use table::{comparisons, distinct, title};
pub use tasks::{Task, TaskEvaluator, TaskItem, TaskItems, TaskMetric, TaskSet, TaskSettings};
pub(crate) use toxicity::{Continued, GENERATIONS, Judged, SCORES};
pub use toxicity::{
    Deviation, ExportShape, Over, PresetRules, Slice, StoredPrompt, StoredScores, StoredToxicity,
    ToxicityEvaluator, ToxicityOutcomes, ToxicityPreset, ToxicitySettings, ToxicityStatistic,
    UnscoredPrompts, export_continuations,
};

const COMPONENT: &str = "evaluation";
