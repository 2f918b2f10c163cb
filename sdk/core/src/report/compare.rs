use std::path::{Path, PathBuf};

use serde_json::Value;

use super::run::measured;
use super::source::Source;
use super::tradeoff::{self, Subject};
use super::warnings::warnings;
use super::{Block, COMPONENT, Cell, Note, Page, Table};
use crate::evaluation::{
    Evaluation, distinct, label, number, source as judge_or_text, summary as summary_of,
};
use crate::settings::{Difference, as_it_reads, differing_keys};
use crate::{Error, ErrorKind, Result};

/// What a summary of changes shows, where it was measured.
const SHOWN: [(&str, &str); 3] = [
    ("expected_maximum_toxicity", "full"),
    ("toxicity_probability", "full"),
    ("token_perplexity", "all"),
];

/// Several runs or evaluations side by side.
#[derive(Clone, Debug)]
pub struct Comparison {
    page: Page,
    incomparable: usize,
}

impl Comparison {
    /// As one HTML page with its pictures in it. It needs no other file and runs nothing.
    #[must_use]
    pub fn html(&self) -> String {
        self.page.html()
    }

    /// As Markdown, without pictures.
    #[must_use]
    pub fn markdown(&self) -> String {
        self.page.markdown()
    }

    /// How many pairs of evaluations may not be compared, because they differ in more than the model:
    /// the rows of the report's table of differences.
    #[must_use]
    pub const fn incomparable(&self) -> usize {
        self.incomparable
    }

    /// Writes `report.html` and `report.md` into a directory, which is made when it is not there.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, directory: impl AsRef<Path>) -> Result<()> {
        self.page.write(directory.as_ref())
    }
}

/// Puts what was measured in several directories into one report: directories of runs, of evaluations, or
/// of several evaluations.
///
/// Only evaluations of equal provenance but for the model stand side by side in a table or a picture. Where
/// two directories measured with different settings, data or judges, the report says which keys differ
/// instead. A base model that several runs share, with the same figures, is shown once.
///
/// # Errors
/// When there are fewer than two directories, one of them is neither a run nor an evaluation, or a
/// file in it cannot be read.
pub fn compare(directories: &[PathBuf]) -> Result<Comparison> {
    if directories.len() < 2 {
        let message = "a comparison needs at least two directories";
        return Err(Error::new(ErrorKind::InvalidInput, COMPONENT, "compare", message));
    }
    tell(directories)
}

/// Tells what was measured in one directory, of an evaluation or of several.
///
/// # Errors
/// When there is none, or a file in it cannot be read.
pub fn evaluation(directory: impl AsRef<Path>) -> Result<Comparison> {
    tell(&[directory.as_ref().to_path_buf()])
}

fn tell(directories: &[PathBuf]) -> Result<Comparison> {
    let sources: Result<Vec<Source>> =
        directories.iter().map(|directory| Source::read(directory)).collect();
    let sources = sources?;
    let names = names(directories);
    let entries = entries(&names, &sources);
    let evaluations: Vec<Evaluation> =
        entries.iter().flat_map(|entry| entry.evaluations.iter().cloned()).collect();
    let subjects: Vec<Subject> =
        entries.iter().map(|entry| (entry.name.clone(), entry.from)).collect();
    let mut notes = Vec::new();
    for (name, source) in names.iter().zip(&sources) {
        let filter = source.run.as_ref().map(|run| &run.scorer);
        let found = warnings(&source.evaluations, &source.changes, filter);
        notes.extend(found.into_iter().map(|note| match names.len() {
            1 => note,
            _ => Note { text: format!("{name}: {}", note.text), ..note },
        }));
    }
    let differences = differences(&entries)?;
    let mut blocks = match names.as_slice() {
        [_] => vec![Block::Lead(format!("What {} was measured to be.", listed(&models(&entries))))],
        _ => vec![
            Block::Lead(lead(&names, &sources, &evaluations)),
            Block::Paragraph(
                "Only what was measured in the same way stands side by side: the same data, judge and \
                 settings. Where intervals overlap, the order may be chance."
                    .into(),
            ),
        ],
    };
    let incomparable = differences.as_ref().map_or(0, Table::len);
    if incomparable > 0 {
        notes.insert(0, Note {
            title: "Not everything can be compared".into(),
            text: "Some evaluations differ in more than the model: the first table says in what. They \
                   are in tables of their own."
                .into(),
        });
    }
    notes.extend(versions(&evaluations));
    if !notes.is_empty() {
        blocks.push(Block::Notes(notes));
    }
    if let Some(differences) = differences {
        blocks.push(Block::Heading("What cannot be compared".into()));
        blocks.push(Block::Table(differences));
    }
    let first = first_figures(&evaluations);
    if !first.is_empty() {
        blocks.push(Block::Heading("What came out".into()));
        blocks.extend(first.into_iter().map(Block::Table));
        let changes = changes_table(&names, &sources);
        if !changes.is_empty() {
            blocks.push(Block::Table(changes));
        }
        blocks.extend(tradeoff::pictures(&evaluations, &subjects).into_iter().map(Block::Picture));
    }
    if let Some(recipes) = recipes(&names, &sources)? {
        blocks.push(Block::Heading("How the models were made".into()));
        blocks.push(Block::Table(recipes));
    }
    blocks.extend(measured(&evaluations, &[], &filters(&names, &sources)));
    let title = match names.as_slice() {
        [name] => format!("Evaluation: {name}"),
        _ => format!("Comparison of {} directories", names.len()),
    };
    Ok(Comparison { page: Page { title, blocks }, incomparable })
}

/// Whom the scorers of runs take for toxic, each scorer once; those of one name also by their run's.
fn filters(names: &[String], sources: &[Source]) -> Vec<Evaluation> {
    let mut filters: Vec<Evaluation> = Vec::new();
    for (name, source) in names.iter().zip(sources) {
        let Some(found) = &source.false_positives else { continue };
        if filters.iter().any(|known| known.provenance == found.provenance) {
            continue;
        }
        let is_taken = filters.iter().any(|known| known.subject == found.subject);
        let subject =
            if is_taken { format!("{} of {name}", found.subject) } else { found.subject.clone() };
        filters.push(Evaluation { subject, ..found.clone() });
    }
    filters
}

/// Who does best, by a judge that chose no training data where there is one.
fn lead(names: &[String], sources: &[Source], evaluations: &[Evaluation]) -> String {
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
    let toxicity = lowest(evaluations, SHOWN[0], is_filter).map(|(judge, count, lowest)| {
        format!("Least toxic of {count} models by {judge}: {lowest}")
    });
    let perplexity = lowest(evaluations, SHOWN[2], |_| false)
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

/// A table for each set of models that were measured in the same ways.
fn first_figures(evaluations: &[Evaluation]) -> Vec<Table> {
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
            let table = summary_of(&of_set, &[]);
            let names: Vec<String> = set.iter().map(|name| (*name).to_owned()).collect();
            let caption = format!("The first figures of {}", listed(&names));
            (!table.is_empty()).then(|| table.captioned(caption))
        })
        .collect()
}

/// A model in the comparison.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    name: String,
    /// All under that name.
    evaluations: Vec<Evaluation>,
    /// The number of the entry that it was made of.
    from: Option<usize>,
    /// Whether runs begin with it.
    is_base: bool,
}

/// The last part of each path; the whole path where that is not enough to tell them apart.
fn names(directories: &[PathBuf]) -> Vec<String> {
    let last = |path: &PathBuf| {
        let whole = path.canonicalize().unwrap_or_else(|_| path.clone());
        whole.file_name().map(|name| name.to_string_lossy().into_owned())
    };
    let short: Vec<Option<String>> = directories.iter().map(last).collect();
    directories
        .iter()
        .zip(&short)
        .map(|(path, name)| match name {
            Some(name) if short.iter().flatten().filter(|other| *other == name).count() == 1 => {
                name.clone()
            }
            _ => path.display().to_string(),
        })
        .collect()
}

fn entries(names: &[String], sources: &[Source]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for (name, source) in names.iter().zip(sources) {
        let subjects = distinct(source.evaluations.iter().map(|e| e.subject.as_str()));
        let mut from = None;
        for (number, subject) in subjects.iter().enumerate() {
            let is_base = source.run.is_some() && number == 0 && subjects.len() > 1;
            let of_it = source.evaluations.iter().filter(|e| e.subject == *subject).cloned();
            let mut evaluations: Vec<Evaluation> = of_it.collect();
            let known = entries.iter().position(|entry| {
                is_base && entry.is_base && same(&entry.evaluations, &evaluations)
            });
            if let Some(known) = known {
                from = Some(known);
                continue;
            }
            let name = if is_base {
                let taken = entries.iter().any(|entry| entry.is_base);
                if taken { format!("base of {name}") } else { "base".to_owned() }
            } else if source.run.is_none() && subjects.len() > 1 {
                format!("{name}: {subject}")
            } else {
                name.clone()
            };
            for evaluation in &mut evaluations {
                evaluation.subject.clone_from(&name);
            }
            entries.push(Entry {
                name,
                evaluations,
                from: if is_base { None } else { from },
                is_base,
            });
            if is_base {
                from = Some(entries.len() - 1);
            }
        }
    }
    entries
}

/// What the models are called.
fn models(entries: &[Entry]) -> Vec<String> {
    let models = entries.iter().flat_map(|entry| &entry.evaluations);
    distinct(models.map(|evaluation| evaluation.provenance.model.name.clone()))
}

/// Whether these are the same figures of the same model, whatever it is called.
fn same(one: &[Evaluation], other: &[Evaluation]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| {
            one.provenance == other.provenance && one.measurements == other.measurements
        })
}

/// `a, b and c`.
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A row for every two evaluations of one kind that no model has both of: in which keys they differ. Of
/// several candidates the nearest is named.
fn differences(entries: &[Entry]) -> Result<Option<Table>> {
    let columns = ["evaluator", "of", "and of", "differ in", "values"];
    let mut table = Table::new("Evaluations that cannot be compared", columns).of_prose();
    // Every kind of evaluation once, with the first model that has it.
    let mut kinds: Vec<(&Entry, &Evaluation)> = Vec::new();
    for entry in entries {
        for evaluation in &entry.evaluations {
            let digest = &evaluation.provenance.evaluator.digest;
            if kinds.iter().all(|(_, known)| known.provenance.evaluator.digest != *digest) {
                kinds.push((entry, evaluation));
            }
        }
    }
    for (number, (entry, evaluation)) in kinds.iter().enumerate() {
        let mut nearest: Option<(&Entry, Vec<Difference>)> = None;
        for (other, candidate) in &kinds[..number] {
            let is_same_kind =
                candidate.provenance.evaluator.name == evaluation.provenance.evaluator.name;
            if !is_same_kind || some_have_both(entries, candidate, evaluation) {
                continue;
            }
            let keys = keys(candidate, evaluation)?;
            if nearest.as_ref().is_none_or(|(_, known)| keys.len() < known.len()) {
                nearest = Some((other, keys));
            }
        }
        if let Some((other, keys)) = nearest {
            let names: Vec<String> = keys.iter().map(|one| one.key.clone()).collect();
            let values: Vec<String> = keys
                .iter()
                .map(|one| format!("{}: {} and {}", one.key, short(&one.before), short(&one.now)))
                .collect();
            table.push(vec![
                Cell::text(evaluation.provenance.evaluator.name.as_str()),
                Cell::text(other.name.as_str()),
                Cell::text(entry.name.as_str()),
                Cell::text(names.join(", ")),
                Cell::text(values.join("; ")),
            ]);
        }
    }
    Ok((!table.is_empty()).then_some(table))
}

/// Digests as they are shown elsewhere: twelve digits.
fn short(value: &str) -> &str {
    let inner = value.trim_matches('"');
    let is_digest = inner.len() == 64 && inner.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_digest { inner.get(..12).unwrap_or(inner) } else { value }
}

fn some_have_both(entries: &[Entry], one: &Evaluation, other: &Evaluation) -> bool {
    let has = |entry: &Entry, kind: &Evaluation| {
        let digest = &kind.provenance.evaluator.digest;
        entry.evaluations.iter().any(|e| e.provenance.evaluator.digest == *digest)
    };
    entries.iter().any(|entry| has(entry, one) && has(entry, other))
}

/// The keys of two provenances that differ, without the model, which may, and without the evaluator's
/// digest, which follows from the others.
fn keys(one: &Evaluation, other: &Evaluation) -> Result<Vec<Difference>> {
    let stated = |evaluation: &Evaluation| -> Result<Value> {
        let mut value = as_it_reads(&evaluation.provenance).map_err(|e| {
            Error::new(ErrorKind::Internal, COMPONENT, "compare", e.to_string()).with_source(e)
        })?;
        if let Value::Object(fields) = &mut value {
            fields.remove("model");
            if let Some(Value::Object(evaluator)) = fields.get_mut("evaluator") {
                evaluator.remove("digest");
            }
        }
        Ok(value)
    };
    Ok(differing_keys(&stated(one)?, &stated(other)?))
}

/// Evaluators of one digest and several versions: the settings are the same, the code may not be.
fn versions(evaluations: &[Evaluation]) -> Option<Note> {
    let evaluators = || evaluations.iter().map(|e| &e.provenance.evaluator);
    let changed = evaluators().find(|one| {
        evaluators().any(|other| other.digest == one.digest && other.version != one.version)
    })?;
    let all =
        distinct(evaluators().filter(|e| e.digest == changed.digest).map(|e| e.version.as_str()));
    Some(Note {
        title: "Measured by more than one version".into(),
        text: format!(
            "{} was measured by versions {} of detoxlm, which may count differently.",
            changed.name,
            all.join(" and ")
        ),
    })
}

/// How each run's model differs from its own base.
fn changes_table<'a>(names: &[String], sources: &'a [Source]) -> Table {
    let runs: Vec<(&String, &Source)> =
        names.iter().zip(sources).filter(|(_, source)| !source.changes.is_empty()).collect();
    let mut columns = vec!["", "judge or text"];
    columns.extend(runs.iter().map(|(name, _)| name.as_str()));
    let mut table = Table::new("What changed from each run's base model", columns);
    let evaluations = || runs.iter().flat_map(|(_, source)| &source.evaluations);
    for evaluator in distinct(evaluations().map(|e| &e.provenance.evaluator.digest)) {
        let first = evaluations().find(|e| e.provenance.evaluator.digest == *evaluator);
        let Some(first) = first else { continue };
        for (name, slice) in SHOWN {
            let of = |source: &&'a Source| {
                let changes = source.changes.iter().find(|c| c.evaluator.digest == *evaluator);
                changes.and_then(|changes| changes.get(name, slice))
            };
            let figures: Vec<_> = runs.iter().map(|(_, source)| of(source)).collect();
            if figures.iter().all(Option::is_none) {
                continue;
            }
            let mut cells = vec![Cell::text(label(name)), Cell::text(judge_or_text(first))];
            cells.extend(figures.into_iter().map(Cell::changed));
            table.push(cells);
        }
    }
    table
}

/// In which settings the runs differ; `None` for fewer than two runs.
fn recipes(names: &[String], sources: &[Source]) -> Result<Option<Table>> {
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

#[cfg(test)]
mod tests {
    use super::super::test_values::{changed, evaluation, figure, info};
    use super::*;
    use crate::files::write_json;

    const EMT: (&str, &str) = ("expected_maximum_toxicity", "full");

    fn measured_by(subject: &str, judge: &str, seed: u64, value: f64) -> Evaluation {
        let mut made = evaluation(subject, judge, vec![figure(EMT, value)]);
        made.provenance.settings.insert("seed".into(), seed.into());
        made.provenance.evaluator.digest = crate::Digest::of(format!("{judge} {seed}"));
        made
    }

    fn run(root: &Path, name: &str, seed: u64, value: f64) -> PathBuf {
        let directory = root.join(name);
        let scorer = info("filter");
        let config = serde_json::json!({"seed": seed, "method": {"kind": name}});
        write_json(
            directory.join("run.json"),
            &serde_json::json!({"scorer": scorer, "config": config, "other": 1}),
        )
        .unwrap();
        let evaluations =
            [measured_by("base", "a", seed, 0.5), measured_by("detoxified", "a", seed, value)];
        write_json(directory.join("eval/metrics.json"), &evaluations).unwrap();
        let mut changes = changed("a", EMT, value - 0.5, Some((-0.3, -0.1)));
        changes.evaluator = evaluations[0].provenance.evaluator.clone();
        write_json(directory.join("eval/changes.json"), &[changes]).unwrap();
        directory
    }

    #[test]
    fn runs_that_began_alike_share_their_base_and_stand_side_by_side() {
        let root = tempfile::tempdir().unwrap();
        let runs = [run(root.path(), "lora", 1, 0.3), run(root.path(), "prefix", 1, 0.4)];
        let comparison = compare(&runs).unwrap();
        assert_eq!(comparison.incomparable(), 0);
        let markdown = comparison.markdown();
        assert!(markdown.contains("| | judge or text | base | lora | prefix |"), "{markdown}");
        assert!(markdown.contains("| 0.500 | 0.300 | 0.400 |"), "{markdown}");
        assert!(markdown.contains("Least toxic of 3 models by a: lora (0.300)."), "{markdown}");
        assert!(markdown.contains("| −0.200 [−0.300, −0.100] | −0.100 [−0.300, −0.100] |"));
        assert!(markdown.contains("| method.kind | \"lora\" | \"prefix\" |"), "{markdown}");
        let out = root.path().join("out");
        comparison.write(&out).unwrap();
        assert_eq!(std::fs::read_to_string(out.join("report.html")).unwrap(), comparison.html());
    }

    #[test]
    fn what_was_measured_otherwise_is_named_by_key_and_kept_apart() {
        let root = tempfile::tempdir().unwrap();
        let runs = [run(root.path(), "one", 1, 0.3), run(root.path(), "two", 2, 0.4)];
        let comparison = compare(&runs).unwrap();
        assert_eq!(comparison.incomparable(), 1);
        let markdown = comparison.markdown();
        assert!(markdown.contains("## What cannot be compared"), "{markdown}");
        assert!(markdown.contains("| settings.seed | settings.seed: 1 and 2 |"), "{markdown}");
        assert!(markdown.contains("Not everything can be compared"), "{markdown}");
        assert!(markdown.contains("The first figures of base and one"), "{markdown}");
        assert!(markdown.contains("The first figures of base of two and two"), "{markdown}");
        assert!(!markdown.contains("| 0.500 | 0.300 | 0.500 | 0.400 |"), "{markdown}");
    }

    #[test]
    fn whom_filters_take_for_toxic_is_told_once_for_each_of_them() {
        let root = tempfile::tempdir().unwrap();
        let asked = |name: &str, version: &str| {
            let directory = run(root.path(), name, 1, 0.3);
            let rate = figure(("false_positive_rate", "identity/old"), 0.25);
            let mut found = evaluation("judge", "asked", vec![rate]);
            found.provenance.model.version = version.to_owned();
            write_json(directory.join("eval/false_positives.json"), &found).unwrap();
            directory
        };
        let markdown = compare(&[asked("lora", "1"), asked("prefix", "1")]).unwrap().markdown();
        assert!(markdown.contains("### Whom the filter takes for toxic"), "{markdown}");
        assert!(markdown.contains("| false positives | identity/old | 0.250 |"), "{markdown}");
        let markdown = compare(&[asked("one", "1"), asked("two", "2")]).unwrap().markdown();
        assert!(markdown.contains("| judge | judge of two |"), "{markdown}");
    }

    #[test]
    fn evaluations_without_a_run_are_compared_too() {
        let root = tempfile::tempdir().unwrap();
        let one = root.path().join("one");
        write_json(one.join("metrics.json"), &measured_by("model", "a", 1, 0.5)).unwrap();
        let many = root.path().join("many");
        write_json(many.join("x/metrics.json"), &measured_by("model", "a", 1, 0.25)).unwrap();
        write_json(many.join("y/metrics.json"), &measured_by("model", "b", 1, 0.75)).unwrap();
        let comparison = compare(&[one, many]).unwrap();
        let markdown = comparison.markdown();
        assert!(markdown.contains("| a | 0.500 | 0.250 |"), "{markdown}");
        assert!(markdown.contains("| b | 0.750 |"), "{markdown}");
        assert_eq!(comparison.incomparable(), 0, "one model has both");
    }

    #[test]
    fn what_is_no_run_and_no_evaluation_is_refused_with_its_path() {
        let root = tempfile::tempdir().unwrap();
        let run = run(root.path(), "one", 1, 0.3);
        let refused = |other: &Path| compare(&[run.clone(), other.to_path_buf()]).unwrap_err();
        let empty = root.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        assert_eq!(refused(&empty).path(), Some(empty.as_path()));
        assert_eq!(refused(&root.path().join("gone")).kind(), ErrorKind::NotFound);
        std::fs::write(empty.join("run.json"), "{}").unwrap();
        assert!(refused(&empty).remedy().unwrap().contains("finish"));
        std::fs::remove_file(empty.join("run.json")).unwrap();
        std::fs::write(empty.join("metrics.json"), "{\"subject\": 1}").unwrap();
        let error = refused(&empty);
        assert!(error.to_string().contains("no evaluation"), "{error}");
        assert!(compare(std::slice::from_ref(&run)).is_err());
    }
}
