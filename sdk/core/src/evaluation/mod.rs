//! A subject in, measurements out, each with what it is made of.

mod agreement;
mod bootstrap;
mod cell;
mod data;
mod diversity;
mod evaluator;
mod glossary;
mod lm_eval_results;
mod perplexity;
mod random;
mod ranking;
mod suite;
mod summary;
mod table;
mod tasks;
#[cfg(test)]
mod test_values;
mod toxicity;
mod work;

pub use agreement::{pearson, roc_auc};
pub use bootstrap::{Bootstrap, Ratio};
pub(crate) use cell::{MISSING, change, escaped, number, plain, signed, value};
pub use data::{EvaluationPrompt, PromptSet, TextSet};
pub use diversity::distinct_ngrams;
pub use evaluator::{
    Changes, Evaluation, EvaluationContext, Evaluator, Interval, Measurement, Provenance, Subject,
};
pub(crate) use glossary::label;
pub use glossary::{Entry as GlossaryEntry, glossary};
pub use lm_eval_results::lm_eval_results;
pub use perplexity::{Likelihoods, PerplexityEvaluator, PerplexitySettings, count_words};
pub use ranking::Ranking;
pub use suite::Suite;
pub(crate) use suite::evaluation_folder;
pub use summary::summary_table;
pub(crate) use summary::{source, summary};
pub use table::comparison_tables;
pub(crate) use table::{comparisons, distinct, title};
pub use tasks::{Task, TaskEvaluator, TaskItem, TaskItems, TaskMetric, TaskSet, TaskSettings};
pub use toxicity::{
    Slice, ToxicityEvaluator, ToxicityOutcomes, ToxicityPreset, ToxicitySettings, ToxicityStatistic,
};

const COMPONENT: &str = "evaluation";
