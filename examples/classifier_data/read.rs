//! Files in the formats that the data sets are published in.

use std::collections::BTreeMap;
use std::path::Path;

use detoxlm::corpus::JsonlReader;
use serde_json::{Map, Value};

use crate::Result;

/// A line of a JSONL file.
pub type Line = Map<String, Value>;
/// A line of a table, by the names of its columns.
pub type Record = BTreeMap<String, String>;

/// The lines of a JSONL file, plain or compressed.
pub fn lines(path: &Path) -> Result<Vec<Line>> {
    Ok(JsonlReader::open(path)?.collect::<std::result::Result<_, _>>()?)
}

/// A string of a line.
pub fn text(line: &Line, key: &str) -> Result<String> {
    let text = line.get(key).and_then(Value::as_str);
    Ok(text.ok_or_else(|| format!("a row without `{key}`"))?.to_owned())
}

/// The lines of a table: tabs in a `.tsv`, commas elsewhere.
pub fn table(path: &Path) -> Result<Vec<Record>> {
    let is_tabbed = path.extension().is_some_and(|extension| extension == "tsv");
    let mut builder = csv::ReaderBuilder::new();
    builder.delimiter(if is_tabbed { b'\t' } else { b',' }).flexible(true);
    Ok(builder.from_path(path)?.deserialize().collect::<std::result::Result<_, _>>()?)
}

/// A column of a record.
pub fn column<'a>(record: &'a Record, name: &str) -> Result<&'a str> {
    let value = record.get(name).map(String::as_str);
    Ok(value.ok_or_else(|| format!("a table without the column `{name}`"))?)
}

/// A number in a column.
pub fn number(record: &Record, name: &str) -> Result<f32> {
    let text = column(record, name)?;
    Ok(text.trim().parse().map_err(|_| format!("`{name}` is {text:?}, not a number"))?)
}
