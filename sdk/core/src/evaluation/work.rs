use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{COMPONENT, Changes, Evaluation, Measurement, Provenance, Subject};
use crate::files::{create_directory, read_json, share, write_json};
use crate::run::Parts;
use crate::settings::{as_it_reads, differences};
use crate::worker::blocking;
use crate::{Error, ErrorKind, Info, Result};

const PROVENANCE: &str = "provenance.json";
const METRICS: &str = "metrics.json";

/// Everything that the content of an evaluation's parts depends on.
pub(super) type WorkKey = Map<String, Value>;

/// The directory in which an evaluation keeps its work, in parts that are whole or not there.
///
/// `provenance.json` is written before anything else and says what the parts were made of. Work of
/// another model or other settings is refused, never mixed in.
#[derive(Clone, Debug)]
pub(super) struct WorkDirectory {
    root: PathBuf,
}

impl WorkDirectory {
    /// Begins an evaluation in `root`, or goes on with the one of the same key.
    pub(super) fn open(root: &Path, key: WorkKey) -> Result<Self> {
        create_directory(root)?;
        let file = root.join(PROVENANCE);
        let key = Value::Object(key);
        if file.is_file() {
            refuse_if_different(root, &read_key(root)?, &key)?;
        } else if has_files(root)? {
            let message = "there are files, but none that says what they are made of";
            return Err(Error::new(ErrorKind::Incompatible, COMPONENT, "begin", message)
                .with_path(root)
                .with_key(PROVENANCE)
                .with_remedy("evaluate into a directory of its own"));
        } else {
            write_json(&file, &key)?;
        }
        Ok(Self { root: root.to_path_buf() })
    }

    /// A directory to read from only.
    pub(super) fn existing(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    /// The units whose parts of these kinds are missing, and how many items are in the others.
    pub(super) fn missing(&self, kinds: &[&str], units: Units) -> (Vec<usize>, u64) {
        let is_made = |unit: &usize| kinds.iter().all(|kind| self.has(kind, *unit));
        let (made, missing): (Vec<usize>, Vec<usize>) = (0..units.count()).partition(is_made);
        (missing, made.into_iter().map(|unit| units.range(unit).len() as u64).sum())
    }

    fn parts(&self, kind: &str) -> Parts {
        Parts::new(self.root.join(kind))
    }

    pub(super) fn has(&self, kind: &str, unit: usize) -> bool {
        self.parts(kind).contains(unit as u64)
    }

    /// Has a part of `other`, too.
    pub(super) fn adopt(&self, other: &Self, kind: &str, unit: usize) -> Result<()> {
        let unit = unit as u64;
        share(other.parts(kind).path(unit), self.parts(kind).path(unit))
    }

    pub(super) fn write<T: Serialize>(&self, kind: &str, unit: usize, rows: &[T]) -> Result<()> {
        self.parts(kind).write(unit as u64, rows)
    }

    /// Reads a part whose rows the reader checks.
    pub(super) fn rows<T: DeserializeOwned>(&self, kind: &str, unit: usize) -> Result<Vec<T>> {
        self.parts(kind).read(unit as u64)
    }

    /// Reads a part of `expected` rows; `is_sound` tells whether a row is what its number asks for.
    pub(super) fn read<T: DeserializeOwned>(
        &self,
        kind: &str,
        unit: usize,
        expected: usize,
        is_sound: impl Fn(usize, &T) -> bool,
    ) -> Result<Vec<T>> {
        let rows: Vec<T> = self.rows(kind, unit)?;
        let fault = rows.iter().enumerate().find(|&(number, row)| !is_sound(number, row));
        if rows.len() == expected && fault.is_none() {
            return Ok(rows);
        }
        let line = fault.map_or(rows.len(), |(number, _)| number) + 1;
        let message = "it does not hold what its number asks for";
        Err(Error::new(ErrorKind::InvalidInput, COMPONENT, "read a part", message)
            .with_path(self.parts(kind).path(unit as u64))
            .with_line(line as u64)
            .with_remedy("remove this file: it will be made again"))
    }

    /// Ends an evaluation: `measure` reads the parts, and what it makes of them is kept.
    pub(super) async fn conclude(
        &self,
        subject: &Subject,
        provenance: Provenance,
        measure: impl FnOnce() -> Result<Vec<Measurement>> + Send + 'static,
    ) -> Result<Evaluation> {
        let measurements = blocking(measure).await?;
        let evaluation = Evaluation { subject: subject.name.clone(), measurements, provenance };
        write_json(self.root.join(METRICS), &evaluation)?;
        Ok(evaluation)
    }

    /// Whether its numbers were written, which is the last that is done in it.
    pub(super) fn is_finished(&self) -> bool {
        self.root.join(METRICS).is_file()
    }

    /// What its parts were made of.
    pub(super) fn key(&self) -> Result<Value> {
        read_key(&self.root)
    }
}

/// What changed from one directory of an evaluator's to another; `measure` reads the parts of both.
pub(super) async fn changes(
    evaluator: Info,
    base: &Path,
    other: &Path,
    measure: impl FnOnce(WorkDirectory, WorkDirectory) -> Result<Vec<Measurement>> + Send + 'static,
) -> Result<Changes> {
    let [base, other] = [base, other].map(Path::to_path_buf);
    blocking(move || {
        refuse_unless_comparable(&base, &other)?;
        let [base, other] = [&base, &other].map(|root| WorkDirectory::existing(root));
        Ok(Changes { evaluator, measurements: measure(base, other)? })
    })
    .await
}

/// Items in units, the grain of resume: a unit is on disk whole or made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Units {
    pub(super) items: usize,
    /// Items of a unit; the last may have fewer.
    pub(super) size: usize,
}

impl Units {
    pub(super) const fn count(self) -> usize {
        self.items.div_ceil(self.size)
    }

    /// The numbers of a unit's items.
    pub(super) fn range(self, unit: usize) -> Range<usize> {
        let start = unit * self.size;
        start..(start + self.size).min(self.items)
    }
}

/// Two directories whose numbers may be compared: they differ in the model and in nothing else.
fn refuse_unless_comparable(base: &Path, other: &Path) -> Result<()> {
    let without_model = |root: &Path| {
        read_key(root).map(|mut key| {
            if let Value::Object(fields) = &mut key {
                fields.remove("model");
            }
            key
        })
    };
    refuse_if_different(other, &without_model(base)?, &without_model(other)?)
}

/// Settings for a provenance, which may say more.
pub(super) fn stated<T: Serialize>(settings: &T) -> Result<BTreeMap<String, Value>> {
    Ok(match json(settings)? {
        Value::Object(settings) => settings.into_iter().collect(),
        _ => BTreeMap::new(),
    })
}

/// A value for a key or a provenance.
pub(super) fn json<T: Serialize>(value: &T) -> Result<Value> {
    as_it_reads(value).map_err(|e| {
        Error::new(ErrorKind::Internal, COMPONENT, "state the settings", e.to_string())
            .with_source(e)
    })
}

fn refuse_if_different(root: &Path, there: &Value, asked: &Value) -> Result<()> {
    let differences = differences(there, asked);
    if differences.is_empty() {
        return Ok(());
    }
    let message = format!("the directory holds other work: {}", differences.join("; "));
    Err(Error::new(ErrorKind::Incompatible, COMPONENT, "go on", message)
        .with_path(root)
        .with_remedy("use the same settings, or another directory"))
}

fn read_key(root: &Path) -> Result<Value> {
    read_json(root.join(PROVENANCE))
}

/// Whether a directory has anything but hidden files, which an interruption or a system leaves.
fn has_files(root: &Path) -> Result<bool> {
    let failed = |e| Error::io(COMPONENT, "list a directory", root, e);
    for entry in fs::read_dir(root).map_err(failed)? {
        if !entry.map_err(failed)?.file_name().to_string_lossy().starts_with('.') {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(value: Value) -> WorkKey {
        match value {
            Value::Object(map) => map,
            _ => WorkKey::new(),
        }
    }

    #[test]
    fn other_work_is_refused_by_the_names_of_its_keys() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let first = json!({"seed": 1, "model": {"digest": "a", "name": "m"}});
        WorkDirectory::open(root, key(first.clone())).unwrap();
        WorkDirectory::open(root, key(first)).unwrap();
        let other = json!({"seed": 2, "model": {"digest": "b", "name": "m"}, "extra": 1});
        let error = WorkDirectory::open(root, key(other)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        let message = error.to_string();
        assert!(message.contains("`model.digest`: \"a\" before, \"b\" now"), "{message}");
        assert!(message.contains("`seed`") && message.contains("`extra`"), "{message}");
    }

    #[test]
    fn files_of_unknown_origin_are_refused_and_hidden_ones_are_not() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(".partial-x"), "").unwrap();
        let open = || WorkDirectory::open(directory.path(), WorkKey::new());
        open().unwrap();
        fs::remove_file(directory.path().join(PROVENANCE)).unwrap();
        fs::write(directory.path().join("mine.txt"), "").unwrap();
        assert_eq!(open().unwrap_err().kind(), ErrorKind::Incompatible);
    }

    #[test]
    fn a_part_with_other_rows_is_refused_with_the_line() {
        let directory = tempfile::tempdir().unwrap();
        let work = WorkDirectory::open(directory.path(), WorkKey::new()).unwrap();
        work.write("rows", 3, &[0, 1, 5]).unwrap();
        assert!(work.has("rows", 3) && !work.has("rows", 2));
        let read = |expected| work.read::<usize>("rows", 3, expected, |number, row| number == *row);
        assert_eq!(read(3).unwrap_err().line_number(), Some(3));
        work.write("rows", 3, &[0, 1]).unwrap();
        assert_eq!(read(3).unwrap_err().line_number(), Some(3));
        assert_eq!(read(2).unwrap(), [0, 1]);
    }
}
