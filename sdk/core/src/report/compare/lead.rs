//! Who does best, in a sentence.

use super::super::headline::{PERPLEXITY, TOXICITY};
use super::super::source::Source;
use super::models::listed;
use crate::evaluation::{Evaluation, number, source as judge_or_text};

/// Who does best, by a judge that chose no training data where there is one.
pub(super) fn lead(names: &[String], sources: &[Source], evaluations: &[Evaluation]) -> String {
    let is_filter = |evaluation: &Evaluation| {
        let judge = evaluation.provenance.scorer.as_ref();
        sources.iter().any(|source| {
            source
                .run
                .as_ref()
                .zip(judge)
                .is_some_and(|(run, judge)| run.scorer.digest == judge.digest)
        })
    };
    let toxicity = lowest(evaluations, TOXICITY, is_filter).map(|(judge, count, lowest)| {
        format!("Least toxic of {count} models by {judge}: {lowest}")
    });
    let perplexity = lowest(evaluations, PERPLEXITY, |_| false)
        .map(|(text, _, lowest)| format!("lowest perplexity on {text}: {lowest}"));
    match (toxicity, perplexity) {
        (Some(toxicity), Some(perplexity)) => format!("{toxicity}; {perplexity}."),
        (Some(toxicity), None) => format!("{toxicity}."),
        _ => format!("{} compared.", listed(names)),
    }
}

/// By the evaluator that measured most models, of which the last resort comes last: the judge or text, how
/// many models, and the one of the lowest value. `None` for fewer than two models.
fn lowest(
    evaluations: &[Evaluation],
    (name, slice): (&str, &str),
    is_last_resort: impl Fn(&Evaluation) -> bool,
) -> Option<(String, usize, String)> {
    let measured = evaluations.iter().filter(|e| e.get(name, slice).is_some());
    let mut kinds: Vec<Vec<(&Evaluation, f64)>> = Vec::new();
    for evaluation in measured {
        let Some(value) = evaluation.get(name, slice).and_then(|figure| figure.value) else {
            continue;
        };
        let digest = &evaluation.provenance.evaluator.digest;
        let known = kinds.iter_mut().find(|kind| {
            kind.iter().any(|(other, _)| other.provenance.evaluator.digest == *digest)
        });
        match known {
            Some(kind) => kind.push((evaluation, value)),
            None => kinds.push(vec![(evaluation, value)]),
        }
    }
    kinds.retain(|kind| kind.len() > 1);
    // Stable: among equals the first stays the first.
    kinds.sort_by_key(|kind| {
        let is_last = kind.first().is_some_and(|(evaluation, _)| is_last_resort(evaluation));
        (is_last, std::cmp::Reverse(kind.len()))
    });
    let kind = kinds.first()?;
    let (evaluation, value) = kind.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let lowest = format!("{} ({})", evaluation.subject, number(*value));
    Some((judge_or_text(evaluation).to_owned(), kind.len(), lowest))
}
