//! What models can do: a table of zero-shot tasks.

use super::{Cell, Table};
use crate::evaluation::{Changes, Evaluation, MISSING, distinct, label, number};

/// The figure that is averaged over tasks.
const ACCURACY: &str = "acc";

/// A row for every task and figure, and the mean accuracy where all models have all tasks; `None`
/// where no task was measured.
pub(super) fn table(evaluations: &[Evaluation], changes: &[Changes]) -> Option<Table> {
    let of_tasks: Vec<&Evaluation> =
        evaluations.iter().filter(|e| e.provenance.task().is_some()).collect();
    if of_tasks.is_empty() {
        return None;
    }
    let subjects = distinct(of_tasks.iter().map(|e| e.subject.as_str()));
    let mut columns = vec!["task", "measurement"];
    columns.extend(&subjects);
    if !changes.is_empty() {
        columns.push("change");
    }
    columns.push("items");
    let mut table = Table::new("Zero-shot tasks", columns);
    for evaluator in distinct(of_tasks.iter().map(|e| &e.provenance.evaluator.digest)) {
        let same: Vec<&&Evaluation> =
            of_tasks.iter().filter(|e| e.provenance.evaluator.digest == *evaluator).collect();
        let changed = changes.iter().find(|changes| changes.evaluator.digest == *evaluator);
        let Some(task) = same.first().and_then(|e| e.provenance.task()) else { continue };
        let figures = same.iter().flat_map(|e| &e.measurements);
        for (name, slice) in distinct(figures.map(|m| (m.name.as_str(), m.slice.as_str()))) {
            let of = |subject: &&str| {
                same.iter().find(|e| e.subject == *subject).and_then(|e| e.get(name, slice))
            };
            let task = if slice == "all" { task.to_owned() } else { format!("{task}, {slice}") };
            let mut cells = vec![Cell::text(task), Cell::text(label(name))];
            cells.extend(subjects.iter().map(|subject| Cell::measured(of(subject))));
            if !changes.is_empty() {
                cells.push(Cell::changed(changed.and_then(|changes| changes.get(name, slice))));
            }
            let items = subjects.iter().find_map(of).map_or(0, |figure| figure.n);
            cells.push(Cell::count(items));
            table.push(cells);
        }
    }
    if let Some(means) = means(&of_tasks, &subjects) {
        let mut cells = vec![Cell::text("mean of the tasks"), Cell::text(label(ACCURACY))];
        cells.extend(means.iter().map(|mean| Cell::number(number(*mean))));
        if !changes.is_empty() {
            cells.push(Cell::number(MISSING));
        }
        cells.push(Cell::number(MISSING));
        table.push(cells);
    }
    Some(table)
}

/// The mean accuracy of every subject; `None` for fewer than two tasks, and where one is missing: means
/// over other tasks are other figures.
fn means(of_tasks: &[&Evaluation], subjects: &[&str]) -> Option<Vec<f64>> {
    let tasks = distinct(
        of_tasks
            .iter()
            .filter(|e| e.get(ACCURACY, "all").is_some())
            .map(|e| &e.provenance.evaluator.digest),
    );
    if tasks.len() < 2 {
        return None;
    }
    subjects
        .iter()
        .map(|subject| {
            let mut sum = 0.0;
            for task in &tasks {
                let of = |e: &&&Evaluation| {
                    e.subject == *subject && e.provenance.evaluator.digest == **task
                };
                sum += of_tasks.iter().find(of)?.get(ACCURACY, "all")?.value?;
            }
            Some(sum / tasks.len() as f64)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::test_values::{evaluation, figure};
    use super::*;

    fn task(subject: &str, name: &str, accuracy: f64) -> Evaluation {
        let accuracy = figure(("acc", "all"), accuracy).with_standard_error(0.05);
        let mut made = evaluation(subject, name, vec![accuracy]);
        let settings = &mut made.provenance.settings;
        settings.insert("task".into(), serde_json::json!({"name": name}));
        made
    }

    #[test]
    fn tasks_stand_below_each_other_with_their_mean() {
        let evaluations = [
            task("base", "piqa", 0.6),
            task("base", "boolq", 0.5),
            task("new", "piqa", 0.7),
            task("new", "boolq", 0.5),
        ];
        let markdown = table(&evaluations, &[]).unwrap().markdown();
        assert!(markdown.contains("| 0.600 ± 0.050 | 0.700 ± 0.050 | 10 |"), "{markdown}");
        assert!(markdown.contains("| 0.550 | 0.600 | – |"), "{markdown}");
        assert!(table(&[evaluation("base", "a", Vec::new())], &[]).is_none());
    }

    #[test]
    fn a_mean_over_other_tasks_is_not_shown() {
        let evaluations =
            [task("base", "piqa", 0.6), task("base", "boolq", 0.5), task("new", "piqa", 0.7)];
        let markdown = table(&evaluations, &[]).unwrap().markdown();
        assert!(!markdown.contains("mean of the tasks"), "{markdown}");
    }
}
