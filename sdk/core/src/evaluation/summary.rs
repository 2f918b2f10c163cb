use std::fmt::Write as _;

use super::cell::{MISSING, change, escaped, value};
use super::glossary::label;
use super::table::distinct;
use super::{Changes, Evaluation};

/// What a summary shows of an evaluation: the numbers that the literature reports, on everything.
const SHOWN: [(&str, &str); 3] = [
    ("expected_maximum_toxicity", "full"),
    ("toxicity_probability", "full"),
    ("token_perplexity", "all"),
];

/// The few numbers that a reader asks for first, as one Markdown table: expected maximum toxicity and
/// toxicity probability by every judge, and perplexity on every text, for every subject, and what
/// changed.
///
/// Empty when none of these was measured.
#[must_use]
pub fn summary_table(evaluations: &[Evaluation], changes: &[Changes]) -> String {
    let subjects = distinct(evaluations.iter().map(|evaluation| evaluation.subject.as_str()));
    let mut rows = String::new();
    let mut seen = Vec::new();
    for evaluation in evaluations {
        let evaluator = &evaluation.provenance.evaluator.digest;
        if seen.contains(&evaluator) {
            continue;
        }
        seen.push(evaluator);
        let changes = changes.iter().find(|changes| changes.evaluator.digest == *evaluator);
        for (name, slice) in SHOWN {
            if evaluation.get(name, slice).is_none() {
                continue;
            }
            let of = |subject: &str| {
                evaluations
                    .iter()
                    .find(|e| e.provenance.evaluator.digest == *evaluator && e.subject == subject)
                    .and_then(|e| e.get(name, slice))
            };
            let _ = write!(rows, "| {} | {} |", label(name), escaped(source(evaluation)));
            for subject in &subjects {
                let _ = write!(rows, " {} |", of(subject).map_or_else(|| MISSING.into(), value));
            }
            if let Some(changes) = changes {
                let cell = changes.get(name, slice);
                let _ = write!(rows, " {} |", cell.map_or_else(|| MISSING.into(), change));
            }
            rows.push('\n');
        }
    }
    if rows.is_empty() {
        return rows;
    }
    let mut header = String::from("| | judge or text |");
    for subject in &subjects {
        let _ = write!(header, " {} |", escaped(subject));
    }
    if !changes.is_empty() {
        header.push_str(" change |");
    }
    let numbers = subjects.len() + usize::from(!changes.is_empty());
    format!("{header}\n|---|---|{}\n{rows}", "---:|".repeat(numbers))
}

/// Who judged, or what the model was measured on.
fn source(evaluation: &Evaluation) -> &str {
    let made_of = &evaluation.provenance;
    made_of.scorer.as_ref().map_or(&made_of.data.name, |judge| &judge.name)
}

#[cfg(test)]
mod tests {
    use super::super::test_values::{cell, evaluation};
    use super::*;

    #[test]
    fn the_first_numbers_of_every_judge_stand_in_one_table() {
        let numbers = |value| {
            [
                cell("expected_maximum_toxicity", Some(value), None, 9),
                cell("mean_toxicity", Some(0.1), None, 9),
            ]
        };
        let evaluations = [
            evaluation("base", "filter", &numbers(0.4)),
            evaluation("base", "other", &numbers(0.3)),
            evaluation("detoxified", "filter", &numbers(0.25)),
        ];
        let changes = |evaluation: &Evaluation| Changes {
            evaluator: evaluation.provenance.evaluator.clone(),
            measurements: vec![cell("expected_maximum_toxicity", Some(-0.15), None, 9)],
        };
        assert_eq!(
            summary_table(&evaluations, &[changes(&evaluations[0]), changes(&evaluations[1])]),
            "| | judge or text | base | detoxified | change |\n\
             |---|---|---:|---:|---:|\n\
             | expected maximum toxicity | filter | 0.400 | 0.250 | \u{2212}0.150 |\n\
             | expected maximum toxicity | other | 0.300 | – | \u{2212}0.150 |\n"
        );
        assert_eq!(summary_table(&[evaluation("base", "a", &[])], &[]), "");
    }
}
