use super::cell::{MISSING, change};
use super::glossary::label;
use super::{Changes, Evaluation, Measurement};
use crate::report::{Cell, Table};

/// Evaluations in Markdown tables with a title each, one for each evaluator, data set and judge: what
/// was measured on different data does not belong side by side.
///
/// A table has a row for every measurement and slice and a column for every subject,
/// `value [low, high]`, in the order of their first appearance, and a column for the changes, where
/// there are any of its evaluator.
#[must_use]
pub fn comparison_tables(evaluations: &[Evaluation], changes: &[Changes]) -> Vec<(String, String)> {
    comparisons(evaluations, changes)
        .into_iter()
        .map(|table| (table.caption().to_owned(), table.markdown()))
        .collect()
}

/// The same for any kind of report.
pub(crate) fn comparisons(evaluations: &[Evaluation], changes: &[Changes]) -> Vec<Table> {
    distinct(evaluations.iter().map(|evaluation| &evaluation.provenance.evaluator.digest))
        .into_iter()
        .filter_map(|evaluator| {
            let of_it =
                |evaluation: &&Evaluation| evaluation.provenance.evaluator.digest == *evaluator;
            let same: Vec<&Evaluation> = evaluations.iter().filter(of_it).collect();
            let changes = changes.iter().find(|changes| changes.evaluator.digest == *evaluator);
            Some(comparison(title(same.first()?), &same, changes))
        })
        .collect()
}

/// What was measured on what, and who judged.
pub(crate) fn title(evaluation: &Evaluation) -> String {
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

fn comparison(title: String, evaluations: &[&Evaluation], changes: Option<&Changes>) -> Table {
    let mut names = vec!["measurement", "slice"];
    names.extend(evaluations.iter().map(|evaluation| evaluation.subject.as_str()));
    names.extend(changes.map(|_| "change"));
    names.push("n");
    let mut table = Table::new(title, names);
    let rows = evaluations.iter().flat_map(|evaluation| &evaluation.measurements);
    for (name, slice) in distinct(rows.map(|row| (row.name.as_str(), row.slice.as_str()))) {
        let figures: Vec<_> =
            evaluations.iter().map(|evaluation| evaluation.get(name, slice)).collect();
        let mut cells = vec![Cell::text(label(name)), Cell::text(slice)];
        cells.extend(figures.iter().map(|figure| Cell::measured(*figure)));
        cells.extend(changes.map(|changes| {
            Cell::number(changes.get(name, slice).map_or_else(String::new, change))
        }));
        cells.push(Cell::number(sizes(&figures)));
        table.push(cells);
    }
    table
}

/// Each once, in the order of their first appearance.
pub(crate) fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for item in items {
        if !seen.contains(&item) {
            seen.push(item);
        }
    }
    seen
}

/// One number when all subjects were measured on as many, else each of them.
fn sizes(cells: &[Option<&Measurement>]) -> String {
    let sizes = cells.iter().map(|cell| {
        cell.map_or_else(|| MISSING.into(), |cell| format!("{} {}", cell.n, cell.unit))
    });
    distinct(sizes).join(" / ")
}

#[cfg(test)]
mod tests {
    use super::super::test_values::{cell, evaluation};
    use super::*;

    #[test]
    fn subjects_stand_side_by_side_and_missing_is_a_dash() {
        let base = evaluation(
            "base",
            "a",
            &[
                cell("toxicity_probability", Some(0.5272), Some((0.52, 0.534)), 10),
                cell("std", None, None, 0),
            ],
        );
        let detoxified =
            evaluation("a|b", "a", &[cell("toxicity_probability", Some(0.0), None, 9)]);
        let other = evaluation("base", "b", &[cell("ppl", Some(25.449), None, 7)]);
        let tables = comparison_tables(&[base, detoxified, other], &[]);
        assert_eq!(
            tables,
            [
                (
                    "E on d, judged by a".to_owned(),
                    "| measurement | slice | base | a\\|b | n |\n\
                     |---|---|---:|---:|---:|\n\
                     | toxicity probability | full | 0.527 [0.520, 0.534] | 0.000 | \
                     10 prompts / 9 prompts |\n\
                     | std | full | – | – | 0 prompts / – |\n"
                        .to_owned()
                ),
                (
                    "E on d, judged by b".to_owned(),
                    "| measurement | slice | base | n |\n\
                     |---|---|---:|---:|\n\
                     | ppl | full | 25.45 | 7 prompts |\n"
                        .to_owned()
                ),
            ]
        );
    }

    #[test]
    fn changes_stand_beside_what_they_are_changes_of() {
        let base = evaluation(
            "base",
            "a",
            &[cell("emt", Some(0.3), None, 9), cell("dist", Some(0.5), None, 9)],
        );
        let changes = Changes {
            evaluator: base.provenance.evaluator.clone(),
            measurements: vec![cell("emt", Some(-0.1), Some((-0.2, -0.05)), 9)],
        };
        let [(_, table)] = &comparison_tables(&[base], &[changes])[..] else { panic!("one table") };
        let minus = '\u{2212}';
        let row = format!(
            "| emt | full | 0.300 | {minus}0.100 [{minus}0.200, {minus}0.050] | 9 prompts |"
        );
        assert!(table.contains(&row), "{table}");
        assert!(table.contains("| dist | full | 0.500 |  | 9 prompts |"), "{table}");
    }
}
