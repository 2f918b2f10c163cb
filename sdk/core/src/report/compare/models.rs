//! Which models there are in several directories, and what they are called.

use std::path::PathBuf;

use super::super::source::Source;
use crate::evaluation::{Evaluation, distinct};

/// A model in the comparison.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) name: String,
    /// All under that name.
    pub(super) evaluations: Vec<Evaluation>,
    /// The number of the entry that it was made of.
    pub(super) from: Option<usize>,
    /// Whether runs begin with it.
    is_base: bool,
}

/// The last part of each path; the whole path where that is not enough to tell them apart.
pub(super) fn names(directories: &[PathBuf]) -> Vec<String> {
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

pub(super) fn entries(names: &[String], sources: &[Source]) -> Vec<Entry> {
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
pub(super) fn models(entries: &[Entry]) -> Vec<String> {
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
pub(super) fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
