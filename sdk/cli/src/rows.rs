//! Rows of files.

use std::path::Path;

use detoxlm::corpus::{JsonlReader, TextRow};
use detoxlm::{Result, Sample};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::session::is_stream;

/// How many rows a file has, each of which can be read as a `T`; `None` for standard input, which
/// is read only once.
///
/// # Errors
/// When the file cannot be opened or a row is malformed.
pub(crate) fn check<T: DeserializeOwned>(path: &Path) -> Result<Option<u64>> {
    if is_stream(path) {
        return Ok(None);
    }
    JsonlReader::<T>::open(path)?.try_fold(0_u64, |count, row| row.map(|_| count + 1)).map(Some)
}

/// Rows that are held at once.
const BATCH: usize = 1024;

/// The rows of a file, so many at a time.
pub(crate) fn in_batches<T: DeserializeOwned>(
    path: &Path,
) -> Result<impl Iterator<Item = Result<Vec<T>>>> {
    let mut rows = JsonlReader::<T>::open(path)?;
    Ok(std::iter::from_fn(move || {
        let batch = rows.by_ref().take(BATCH).collect::<Result<Vec<_>>>();
        (!matches!(&batch, Ok(rows) if rows.is_empty())).then_some(batch)
    }))
}

/// A row's text, with its prompt where it has one.
pub(crate) fn sample(row: &TextRow) -> Sample {
    let prompt = row.fields.get("prompt").and_then(Value::as_str).unwrap_or_default();
    Sample::new(row.text.as_str()).with_prompt(prompt)
}
