use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::COMPONENT;
use crate::corpus::{FieldRow, FieldRows};
use crate::{Error, ErrorKind, Result};

/// Rows of a table: which file, and which of its rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'a> {
    pub(super) file: &'a Path,
    /// Rows count whose fields have these values.
    pub(super) filter: &'a BTreeMap<String, String>,
    /// The first so many of them.
    pub(super) limit: Option<usize>,
}

/// How many values an error lists.
const LISTED: usize = 12;

impl Rows<'_> {
    /// What the rows are called in tables: as they are named, or as their file is.
    pub(super) fn name(&self, given: &str) -> String {
        let file = || self.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if given.is_empty() { file() } else { given.to_owned() }
    }

    /// Hands every row that counts to `take`.
    ///
    /// # Errors
    /// When the file cannot be read, no row counts, or `take` fails; the place is named.
    pub(super) fn for_each(&self, mut take: impl FnMut(&FieldRow) -> Result<()>) -> Result<()> {
        if self.file.as_os_str().is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                COMPONENT,
                "read a test set",
                "missing",
            )
            .with_key("file")
            .with_remedy("name a CSV, TSV or JSONL file"));
        }
        let mut met: BTreeMap<String, u64> = BTreeMap::new();
        let mut taken = 0;
        for row in FieldRows::open(self.file)? {
            let row = row?;
            if self.matches(&row) {
                if self.limit.is_some_and(|limit| taken >= limit) {
                    break;
                }
                take(&row).map_err(|e| e.with_path(self.file).with_line(row.line))?;
                taken += 1;
            } else {
                *met.entry(self.shown(&row)).or_default() += 1;
            }
        }
        if taken == 0 {
            return Err(self.nothing(&met));
        }
        Ok(())
    }

    fn matches(&self, row: &FieldRow) -> bool {
        self.filter.iter().all(|(name, value)| row.get(name).is_some_and(|v| plain(v) == *value))
    }

    /// What a row has instead of what is asked for.
    fn shown(&self, row: &FieldRow) -> String {
        let field = |name: &String| {
            let value = row.get(name).map_or_else(|| "nothing".to_owned(), plain);
            format!("{name}={value}")
        };
        self.filter.keys().map(field).collect::<Vec<_>>().join(" ")
    }

    fn nothing(&self, met: &BTreeMap<String, u64>) -> Error {
        let message =
            if met.is_empty() { "it has no rows" } else { "no row has what is asked for" };
        let error = Error::new(ErrorKind::Empty, COMPONENT, "read a test set", message)
            .with_path(self.file);
        if met.is_empty() {
            return error;
        }
        error.with_key("where").with_remedy(format!("there are rows with {}", listed(met)))
    }
}

/// `version=2020 (7202), version=rescored (10690)`.
pub(super) fn listed(met: &BTreeMap<String, u64>) -> String {
    let mut shown: Vec<String> =
        met.iter().take(LISTED).map(|(what, count)| format!("{what} ({count})")).collect();
    if met.len() > LISTED {
        shown.push(format!("{} more", met.len() - LISTED));
    }
    shown.join(", ")
}

/// A value as a cell of a table would have it.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A field that every row must have as text.
pub(super) fn text(row: &FieldRow, name: &str) -> Result<String> {
    match row.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Err(bad_field(name, format!("{other} is no text"))),
        None => Err(no_field(row, name)),
    }
}

/// That a row lacks a field.
pub(super) fn no_field(row: &FieldRow, name: &str) -> Error {
    let names: Vec<&str> = row.names().filter(|name| !name.is_empty()).take(LISTED).collect();
    bad_field(name, "the row has no such field".to_owned())
        .with_remedy(format!("its fields are {}", names.join(", ")))
}

pub(super) fn bad_field(name: &str, message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, COMPONENT, "read a test set", message)
        .with_key(name.to_owned())
}

/// What a label says, in [0, 1]: a number, true or false, or whether it is one of `positive` where
/// these are named. `None` when it is null or blank.
pub(super) fn label(value: &Value, positive: &[String], name: &str) -> Result<Option<f64>> {
    let written = match value {
        Value::Null => return Ok(None),
        other => plain(other),
    };
    let written = written.trim();
    if written.is_empty() {
        return Ok(None);
    }
    if !positive.is_empty() {
        return Ok(Some(f64::from(u8::from(positive.iter().any(|yes| yes == written)))));
    }
    let number = match written.to_ascii_lowercase().as_str() {
        "true" => Some(1.0),
        "false" => Some(0.0),
        other => other.parse().ok(),
    };
    let remedy = "list the values that mean yes: positive = [\"toxic\"]";
    match number {
        Some(number) if (0.0..=1.0).contains(&number) => Ok(Some(number)),
        Some(number) => {
            Err(bad_field(name, format!("{number} is not in [0, 1]")).with_remedy(remedy))
        }
        None => {
            // Data may be offensive, and long: an error quotes a little of it.
            let start: String = written.chars().take(20).collect();
            let message = format!("{start:?} is no number and neither true nor false");
            Err(bad_field(name, message).with_remedy(remedy))
        }
    }
}
