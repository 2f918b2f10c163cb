//! What a run's model says about itself wherever it is taken.

use crate::evaluation::summary_table;
use crate::pipeline::{PipelineConfig, RunSummary};
use crate::report::{Annotators, intervals, provenance_lines, steps};
use crate::training::Card;

/// The `README.md` of the model, or adapter, that a run made of `base`.
pub(super) fn card(
    base: &str,
    config: &PipelineConfig,
    annotators: &Annotators<'_>,
    summary: &RunSummary,
) -> String {
    let RunSummary { training, evaluations, changes, .. } = summary;
    let scorer = annotators.scorer;
    let table = summary_table(evaluations, changes);
    let figures = if table.is_empty() {
        "Nothing yet.".to_owned()
    } else {
        format!("{table}\n{}\n\n{}", intervals(evaluations), provenance_lines(evaluations))
    };
    Card {
        base,
        method: &config.method,
        config: &config.training,
        outcome: training,
        seed: config.seed,
        data: format!(
            "By self-generation enabled domain-adaptive training (SGEAT; Wang et al. 2022):\n\n{}",
            numbered(&steps(config, annotators, summary)),
        ),
        figures,
        limits: format!(
            "- It is less toxic as far as the judges above can tell, not free of toxicity: toxic \
             prompts still lead to toxic text.\n\
             - What {scorer} takes for toxic, rightly or not, decided what it learned from; texts that \
             mention groups of people may be avoided with it.\n\
             - What the base model gets wrong, and whom it is biased against, it inherits."
        ),
    }
    .to_markdown()
}

/// Steps as Markdown numbers them.
fn numbered(steps: &[String]) -> String {
    let lines: Vec<String> =
        (1..).zip(steps).map(|(number, step)| format!("{number}. {step}")).collect();
    lines.join("\n")
}
