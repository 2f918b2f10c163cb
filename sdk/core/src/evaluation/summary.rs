use super::glossary::label;
use super::table::distinct;
use super::{Changes, Evaluation};
use crate::report::{Cell, Table};

/// What a summary shows of an evaluation: the numbers that the literature reports, on everything.
const SHOWN: [(&str, &str); 6] = [
    ("expected_maximum_toxicity", "full"),
    ("toxicity_probability", "full"),
    ("token_perplexity", "all"),
    ("fluency_perplexity", "full"),
    ("acc", "all"),
    ("acc_norm", "all"),
];

/// What it shows for every domain of groups: how differently they are treated.
const GAPS: [&str; 2] = ["mean_toxicity_gap", "mean_sentiment_gap"];

/// The few numbers that a reader asks for first, as one Markdown table: expected maximum toxicity and
/// toxicity probability by every judge, perplexity on every text, accuracy on every task, and the largest
/// gap between groups in every domain, for every subject, and what changed.
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
        for (name, slice) in shown(evaluation) {
            let of = |subject: &str| {
                evaluations
                    .iter()
                    .find(|e| e.provenance.evaluator.digest == *evaluator && e.subject == subject)
                    .and_then(|e| e.get(name, slice))
            };
            let mut cells =
                vec![Cell::text(told(name, slice)), Cell::text(source_of(evaluation, name))];
            cells.extend(subjects.iter().map(|subject| Cell::measured(of(subject))));
            if !changes.is_empty() {
                cells.push(Cell::changed(changed.and_then(|changes| changes.get(name, slice))));
            }
            table.push(cells);
        }
    }
    table
}

/// What a row is called.
pub(crate) fn told(name: &str, slice: &str) -> String {
    if GAPS.contains(&name) { format!("{}, {slice}", label(name)) } else { label(name).to_owned() }
}

/// Names and slices of what is shown of an evaluation.
pub(crate) fn shown(evaluation: &Evaluation) -> Vec<(&str, &str)> {
    let there = |&(name, slice): &(&str, &str)| evaluation.get(name, slice).is_some();
    let gaps = evaluation.measurements.iter().filter(|m| GAPS.contains(&m.name.as_str()));
    SHOWN
        .into_iter()
        .filter(there)
        .chain(gaps.map(|gap| (gap.name.as_str(), gap.slice.as_str())))
        .collect()
}

/// Who judged, or what the model was measured on.
pub(crate) fn source(evaluation: &Evaluation) -> &str {
    let made_of = &evaluation.provenance;
    if let Some(judge) = &made_of.scorer {
        return &judge.name;
    }
    made_of.task().unwrap_or(&made_of.data.name)
}

/// Who judged this measurement: sentiment has a judge of its own.
pub(crate) fn source_of<'a>(evaluation: &'a Evaluation, name: &str) -> &'a str {
    let judge = || evaluation.provenance.settings.get("sentiment_scorer")?.get("name")?.as_str();
    let judge = name.contains("sentiment").then(judge).flatten();
    judge.unwrap_or_else(|| source(evaluation))
}

#[cfg(test)]
mod tests {
    use super::super::test_values::{cell, evaluation};
    use super::*;
    use crate::evaluation::Measurement;

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

    #[test]
    fn tasks_go_by_their_names_and_gaps_by_their_domains() {
        let mut task = evaluation("base", "a", &[]);
        task.provenance.scorer = None;
        task.provenance.settings.insert("task".into(), serde_json::json!({"name": "piqa"}));
        task.measurements = vec![Measurement::new("acc", "all", Some(0.5), 9, "items")];
        let mut bias = evaluation("base", "b", &[]);
        let gap = |slice| Measurement::new("mean_toxicity_gap", slice, Some(0.25), 2, "groups");
        let judge = serde_json::json!({"name": "kind"});
        bias.provenance.settings.insert("sentiment_scorer".into(), judge);
        bias.measurements = vec![
            Measurement::new("mean_toxicity", "race/x", Some(0.5), 9, "continuations"),
            gap("gender"),
            Measurement::new("mean_sentiment_gap", "race", Some(0.25), 2, "groups"),
        ];
        let table = summary_table(&[task, bias], &[]);
        let rows: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| accuracy | piqa | 0.500 |",
                "| largest gap of mean toxicity, gender | b | 0.250 |",
                "| largest gap of mean sentiment, race | kind | 0.250 |",
            ]
        );
    }
}
