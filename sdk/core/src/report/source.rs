//! What a directory that was measured says of itself.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::COMPONENT;
use crate::evaluation::Changes;
use crate::files::read_json;
use crate::pipeline::FALSE_POSITIVES;
use crate::{Error, ErrorKind, Evaluation, Info, Result};

const METRICS: &str = "metrics.json";

/// A run, or evaluations without one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Source {
    pub(super) evaluations: Vec<Evaluation>,
    pub(super) changes: Vec<Changes>,
    /// Of a run: whom its scorer takes for toxic, if it was asked.
    pub(super) false_positives: Option<Evaluation>,
    /// Of a run: how its model was made.
    pub(super) run: Option<Recipe>,
}

/// What a run's settings say.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Recipe {
    /// The scorer that chose the training data.
    pub(super) scorer: Info,
    pub(super) config: Value,
}

impl Source {
    /// Reads a run, the directory of an evaluation, or a directory of such directories.
    ///
    /// # Errors
    /// When it is none of these, a run that is not finished, or a file in it cannot be read.
    pub(super) fn read(directory: &Path) -> Result<Self> {
        let settings = directory.join("run.json");
        if settings.is_file() {
            return Self::of_run(directory, &settings);
        }
        let mut evaluations = read_metrics(&directory.join(METRICS))?;
        if evaluations.is_empty() {
            for folder in folders(directory)? {
                evaluations.extend(read_metrics(&folder.join(METRICS))?);
            }
        }
        if evaluations.is_empty() {
            let message = "neither a run nor an evaluation is in it";
            return Err(refusal(directory, message)
                .with_remedy("name the directory of a run, or what `--out` of an evaluation was"));
        }
        Ok(Self { evaluations, changes: Vec::new(), false_positives: None, run: None })
    }

    fn of_run(directory: &Path, settings: &Path) -> Result<Self> {
        let evaluation = directory.join("eval");
        let evaluations = read_metrics(&evaluation.join(METRICS))?;
        if evaluations.is_empty() {
            let message = "nothing has been measured in this run yet";
            return Err(refusal(directory, message)
                .with_remedy("let it finish, with prompts or text to measure on"));
        }
        let changes = evaluation.join("changes.json");
        let false_positives = evaluation.join(FALSE_POSITIVES);
        Ok(Self {
            evaluations,
            false_positives: read_metrics(&false_positives)?.pop(),
            changes: if changes.is_file() { read_json(changes)? } else { Vec::new() },
            run: Some(read_json(settings)?),
        })
    }
}

/// One evaluation or several; none where there is no such file.
fn read_metrics(path: &Path) -> Result<Vec<Evaluation>> {
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let content: Value = read_json(path)?;
    if content.is_array() { parsed(path, content) } else { Ok(vec![parsed(path, content)?]) }
}

fn parsed<T: DeserializeOwned>(path: &Path, content: Value) -> Result<T> {
    serde_json::from_value(content).map_err(|e| {
        let message = format!("it holds no evaluation: {e}");
        Error::new(ErrorKind::InvalidInput, COMPONENT, "read measurements", message)
            .with_path(path)
            .with_source(e)
    })
}

/// The directories in a directory, in the order of their names, hidden ones left out.
fn folders(directory: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e| Error::io(COMPONENT, "list a directory", directory, e);
    let mut folders = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_hidden =
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() && !is_hidden {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

fn refusal(directory: &Path, message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, COMPONENT, "compare", message).with_path(directory)
}
