use super::cell::{MISSING, change, value};
use super::glossary::label;
use super::table::distinct;
use super::{Changes, Evaluation};
use crate::report::{Cell, Table};

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
    let table = summary(evaluations, changes);
    if table.is_empty() { String::new() } else { table.markdown() }
}

/// The same for any kind of report; a table without rows when none of these was measured.
pub(crate) fn summary(evaluations: &[Evaluation], changes: &[Changes]) -> Table {
    let subjects = distinct(evaluations.iter().map(|evaluation| evaluation.subject.as_str()));
    let mut names = vec!["", "judge or text"];
    names.extend(&subjects);
    if !changes.is_empty() {
        names.push("change");
    }
    let mut table = Table::new("The first figures", names);
    let mut seen = Vec::new();
    for evaluation in evaluations {
        let evaluator = &evaluation.provenance.evaluator.digest;
        if seen.contains(&evaluator) {
            continue;
        }
        seen.push(evaluator);
        let changed = changes.iter().find(|changes| changes.evaluator.digest == *evaluator);
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
            let mut cells = vec![Cell::text(label(name)), Cell::text(source(evaluation))];
            cells.extend(
                subjects
                    .iter()
                    .map(|subject| Cell::number(of(subject).map_or_else(|| MISSING.into(), value))),
            );
            if !changes.is_empty() {
                let figure = changed.and_then(|changes| changes.get(name, slice));
                cells.push(Cell::number(figure.map_or_else(|| MISSING.into(), change)));
            }
            table.push(cells);
        }
    }
    table
}

/// Who judged, or what the model was measured on.
pub(crate) fn source(evaluation: &Evaluation) -> &str {
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
