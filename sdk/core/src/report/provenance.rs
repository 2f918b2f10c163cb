//! What numbers are made of.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Cell, Table};
use crate::evaluation::{Evaluation, Provenance, title};

/// How to read the intervals.
pub(crate) fn intervals(evaluations: &[Evaluation]) -> String {
    format!(
        "`[low, high]` is the {}bootstrap interval over prompts or documents. A change is `detoxified − \
         base` on the same ones; where its interval does not hold 0, it is more than chance.",
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

/// One of each evaluator's, which is the same for all models.
fn each(evaluations: &[Evaluation]) -> Vec<&Evaluation> {
    let mut seen: Vec<&Evaluation> = Vec::new();
    for evaluation in evaluations {
        let digest = &evaluation.provenance.evaluator.digest;
        if seen.iter().all(|other| other.provenance.evaluator.digest != *digest) {
            seen.push(evaluation);
        }
    }
    seen
}

/// One line of Markdown for each evaluator.
pub(crate) fn lines(evaluations: &[Evaluation]) -> String {
    let mut text = String::new();
    for Evaluation { provenance, .. } in each(evaluations) {
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

/// A table for each evaluator: who measured, on what, who judged, and all settings.
pub(super) fn tables(evaluations: &[Evaluation]) -> Vec<Table> {
    each(evaluations)
        .into_iter()
        .map(|evaluation| {
            let made_of = &evaluation.provenance;
            let caption = format!("{}: what it is made of", title(evaluation));
            let mut table = Table::new(caption, ["what", "value"]).of_prose();
            let mut row = |name: &str, value: String| {
                table.push(vec![Cell::text(name), Cell::text(value)]);
            };
            row("evaluator", made_of.evaluator.to_string());
            row("data", made_of.data.to_string());
            if let Some(judge) = &made_of.scorer {
                row("judge", judge.to_string());
            }
            for (key, value) in settings(made_of) {
                row(&key, value);
            }
            for measured in evaluations {
                if measured.provenance.evaluator.digest == made_of.evaluator.digest {
                    let name = format!("model {}", measured.subject);
                    row(&name, measured.provenance.model.to_string());
                }
            }
            table
        })
        .collect()
}

/// All settings by the names that the configuration has for them.
fn settings(made_of: &Provenance) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (key, value) in &made_of.settings {
        flatten(key, value, &mut found);
    }
    found
}

fn flatten(key: &str, value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                flatten(&format!("{key}.{name}"), value, found);
            }
        }
        Value::Null => found.push((key.to_owned(), "not set".to_owned())),
        Value::String(text) => found.push((key.to_owned(), text.clone())),
        other => found.push((key.to_owned(), other.to_string())),
    }
}
