//! The first figures side by side, what changed in each run, and in which settings runs differ.

use serde_json::Value;

use super::super::source::Source;
use super::super::{Cell, Table};
use super::models::listed;
use crate::Result;
use crate::evaluation::{Evaluation, distinct, shown, source_of, summary, told};
use crate::settings::{Difference, differing_keys};

/// A table for each set of models that were measured in the same ways.
pub(super) fn first_figures(evaluations: &[Evaluation]) -> Vec<Table> {
    let subjects = |evaluation: &Evaluation| -> Vec<&str> {
        let digest = &evaluation.provenance.evaluator.digest;
        evaluations
            .iter()
            .filter(|other| other.provenance.evaluator.digest == *digest)
            .map(|other| other.subject.as_str())
            .collect()
    };
    distinct(evaluations.iter().map(subjects))
        .into_iter()
        .filter_map(|set| {
            let of_set: Vec<Evaluation> =
                evaluations.iter().filter(|e| subjects(e) == set).cloned().collect();
            let table = summary(&of_set, &[]);
            let names: Vec<String> = set.iter().map(|name| (*name).to_owned()).collect();
            let caption = format!("The first figures of {}", listed(&names));
            (!table.is_empty()).then(|| table.captioned(caption))
        })
        .collect()
}

/// How each run's model differs from its own base.
pub(super) fn changes_table<'a>(names: &[String], sources: &'a [Source]) -> Table {
    let runs: Vec<(&String, &Source)> =
        names.iter().zip(sources).filter(|(_, source)| !source.changes.is_empty()).collect();
    let mut columns = vec!["", "judge or text"];
    columns.extend(runs.iter().map(|(name, _)| name.as_str()));
    let mut table = Table::new("What changed from each run's base model", columns);
    let evaluations = || runs.iter().flat_map(|(_, source)| &source.evaluations);
    for evaluator in distinct(evaluations().map(|e| &e.provenance.evaluator.digest)) {
        let first = evaluations().find(|e| e.provenance.evaluator.digest == *evaluator);
        let Some(first) = first else { continue };
        for (name, slice) in shown(first) {
            let of = |source: &&'a Source| {
                let changes = source.changes.iter().find(|c| c.evaluator.digest == *evaluator);
                changes.and_then(|changes| changes.get(name, slice))
            };
            let figures: Vec<_> = runs.iter().map(|(_, source)| of(source)).collect();
            if figures.iter().all(Option::is_none) {
                continue;
            }
            let mut cells = vec![Cell::text(told(name, slice)), Cell::text(source_of(first, name))];
            cells.extend(figures.into_iter().map(Cell::changed));
            table.push(cells);
        }
    }
    table
}

/// In which settings the runs differ; `None` for fewer than two runs.
pub(super) fn recipes(names: &[String], sources: &[Source]) -> Result<Option<Table>> {
    let runs: Vec<(&String, Value)> = names
        .iter()
        .zip(sources)
        .filter_map(|(name, source)| {
            let run = source.run.as_ref()?;
            let scorer = Value::String(run.scorer.to_string());
            let mut config = run.config.clone();
            if let Value::Object(fields) = &mut config {
                fields.insert("scorer".into(), scorer);
            }
            Some((name, config))
        })
        .collect();
    let [(_, first), others @ ..] = runs.as_slice() else { return Ok(None) };
    if others.is_empty() {
        return Ok(None);
    }
    let mut columns = vec!["setting"];
    columns.extend(runs.iter().map(|(name, _)| name.as_str()));
    let mut table = Table::new("Settings in which the runs differ", columns).of_prose();
    let different = others.iter().map(|(_, config)| differing_keys(first, config));
    let different: Vec<Vec<Difference>> = different.collect();
    for key in distinct(different.iter().flatten().map(|one| one.key.as_str())) {
        let find = |found: &[Difference]| found.iter().find(|one| one.key == key).cloned();
        let Some(first) = different.iter().find_map(|found| find(found)) else { continue };
        let value = first.before;
        let mut cells = vec![Cell::text(key), Cell::text(value.as_str())];
        cells.extend(
            different.iter().map(|found| {
                Cell::text(find(found).map_or_else(|| value.clone(), |other| other.now))
            }),
        );
        table.push(cells);
    }
    if table.is_empty() {
        table.push(vec![Cell::text("none")]);
    }
    Ok(Some(table))
}
