//! One report of several directories.
//!
//! | file | idea |
//! | --- | --- |
//! | `models` | which models there are, and what they are called |
//! | `lead` | who does best, in a sentence |
//! | `differences` | what was measured in different ways |
//! | `tables` | figures, changes and settings side by side |

mod differences;
mod lead;
mod models;
mod tables;

use std::path::{Path, PathBuf};

use self::differences::differences;
use self::lead::lead;
use self::models::{entries, listed, models, names};
use self::tables::{changes_table, first_figures, recipes};
use super::run::measured;
use super::source::Source;
use super::tradeoff::{self, Subject};
use super::warnings::warnings;
use super::{Block, COMPONENT, Note, Page, Table};
use crate::evaluation::{Evaluation, distinct};
use crate::{Error, ErrorKind, Result};

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
