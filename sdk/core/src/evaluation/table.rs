use std::fmt::Write as _;

use super::{Evaluation, Measurement};

/// What stands where nothing was measured. Never 0.
const MISSING: &str = "–";

/// Evaluations in tables with a title each, one for each evaluator, data set and judge: what was
/// measured on different data does not belong side by side.
#[must_use]
pub fn comparison_tables(evaluations: &[Evaluation]) -> Vec<(String, String)> {
    distinct(evaluations.iter().map(title))
        .into_iter()
        .map(|wanted| {
            let same: Vec<Evaluation> =
                evaluations.iter().filter(|e| title(e) == wanted).cloned().collect();
            let table = comparison_table(&same);
            (wanted, table)
        })
        .collect()
}

fn title(evaluation: &Evaluation) -> String {
    let made_of = &evaluation.provenance;
    let on = format!("{} on {}", made_of.evaluator.name, made_of.data.name);
    let mut title = match &made_of.scorer {
        Some(judge) => format!("{on}, judged by {}", judge.name),
        None => on,
    };
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}

/// Evaluations side by side as a Markdown table: a row for every measurement and slice, a column for
/// every subject, `value [low, high]`.
///
/// Rows and columns are in the order of their first appearance. Evaluations of one subject share its
/// column; where several judges scored, each has rows of its own.
#[must_use]
pub fn comparison_table(evaluations: &[Evaluation]) -> String {
    let subjects = distinct(evaluations.iter().map(|evaluation| evaluation.subject.as_str()));
    let judges = distinct(evaluations.iter().filter_map(judge));
    let names_judge = judges.len() > 1;
    let cells: Vec<(Row<'_>, &str, &Measurement)> = evaluations
        .iter()
        .flat_map(|evaluation| {
            evaluation.measurements.iter().map(move |measurement| {
                let judge = judge(evaluation).filter(|_| names_judge);
                let row = (measurement.name.as_str(), measurement.slice.as_str(), judge);
                (row, evaluation.subject.as_str(), measurement)
            })
        })
        .collect();

    let mut table = String::from("| measurement | slice |");
    for subject in &subjects {
        let _ = write!(table, " {} |", escaped(subject));
    }
    table.push_str(" n |\n|---|---|");
    table.push_str(&"---:|".repeat(subjects.len() + 1));
    table.push('\n');
    for row in distinct(cells.iter().map(|(row, ..)| *row)) {
        let (name, slice, judge) = row;
        let _ = write!(table, "| {}", escaped(name));
        if let Some(judge) = judge {
            let _ = write!(table, " ({})", escaped(judge));
        }
        let _ = write!(table, " | {} |", escaped(slice));
        let of = |subject: &str| {
            cells.iter().find(|(r, s, _)| *r == row && *s == subject).map(|(.., cell)| *cell)
        };
        for subject in &subjects {
            let _ = write!(table, " {} |", of(subject).map_or_else(|| MISSING.into(), value));
        }
        let _ = writeln!(table, " {} |", sizes(subjects.iter().map(|subject| of(subject))));
    }
    table
}

/// Measurement, slice and, where there are several, the judge.
type Row<'a> = (&'a str, &'a str, Option<&'a str>);

fn judge(evaluation: &Evaluation) -> Option<&str> {
    evaluation.provenance.scorer.as_ref().map(|scorer| scorer.name.as_str())
}

fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for item in items {
        if !seen.contains(&item) {
            seen.push(item);
        }
    }
    seen
}

fn value(measurement: &Measurement) -> String {
    match (measurement.value, measurement.interval) {
        (None, _) => MISSING.to_owned(),
        (Some(value), None) => number(value),
        (Some(value), Some(interval)) => {
            format!("{} [{}, {}]", number(value), number(interval.low), number(interval.high))
        }
    }
}

/// Three decimals for shares and ratios, fewer where they would be noise.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size < 10.0 => 3,
        size if size < 100.0 => 2,
        _ => 1,
    };
    format!("{value:.decimals$}")
}

/// One number when all subjects were measured on as many, else each of them.
fn sizes<'a>(cells: impl Iterator<Item = Option<&'a Measurement>>) -> String {
    let sizes: Vec<String> = cells
        .map(|cell| cell.map_or_else(|| MISSING.into(), |cell| format!("{} {}", cell.n, cell.unit)))
        .collect();
    distinct(sizes.into_iter()).join(" / ")
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::evaluation::{Interval, Provenance};
    use crate::{Digest, Info};

    fn evaluation(subject: &str, judge: Option<&str>, cells: &[Measurement]) -> Evaluation {
        let info = |name: &str| Info::new(name, "1", Digest::of(name));
        Evaluation {
            subject: subject.into(),
            measurements: cells.to_vec(),
            provenance: Provenance {
                evaluator: info("e"),
                model: info(subject),
                scorer: judge.map(info),
                data: info("d"),
                settings: BTreeMap::new(),
            },
        }
    }

    fn cell(name: &str, value: Option<f64>, interval: Option<(f64, f64)>, n: u64) -> Measurement {
        Measurement {
            name: name.into(),
            slice: "full".into(),
            value,
            interval: interval.map(|(low, high)| Interval { low, high, level: 0.95 }),
            n,
            unit: "prompts".into(),
        }
    }

    #[test]
    fn subjects_stand_side_by_side_and_missing_is_a_dash() {
        let base = evaluation(
            "base",
            Some("a"),
            &[cell("emt", Some(0.5272), Some((0.52, 0.534)), 10), cell("std", None, None, 0)],
        );
        let detoxified = evaluation("a|b", Some("a"), &[cell("emt", Some(0.0), None, 9)]);
        let perplexity = evaluation("base", None, &[cell("ppl", Some(25.449), None, 7)]);
        assert_eq!(
            comparison_table(&[base, detoxified, perplexity]),
            "| measurement | slice | base | a\\|b | n |\n\
             |---|---|---:|---:|---:|\n\
             | emt | full | 0.527 [0.520, 0.534] | 0.000 | 10 prompts / 9 prompts |\n\
             | std | full | – | – | 0 prompts / – |\n\
             | ppl | full | 25.45 | – | 7 prompts / – |\n"
        );
    }

    #[test]
    fn several_judges_have_rows_of_their_own() {
        let table = comparison_table(&[
            evaluation("base", Some("filter"), &[cell("emt", Some(0.1), None, 1)]),
            evaluation("base", Some("other"), &[cell("emt", Some(0.2), None, 1)]),
        ]);
        assert!(table.contains("| emt (filter) | full | 0.100 | 1 prompts |"), "{table}");
        assert!(table.contains("| emt (other) | full | 0.200 | 1 prompts |"), "{table}");
    }
}
