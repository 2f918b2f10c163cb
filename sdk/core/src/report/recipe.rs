//! How a run's model was made, in words.

use std::fmt::Write as _;

use crate::pipeline::{PipelineConfig, RunSummary};
use crate::prompts::PromptStrategy;
use crate::selection::SelectionSummary;
use crate::{GenerationConfig, Info, Sampling};

/// Who chose among the documents.
#[derive(Clone, Debug)]
pub(crate) struct Annotators<'a> {
    pub(crate) scorer: &'a Info,
    pub(crate) filters: Vec<&'a Info>,
}

impl Annotators<'_> {
    /// How many documents each filter dropped.
    fn decided(&self, selection: &SelectionSummary) -> String {
        let mut text = String::new();
        for filter in &self.filters {
            let count = selection.filtered.get(&filter.name).copied().unwrap_or(0);
            let _ = write!(text, " {filter} dropped {count} of them.");
        }
        if !self.filters.is_empty() {
            text.push_str(" Who dropped which and why is in `select/dropped.jsonl`.");
        }
        text
    }
}

/// The recipe, step by step.
pub(crate) fn steps(
    config: &PipelineConfig,
    annotators: &Annotators<'_>,
    summary: &RunSummary,
) -> Vec<String> {
    let RunSummary { selection, training, .. } = summary;
    let SelectionSummary { kept, documents, cut, .. } = selection;
    let unscored: u64 = selection.unscored.values().sum();
    let GenerationConfig { sampling, .. } = &config.generation;
    vec![
        format!(
            "The model wrote {documents} documents ({}; {}), seed {}.",
            strategy(&config.prompts),
            describe_sampling(sampling),
            config.seed,
        ),
        format!(
            "{} scored them; {unscored} have no score.{}",
            annotators.scorer,
            annotators.decided(selection),
        ),
        format!(
            "The {kept} of the lowest {} were kept, up to a value of {cut:.4}.",
            selection.selection.attribute,
        ),
        format!(
            "Of the model's parameters, {} of {} were trained on what was kept: {} steps, {} tokens \
             (method: {}, learning rate: {}).",
            training.trainable_parameters,
            training.total_parameters,
            training.steps,
            training.tokens,
            config.method.name(),
            config.training.learning_rate.peak,
        ),
    ]
}

fn strategy(prompts: &PromptStrategy) -> String {
    match prompts {
        PromptStrategy::Unconditional {} => "without a prompt".to_owned(),
        PromptStrategy::Heuristic { .. } => "prompted with instructions".to_owned(),
        PromptStrategy::Augmented { documents, keep_fraction } => format!(
            "prompted with the first halves of the least toxic {}% of {documents} documents that it \
             wrote before",
            100.0 * keep_fraction
        ),
    }
}

pub(crate) fn describe_sampling(sampling: &Sampling) -> String {
    let Sampling { max_new_tokens, temperature, top_k, top_p } = sampling;
    let top_k = top_k.map_or_else(String::new, |k| format!(", top-k {k}"));
    format!("up to {max_new_tokens} tokens, top-p {top_p}{top_k}, temperature {temperature}")
}
