//! What evaluations left in their directories: who wrote what, and what a judge said of it.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::COMPONENT;
use crate::corpus::read_parts;
use crate::evaluation::{Continued, GENERATIONS, Judged, SCORES};
use crate::files::read_json;
use crate::run::Parts;
use crate::{Error, ErrorKind, Info, Result};

/// What an evaluation's parts were made of.
#[derive(Clone, Debug)]
pub(super) struct MadeOf {
    file: PathBuf,
    key: Map<String, Value>,
}

impl MadeOf {
    pub(super) fn read(directory: &Path) -> Result<Self> {
        let file = directory.join("provenance.json");
        if !file.is_file() {
            let message = "it is no directory of an evaluation";
            return Err(Error::new(ErrorKind::NotFound, COMPONENT, "read an evaluation", message)
                .with_path(directory)
                .with_key("provenance.json")
                .with_remedy("name the directory that a toxicity or bias evaluation wrote into"));
        }
        let key = read_json(&file)?;
        Ok(Self { file, key })
    }

    /// Who wrote, under `model`, or who judged, under `scorer`.
    pub(super) fn info(&self, name: &str) -> Result<Info> {
        let value = self.key.get(name).cloned().unwrap_or_default();
        serde_json::from_value(value).map_err(|e| {
            let message = "it does not say who that was";
            Error::new(ErrorKind::InvalidInput, COMPONENT, "read an evaluation", message)
                .with_path(&self.file)
                .with_key(name.to_owned())
                .with_source(e)
        })
    }

    /// What two models must have in common, so that a difference of their ratings is one of theirs.
    pub(super) fn circumstances(&self) -> Value {
        let same = ["data", "continuations", "sampling", "stop"];
        let of = |name: &&str| self.key.get(*name).map(|value| ((*name).to_owned(), value.clone()));
        Value::Object(same.iter().filter_map(of).collect())
    }
}

/// The continuations of an evaluation, prompt by prompt.
pub(super) fn continuations(directory: &Path) -> impl Iterator<Item = Result<Continued>> {
    read_parts(parts(directory, GENERATIONS))
}

/// The verdicts of an evaluation, prompt by prompt.
pub(super) fn verdicts(directory: &Path) -> impl Iterator<Item = Result<Judged>> {
    read_parts(parts(directory, SCORES))
}

/// The files of the parts of a kind; the first alone where there are none, so that it is missed.
fn parts(directory: &Path, kind: &str) -> Vec<PathBuf> {
    let parts = Parts::new(directory.join(kind));
    let count = (0..).take_while(|&unit| parts.contains(unit)).count() as u64;
    (0..count.max(1)).map(|unit| parts.path(unit)).collect()
}
