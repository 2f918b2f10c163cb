//! A run told to somebody who was not there.

use std::fmt::Write as _;

use crate::evaluation::{Evaluation, comparison_tables, glossary, summary_table};
use crate::pipeline::{PipelineConfig, RunSummary};
use crate::prompts::PromptStrategy;
use crate::selection::SelectionSummary;
use crate::{GenerationConfig, Info, Sampling};

/// Who chose among the documents.
pub(super) struct Annotators<'a> {
    pub(super) scorer: &'a Info,
    pub(super) filters: Vec<&'a Info>,
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

/// `report.md`: what came out, how it was made, and every number with what it is made of.
pub(super) fn report(
    config: &PipelineConfig,
    annotators: &Annotators<'_>,
    summary: &RunSummary,
    note: Option<&str>,
) -> String {
    let mut report = String::from("# Detoxification run\n");
    let first = summary_table(&summary.evaluations, &summary.changes);
    if !first.is_empty() {
        let _ =
            write!(report, "\n## What came out\n\n{first}\n{}", intervals(&summary.evaluations));
    }
    if let Some(note) = note {
        let _ = write!(report, "\nNote: {note}.\n");
    }
    let _ = write!(report, "\n## How it was made\n\n{}", steps(config, annotators, summary));
    if !summary.evaluations.is_empty() {
        report.push_str("\n## Everything that was measured\n");
        for (title, table) in comparison_tables(&summary.evaluations, &summary.changes) {
            let _ = write!(report, "\n### {title}\n\n{table}");
        }
        let _ = write!(report, "\n## What the numbers mean\n\n{}", meanings(&summary.evaluations));
        let _ =
            write!(report, "\n## What they are made of\n\n{}", provenance(&summary.evaluations));
    }
    report
}

/// How to read the intervals.
pub(super) fn intervals(evaluations: &[Evaluation]) -> String {
    format!(
        "`[low, high]` is the {}bootstrap interval over prompts or documents. A change is `detoxified − \
         base` on the same ones; where its interval does not hold 0, it is more than chance.\n",
        level(evaluations)
    )
}

/// The level of the intervals, such as `95% `; nothing where there is none.
fn level(evaluations: &[Evaluation]) -> String {
    evaluations
        .iter()
        .flat_map(|evaluation| &evaluation.measurements)
        .find_map(|measurement| measurement.interval)
        .map_or_else(String::new, |interval| format!("{}% ", 100.0 * interval.level))
}

/// The recipe, as a numbered list.
pub(super) fn steps(
    config: &PipelineConfig,
    annotators: &Annotators<'_>,
    summary: &RunSummary,
) -> String {
    let RunSummary { selection, training, .. } = summary;
    let SelectionSummary { kept, documents, cut, .. } = selection;
    let unscored: u64 = selection.unscored.values().sum();
    let GenerationConfig { sampling, .. } = &config.generation;
    format!(
        "1. The model wrote {documents} documents ({}; {}), seed {}.\n\
         2. {} scored them; {unscored} have no score.{}\n\
         3. The {kept} of the lowest {} were kept, up to a value of {cut:.4}.\n\
         4. Of the model's parameters, {} of {} were trained on what was kept: {} steps, {} tokens \
         (method: {}, learning rate: {}).\n",
        strategy(&config.prompts),
        describe_sampling(sampling),
        config.seed,
        annotators.scorer,
        annotators.decided(selection),
        selection.selection.attribute,
        training.trainable_parameters,
        training.total_parameters,
        training.steps,
        training.tokens,
        config.method.name(),
        config.training.learning_rate.peak,
    )
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

fn meanings(evaluations: &[Evaluation]) -> String {
    let mut seen = Vec::new();
    let mut text = String::new();
    for measurement in evaluations.iter().flat_map(|evaluation| &evaluation.measurements) {
        let Some(entry) = glossary(&measurement.name) else { continue };
        if !seen.contains(&entry.name) {
            seen.push(entry.name);
            let _ = writeln!(text, "- **{}** (`{}`): {}.", entry.label, entry.name, entry.meaning);
        }
    }
    text
}

/// One line for each evaluator, which is the same for both models.
pub(crate) fn provenance(evaluations: &[Evaluation]) -> String {
    let mut seen = Vec::new();
    let mut text = String::new();
    for Evaluation { provenance, .. } in evaluations {
        if seen.contains(&&provenance.evaluator.digest) {
            continue;
        }
        seen.push(&provenance.evaluator.digest);
        let _ = write!(text, "- {} on {}", provenance.evaluator, provenance.data);
        if let Some(judge) = &provenance.scorer {
            let _ = write!(text, ", judged by {judge}");
        }
        for (key, value) in &provenance.settings {
            let _ = write!(text, "; {key} `{value}`");
        }
        text.push('\n');
    }
    text
}
